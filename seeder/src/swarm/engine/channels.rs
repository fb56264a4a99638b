//! Feeds are opened and closed on connections.

use std::time::Duration;

use peerfeed_protocol::ids::{FeedId, SwarmId, WitnessKey};
use peerfeed_protocol::peer::message::{Interest, RejectCode};
use peerfeed_protocol::peer::{ChannelId, Event, Moment};

use super::{Command, Engine};
use crate::swarm::action::Action;
use crate::swarm::job::{Read, Recipient};
use crate::swarm::limits::CHANNELS_PER_PEER;
use crate::swarm::peer::Share;
use crate::swarm::spot::Spot;
use crate::swarm::{ConnectionId, Ticket};

/// How long a peer that said it does not hold a feed is not asked for it again.
const REFUSED_FOR: Duration = Duration::from_secs(300);

impl Engine {
    /// A message of a peer.
    pub(super) fn handle_message(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        event: Event,
        ticket: Option<Ticket>,
    ) {
        match event {
            Event::OpenRequested { channel, swarm, interest } => {
                self.handle_open(connection, channel, swarm, &interest);
            }
            Event::Opened { channel, feed, interest } => self.handle_opened(connection, channel, feed, &interest),
            Event::Refused { feed, .. } => self.handle_refused(now, connection, feed),
            Event::ChannelClosed { channel, .. } => {
                if let Some(feed) = self.peers.get(&connection).and_then(|peer| peer.channels.get(&channel)).copied() {
                    self.drop_share(connection, feed);
                }
            }
            Event::State { channel, state } => self.handle_state(now, connection, channel, &state),
            Event::HeadPushed { channel, head } => self.handle_push(now, connection, channel, head),
            Event::Stored { channel, stored, push } => self.handle_stored(connection, channel, stored, push),
            Event::Entries { channel, entries, last, .. } => {
                self.handle_entries(now, connection, channel, ticket, entries, last);
            }
            Event::ChunksBegun { .. } => self.handle_chunks_begun(now, connection, ticket),
            Event::Chunks { chunks, .. } => self.handle_chunks(now, connection, ticket, chunks),
            Event::Rejected { code, .. } => self.handle_rejected(connection, ticket, code),
            Event::TimedOut { .. } => self.handle_late(connection, ticket),
            Event::BlobsHeld { channel, blobs } => self.handle_blobs_held(connection, channel, blobs),
            Event::EntriesWanted { channel, request, wanted } => {
                self.handle_entries_wanted(connection, channel, request, wanted);
            }
            Event::ChunksWanted { channel, request, wanted } => {
                self.handle_chunks_wanted(connection, channel, request, wanted);
            }
            Event::BlobsWanted { channel, roots } => self.handle_blobs_wanted(now, connection, channel, roots),
            Event::PutWanted { channel, request, packet, admission } => {
                self.handle_put_wanted(Recipient { connection, channel }, request, packet, admission);
            }
            Event::MailWanted { channel, request, device, wanted } => {
                self.handle_mail_wanted(Recipient { connection, channel }, request, device, wanted);
            }
            // Feeds are brought by codes alone, which never come here.
            Event::HoldWanted { channel, request, .. } => {
                self.tell(connection, Command::Reject(channel, request, RejectCode::NotAdmitted));
            }
            Event::Cancelled { channel, request } => self.handle_cancelled(connection, channel, request),
            Event::PingsPassedOver { count } => self.totals.over_limit += count,
            Event::Peers { channel, peers } => self.handle_peers(connection, channel, &peers),
            _ => {}
        }
    }

    /// Opens every feed that may be found at this peer's address and is not open yet.
    pub(super) fn open_with(&mut self, now: Moment, connection: ConnectionId) {
        let Some(address) = self.peers.get(&connection).and_then(crate::swarm::peer::Peer::reachable_at) else {
            return;
        };
        let feeds: Vec<FeedId> = self
            .feeds
            .values()
            .filter(|feed| self.is_active(feed))
            .filter(|feed| {
                feed.spots.get(&address).is_some_and(|spot| spot.refused_until.is_none_or(|until| until <= now))
            })
            .map(|feed| feed.id)
            .collect();
        for feed in feeds {
            self.open_feed(connection, feed);
        }
    }

    /// Opens a feed with everybody who is connected and at whose address it may be found.
    pub(super) fn open_with_places(&mut self, now: Moment, id: FeedId) {
        let Some(feed) = self.feeds.get(&id) else { return };
        if !self.is_active(feed) {
            return;
        }
        let is_asked = |spot: &Spot| spot.refused_until.is_none_or(|until| until <= now);
        let spots = feed.spots.iter().filter(|(_, spot)| is_asked(spot));
        let connections: Vec<_> = spots.filter_map(|(address, _)| self.places.get(address)?.connection).collect();
        for connection in connections {
            self.open_feed(connection, id);
        }
    }

    /// Asks a peer to open a feed, unless it is open or asked for already.
    pub(super) fn open_feed(&mut self, connection: ConnectionId, id: FeedId) {
        let Some(feed) = self.feeds.get_mut(&id) else { return };
        let Some(peer) = self.peers.get_mut(&connection) else { return };
        if peer.closing
            || peer.hello.is_none()
            || peer.shares.contains_key(&id)
            || peer.shares.len() >= CHANNELS_PER_PEER
        {
            return;
        }
        if !peer.opening.insert(id) {
            return;
        }
        self.opening.insert(connection);
        if let Some(spot) = peer.reachable_at().and_then(|address| feed.spots.get_mut(&address)) {
            spot.tried = true;
            spot.error = None;
        }
        let interest = feed.interest();
        self.tell(connection, Command::Open(id, interest));
    }

    fn handle_open(&mut self, connection: ConnectionId, channel: ChannelId, swarm: SwarmId, interest: &Interest) {
        let Some(peer) = self.peers.get_mut(&connection) else { return };
        let Some(id) = self.swarms.get(&swarm).copied().filter(|_| !self.ending) else {
            self.tell(connection, Command::Refuse(channel, RejectCode::UnknownFeed));
            return;
        };
        // Both opened it at once: the connection's initiator keeps its own channel.
        let crossing = peer.opening.contains(&id) && peer.dialled_here();
        if crossing || peer.shares.len() >= CHANNELS_PER_PEER {
            self.tell(connection, Command::Refuse(channel, RejectCode::Busy));
            return;
        }
        // Opened again: the close of the channel before travels behind bulk and comes later.
        self.drop_share(connection, id);
        let own = self.feeds[&id].interest();
        self.tell(connection, Command::Accept(channel, id, own));
        self.begin_share(connection, channel, id, interest);
    }

    fn handle_opened(&mut self, connection: ConnectionId, channel: ChannelId, id: FeedId, interest: &Interest) {
        let Some(peer) = self.peers.get_mut(&connection) else { return };
        if peer.opening.remove(&id) && peer.opening.is_empty() {
            self.opening.remove(&connection);
        }
        if !self.feeds.contains_key(&id) || peer.shares.contains_key(&id) {
            self.tell(connection, Command::CloseChannel(channel, RejectCode::Closed));
            return;
        }
        self.begin_share(connection, channel, id, interest);
    }

    fn begin_share(&mut self, connection: ConnectionId, channel: ChannelId, id: FeedId, interest: &Interest) {
        let Some(peer) = self.peers.get_mut(&connection) else { return };
        let mut share = Share::new(channel, interest);
        if let Some(feed) = self.feeds.get_mut(&id) {
            feed.peers.insert(connection);
            share.records = feed.versions();
            share.told_all = feed.holds_all_entries();
            // It learns of them by the state that is sent now.
            for log in feed.logs.values().filter(|log| log.stored_size == log.size()) {
                let theirs = share.logs.entry(log.id()).or_default();
                theirs.size = theirs.size.max(log.size());
            }
        }
        peer.channels.insert(channel, id);
        peer.shares.insert(id, Box::new(share));
        tracing::debug!(%connection, feed = ?id, "feed open");
        let to = Recipient { connection, channel };
        let mut known = interest.clone();
        let newest = known.newest.take();
        self.actions.push_back(Action::Read(Read::State { to, feed: id, known, newest }));
        self.tell_stored(connection, id);
        self.due.tasks.add(id);
    }

    fn handle_refused(&mut self, now: Moment, connection: ConnectionId, id: FeedId) {
        let Some(peer) = self.peers.get_mut(&connection) else { return };
        if peer.opening.remove(&id) && peer.opening.is_empty() {
            self.opening.remove(&connection);
        }
        if peer.shares.contains_key(&id) {
            return;
        }
        tracing::debug!(%connection, feed = ?id, "feed refused");
        let address = peer.reachable_at();
        if let Some(spot) = address.and_then(|address| self.feeds.get_mut(&id)?.spots.get_mut(&address)) {
            spot.refused_until = Some(now.after(REFUSED_FOR));
            spot.error = Some("it does not hold this feed".to_owned());
        }
        self.due.tasks.add(id);
        self.due.dials.add(id);
    }

    /// A feed is no longer open with a peer: what it was asked for is free again.
    pub(super) fn drop_share(&mut self, connection: ConnectionId, id: FeedId) {
        let Some(peer) = self.peers.get_mut(&connection) else { return };
        let Some(share) = peer.shares.remove(&id) else { return };
        peer.channels.remove(&share.channel);
        tracing::debug!(%connection, feed = ?id, "feed closed");
        let gone: Vec<_> =
            peer.outstanding.iter().filter(|(_, out)| out.feed == id).map(|(ticket, _)| *ticket).collect();
        for ticket in gone {
            self.end_request(connection, ticket);
        }
        if let Some(feed) = self.feeds.get_mut(&id) {
            feed.peers.remove(&connection);
            for log in feed.logs.values_mut() {
                log.unask_all(connection);
            }
        }
        self.replace_pusher(connection, id);
        self.uploads.withdraw(connection, |read| read.channel() == Some(share.channel));
        self.wake(id);
        self.due.tasks.add(id);
    }

    /// Closes a channel and opens it again: the peer then proves its heads from what we have now.
    pub(super) fn reopen(&mut self, now: Moment, connection: ConnectionId, id: FeedId) {
        const AT_MOST_EVERY: Duration = Duration::from_secs(2);
        let Some(share) = self.peers.get_mut(&connection).and_then(|peer| peer.shares.get_mut(&id)) else { return };
        if share.reopened.is_some_and(|last| now.since(last) < AT_MOST_EVERY) {
            return;
        }
        let channel = share.channel;
        self.tell(connection, Command::CloseChannel(channel, RejectCode::Closed));
        self.drop_share(connection, id);
        self.open_feed(connection, id);
    }

    /// A peer proved that it is a seeder: where it was met is worth remembering.
    pub(super) fn note_witness(&mut self, connection: ConnectionId, witness: WitnessKey, address: &str) {
        let Some(peer) = self.peers.get(&connection) else { return };
        let ids: Vec<FeedId> = peer.shares.keys().chain(&peer.opening).copied().collect();
        for id in ids {
            if let Some(feed) = self.feeds.get_mut(&id) {
                feed.met.insert(witness, address.to_owned());
            }
        }
    }
}
