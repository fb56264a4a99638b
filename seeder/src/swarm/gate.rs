//! Who may come in, before any cryptography.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::Duration;

use peerfeed_protocol::peer::Moment;

use super::limits::{CONNECTIONS_PER_PREFIX, HALF_OPEN, HALF_OPEN_PER_PREFIX, HINT_TRIES_PER_MINUTE};
use super::prefix::Prefix;

/// Counts connections that came in: in all, those without a finished handshake, and per prefix; and how often the hints
/// of a prefix were compared with the feeds held here.
///
/// Nobody is locked out by those who never finish their handshakes: where there is no room for one more of them, the one
/// that has been at it for longest gives way, and strangers before who has shown that it knows a feed.
#[derive(Debug)]
pub struct Gate {
    connections_max: usize,
    prefixes: HashMap<Prefix, Count>,
    open: usize,
    half_open: BTreeMap<(Stage, GuestId), Prefix>,
    last: u64,
}

/// The number of a connection that was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GuestId(u64);

/// Somebody was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entered {
    /// Its number.
    pub guest: GuestId,
    /// Who has to be sent away for it.
    pub gives_way: Option<GuestId>,
}

/// How far a handshake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Stranger,
    KnowsAFeed,
}

/// Why a connection is closed without a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There are as many connections as there may be.
    #[error("there are as many connections as there may be")]
    Full,
    /// Too many are from one prefix.
    #[error("too many connections are from one prefix")]
    Prefix,
}

#[derive(Debug)]
struct Count {
    open: usize,
    half_open: usize,
    tries: u32,
    tries_since: Moment,
}

const MINUTE: Duration = Duration::from_secs(60);

impl Count {
    fn new(now: Moment) -> Self {
        Self { open: 0, half_open: 0, tries: 0, tries_since: now }
    }
}

impl Gate {
    /// A gate that lets in so many at a time.
    pub fn new(connections_max: usize) -> Self {
        Self { connections_max, prefixes: HashMap::new(), open: 0, half_open: BTreeMap::new(), last: 0 }
    }

    /// Lets a connection in, or says why not. Each one that was let in must be reported to [`Self::left`].
    pub fn enter(&mut self, now: Moment, address: SocketAddr) -> Result<Entered, Refusal> {
        if self.open >= self.connections_max {
            return Err(Refusal::Full);
        }
        let prefix = Prefix::of(address.ip());
        let count = self.prefixes.entry(prefix).or_insert_with(|| Count::new(now));
        let is_own = prefix == Prefix::Loopback;
        if count.open >= CONNECTIONS_PER_PREFIX && !is_own {
            return Err(Refusal::Prefix);
        }
        let one_of_them = count.half_open >= HALF_OPEN_PER_PREFIX && !is_own;
        let gives_way = (one_of_them || self.half_open.len() >= HALF_OPEN).then(|| {
            let mut oldest = self.half_open.iter().filter(|(_, of)| !one_of_them || **of == prefix);
            oldest.next().map(|((_, guest), _)| *guest)
        });
        let gives_way = gives_way.flatten();
        if let Some(guest) = gives_way {
            self.established(guest);
        }
        self.last += 1;
        let guest = GuestId(self.last);
        self.half_open.insert((Stage::Stranger, guest), prefix);
        let count = self.prefixes.entry(prefix).or_insert_with(|| Count::new(now));
        count.open += 1;
        count.half_open += 1;
        self.open += 1;
        Ok(Entered { guest, gives_way })
    }

    /// A connection has shown that it knows a feed.
    pub fn knows_a_feed(&mut self, guest: GuestId) {
        if let Some(prefix) = self.half_open.remove(&(Stage::Stranger, guest)) {
            self.half_open.insert((Stage::KnowsAFeed, guest), prefix);
        }
    }

    /// A connection's handshake is finished, or need not be waited for any more.
    pub fn established(&mut self, guest: GuestId) {
        let stages = [Stage::Stranger, Stage::KnowsAFeed];
        let prefix = stages.into_iter().find_map(|stage| self.half_open.remove(&(stage, guest)));
        if let Some(count) = prefix.and_then(|prefix| self.prefixes.get_mut(&prefix)) {
            count.half_open = count.half_open.saturating_sub(1);
        }
    }

    /// A connection that was let in is over.
    pub fn left(&mut self, now: Moment, guest: GuestId, address: SocketAddr) {
        self.established(guest);
        self.open = self.open.saturating_sub(1);
        if let Some(count) = self.prefixes.get_mut(&Prefix::of(address.ip())) {
            count.open = count.open.saturating_sub(1);
        }
        // What says nothing any more is forgotten; there are few of them beside those that are open.
        if self.prefixes.len() > 2 * self.connections_max {
            self.prefixes.retain(|_, count| count.open > 0 || now.since(count.tries_since) < MINUTE);
        }
    }

    /// Whether a first message from this address may be compared with the feeds held here.
    pub fn may_try(&mut self, now: Moment, address: SocketAddr) -> bool {
        let prefix = Prefix::of(address.ip());
        let count = self.prefixes.entry(prefix).or_insert_with(|| Count::new(now));
        if now.since(count.tries_since) >= MINUTE {
            (count.tries, count.tries_since) = (0, now);
        }
        count.tries += 1;
        count.tries <= HINT_TRIES_PER_MINUTE || prefix == Prefix::Loopback
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_prefix_gets_its_share_and_no_more() {
        let mut gate = Gate::new(1_000);
        for port in 1..=u16::try_from(CONNECTIONS_PER_PREFIX).unwrap() {
            let guest = SocketAddr::new("2001:db8::1".parse().unwrap(), port);
            let entered = gate.enter(Moment::START, guest).unwrap();
            gate.established(entered.guest);
        }
        assert_eq!(gate.enter(Moment::START, address("[2001:db8:0:ff::2]:1")), Err(Refusal::Prefix));
        let other = gate.enter(Moment::START, address("[2001:db8:0:100::2]:1")).unwrap();
        assert_eq!(other.gives_way, None);
        gate.left(Moment::START, GuestId(1), address("[2001:db8::1]:1"));
        assert!(gate.enter(Moment::START, address("[2001:db8:0:ff::2]:1")).is_ok());
    }

    #[test]
    fn a_newcomer_gets_in_though_nobody_finishes_a_handshake_and_the_oldest_gives_way() {
        // Everybody on this machine is one household, so that one local program could take every place.
        let here: fn(u32) -> SocketAddr = |_| address("127.0.0.1:1");
        let everywhere: fn(u32) -> SocketAddr = |number| SocketAddr::new(IpAddr::V4((0x0a00_0000 + number).into()), 1);
        for from in [here, everywhere] {
            let mut gate = Gate::new(1_000);
            let flood: Vec<GuestId> = (0..u32::try_from(HALF_OPEN).unwrap())
                .map(|number| gate.enter(Moment::START, from(number)).unwrap())
                .inspect(|entered| assert_eq!(entered.gives_way, None))
                .map(|entered| entered.guest)
                .collect();
            let newcomer = gate.enter(Moment::START, address("192.0.2.1:1")).unwrap();
            assert_eq!(newcomer.gives_way, Some(flood[0]));
            // That the first one is gone is heard later, and frees no second place.
            gate.left(Moment::START, flood[0], from(0));
            assert_eq!(gate.enter(Moment::START, address("192.0.2.2:1")).unwrap().gives_way, Some(flood[1]));
            gate.established(newcomer.guest);
            assert_eq!(gate.enter(Moment::START, address("192.0.2.3:1")).unwrap().gives_way, None);
        }
    }

    #[test]
    fn who_knows_a_feed_does_not_give_way_to_strangers() {
        let mut gate = Gate::new(10_000);
        let friend = gate.enter(Moment::START, address("127.0.0.1:1")).unwrap().guest;
        gate.knows_a_feed(friend);
        for _ in 0..3 * HALF_OPEN {
            let entered = gate.enter(Moment::START, address("127.0.0.1:1")).unwrap();
            assert_ne!(entered.gives_way, Some(friend));
        }
    }

    #[test]
    fn one_prefix_cannot_take_every_place_of_those_who_shake_hands() {
        let mut gate = Gate::new(1_000);
        let stranger = address("192.0.2.1:1");
        let first: Vec<Entered> =
            (0..HALF_OPEN_PER_PREFIX).map(|_| gate.enter(Moment::START, stranger).unwrap()).collect();
        assert!(first.iter().all(|entered| entered.gives_way.is_none()));
        assert_eq!(gate.enter(Moment::START, address("192.0.2.2:1")).unwrap().gives_way, None);
        assert_eq!(gate.enter(Moment::START, stranger).unwrap().gives_way, Some(first[0].guest), "one of its own");
    }

    #[test]
    fn there_are_never_more_than_the_gate_was_made_for() {
        let mut gate = Gate::new(2);
        assert!(gate.enter(Moment::START, address("192.0.2.1:1")).is_ok());
        assert!(gate.enter(Moment::START, address("192.0.2.2:1")).is_ok());
        assert_eq!(gate.enter(Moment::START, address("192.0.2.3:1")), Err(Refusal::Full));
    }

    #[test]
    fn hints_are_tried_only_so_often_for_one_prefix() {
        let mut gate = Gate::new(1_000);
        let stranger = address("192.0.2.1:1");
        let tried = (0..500).filter(|_| gate.may_try(Moment::START, stranger)).count();
        assert_eq!(tried, HINT_TRIES_PER_MINUTE as usize);
        assert!(gate.may_try(Moment::START.after(MINUTE), stranger));
        assert!(gate.may_try(Moment::START, address("192.0.2.2:1")));
    }
}
