//! What becomes of the answers to what was asked.

use peerfeed_protocol::feed::BlobRef;
use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::peer::message::RejectCode;
use peerfeed_protocol::peer::{ChannelId, Moment, VerifiedChunks, VerifiedEntries};

use super::{Command, Engine};
use crate::swarm::job::Write;
use crate::swarm::peer::{Asked, Outstanding, Peer};
use crate::swarm::{ConnectionId, Ticket};

impl Engine {
    /// A request has ended: what it did not bring is free for others.
    pub(super) fn end_request(&mut self, connection: ConnectionId, ticket: Ticket) -> Option<Outstanding> {
        let had_memory = self.has_memory();
        let peer = self.peers.get_mut(&connection)?;
        let outstanding = peer.outstanding.remove(&ticket)?;
        if !outstanding.late {
            peer.outstanding_bytes -= outstanding.bytes;
        }
        self.release(connection, ticket, &outstanding);
        self.wake_hungry(connection);
        self.use_memory(had_memory);
        Some(outstanding)
    }

    /// Lets everybody be asked who was not because there was no memory for it, where there is now.
    pub(super) fn use_memory(&mut self, had_memory: bool) {
        if !had_memory && self.has_memory() {
            self.wake_all_hungry();
        }
    }

    /// Takes an ended request out of the books of its feed.
    pub(super) fn release(&mut self, connection: ConnectionId, ticket: Ticket, outstanding: &Outstanding) {
        if !outstanding.late {
            self.outstanding_bytes -= outstanding.bytes;
        }
        let Some(feed) = self.feeds.get_mut(&outstanding.feed) else { return };
        match &outstanding.what {
            Asked::Entries(log, _) => {
                if let Some(log) = feed.logs.get_mut(log) {
                    log.unask(connection, Some(ticket));
                }
            }
            Asked::Group(blob, group) => {
                if let Some(blob) = feed.blobs.get_mut(blob) {
                    blob.unask(*group, ticket);
                }
            }
        }
    }

    /// Entries came, asked for or pushed or following the first state.
    pub(super) fn handle_entries(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        channel: ChannelId,
        ticket: Option<Ticket>,
        entries: VerifiedEntries,
        last: bool,
    ) {
        let Some((id, _)) = self.peers.get_mut(&connection).and_then(|peer| peer.share_of(channel)) else { return };
        let (log, range) = (entries.log(), entries.from()..entries.to());
        if let Some(feed) = self.feeds.get_mut(&id)
            && let Some(known) = feed.logs.get_mut(&log)
        {
            // Newest first: each part takes the end of what is left.
            let asked = known.asked.iter_mut().find(|asked| asked.connection == connection && asked.ticket == ticket);
            if let Some(asked) = asked
                && asked.range.end == range.end
            {
                asked.range.end = range.start.max(asked.range.start);
            }
        }
        self.take_entries(connection, id, entries);
        if last && let Some(ticket) = ticket {
            if let Some(request) = self.end_request(connection, ticket)
                && let Some(peer) = self.peers.get_mut(&connection)
            {
                peer.window.delivered(now, request.mark, request.bytes);
            }
        } else if last {
            // The newest entries of all logs have come.
            if let Some(share) = self.peers.get_mut(&connection).and_then(|peer| peer.shares.get_mut(&id)) {
                share.expecting_since = None;
            }
            for known in self.feeds.get_mut(&id).into_iter().flat_map(|feed| feed.logs.values_mut()) {
                known.unask(connection, None);
            }
        }
        self.wake_peer(connection, id);
    }

    /// Hands entries to the store, if they are of a tree that was accepted and not here already.
    pub(super) fn take_entries(&mut self, connection: ConnectionId, id: FeedId, entries: VerifiedEntries) {
        let Some(feed) = self.feeds.get_mut(&id) else { return };
        let Some(log) = feed.logs.get_mut(&entries.log()) else { return };
        if feed.stopped.is_some() {
            return;
        }
        // They were proven against a tree; whether that is one that a device signed is known here. The sender may not be
        // blamed for another: a device may have signed two that do not fit together.
        if !log.vouches_for(entries.size(), &entries.root()) {
            return;
        }
        let (name, range) = (entries.log(), entries.from()..entries.to());
        let new = range.clone().any(|place| {
            let place = place..place + 1;
            !log.held.contains(&place) && !log.writing.contains(&place)
        });
        if !new {
            return;
        }
        let without_body: Vec<u64> = (range.start..)
            .zip(entries.entries())
            .filter(|(_, entry)| entry.body.is_none())
            .map(|(at, _)| at)
            .collect();
        log.came(&range);
        let write = Write::Entries { feed: id, entries };
        let bytes = write.payload_bytes();
        self.totals.received_bytes += bytes;
        if let Some(peer) = self.peers.get_mut(&connection) {
            peer.received_bytes += bytes;
            if let Some(theirs) = peer.shares.get_mut(&id).and_then(|share| share.logs.get_mut(&name)) {
                for place in without_body {
                    theirs.lacks.insert(place..place + 1);
                }
            }
        }
        self.write(write);
    }

    /// A peer has begun to send a group of chunks: whoever else was asked for it, and has not, need not.
    pub(super) fn handle_chunks_begun(&mut self, now: Moment, connection: ConnectionId, ticket: Option<Ticket>) {
        let Some(request) = ticket.and_then(|ticket| self.peers.get_mut(&connection)?.outstanding.get_mut(&ticket))
        else {
            return;
        };
        request.begun = Some(now);
        let (feed, Asked::Group(blob, group)) = (request.feed, request.what.clone()) else { return };
        let asked = self.feeds.get(&feed).and_then(|feed| feed.blobs.get(&blob)).map(|blob| blob.asked_of(group));
        self.spare(asked.unwrap_or_default(), |other| other.begun.is_none());
    }

    /// Tells peers that what they were asked for need not be sent any more, each request once, if it is such a one.
    fn spare(&mut self, requests: Vec<(ConnectionId, Ticket)>, is_such: impl Fn(&Outstanding) -> bool) {
        for (connection, ticket) in requests {
            let request = self.peers.get_mut(&connection).and_then(|peer| peer.outstanding.get_mut(&ticket));
            if let Some(request) = request.filter(|request| !request.cancelled && is_such(request)) {
                request.cancelled = true;
                self.tell(connection, Command::Cancel(ticket));
            }
        }
    }

    /// Nothing that was asked for of a blob is needed any more.
    pub(super) fn spare_all(&mut self, id: FeedId, blob: &BlobRef) {
        let is_of_it = |request: &Outstanding| {
            request.feed == id && matches!(&request.what, Asked::Group(asked, _) if asked == blob)
        };
        let of_peer = |(connection, peer): (&ConnectionId, &Peer)| {
            let requests = peer.outstanding.iter().filter(|(_, request)| is_of_it(request));
            requests.map(|(ticket, _)| (*connection, *ticket)).collect::<Vec<_>>()
        };
        let requests = self.peers.iter().flat_map(of_peer).collect();
        self.spare(requests, |_| true);
    }

    /// A group of chunks came.
    pub(super) fn handle_chunks(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        ticket: Option<Ticket>,
        chunks: VerifiedChunks,
    ) {
        let Some(ticket) = ticket else { return };
        let Some(request) = self.end_request(connection, ticket) else { return };
        self.wake_peer(connection, request.feed);
        let Asked::Group(reference, group) = request.what else { return };
        if let Some(peer) = self.peers.get_mut(&connection) {
            peer.window.delivered(now, request.mark, request.bytes);
            peer.received_bytes += request.bytes;
        }
        let Some(feed) = self.feeds.get_mut(&request.feed) else { return };
        let Some(blob) = feed.blobs.get_mut(&reference) else { return };
        if !blob.came(group) {
            return;
        }
        self.totals.received_bytes += request.bytes;
        // Whoever else was asked for it need not send it any more.
        let others = blob.asked_of(group);
        self.spare(others, |_| true);
        self.write(Write::Chunks { feed: request.feed, blob: reference, chunks });
    }

    /// Who takes a blob as it comes has enough of it for now, or no longer: no more of it is asked for, or again.
    pub fn hold_back(&mut self, now: Moment, id: FeedId, blob: &BlobRef, is_full: bool) {
        let Some(blob) = self.feeds.get_mut(&id).and_then(|feed| feed.blobs.get_mut(blob)) else { return };
        if std::mem::replace(&mut blob.held_back, is_full) && !is_full {
            self.wake(id);
            self.settle(now);
        }
    }

    /// A peer does not answer a request.
    pub(super) fn handle_rejected(&mut self, connection: ConnectionId, ticket: Option<Ticket>, code: RejectCode) {
        let Some(request) = ticket.and_then(|ticket| self.end_request(connection, ticket)) else { return };
        if let Some(share) = self.peers.get_mut(&connection).and_then(|peer| peer.shares.get_mut(&request.feed)) {
            match request.what {
                _ if code == RejectCode::Cancelled => {}
                Asked::Entries(log, range) => {
                    share.logs.entry(log).or_default().lacks.insert(range);
                }
                // It is asked again what it holds, after a while.
                Asked::Group(blob, _) => {
                    share.blobs.remove(&blob.root);
                }
            }
        }
        self.wake(request.feed);
        self.due.tasks.add(request.feed);
    }

    /// A request got no answer for a long time: others may have it; nobody is banned for being slow.
    pub(super) fn handle_late(&mut self, connection: ConnectionId, ticket: Option<Ticket>) {
        let Some(ticket) = ticket else { return };
        let had_memory = self.has_memory();
        let Some(peer) = self.peers.get_mut(&connection) else { return };
        let Some(request) = peer.outstanding.get_mut(&ticket).filter(|request| !request.late) else { return };
        request.late = true;
        self.totals.late += 1;
        peer.outstanding_bytes -= request.bytes;
        self.outstanding_bytes -= request.bytes;
        let request = request.clone();
        self.release(connection, ticket, &request);
        if let Asked::Group(blob, group) = &request.what
            && let Some(blob) = self.feeds.get_mut(&request.feed).and_then(|feed| feed.blobs.get_mut(blob))
        {
            blob.ask_late(*group, connection, ticket);
        }
        self.use_memory(had_memory);
        self.wake(request.feed);
        self.ready.remove(&connection);
        self.due.tasks.add(request.feed);
    }
}
