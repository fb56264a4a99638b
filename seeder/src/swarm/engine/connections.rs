//! Who came, who left, who is banned.

use std::net::SocketAddr;

use peerfeed_protocol::ids::{FeedId, NodeKey};
use peerfeed_protocol::peer::message::RejectCode;
use peerfeed_protocol::peer::{Closed, Event, Fault, Moment, PeerHello, Timeout};

use super::{Command, Engine};
use crate::swarm::ConnectionId;
use crate::swarm::input::{Ended, Input};
use crate::swarm::limits::{STEADY, TURNED_AWAY_FOR};
use crate::swarm::peer::Peer;
use crate::swarm::place::Place;

impl Engine {
    /// Something happened on a connection.
    pub fn handle_input(&mut self, now: Moment, connection: ConnectionId, input: Input) {
        match input {
            Input::Incoming { address } => self.handle_incoming(now, connection, address),
            Input::Connected { address } => {
                if let Some(peer) = self.peers.get_mut(&connection) {
                    peer.address = Some(address);
                }
                if self.bans.address(now, address) {
                    self.close(connection, RejectCode::Closed);
                }
            }
            Input::Drained(bytes) => self.uploads.drained(now, connection, bytes),
            Input::Ended(ended) => self.handle_ended(now, connection, &ended),
            Input::Event(event, ticket) => self.handle_event(now, connection, event, ticket),
        }
        self.settle(now);
    }

    fn handle_event(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        event: Event,
        ticket: Option<crate::swarm::Ticket>,
    ) {
        if self.peers.get(&connection).is_none_or(|peer| peer.closing) {
            return;
        }
        match event {
            Event::Established { node } => self.handle_established(now, connection, node),
            Event::Hello(hello) => self.handle_hello(now, connection, hello),
            Event::Closed(_) => {}
            event => self.handle_message(now, connection, event, ticket),
        }
    }

    fn handle_incoming(&mut self, now: Moment, connection: ConnectionId, address: SocketAddr) {
        let peer = Peer::new(connection, None, Some(address));
        self.peers.insert(connection, peer);
        let (banned, full) = (self.bans.address(now, address), self.peers.len() > self.options.connections_max);
        self.totals.banned += u64::from(banned);
        self.totals.turned_away += u64::from(full && !banned);
        if self.ending || banned || full {
            self.close(connection, RejectCode::Busy);
        }
    }

    fn handle_established(&mut self, now: Moment, connection: ConnectionId, node: NodeKey) {
        self.dial_on();
        let Some(peer) = self.peers.get_mut(&connection) else { return };
        peer.node = Some(node);
        peer.established = Some(now);
        self.nodes.insert((node, connection));
        let dialled = peer.dialled.clone();
        tracing::debug!(%connection, outgoing = peer.dialled_here(), address = ?peer.address, "connection established");
        if self.bans.node(now, &node) {
            self.totals.banned += 1;
            self.close(connection, RejectCode::Closed);
            return;
        }
        if let Some(address) = dialled.filter(|_| node == self.options.node) {
            if let Some(place) = self.places.get_mut(&address) {
                place.itself = true;
            }
            for feed in self.feeds.values_mut() {
                if feed.spots.remove(&address).is_some() {
                    self.due.tasks.add(feed.id);
                }
            }
            self.close(connection, RejectCode::Closed);
            return;
        }
        let with_its_key = self.nodes.range((node, ConnectionId(0))..=(node, ConnectionId(u64::MAX)));
        let twins =
            with_its_key.filter(|(_, other)| *other != connection).filter_map(|(_, other)| self.peers.get(other));
        let twins: Vec<_> = twins.filter(|peer| !peer.closing).map(|peer| (peer.id, peer.dialled_here())).collect();
        for (twin, dialled) in twins {
            // One that was dialled twice keeps its first connection; one that came twice has lost its first.
            let goes = if dialled { connection } else { twin };
            self.replace(goes, if goes == twin { connection } else { twin });
        }
    }

    fn handle_hello(&mut self, now: Moment, connection: ConnectionId, hello: PeerHello) {
        let Some(peer) = self.peers.get_mut(&connection) else { return };
        let witness = hello.witness;
        peer.hello = Some(hello);
        let (came_in, node) = (!peer.dialled_here(), peer.node);
        let Some(address) = peer.reachable_at() else { return };
        if came_in {
            self.handle_came_in(now, connection, &address, node);
        }
        if let Some(witness) = witness {
            self.note_witness(connection, witness, &address);
        }
        self.open_with(now, connection);
    }

    /// Somebody who listens came in: it can be dialled later, and if it was dialled already, one connection is enough.
    ///
    /// Both sides see the same two connections and the same two responders' keys, so both keep the one whose responder
    /// has the greater key.
    fn handle_came_in(&mut self, now: Moment, connection: ConnectionId, address: &str, node: Option<NodeKey>) {
        let own = self.options.node;
        let place = self.places.entry(address.to_owned()).or_insert_with(|| Place::new(now));
        let Some(other) = place.connection.filter(|other| *other != connection) else {
            place.connection = Some(connection);
            return;
        };
        let Some(other_peer) = self.peers.get(&other) else {
            place.connection = Some(connection);
            return;
        };
        match (other_peer.dialled_here(), other_peer.node) {
            // Dialled, but not there yet: this one is.
            (true, None) => {}
            (true, Some(responder)) if own < responder => self.replace(connection, other),
            (true, Some(_)) => {
                place.connection = Some(connection);
                self.replace(other, connection);
            }
            // Two that came in from one listening address with different keys: two programs behind one router, or one
            // that lies about its port; either may stay.
            (false, other_node) if other_node != node => {}
            (false, _) => place.connection = Some(connection),
        }
    }

    /// Closes one of two connections with the same peer; the other takes over its feeds.
    fn replace(&mut self, goes: ConnectionId, stays: ConnectionId) {
        let Some(peer) = self.peers.get_mut(&goes) else { return };
        let feeds: Vec<FeedId> = peer.shares.keys().chain(&peer.opening).copied().collect();
        let dialled = peer.dialled.clone();
        self.close(goes, RejectCode::Closed);
        if let Some(address) = dialled {
            if let Some(place) = self.places.get_mut(&address) {
                place.connection = Some(stays);
                place.backoff.reset();
            }
            if let Some(peer) = self.peers.get_mut(&stays) {
                match &peer.dialled {
                    None => peer.dialled = Some(address),
                    Some(_) => peer.also_at.push(address),
                }
            }
        }
        for feed in feeds {
            self.open_feed(stays, feed);
        }
    }

    /// A connection is over.
    fn handle_ended(&mut self, now: Moment, connection: ConnectionId, ended: &Ended) {
        let had_memory = self.has_memory();
        let Some(mut peer) = self.peers.remove(&connection) else { return };
        self.uploads.remove(connection);
        self.opening.remove(&connection);
        self.ready.remove(&connection);
        self.hungry.remove(&connection);
        if let Some(node) = peer.node {
            self.nodes.remove(&(node, connection));
        }
        let feeds: Vec<FeedId> = peer.shares.keys().copied().collect();
        for feed in &feeds {
            if let Some(feed) = self.feeds.get_mut(feed) {
                feed.peers.remove(&connection);
                for log in feed.logs.values_mut() {
                    log.unask_all(connection);
                }
            }
        }
        for (ticket, outstanding) in std::mem::take(&mut peer.outstanding) {
            self.release(connection, ticket, &outstanding);
        }
        self.use_memory(had_memory);
        if let Ended::Closed(Closed::Violation(violation)) = ended {
            self.totals.violations += 1;
            if violation.fault() == Fault::Peer
                && let Some(address) = peer.address
            {
                self.bans.ban(now, peer.node, address);
            }
        }
        // Whoever takes nothing for long keeps its connection from nobody, but what it asked for was read in vain.
        self.totals.stalled += u64::from(matches!(ended, Ended::Closed(Closed::Timeout(Timeout::Stalled))));
        let steady = peer.established.is_some_and(|since| now.since(since) >= STEADY);
        self.leave_places(now, &peer, steady, ended);
        for feed in &feeds {
            self.replace_pusher(connection, *feed);
        }
        for feed in feeds.into_iter().chain(peer.opening) {
            self.exchange_soon(now, feed);
            // Everybody else may be asked for what this one was asked for.
            self.wake(feed);
            self.due.tasks.add(feed);
            self.due.dials.add(feed);
        }
        self.due.announces = true;
        self.dial_on();
    }

    /// Notes at every address where a peer was reached how its connection ended.
    fn leave_places(&mut self, now: Moment, peer: &Peer, steady: bool, ended: &Ended) {
        let reason = describe(ended);
        tracing::debug!(connection = %peer.id, address = ?peer.address, reason, "connection ended");
        for address in peer.addresses() {
            if self.places.get(&address).is_none_or(|place| place.connection != Some(peer.id)) {
                continue;
            }
            self.leave_place(now, &address, steady, &reason);
            if matches!(ended, Ended::Closed(Closed::ByPeer(RejectCode::Busy)))
                && let Some(place) = self.places.get_mut(&address)
            {
                // It has no room now: whoever comes back at once takes it from those who never had any.
                place.not_before = now.after(self.chance.jitter(TURNED_AWAY_FOR));
            }
        }
    }

    /// Closes a connection; its end is reported later, but nothing more is said or heard.
    pub(super) fn close(&mut self, connection: ConnectionId, code: RejectCode) {
        if let Some(peer) = self.peers.get_mut(&connection)
            && !peer.closing
        {
            peer.closing = true;
            let shares: Vec<FeedId> = peer.shares.keys().copied().collect();
            for feed in shares {
                self.drop_share(connection, feed);
            }
            self.tell(connection, Command::Close(code));
        }
    }

    /// Bans a peer that said what no honest program says, and closes the connection.
    pub(super) fn ban(&mut self, now: Moment, connection: ConnectionId) {
        self.totals.violations += 1;
        if let Some(peer) = self.peers.get(&connection)
            && let Some(address) = peer.address
        {
            tracing::warn!(%connection, %address, "banned: it sent what is not signed or proven as it must be");
            let reason = "it sent something that is not signed or proven as it must be".to_owned();
            if let Some(dialled) = &peer.dialled {
                for feed in self.feeds.values_mut() {
                    if let Some(spot) = feed.spots.get_mut(dialled) {
                        spot.answered = false;
                        spot.error = Some(reason.clone());
                    }
                }
            }
            self.bans.ban(now, peer.node, address);
        }
        self.close(connection, RejectCode::Malformed);
    }
}

/// One line for a person.
fn describe(ended: &Ended) -> String {
    match ended {
        Ended::NotConnected(reason) | Ended::Broken(reason) => reason.clone(),
        Ended::Closed(Closed::Violation(violation)) => format!("it broke the protocol: {violation}"),
        Ended::Closed(Closed::Timeout(timeout)) => timeout.to_string(),
        Ended::Closed(Closed::ByPeer(_)) => "it closed the connection".to_owned(),
        Ended::Closed(Closed::ByUs(_)) => "closed".to_owned(),
    }
}
