//! A tracker that remembers whom it was told of.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use peerfeed::swarm::{Announced, Chance};
use peerfeed_protocol::announce::Event;
use peerfeed_protocol::peer::Moment;

/// Names so many peers at a time, drawn at random, as trackers do.
#[derive(Debug)]
pub struct Tracker {
    named: usize,
    interval: Duration,
    swarm: Vec<SocketAddr>,
    places: BTreeMap<SocketAddr, usize>,
    chance: Chance,
    /// Announces answered.
    pub answered: u64,
    /// When each machine was first heard of.
    pub met: BTreeMap<SocketAddr, Moment>,
}

impl Tracker {
    /// A tracker that nobody has told anything yet.
    pub fn new(named: usize, interval: Duration, chance: Chance) -> Self {
        Self { named, interval, swarm: Vec::new(), places: BTreeMap::new(), chance, answered: 0, met: BTreeMap::new() }
    }

    /// Somebody announces.
    pub fn announce(&mut self, now: Moment, from: SocketAddr, event: Event) -> Announced {
        self.answered += 1;
        self.met.entry(from).or_insert(now);
        if event == Event::Stopped {
            self.forget(from);
            return Announced::Peers { interval: self.interval, peers: Vec::new() };
        }
        if !self.places.contains_key(&from) {
            self.places.insert(from, self.swarm.len());
            self.swarm.push(from);
        }
        Announced::Peers { interval: self.interval, peers: self.draw(from) }
    }

    /// Some of the others: all of them are not gone through for everybody who asks.
    fn draw(&mut self, asking: SocketAddr) -> Vec<SocketAddr> {
        let count = self.named.min(self.swarm.len() - 1);
        if count * 2 > self.swarm.len() {
            let mut peers: Vec<SocketAddr> = self.swarm.iter().copied().filter(|peer| *peer != asking).collect();
            self.chance.shuffle(&mut peers);
            peers.truncate(count);
            return peers;
        }
        let mut drawn = BTreeSet::new();
        while drawn.len() < count {
            let peer = self.swarm[self.chance.index(self.swarm.len())];
            if peer != asking {
                drawn.insert(peer);
            }
        }
        let mut peers: Vec<SocketAddr> = drawn.into_iter().collect();
        self.chance.shuffle(&mut peers);
        peers
    }

    fn forget(&mut self, from: SocketAddr) {
        let Some(place) = self.places.remove(&from) else { return };
        self.swarm.swap_remove(place);
        if let Some(moved) = self.swarm.get(place) {
            self.places.insert(*moved, place);
        }
    }
}
