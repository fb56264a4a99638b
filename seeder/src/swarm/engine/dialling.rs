//! Whom to dial, and when again.

use std::net::SocketAddr;

use peerfeed_protocol::ids::{FeedId, WitnessKey};
use peerfeed_protocol::peer::Moment;

use super::{Action, Engine};
use crate::swarm::ConnectionId;
use crate::swarm::limits::{
    DIALS, PEERS_SOUGHT, PEERS_SOUGHT_COMPLETE, PEERS_SOUGHT_SEEDED, REDIAL_FIRST, REDIAL_GIVE_UP,
};
use crate::swarm::marked::Marked;
use crate::swarm::peer::Peer;
use crate::swarm::place::Place;
use crate::swarm::progress::AttemptKind;
use crate::swarm::spot::{Source, Spot};

impl Engine {
    /// Somebody named peers of a feed.
    pub(super) fn note_peers(&mut self, id: FeedId, source: Source, peers: &[SocketAddr]) {
        let Some(feed) = self.feeds.get_mut(&id) else { return };
        let places = &self.places;
        let gone = feed.hear_of(peers, source, |at| places.get(at).is_some_and(|place| place.connection.is_some()));
        for address in gone {
            if self.feeds.values().all(|feed| !feed.spots.contains_key(&address)) {
                self.places.remove(&address);
            }
        }
        self.due.dials.add(id);
    }

    /// Dials what is due: seeders before others, each feed until it has enough peers.
    pub(super) fn plan_dials(&mut self, now: Moment) {
        let marked = std::mem::take(&mut self.due.dials);
        if marked.is_empty() {
            return;
        }
        let waiting = |peer: &&Peer| peer.established.is_none() && peer.dialled.is_some();
        let opening = self.opening.iter().filter_map(|connection| self.peers.get(connection));
        let mut dialling = opening.filter(waiting).count();
        for id in marked.among(self.feeds.keys()) {
            if !self.is_active(&self.feeds[&id]) {
                continue;
            }
            let (mut have, sought) = (self.connected_for(id), self.sought_for(id));
            if have >= PEERS_SOUGHT {
                continue;
            }
            for (kind, address, witness) in self.due_places(now, id, have < sought) {
                if dialling >= DIALS || self.peers.len() >= self.options.connections_max {
                    self.dials_wait = true;
                    return;
                }
                let enough = if kind == AttemptKind::Seeder { PEERS_SOUGHT } else { sought };
                if have < enough {
                    have += 1;
                    dialling += 1;
                    self.dial(now, id, address, witness);
                }
            }
        }
    }

    /// There is room for a dial: those that waited for it may be made.
    pub(super) fn dial_on(&mut self) {
        if std::mem::take(&mut self.dials_wait) {
            self.due.dials = Marked::all();
        }
    }

    /// Peers with whom a feed is open.
    pub(super) fn sharers(&self, id: FeedId) -> Vec<ConnectionId> {
        self.feeds.get(&id).map(|feed| feed.peers.iter().copied().collect()).unwrap_or_default()
    }

    /// How many peers a feed is open with, or being opened.
    pub(super) fn connected_for(&self, id: FeedId) -> usize {
        let Some(feed) = self.feeds.get(&id) else { return 0 };
        let opens = |connection: &&ConnectionId| {
            let peer = self.peers.get(connection);
            peer.is_some_and(|peer| peer.opening.contains(&id)) && !feed.peers.contains(connection)
        };
        feed.peers.len() + self.opening.iter().filter(opens).count()
    }

    /// How many peers of a feed are sought, seeders not counted: many for who lacks something, few for who only waits
    /// for what is new.
    pub(super) fn sought_for(&self, id: FeedId) -> usize {
        let Some(feed) = self.feeds.get(&id) else { return 0 };
        if feed.logs.is_empty() || !feed.is_complete() {
            return PEERS_SOUGHT;
        }
        let is_connected = |address: &String| {
            let connection = self.places.get(address).and_then(|place| place.connection);
            connection.is_some_and(|connection| feed.peers.contains(&connection))
        };
        let mut seeders = feed.spots.iter().filter(|(_, spot)| spot.kind == AttemptKind::Seeder);
        let seeded = seeders.any(|(address, _)| is_connected(address));
        if seeded { PEERS_SOUGHT_SEEDED } else { PEERS_SOUGHT_COMPLETE }
    }

    /// Addresses of a feed that may be dialled now, seeders first, or only they; notes when the next one may be.
    fn due_places(
        &mut self,
        now: Moment,
        id: FeedId,
        peers_too: bool,
    ) -> Vec<(AttemptKind, String, Option<WitnessKey>)> {
        let mut due = Vec::new();
        let mut next: Option<Moment> = None;
        let sought = |(_, spot): &(&String, &Spot)| peers_too || spot.kind == AttemptKind::Seeder;
        for (address, spot) in self.feeds[&id].spots.iter().filter(sought) {
            let place = self.places.get(address);
            if place.is_some_and(|place| place.itself || place.connection.is_some()) {
                continue;
            }
            let not_before = place.map_or(now, |place| place.not_before).max(spot.refused_until.unwrap_or_default());
            if not_before > now {
                next = Some(next.map_or(not_before, |next| next.min(not_before)));
            } else {
                due.push((spot.kind, address.clone(), spot.witness));
            }
        }
        if let Some(next) = next {
            self.dial_at = Some(self.dial_at.map_or(next, |at| at.min(next)));
        }
        // In random order within a kind, so that not everybody dials the same ones.
        self.chance.shuffle(&mut due);
        due.sort_by_key(|(kind, ..)| *kind != AttemptKind::Seeder);
        due
    }

    /// Dials an address for a feed, and for all other feeds that may be found there.
    fn dial(&mut self, now: Moment, id: FeedId, address: String, witness: Option<WitnessKey>) {
        let connection = self.next_connection();
        let others = self
            .feeds
            .values()
            .filter(|feed| feed.id != id && self.is_active(feed) && feed.spots.contains_key(&address));
        let ids: Vec<FeedId> = std::iter::once(id).chain(others.map(|feed| feed.id)).collect();
        let mut peer = Peer::new(connection, Some(address.clone()), None);
        let mut opens = Vec::new();
        for id in ids {
            let feed = self.feeds.get_mut(&id).expect("it was just found there");
            if let Some(spot) = feed.spots.get_mut(&address) {
                spot.tried = true;
                spot.error = None;
            }
            opens.push((id, feed.interest()));
            peer.opening.insert(id);
        }
        self.places.entry(address.clone()).or_insert_with(|| Place::new(now)).connection = Some(connection);
        self.peers.insert(connection, peer);
        self.opening.insert(connection);
        let own = self.options.witness;
        let prove = opens.iter().any(|(id, _)| self.feeds[id].is_seeded_by(&own));
        tracing::debug!(%connection, address, "dialling");
        self.actions.push_back(Action::Dial { connection, address, witness, prove, opens });
    }

    /// An address is connected no more: when it may be dialled again, and whether it is worth it.
    pub(super) fn leave_place(&mut self, now: Moment, address: &str, steady: bool, reason: &str) {
        let Some(place) = self.places.get_mut(address) else { return };
        place.connection = None;
        if steady {
            place.backoff.reset();
            place.not_before = now.after(self.chance.jitter(REDIAL_FIRST));
        } else {
            place.not_before = now.after(place.backoff.fail(&mut self.chance));
        }
        let failures = place.backoff.failures();
        let mut named = false;
        for feed in self.feeds.values_mut() {
            let Some(spot) = feed.spots.get_mut(address) else { continue };
            self.due.tasks.add(feed.id);
            self.due.dials.add(feed.id);
            if !spot.answered && spot.error.is_none() {
                spot.error = Some(reason.to_owned());
            }
            if spot.kind == AttemptKind::Peer && failures >= REDIAL_GIVE_UP {
                feed.spots.remove(address);
            } else {
                named = true;
            }
        }
        if !named {
            self.places.remove(address);
        }
    }
}
