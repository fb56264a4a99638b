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
    /// What it has in common with its neighbours, where somebody named it.
    pub prefix: Option<Prefix>,
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

    /// Notes addresses that somebody named; those that gave way for them.
    ///
    /// No source and no prefix fills the list, and where it is full, what did not work gives way first, then what the source
    /// that named most has named. `is_busy` tells which addresses are connected and stay.
    pub(super) fn hear_of(
        &mut self,
        addresses: &[SocketAddr],
        source: Source,
        is_busy: impl Fn(&str) -> bool,
    ) -> Vec<String> {
        let is_new = |address: &&SocketAddr| !self.spots.contains_key(&address.to_string());
        let new: Vec<SocketAddr> = addresses.iter().filter(is_new).copied().collect();
        if new.is_empty() {
            return Vec::new();
        }
        let mut listing = Listing::new(self, source, is_busy);
        for address in new {
            listing.note(address);
        }
        listing.gone
    }
}

/// The list while one source names addresses for it.
struct Listing<'f, F> {
    feed: &'f mut Feed,
    source: Source,
    is_busy: F,
    by_source: BTreeMap<Source, usize>,
    by_prefix: BTreeMap<Prefix, usize>,
    /// Those that may give way; looked for once the first has to.
    weak: Option<Vec<Weak>>,
    gone: Vec<String>,
}

/// An address that may give way.
struct Weak {
    address: String,
    source: Option<Source>,
    has_failed: bool,
    was_tried: bool,
}

impl<'f, F: Fn(&str) -> bool> Listing<'f, F> {
    fn new(feed: &'f mut Feed, source: Source, is_busy: F) -> Self {
        let (mut by_source, mut by_prefix) = (BTreeMap::new(), BTreeMap::new());
        for spot in feed.spots.values() {
            if let Some(source) = spot.source {
                *by_source.entry(source).or_default() += 1;
                if let Some(prefix) = spot.prefix {
                    *by_prefix.entry(prefix).or_default() += 1;
                }
            }
        }
        Self { feed, source, is_busy, by_source, by_prefix, weak: None, gone: Vec::new() }
    }

    /// Puts an address on the list, if it is worth its place.
    fn note(&mut self, address: SocketAddr) {
        let name = address.to_string();
        if self.feed.spots.contains_key(&name) {
            return;
        }
        let prefix = Prefix::of(address.ip());
        let near = self.by_prefix.get(&prefix).copied().unwrap_or_default();
        if prefix != Prefix::Loopback && near >= ADDRESSES_PER_PREFIX {
            return;
        }
        let own = self.by_source.get(&self.source).copied().unwrap_or_default();
        if own >= ADDRESSES_PER_SOURCE {
            if !self.give_way(Some(self.source)) {
                return;
            }
        } else if self.feed.spots.len() >= ADDRESSES_PER_FEED {
            let greatest = self.by_source.iter().max_by_key(|(_, count)| **count);
            let greatest = greatest.filter(|(_, count)| **count > own + 1).map(|(greatest, _)| *greatest);
            if !self.give_way(greatest) {
                return;
            }
        }
        *self.by_source.entry(self.source).or_default() += 1;
        *self.by_prefix.entry(prefix).or_default() += 1;
        self.feed.spots.insert(name, Spot { prefix: Some(prefix), ..Spot::new(AttemptKind::Peer, Some(self.source)) });
    }

    /// Takes one away that has failed, or that this source has named.
    fn give_way(&mut self, source: Option<Source>) -> bool {
        let weak = self.weak.get_or_insert_with(|| {
            let named =
                self.feed.spots.iter().filter(|(address, spot)| spot.source.is_some() && !(self.is_busy)(address));
            let weak = named.map(|(address, spot)| Weak {
                address: address.clone(),
                source: spot.source,
                has_failed: spot.error.is_some(),
                was_tried: spot.tried,
            });
            let mut weak: Vec<Weak> = weak.collect();
            weak.sort_by_key(|weak| (weak.has_failed, weak.was_tried));
            weak
        });
        let may_go = |weak: &Weak| weak.has_failed || weak.source == source;
        let Some(at) = weak.iter().rposition(may_go) else { return false };
        let goes = weak.remove(at);
        let Some(spot) = self.feed.spots.remove(&goes.address) else { return false };
        if let Some(count) = spot.source.and_then(|source| self.by_source.get_mut(&source)) {
            *count = count.saturating_sub(1);
        }
        if let Some(count) = spot.prefix.and_then(|prefix| self.by_prefix.get_mut(&prefix)) {
            *count = count.saturating_sub(1);
        }
        self.gone.push(goes.address);
        true
    }
}

impl Spot {
    fn new(kind: AttemptKind, source: Option<Source>) -> Self {
        Self {
            kind,
            source,
            prefix: None,
            witness: None,
            tried: false,
            answered: false,
            error: None,
            refused_until: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use peerfeed_protocol::crypto::IdentityKey;

    use super::*;

    fn feed() -> Feed {
        let id = IdentityKey::from_seed(&[7; 32]).feed_id();
        Feed::new(id, id.swarm_id())
    }

    fn hear(feed: &mut Feed, address: SocketAddr, source: Source, is_busy: impl Fn(&str) -> bool) -> bool {
        feed.hear_of(&[address], source, is_busy);
        feed.spots.contains_key(&address.to_string())
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
        let many: Vec<SocketAddr> = (0..1_000).map(address).collect();
        feed.hear_of(&many, peer(1), |_| false);
        assert_eq!(feed.spots.len(), ADDRESSES_PER_SOURCE);
        for address in &many {
            hear(&mut feed, *address, peer(1), |_| false);
        }
        assert_eq!(feed.spots.len(), ADDRESSES_PER_SOURCE);
        assert!(hear(&mut feed, address(5_000), peer(2), |_| false), "there is room for others");
    }

    #[test]
    fn a_full_list_makes_room_at_the_cost_of_who_named_most() {
        let mut feed = feed();
        let sources = u32::try_from(ADDRESSES_PER_FEED / ADDRESSES_PER_SOURCE).unwrap();
        let each = u32::try_from(ADDRESSES_PER_SOURCE).unwrap();
        for source in 0..sources {
            for number in 0..each {
                assert!(hear(&mut feed, address(source * 1_000 + number), peer(u64::from(source)), |_| false));
            }
        }
        assert!(hear(&mut feed, address(90_000), Source::Tracker, |_| false));
        assert_eq!(feed.spots.len(), ADDRESSES_PER_FEED);
        assert!(feed.spots.contains_key(&address(90_000).to_string()));
        assert!(!hear(&mut feed, address(90_001), Source::Tracker, |_| true), "who is connected stays");
    }

    #[test]
    fn many_ports_of_one_address_are_still_one() {
        let mut feed = feed();
        let noted = (1..=100)
            .filter(|port| hear(&mut feed, SocketAddr::new(address(1).ip(), *port), Source::Tracker, |_| false))
            .count();
        assert_eq!(noted, ADDRESSES_PER_PREFIX);
        let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let noted = (1..=40).filter(|port| hear(&mut feed, loopback(*port), Source::Tracker, |_| false)).count();
        assert_eq!(noted, 40, "this machine runs many");
    }

    #[test]
    fn what_the_owner_named_never_gives_way() {
        let mut feed = feed();
        for number in 0..u32::try_from(ADDRESSES_PER_FEED).unwrap() {
            feed.note_seeder(&address(number).to_string(), None);
        }
        assert!(!hear(&mut feed, address(5_000), Source::Tracker, |_| false));
        assert_eq!(feed.spots.len(), ADDRESSES_PER_FEED);
    }
}
