//! What is asked of whom.

use std::collections::HashSet;
use std::ops::Range;

use peerfeed_protocol::feed::BlobRef;
use peerfeed_protocol::ids::{FeedId, LogId};
use peerfeed_protocol::peer::message::EntriesWanted;
use peerfeed_protocol::peer::{ChannelId, Moment};

use super::{Command, Engine};
use crate::swarm::blob::Holding;
use crate::swarm::chance::Chance;
use crate::swarm::limits::{
    ASK_BLOBS_EVERY, BLOBS_PER_QUESTION, ENTRY_GUESS_BYTES, OUTSTANDING_BYTES, OUTSTANDING_REQUESTS, REQUEST_ENTRIES,
    REQUEST_ENTRY_BYTES, STEAL_AFTER, STEAL_FORGOTTEN, STEAL_OVERDUE, UNWRITTEN_BYTES,
};
use crate::swarm::log;
use crate::swarm::peer::{Asked, Outstanding, Peer};
use crate::swarm::{ConnectionId, Ticket};

/// Entries of each log that are left to the unasked answer when a feed is opened for the first time.
const COLD_ENTRIES: u64 = 50;

impl Engine {
    /// Asks every peer that is ready, as far as the windows allow.
    pub(super) fn ask_ready(&mut self, now: Moment) {
        while let Some((connection, feeds)) = self.ready.pop_first() {
            let Some(peer) = self.peers.get(&connection).filter(|peer| !peer.closing) else { continue };
            let is_stated = |feed: &FeedId| peer.shares.get(feed).is_some_and(|share| share.stated);
            let feeds: Vec<FeedId> = feeds.into_iter().filter(is_stated).collect();
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

    /// Whether more of a feed may be asked of a peer; where not, it is remembered for when there is room.
    fn has_room(&mut self, connection: ConnectionId, id: FeedId) -> bool {
        let peer = self.peers.get(&connection);
        let has_room = self.has_memory()
            && peer.is_some_and(|peer| peer.has_room_for(id) && peer.outstanding.len() < OUTSTANDING_REQUESTS);
        if !has_room && self.feeds.get(&id).is_some_and(|feed| !feed.is_complete()) {
            self.hungry.entry(connection).or_default().insert(id);
        }
        has_room
    }

    /// Whether what is asked for and what is not written yet leave room for more.
    pub(super) fn has_memory(&self) -> bool {
        self.outstanding_bytes < OUTSTANDING_BYTES && self.unwritten_bytes < UNWRITTEN_BYTES
    }

    /// Whether a feed with a rate of its own may be asked for now; if not, the engine wakes up when it may.
    fn is_in_time(&mut self, now: Moment, id: FeedId) -> bool {
        let until = self.feeds.get(&id).and_then(|feed| feed.down.waits_until(now));
        if let Some(until) = until {
            self.wake_by(until);
        }
        until.is_none()
    }

    /// Asks for one range of entries; false if there is none to ask for, or no room.
    fn ask_entries(&mut self, now: Moment, connection: ConnectionId, id: FeedId) -> bool {
        if !self.has_room(connection, id) || !self.is_in_time(now, id) {
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
            self.untold.insert(id);
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
            let pause = share.asks_again_after(&blob.root);
            let recent = share.blobs_asked.get(&blob.root).is_some_and(|asked| now.since(*asked) < pause);
            if !settled && !recent {
                share.blobs_asked.insert(blob.root, now);
                roots.push(blob.root);
            }
        }
        let (channel, waits) = (share.channel, !feed.queue.is_empty());
        if !roots.is_empty() {
            self.tell(connection, Command::AskBlobs(channel, roots));
        }
        if waits {
            self.wake_by(now.after(ASK_BLOBS_EVERY));
        }
    }

    /// Asks for one group of chunks; false if there is none to ask for, or no room.
    fn ask_group(&mut self, now: Moment, connection: ConnectionId, id: FeedId) -> bool {
        let wanted = self.feeds.get(&id).is_some_and(|feed| !feed.queue.is_empty());
        if !wanted || !self.has_room(connection, id) || !self.is_in_time(now, id) {
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
        // Others are there, or about to be: what they have is not known yet.
        let crowd = feed.spots.len() > 1 || self.connected_for(id) > 1;
        for reference in feed.queue.values() {
            let Some(holding) = share.blobs.get(&reference.root) else { continue };
            let Some(blob) = feed.blobs.get(reference).filter(|blob| !blob.held_back) else { continue };
            let others = feed.peers.iter().filter(|other| **other != connection);
            let others: Vec<&Holding> =
                others.filter_map(|other| self.peers.get(other)?.shares.get(&id)?.blobs.get(&reference.root)).collect();
            if let Some(group) = blob.pick(holding, &others, crowd, chance) {
                return Some((*reference, group));
            }
        }
        feed.queue.values().find_map(|reference| {
            let blob = feed.blobs.get(reference).filter(|blob| !blob.held_back)?;
            let last = blob.is_asked_for();
            let late = |from, ticket| self.is_worth_stealing(now, connection, from, ticket, last);
            let group = blob.steal(share.blobs.get(&reference.root)?, connection, late)?;
            Some((*reference, group))
        })
    }

    /// Whether another peer should be asked for what this request is about: it has waited for longer than its peer's rate
    /// explains, or the other one has it in half the time.
    ///
    /// Where all are slow nothing is asked for twice, which would only make them slower; and before everything was asked
    /// for once, only what seems to have been forgotten. Of an answer that has begun to come only the rest is waited for, and
    /// not the queue that was before it.
    fn is_worth_stealing(
        &self,
        now: Moment,
        thief: ConnectionId,
        from: ConnectionId,
        ticket: Ticket,
        last: bool,
    ) -> bool {
        let asked = self.peers.get(&from).and_then(|peer| Some((peer, peer.outstanding.get(&ticket)?)));
        let (Some((peer, request)), Some(thief)) = (asked, self.peers.get(&thief)) else { return true };
        let time_for = |bytes| peer.window.time_for(bytes).unwrap_or_default();
        let (waited, due, left) = if let Some(begun) = request.begun {
            let (waited, due) = (now.since(begun), time_for(request.bytes));
            (waited, due, due.saturating_sub(waited))
        } else {
            let (waited, due) = (now.since(request.sent), time_for(peer.outstanding_bytes.max(request.bytes)));
            if !last {
                return waited >= STEAL_FORGOTTEN.max(due * 4);
            }
            (waited, due, due)
        };
        let stolen = thief.window.time_for(thief.outstanding_bytes + request.bytes);
        let is_faster = last && stolen.is_some_and(|stolen| stolen * 2 < left);
        waited >= STEAL_OVERDUE.max(due * 2) || waited >= STEAL_AFTER && is_faster
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
        let (mark, channel) = (peer.window.mark(now), peer.shares[&feed].channel);
        let request = Outstanding { feed, what, bytes, mark, sent: now, begun: None, cancelled: false, late: false };
        peer.outstanding.insert(ticket, request);
        peer.outstanding_bytes += bytes;
        self.outstanding_bytes += bytes;
        if let Some(feed) = self.feeds.get_mut(&feed) {
            feed.down.take(now, bytes);
        }
        channel
    }

    /// Whether any connected peer holds something of a feed that is wanted and not here, or is about to tell.
    pub(super) fn can_fetch(&self, now: Moment, id: FeedId) -> bool {
        let Some(feed) = self.feeds.get(&id).filter(|feed| feed.stopped.is_none()) else { return false };
        let busy = feed.logs.values().any(|log| !log.asked.is_empty() || !log.writing.is_empty());
        let peers = || feed.peers.iter().filter_map(|connection| self.peers.get(connection));
        // A request for what has come from somebody else meanwhile is not waited for.
        let is_awaited = |request: &Outstanding| match &request.what {
            Asked::Entries(log, range) => feed.logs.get(log).is_some_and(|log| log.lacking(range.clone()) > 0),
            Asked::Group(blob, group) => feed.blobs.get(blob).is_some_and(|blob| blob.is_missing(*group)),
        };
        let is_asked = |peer: &Peer| peer.outstanding.values().any(|request| request.feed == id && is_awaited(request));
        if busy || peers().any(is_asked) || feed.peers.iter().any(|peer| self.pick_entries(*peer, id).is_some()) {
            return true;
        }
        let wanted: HashSet<_> = feed.queue.values().map(|blob| blob.root).collect();
        peers().filter_map(|peer| peer.shares.get(&id)).filter(|share| share.stated).any(|share| {
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
