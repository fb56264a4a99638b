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
    swarm: BTreeSet<SocketAddr>,
    chance: Chance,
    /// Announces answered.
    pub answered: u64,
    /// When each machine was first heard of.
    pub met: BTreeMap<SocketAddr, Moment>,
}

impl Tracker {
    /// A tracker that nobody has told anything yet.
    pub fn new(named: usize, interval: Duration, chance: Chance) -> Self {
        Self { named, interval, swarm: BTreeSet::new(), chance, answered: 0, met: BTreeMap::new() }
    }

    /// Somebody announces.
    pub fn announce(&mut self, now: Moment, from: SocketAddr, event: Event) -> Announced {
        self.answered += 1;
        self.met.entry(from).or_insert(now);
        if event == Event::Stopped {
            self.swarm.remove(&from);
            return Announced::Peers { interval: self.interval, peers: Vec::new() };
        }
        self.swarm.insert(from);
        let mut peers: Vec<SocketAddr> = self.swarm.iter().copied().filter(|peer| *peer != from).collect();
        self.chance.shuffle(&mut peers);
        peers.truncate(self.named);
        Announced::Peers { interval: self.interval, peers }
    }
}
