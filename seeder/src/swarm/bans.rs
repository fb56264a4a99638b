//! Who has lied, and until when nobody speaks with them.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use peerfeed_protocol::ids::NodeKey;
use peerfeed_protocol::peer::Moment;

use super::limits::{BAN_FIRST, BAN_LONGEST, BANS};

/// Peers that sent what no honest program sends. Being slow, silent or gone is no reason to be here.
#[derive(Debug, Default)]
pub(super) struct Bans {
    nodes: HashMap<NodeKey, Ban>,
    addresses: HashMap<BannedAddress, Ban>,
}

#[derive(Clone, Copy, Debug)]
struct Ban {
    until: Moment,
    times: u32,
}

/// An address is banned as a whole; on this machine itself, where many programs share one, by its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum BannedAddress {
    Whole(IpAddr),
    OnePort(SocketAddr),
}

impl BannedAddress {
    fn of(address: SocketAddr) -> Self {
        let ip = address.ip().to_canonical();
        if ip.is_loopback() { Self::OnePort(SocketAddr::new(ip, address.port())) } else { Self::Whole(ip) }
    }
}

impl Bans {
    /// Bans a node key and the address it spoke from.
    pub(super) fn ban(&mut self, now: Moment, node: Option<NodeKey>, address: SocketAddr) {
        if let Some(node) = node {
            extend(&mut self.nodes, now, node);
        }
        extend(&mut self.addresses, now, BannedAddress::of(address));
    }

    /// Whether this node key is banned.
    pub(super) fn node(&self, now: Moment, node: &NodeKey) -> bool {
        self.nodes.get(node).is_some_and(|ban| ban.until > now)
    }

    /// Whether this address is banned.
    pub(super) fn address(&self, now: Moment, address: SocketAddr) -> bool {
        self.addresses.get(&BannedAddress::of(address)).is_some_and(|ban| ban.until > now)
    }
}

fn extend<K: Copy + Eq + std::hash::Hash>(bans: &mut HashMap<K, Ban>, now: Moment, key: K) {
    if bans.len() >= BANS
        && !bans.contains_key(&key)
        && let Some(soonest) = bans.iter().min_by_key(|(_, ban)| ban.until).map(|(key, _)| *key)
    {
        bans.remove(&soonest);
    }
    let ban = bans.entry(key).or_insert(Ban { until: now, times: 0 });
    let lasts: Duration = BAN_FIRST.saturating_mul(1 << ban.times.min(10)).min(BAN_LONGEST);
    ban.times += 1;
    ban.until = now.after(lasts);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ban_ends_after_an_hour_and_the_second_lasts_two() {
        let mut bans = Bans::default();
        let liar: SocketAddr = "192.0.2.7:1000".parse().unwrap();
        let hour = Duration::from_secs(3_600);
        bans.ban(Moment::START, Some(NodeKey::new([1; 32])), liar);
        assert!(bans.address(Moment::START, "192.0.2.7:2000".parse().unwrap()), "another port is the same liar");
        assert!(bans.node(Moment::START, &NodeKey::new([1; 32])));
        let later = Moment::START.after(hour);
        assert!(!bans.address(later, liar));
        bans.ban(later, None, liar);
        assert!(bans.address(later.after(hour), liar));
        assert!(!bans.address(later.after(hour * 2), liar));
    }

    #[test]
    fn a_liar_on_this_machine_does_not_ban_its_neighbours() {
        let mut bans = Bans::default();
        bans.ban(Moment::START, None, "127.0.0.1:1000".parse().unwrap());
        assert!(bans.address(Moment::START, "127.0.0.1:1000".parse().unwrap()));
        assert!(!bans.address(Moment::START, "127.0.0.1:1001".parse().unwrap()));
    }

    #[test]
    fn the_list_of_bans_is_bounded() {
        let mut bans = Bans::default();
        for number in 0..2 * u32::try_from(BANS).unwrap() {
            bans.ban(Moment::START, None, SocketAddr::new(IpAddr::V4(number.into()), 1));
        }
        assert_eq!(bans.addresses.len(), BANS);
    }
}
