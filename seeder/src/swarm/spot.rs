//! An address at which one feed may be found.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use peerfeed_protocol::ids::WitnessKey;
use peerfeed_protocol::peer::Moment;

use super::ConnectionId;
use super::feed::Feed;
use super::limits::{ADDRESSES_PER_FEED, ADDRESSES_PER_PREFIX, ADDRESSES_PER_SOURCE};
use super::prefix::Prefix;
use super::progress::AttemptKind;

/// What is known of an address, as far as one feed is concerned.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    /// What it is believed to be.
    pub kind: AttemptKind,
    /// Who named it, unless it was the feed's owner or the person here.
    pub source: Option<Source>,
    /// The seeder that is expected there.
    pub witness: Option<WitnessKey>,
    /// Whether it was tried since the feed is looked for.
    pub tried: bool,
    /// Whether it answered with a state since then.
    pub answered: bool,
    /// Why it does not serve the feed.
    pub error: Option<String>,
    /// Until when it is not asked for this feed again, as it said that it has it not.
    pub refused_until: Option<Moment>,
}

/// Who says that a feed is found somewhere without anything to prove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// A tracker.
    Tracker,
    /// A peer.
    Peer(ConnectionId),
}

impl Feed {
    /// Notes an address of a seeder that the manifest, a link or the person here named.
    pub(super) fn note_seeder(&mut self, address: &str, witness: Option<WitnessKey>) {
        let spot = self.spots.entry(address.to_owned()).or_insert_with(|| Spot::new(AttemptKind::Seeder, None));
        spot.kind = AttemptKind::Seeder;
        spot.source = None;
        spot.witness = witness.or(spot.witness);
    }

    /// Notes an address that somebody named; false if it is not worth its place.
    ///
    /// No source and no prefix fills the list, and where it is full, what did not work gives way first, then what the source
    /// that named most has named. `is_busy` tells which addresses are connected and stay.
    pub(super) fn hear_of(&mut self, address: SocketAddr, source: Source, is_busy: impl Fn(&str) -> bool) -> bool {
        let name = address.to_string();
        if self.spots.contains_key(&name) {
            return true;
        }
        let prefix = Prefix::of(address.ip());
        let named = || self.spots.iter().filter(|(_, spot)| spot.source.is_some());
        let is_near = |(other, _): &(&String, &Spot)| prefix_of(other) == Some(prefix);
        if prefix != Prefix::Loopback && named().filter(is_near).count() >= ADDRESSES_PER_PREFIX {
            return false;
        }
        let mut counts: BTreeMap<Source, usize> = BTreeMap::new();
        for (_, spot) in named() {
            *counts.entry(spot.source.expect("only those that were named")).or_default() += 1;
        }
        let own = counts.get(&source).copied().unwrap_or_default();
        let gives_way = if own >= ADDRESSES_PER_SOURCE {
            Some(source)
        } else if self.spots.len() >= ADDRESSES_PER_FEED {
            let greatest = counts.iter().max_by_key(|(_, count)| **count);
            greatest.filter(|(_, count)| **count > own + 1).map(|(greatest, _)| *greatest)
        } else {
            self.spots.insert(name, Spot::new(AttemptKind::Peer, Some(source)));
            return true;
        };
        let goes = named()
            .filter(|(other, spot)| !is_busy(other) && (spot.error.is_some() || spot.source == gives_way))
            .max_by_key(|(_, spot)| (spot.error.is_some(), spot.tried))
            .map(|(other, _)| other.clone());
        let Some(goes) = goes else { return false };
        self.spots.remove(&goes);
        self.spots.insert(name, Spot::new(AttemptKind::Peer, Some(source)));
        true
    }
}

impl Spot {
    fn new(kind: AttemptKind, source: Option<Source>) -> Self {
        Self { kind, source, witness: None, tried: false, answered: false, error: None, refused_until: None }
    }
}

fn prefix_of(name: &str) -> Option<Prefix> {
    name.parse::<SocketAddr>().ok().map(|address| Prefix::of(address.ip()))
}

#[cfg(test)]
mod tests {
    use peerfeed_protocol::crypto::IdentityKey;

    use super::*;

    fn feed() -> Feed {
        let id = IdentityKey::from_seed(&[7; 32]).feed_id();
        Feed::new(id, id.swarm_id())
    }

    fn address(number: u32) -> SocketAddr {
        SocketAddr::new(std::net::IpAddr::V4((0x0b00_0000 + number).into()), 7_000)
    }

    fn peer(number: u64) -> Source {
        Source::Peer(ConnectionId(number))
    }

    #[test]
    fn one_source_does_not_fill_the_list() {
        let mut feed = feed();
        for number in 0..1_000 {
            feed.hear_of(address(number), peer(1), |_| false);
        }
        assert_eq!(feed.spots.len(), ADDRESSES_PER_SOURCE);
        assert!(feed.hear_of(address(5_000), peer(2), |_| false), "there is room for others");
    }

    #[test]
    fn a_full_list_makes_room_at_the_cost_of_who_named_most() {
        let mut feed = feed();
        let sources = u32::try_from(ADDRESSES_PER_FEED / ADDRESSES_PER_SOURCE).unwrap();
        let each = u32::try_from(ADDRESSES_PER_SOURCE).unwrap();
        for source in 0..sources {
            for number in 0..each {
                assert!(feed.hear_of(address(source * 1_000 + number), peer(u64::from(source)), |_| false));
            }
        }
        assert!(feed.hear_of(address(90_000), Source::Tracker, |_| false));
        assert_eq!(feed.spots.len(), ADDRESSES_PER_FEED);
        assert!(feed.spots.contains_key(&address(90_000).to_string()));
        assert!(!feed.hear_of(address(90_001), Source::Tracker, |_| true), "who is connected stays");
    }

    #[test]
    fn many_ports_of_one_address_are_still_one() {
        let mut feed = feed();
        let noted = (1..=100)
            .filter(|port| feed.hear_of(SocketAddr::new(address(1).ip(), *port), Source::Tracker, |_| false))
            .count();
        assert_eq!(noted, ADDRESSES_PER_PREFIX);
        let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let noted = (1..=40).filter(|port| feed.hear_of(loopback(*port), Source::Tracker, |_| false)).count();
        assert_eq!(noted, 40, "this machine runs many");
    }

    #[test]
    fn what_the_owner_named_never_gives_way() {
        let mut feed = feed();
        for number in 0..u32::try_from(ADDRESSES_PER_FEED).unwrap() {
            feed.note_seeder(&address(number).to_string(), None);
        }
        assert!(!feed.hear_of(address(5_000), Source::Tracker, |_| false));
        assert_eq!(feed.spots.len(), ADDRESSES_PER_FEED);
    }
}
