//! What costs how much, and who pays.

use std::net::IpAddr;
use std::time::Duration;

use siphasher::sip::SipHasher13;

use super::{Buckets, Prefix, Rate, Tokens};
use crate::limit::{
    ANNOUNCE_COST, AROUND_FACTOR, CONNECT_COST, CONNECT_RATE, NEW_PEER_COST, NEW_SWARM_COST, PEER_COST, PEERS_PER_SITE,
    REQUEST_RATE, SCRAPE_COST, SCRAPE_HASH_COST,
};

/// Keeps each customer to what one customer may need. Shared by all workers.
#[derive(Debug)]
pub struct Guard {
    /// Requests of proven addresses.
    requests: Tables,
    /// Requests for connection ids, whose sender may be a lie: apart, so that lies cost nobody his announces.
    connects: Tables,
    /// Peers that may be put in.
    peers: Tables,
    limit_loopback: bool,
    hash_key: [u8; 16],
}

/// Whom an address belongs to, as all tables know it: hashed once for all that is asked in its name.
#[derive(Clone, Copy, Debug)]
pub struct Customer {
    /// `None` for whoever is not kept to limits.
    site: Option<u64>,
    around: Option<u64>,
}

/// How a guard is set up.
#[derive(Clone, Copy, Debug)]
pub struct GuardOptions {
    /// Bytes for all tables; less than 64 KiB are taken as that.
    pub memory_bytes: usize,
    /// How long a peer counts: in this time a customer may put in [`PEERS_PER_SITE`].
    pub peer_lifetime: Duration,
    /// Whether loopback addresses are customers as well.
    pub limit_loopback: bool,
    /// A random number: who knows it could fill one set of buckets.
    pub hash_key: [u8; 16],
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// An announce; what it adds is charged when that is known.
    Announce,
    /// A scrape of so many hashes.
    Scrape(usize),
}

/// A table for sites, and one for the networks around IPv6 sites.
#[derive(Debug)]
struct Tables {
    sites: Buckets,
    around: Buckets,
}

impl Guard {
    /// A guard that has seen nobody.
    pub fn new(options: &GuardOptions) -> Self {
        // Three tables of sites, with a quarter more for the networks around them.
        let count = options.memory_bytes.max(64 << 10) / Buckets::BUCKET_BYTES * 4 / 15;
        let tables = |rate| Tables::new(count, rate);
        let lifetime_seconds = options.peer_lifetime.as_secs_f64().max(1.0);
        Self {
            requests: tables(REQUEST_RATE),
            connects: tables(CONNECT_RATE),
            peers: tables(Rate { per_second: PEERS_PER_SITE / lifetime_seconds, burst: PEERS_PER_SITE }),
            limit_loopback: options.limit_loopback,
            hash_key: options.hash_key,
        }
    }

    /// Whether this address is kept to limits at all.
    pub fn limits(&self, ip: IpAddr) -> bool {
        self.limit_loopback || !ip.to_canonical().is_loopback()
    }

    /// Whom this address belongs to.
    pub fn customer(&self, ip: IpAddr) -> Customer {
        if !self.limits(ip) {
            return Customer { site: None, around: None };
        }
        let hash = |prefix: Prefix| SipHasher13::new_with_key(&self.hash_key).hash(&prefix.to_bytes());
        Customer { site: Some(hash(Prefix::site_of(ip))), around: Prefix::around(ip).map(hash) }
    }

    /// Fetches what will be looked at when this customer announces.
    pub fn foresee(&self, customer: &Customer) {
        self.requests.fetch(customer);
    }

    /// Fetches what will be looked at when it asks for a connection id.
    pub fn foresee_connect(&self, customer: &Customer) {
        self.connects.fetch(customer);
    }

    /// Whether a proven address gets what it asks for; it pays if so.
    pub fn admits(&self, customer: &Customer, ask: Ask, now: Duration) -> bool {
        let cost = match ask {
            Ask::Announce => ANNOUNCE_COST,
            Ask::Scrape(hashes) => SCRAPE_COST.and(SCRAPE_HASH_COST.times(u64::try_from(hashes).unwrap_or(u64::MAX))),
        };
        self.requests.take(customer, cost, now)
    }

    /// Whether somebody who claims to be this customer gets a connection id.
    pub fn admits_connect(&self, customer: &Customer, now: Duration) -> bool {
        self.connects.take(customer, CONNECT_COST, now)
    }

    /// Whether it may put one more peer in.
    pub fn may_add(&self, customer: &Customer, now: Duration) -> bool {
        self.peers.have_some(customer, now)
    }

    /// Charges what an announce has added.
    pub fn charge_added(&self, customer: &Customer, is_new_swarm: bool, now: Duration) {
        self.peers.debit(customer, PEER_COST, now);
        self.requests.debit(customer, if is_new_swarm { NEW_SWARM_COST } else { NEW_PEER_COST }, now);
    }
}

impl Tables {
    fn new(count: usize, rate: Rate) -> Self {
        let around = Rate { per_second: rate.per_second * AROUND_FACTOR, burst: rate.burst * AROUND_FACTOR };
        Self { sites: Buckets::new(count, rate), around: Buckets::new(count / 4, around) }
    }

    fn fetch(&self, customer: &Customer) {
        if let Some(site) = customer.site {
            self.sites.fetch(site);
        }
    }

    fn take(&self, customer: &Customer, cost: Tokens, now: Duration) -> bool {
        customer.site.is_none_or(|site| self.sites.take(site, cost, now))
            && customer.around.is_none_or(|around| self.around.take(around, cost, now))
    }

    fn have_some(&self, customer: &Customer, now: Duration) -> bool {
        customer.site.is_none_or(|site| self.sites.has_some(site, now))
            && customer.around.is_none_or(|around| self.around.has_some(around, now))
    }

    fn debit(&self, customer: &Customer, cost: Tokens, now: Duration) {
        if let Some(site) = customer.site {
            self.sites.debit(site, cost, now);
        }
        if let Some(around) = customer.around {
            self.around.debit(around, cost, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(7);

    fn guard(limit_loopback: bool) -> Guard {
        let peer_lifetime = Duration::from_secs(2700);
        Guard::new(&GuardOptions { memory_bytes: 1 << 20, peer_lifetime, limit_loopback, hash_key: [1; 16] })
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// How often something is done until it is refused, 200,000 at most.
    fn times(mut once: impl FnMut() -> bool) -> u32 {
        (0..200_000).find(|_| !once()).unwrap_or(200_000)
    }

    #[test]
    fn a_new_swarm_costs_more_than_a_refresh_a_scrape_and_a_connect() {
        let new_swarms = guard(false);
        let new_swarms = times(|| {
            let admitted = new_swarms.admits(&new_swarms.customer(ip("192.0.2.1")), Ask::Announce, NOW);
            new_swarms.charge_added(&new_swarms.customer(ip("192.0.2.1")), true, NOW);
            admitted
        });
        let asked = |ask| {
            let guard = guard(false);
            times(|| guard.admits(&guard.customer(ip("192.0.2.1")), ask, NOW))
        };
        let (refreshes, scrapes) = (asked(Ask::Announce), asked(Ask::Scrape(1)));
        assert!(
            0 < new_swarms && new_swarms * 2 < refreshes && refreshes < scrapes,
            "{new_swarms} {refreshes} {scrapes}"
        );
        assert!(asked(Ask::Scrape(74)) < scrapes);
    }

    #[test]
    fn who_lies_about_its_address_costs_the_owner_no_announce() {
        let guard = guard(false);
        assert!(times(|| guard.admits_connect(&guard.customer(ip("192.0.2.1")), NOW)) < 200_000);
        assert!(guard.admits(&guard.customer(ip("192.0.2.1")), Ask::Announce, NOW));
    }

    #[test]
    fn one_customer_puts_in_its_share_of_peers_and_no_more() {
        let guard = guard(false);
        let added = |address: &dyn Fn(u32) -> IpAddr| {
            let mut n = 0;
            times(|| {
                n += 1;
                let customer = guard.customer(address(n));
                let may = guard.may_add(&customer, NOW);
                if may {
                    guard.charge_added(&customer, true, NOW);
                }
                may
            })
        };
        let v4 = added(&|_| ip("192.0.2.1"));
        assert!((9_000..=10_000).contains(&v4), "{v4}");
        let own = added(&|n| ip(&format!("2001:db8:1:1::{n:x}")));
        assert_eq!(own, v4, "all addresses of a /64 are one customer");
        let nets = added(&|n| ip(&format!("2001:db8:2:{:x}::1", n % 60_000)));
        assert_eq!(nets, 4 * v4, "and all networks of a /48 are few");
    }

    #[test]
    fn loopback_is_free_unless_switched_on() {
        for (limit_loopback, expected) in [(false, 200_000), (true, 12_500)] {
            for address in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
                let guard = guard(limit_loopback);
                let times = times(|| guard.admits(&guard.customer(ip(address)), Ask::Announce, NOW));
                assert_eq!(times, expected, "{address}");
            }
        }
    }
}
