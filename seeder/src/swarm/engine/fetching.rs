//! What is asked of whom, and what becomes of the answers.

use std::collections::HashSet;
use std::ops::Range;

use peerfeed_protocol::feed::BlobRef;
use peerfeed_protocol::ids::{FeedId, LogId};
use peerfeed_protocol::peer::message::{EntriesWanted, RejectCode};
use peerfeed_protocol::peer::{ChannelId, Moment, VerifiedChunks, VerifiedEntries};

use super::{Command, Engine};
use crate::swarm::action::Write;
use crate::swarm::blob::Holding;
use crate::swarm::chance::Chance;
use crate::swarm::limits::{
    ASK_BLOBS_EVERY, BLOBS_PER_QUESTION, ENTRY_GUESS_BYTES, OUTSTANDING_BYTES, OUTSTANDING_REQUESTS, REQUEST_ENTRIES,
    REQUEST_ENTRY_BYTES, STEAL_AFTER, UNWRITTEN_BYTES,
};
use crate::swarm::log;
use crate::swarm::peer::{Asked, Outstanding};
use crate::swarm::{ConnectionId, Ticket};

/// Entries of each log that are left to the unasked answer when a feed is opened for the first time.
const COLD_ENTRIES: u64 = 50;

impl Engine {
    /// Asks every peer that is ready, as far as the windows allow.
    pub(super) fn ask_ready(&mut self, now: Moment) {
        while let Some(connection) = self.ready.pop_first() {
            let Some(peer) = self.peers.get(&connection) else { continue };
            if peer.closing {
                continue;
            }
            let feeds: Vec<FeedId> =
                peer.shares.iter().filter(|(_, share)| share.stated).map(|(feed, _)| *feed).collect();
            // In turn, so that one feed's films do not keep another's texts waiting.
            for id in &feeds {
                while self.ask_entries(now, connection, *id) {}
            }
            for id in &feeds {
                self.ask_about_blobs(now, connection, *id);
            }
            let mut open = feeds;
            while !open.is_empty() {
                open.retain(|id| self.ask_group(now, connection, *id));
            }
        }
    }

    fn has_room(&self, connection: ConnectionId) -> bool {
        self.outstanding_bytes < OUTSTANDING_BYTES
            && self.unwritten_bytes < UNWRITTEN_BYTES
            && self
                .peers
                .get(&connection)
                .is_some_and(|peer| peer.room_bytes() > 0 && peer.outstanding.len() < OUTSTANDING_REQUESTS)
    }

    /// Asks for one range of entries; false if there is none to ask for, or no room.
    fn ask_entries(&mut self, now: Moment, connection: ConnectionId, id: FeedId) -> bool {
        if !self.has_room(connection) {
            return false;
        }
        let Some((log, range)) = self.pick_entries(connection, id) else { return false };
        let ticket = self.next_ticket();
        let feed = self.feeds.get_mut(&id).expect("it was picked from");
        let known = feed.logs.get_mut(&log).expect("it was picked from");
        known.asked.push(log::Asked { connection, ticket: Some(ticket), range: range.clone() });
        let wanted = EntriesWanted {
            log,
            from: range.start,
            to: range.end,
            size: known.size(),
            bytes_max: u32::try_from(REQUEST_ENTRY_BYTES).expect("a constant"),
            newest_first: true,
        };
        let root = *known.head().root();
        let bytes = ((range.end - range.start) * ENTRY_GUESS_BYTES).min(REQUEST_ENTRY_BYTES);
        let channel = self.begin_request(now, connection, ticket, id, Asked::Entries(log, range), bytes);
        self.tell(connection, Command::RequestEntries { ticket, channel, wanted, root });
        true
    }

    /// The newest entries that are wanted, that nobody was asked for, and that this peer holds.
    fn pick_entries(&self, connection: ConnectionId, id: FeedId) -> Option<(LogId, Range<u64>)> {
        let feed = self.feeds.get(&id).filter(|feed| feed.stopped.is_none())?;
        let share = self.peers.get(&connection)?.shares.get(&id)?;
        for log in feed.logs.values() {
            let Some(theirs) = share.logs.get(&log.id()) else { continue };
            // What it cannot prove against our head it cannot give.
            if theirs.size < log.size() {
                continue;
            }
            for gap in log.free(log.wanted(feed.newest)) {
                for part in theirs.held.overlaps_down(gap) {
                    if let Some(part) = theirs.lacks.gaps_down(part).first() {
                        let from = part.start.max(part.end.saturating_sub(REQUEST_ENTRIES));
                        return Some((log.id(), from..part.end));
                    }
                }
            }
        }
        None
    }

    /// Notes that a peer's newest entries come unasked, so that they are not asked for as well.
    pub(super) fn expect_newest(&mut self, now: Moment, connection: ConnectionId, id: FeedId) {
        let Some(feed) = self.feeds.get_mut(&id) else { return };
        for log in feed.logs.values_mut().filter(|log| log.held.is_empty() && log.asked.is_empty()) {
            let range = log.wanted(Some(COLD_ENTRIES));
            log.asked.push(log::Asked { connection, ticket: None, range });
        }
        if let Some(share) = self.peers.get_mut(&connection).and_then(|peer| peer.shares.get_mut(&id)) {
            share.expecting_since = Some(now);
        }
    }

    /// Asks what a peer holds of the blobs that are wanted.
    fn ask_about_blobs(&mut self, now: Moment, connection: ConnectionId, id: FeedId) {
        let Some(feed) = self.feeds.get(&id).filter(|feed| feed.stopped.is_none()) else { return };
        let Some(share) = self.peers.get_mut(&connection).and_then(|peer| peer.shares.get_mut(&id)) else { return };
        let mut roots = Vec::new();
        for blob in feed.queue.values() {
            if roots.len() >= BLOBS_PER_QUESTION {
                break;
            }
            let settled = share.blobs.get(&blob.root).is_some_and(Holding::is_complete);
            let recent = share.blobs_asked.get(&blob.root).is_some_and(|asked| now.since(*asked) < ASK_BLOBS_EVERY);
            if !settled && !recent {
                share.blobs_asked.insert(blob.root, now);
                roots.push(blob.root);
            }
        }
        let channel = share.channel;
        if !roots.is_empty() {
            self.tell(connection, Command::AskBlobs(channel, roots));
        }
    }

    /// Asks for one group of chunks; false if there is none to ask for, or no room.
    fn ask_group(&mut self, now: Moment, connection: ConnectionId, id: FeedId) -> bool {
        if !self.has_room(connection) {
            return false;
        }
        let mut chance = self.chance.fork();
        let Some((reference, group)) = self.pick_group(now, connection, id, &mut chance) else { return false };
        let ticket = self.next_ticket();
        let feed = self.feeds.get_mut(&id).expect("it was picked from");
        let blob = feed.blobs.get_mut(&reference).expect("it was picked from");
        blob.ask(group, connection, ticket);
        let (wanted, bytes) = (blob.request(group), blob.group_bytes(group));
        let channel = self.begin_request(now, connection, ticket, id, Asked::Group(reference, group), bytes);
        self.tell(connection, Command::RequestChunks { ticket, channel, wanted });
        true
    }

    /// A group that this peer holds: the most urgent that nobody was asked for, or else one that another is late with.
    fn pick_group(
        &self,
        now: Moment,
        connection: ConnectionId,
        id: FeedId,
        chance: &mut Chance,
    ) -> Option<(BlobRef, u32)> {
        let feed = self.feeds.get(&id).filter(|feed| feed.stopped.is_none())?;
        let share = self.peers.get(&connection)?.shares.get(&id)?;
        for reference in feed.queue.values() {
            let Some(holding) = share.blobs.get(&reference.root) else { continue };
            let Some(blob) = feed.blobs.get(reference) else { continue };
            let others: Vec<&Holding> = self
                .peers
                .values()
                .filter(|peer| peer.id != connection)
                .filter_map(|peer| peer.shares.get(&id)?.blobs.get(&reference.root))
                .collect();
            if let Some(group) = blob.pick(holding, &others, chance) {
                return Some((*reference, group));
            }
        }
        let late = |ticket: Ticket| {
            let request = self.peers.values().find_map(|peer| peer.outstanding.get(&ticket));
            request.is_none_or(|request| now.since(request.sent) >= STEAL_AFTER)
        };
        feed.queue.values().find_map(|reference| {
            let group = feed.blobs.get(reference)?.steal(share.blobs.get(&reference.root)?, connection, late)?;
            Some((*reference, group))
        })
    }

    /// Counts a request; the channel on which it is to be made.
    fn begin_request(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        ticket: Ticket,
        feed: FeedId,
        what: Asked,
        bytes: u64,
    ) -> ChannelId {
        let peer = self.peers.get_mut(&connection).expect("it was just asked whether it has room");
        let mark = peer.window.mark(now);
        peer.outstanding.insert(ticket, Outstanding { feed, what, bytes, mark, sent: now, late: false });
        peer.outstanding_bytes += bytes;
        self.outstanding_bytes += bytes;
        peer.shares[&feed].channel
    }

    /// A request has ended: what it did not bring is free for others.
    pub(super) fn end_request(&mut self, connection: ConnectionId, ticket: Ticket) -> Option<Outstanding> {
        let peer = self.peers.get_mut(&connection)?;
        let outstanding = peer.outstanding.remove(&ticket)?;
        if !outstanding.late {
            peer.outstanding_bytes -= outstanding.bytes;
        }
        self.release(connection, ticket, &outstanding);
        Some(outstanding)
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
        self.take_entries(now, connection, id, entries);
        if last {
            match ticket {
                Some(ticket) => {
                    if let Some(request) = self.end_request(connection, ticket)
                        && let Some(peer) = self.peers.get_mut(&connection)
                    {
                        peer.window.delivered(now, request.mark, request.bytes);
                    }
                }
                // The newest entries of all logs have come.
                None => {
                    if let Some(share) = self.peers.get_mut(&connection).and_then(|peer| peer.shares.get_mut(&id)) {
                        share.expecting_since = None;
                    }
                    for known in self.feeds.get_mut(&id).into_iter().flat_map(|feed| feed.logs.values_mut()) {
                        known.unask(connection, None);
                    }
                }
            }
        }
        self.ready.insert(connection);
    }

    /// Hands entries to the store, if they are of a tree that was accepted and not here already.
    pub(super) fn take_entries(&mut self, now: Moment, connection: ConnectionId, id: FeedId, entries: VerifiedEntries) {
        let Some(feed) = self.feeds.get_mut(&id) else { return };
        let Some(log) = feed.logs.get_mut(&entries.log()) else { return };
        if feed.stopped.is_some() {
            return;
        }
        // They were proven against a tree; whether that is one that a device signed is known here.
        let head = log.head();
        if entries.size() == head.size() && entries.root() != *head.root() {
            self.ban(now, connection);
            return;
        }
        if entries.size() > head.size() {
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

    /// A group of chunks came.
    pub(super) fn handle_chunks(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        ticket: Option<Ticket>,
        chunks: VerifiedChunks,
    ) {
        self.ready.insert(connection);
        let Some(ticket) = ticket else { return };
        let Some(request) = self.end_request(connection, ticket) else { return };
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
        // Whoever else was asked for it need not send it any more.
        let others = blob.asked_of(group);
        for (other, ticket) in others {
            self.tell(other, Command::Cancel(ticket));
        }
        self.write(Write::Chunks { feed: request.feed, blob: reference, chunks });
    }

    /// A peer does not answer a request.
    pub(super) fn handle_rejected(
        &mut self,
        _now: Moment,
        connection: ConnectionId,
        ticket: Option<Ticket>,
        code: RejectCode,
    ) {
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
        self.ready.extend(self.peers.keys().copied());
        self.tasks_due = true;
    }

    /// A request got no answer for a long time: others may have it; nobody is banned for being slow.
    pub(super) fn handle_late(&mut self, connection: ConnectionId, ticket: Option<Ticket>) {
        let Some(ticket) = ticket else { return };
        let Some(peer) = self.peers.get_mut(&connection) else { return };
        let Some(request) = peer.outstanding.get_mut(&ticket).filter(|request| !request.late) else { return };
        request.late = true;
        peer.outstanding_bytes -= request.bytes;
        self.outstanding_bytes -= request.bytes;
        let request = request.clone();
        self.release(connection, ticket, &request);
        self.ready.extend(self.peers.keys().copied());
        self.ready.remove(&connection);
        self.tasks_due = true;
    }

    /// Whether any connected peer holds something of a feed that is wanted and not here, or is about to tell.
    pub(super) fn can_fetch(&self, now: Moment, id: FeedId) -> bool {
        let Some(feed) = self.feeds.get(&id).filter(|feed| feed.stopped.is_none()) else { return false };
        let busy = feed.logs.values().any(|log| !log.asked.is_empty() || !log.writing.is_empty());
        // A request for what has come from somebody else meanwhile is not waited for.
        let is_awaited = |request: &Outstanding| match &request.what {
            Asked::Entries(log, range) => feed.logs.get(log).is_some_and(|log| log.lacking(range.clone()) > 0),
            Asked::Group(blob, group) => feed.blobs.get(blob).is_some_and(|blob| blob.is_missing(*group)),
        };
        let asked = self
            .peers
            .values()
            .any(|peer| peer.outstanding.values().any(|request| request.feed == id && is_awaited(request)));
        if busy || asked || self.peers.keys().any(|peer| self.pick_entries(*peer, id).is_some()) {
            return true;
        }
        let wanted: HashSet<_> = feed.queue.values().map(|blob| blob.root).collect();
        let shares = self.peers.values().filter_map(|peer| peer.shares.get(&id)).filter(|share| share.stated);
        shares.into_iter().any(|share| {
            wanted.iter().any(|root| match share.blobs.get(root) {
                Some(Holding::Told(_)) => feed.queue.values().filter_map(|blob| feed.blobs.get(blob)).any(|blob| {
                    blob.reference().root == *root
                        && share.blobs.get(root).is_some_and(|holding| blob.lacks_of(holding))
                }),
                Some(Holding::Nothing) => false,
                None => share.blobs_asked.get(root).is_none_or(|asked| now.since(*asked) < ASK_BLOBS_EVERY),
            })
        })
    }
}
