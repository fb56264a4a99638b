//! What goes to the store, and who is told once it is there.

use std::ops::Range;
use std::time::Duration;

use peerfeed_protocol::feed::BlobRef;
use peerfeed_protocol::ids::{FeedId, LogId};
use peerfeed_protocol::peer::message::Interest;
use peerfeed_protocol::peer::{Moment, RequestId};

use super::{Action, Engine};
use crate::swarm::ConnectionId;
use crate::swarm::action::JobId;
use crate::swarm::feed::Feed;
use crate::swarm::job::{Outcome, Read, Recipient, Trouble, Write};
use crate::swarm::limits::TELL_EVERY;

/// A write that is under way.
#[derive(Debug)]
pub(super) struct Pending {
    feed: FeedId,
    bytes: u64,
    what: What,
}

#[derive(Debug)]
enum What {
    Records,
    Head(LogId, u64),
    Entries(LogId, Range<u64>, Vec<BlobRef>),
    Groups(BlobRef, Range<u32>),
    Note,
    /// For a mailbox: who asked, and under which number.
    Mail(Recipient, RequestId),
}

impl Pending {
    /// Whether it holds something that was fetched.
    fn is_fetched(&self) -> bool {
        !matches!(self.what, What::Note | What::Mail(..))
    }
}

/// How long the newest entries are waited for that were to come unasked.
const EXPECTED_WITHIN: Duration = Duration::from_secs(1);

impl Engine {
    /// Hands something to the store.
    pub(super) fn write(&mut self, write: Write) {
        let what = match &write {
            Write::Records(_) => What::Records,
            Write::Head(head) => What::Head(*head.log(), head.size()),
            Write::Entries { entries, .. } => {
                let blobs = entries.entries().iter().flat_map(|entry| entry.header.blobs()).copied().collect();
                What::Entries(entries.log(), entries.from()..entries.to(), blobs)
            }
            Write::Chunks { blob, chunks, .. } => {
                let first = chunks.from() / peerfeed_protocol::limits::CHUNK_GROUP;
                What::Groups(*blob, first..first + 1)
            }
            Write::StoredBy { .. } | Write::Fork(_) | Write::Packet { .. } | Write::Mail { .. } => What::Note,
        };
        self.write_as(write, what);
    }

    /// Hands something about a mailbox to the store, for who asked for it.
    pub(super) fn write_mail(&mut self, write: Write, to: Recipient, request: RequestId) {
        self.write_as(write, What::Mail(to, request));
    }

    fn write_as(&mut self, write: Write, what: What) {
        let job = self.next_job();
        let bytes = write.payload_bytes();
        self.unwritten_bytes += bytes;
        let pending = Pending { feed: write.feed(), bytes, what };
        if let Some(feed) = self.feeds.get_mut(&pending.feed) {
            feed.writes += usize::from(pending.is_fetched());
        }
        self.jobs.insert(job, pending);
        self.actions.push_back(Action::Write { job, write });
    }

    /// A write has ended, after the store synced it or refused it.
    pub fn handle_written(&mut self, now: Moment, job: JobId, outcome: Outcome) {
        let Some(pending) = self.jobs.remove(&job) else { return };
        let had_memory = self.has_memory();
        self.unwritten_bytes -= pending.bytes;
        self.use_memory(had_memory);
        if let Some(feed) = self.feeds.get_mut(&pending.feed).filter(|_| pending.is_fetched()) {
            // It may have been taken away meanwhile and be there again.
            feed.writes = feed.writes.saturating_sub(1);
        }
        if let What::Mail(to, request) = pending.what {
            self.mail_written(pending.feed, to, request, outcome);
            self.settle(now);
            return;
        }
        self.due.tasks.add(pending.feed);
        match outcome {
            Outcome::Done { complete } => self.written(now, pending, &complete),
            Outcome::Failed { reason, trouble } => self.not_written(now, pending, reason, trouble),
            Outcome::Kept(_) | Outcome::Mail(_) | Outcome::Refused(_) => {}
        }
        self.settle(now);
    }

    fn written(&mut self, now: Moment, pending: Pending, complete: &[(LogId, u64)]) {
        let id = pending.feed;
        let Some(feed) = self.feeds.get_mut(&id) else { return };
        feed.store_retry.reset();
        for (log, complete) in complete {
            if let Some(log) = feed.logs.get_mut(log) {
                log.complete = log.complete.max(*complete);
            }
        }
        match pending.what {
            What::Records => self.tell_state_to_all(id),
            What::Head(log, size) => {
                if let Some(known) = feed.logs.get_mut(&log) {
                    known.stored_size = known.stored_size.max(size);
                }
                self.push_head(now, id, log);
            }
            What::Entries(log, range, blobs) => {
                if let Some(known) = feed.logs.get_mut(&log) {
                    known.written(&range);
                }
                for blob in blobs {
                    feed.refer(blob);
                }
                self.actions.push_back(Action::Arrived { feed: id, log, from: range.start, to: range.end });
                self.push_head(now, id, log);
                self.held_grew(id);
                // They may refer to blobs that are wanted now.
                self.wake(id);
            }
            What::Groups(reference, groups) => {
                let Some(blob) = feed.blobs.get_mut(&reference) else { return };
                let mut is_complete = false;
                for group in groups {
                    is_complete = blob.written(group);
                }
                if is_complete {
                    feed.unqueue_blob(&reference);
                    self.held_grew(id);
                }
                self.offer_soon(now, id, reference);
            }
            What::Note | What::Mail(..) => {}
        }
    }

    /// The disk is full, or a quota is used up: nothing more is asked for until the feed is loaded again, or for a while.
    fn not_written(&mut self, now: Moment, pending: Pending, reason: String, trouble: Trouble) {
        tracing::warn!(feed = %pending.feed, reason, "not stored");
        let Some(feed) = self.feeds.get_mut(&pending.feed) else { return };
        match pending.what {
            What::Entries(log, range, _) => {
                if let Some(log) = feed.logs.get_mut(&log) {
                    log.not_written(&range);
                }
            }
            What::Groups(reference, groups) => {
                if let Some(blob) = feed.blobs.get_mut(&reference) {
                    groups.for_each(|group| blob.not_written(group));
                }
                if trouble == Trouble::OneFile {
                    feed.leave_out(reference, reason);
                    self.spare_all(pending.feed, &reference);
                    return;
                }
            }
            What::Note | What::Mail(..) => return,
            What::Records => feed.records_unstored = true,
            What::Head(..) => {}
        }
        // What was under way when the first failed tells nothing new.
        if feed.stopped.replace(reason).is_none() && trouble == Trouble::ForNow {
            let retry_at = now.after(feed.store_retry.fail(&mut self.chance));
            feed.retry_at = Some(retry_at);
            self.wake_by(retry_at);
        }
    }

    /// Tries again to store what could not be stored, where its time has come.
    pub(super) fn retry_stopped(&mut self, now: Moment) {
        let mut next: Option<Moment> = None;
        let mut again = Vec::new();
        for feed in self.feeds.values_mut() {
            match feed.retry_at {
                Some(at) if at <= now => {
                    (feed.stopped, feed.retry_at) = (None, None);
                    // Entries can be stored only under records and heads that are.
                    if std::mem::take(&mut feed.records_unstored) {
                        again.extend(feed.records.clone().map(|records| Write::Records(Box::new(records))));
                    }
                    let unstored = feed.logs.values().filter(|log| log.stored_size < log.size());
                    again.extend(unstored.map(|log| Write::Head(log.head().clone())));
                }
                Some(at) => next = Some(next.map_or(at, |next| next.min(at))),
                None => {}
            }
        }
        for write in again {
            self.write(write);
        }
        if let Some(next) = next {
            self.wake_by(next);
        }
    }

    /// Pushes a log's head to everybody who knows an older one, once all entries that they lack are on the disk here.
    pub(super) fn push_head(&mut self, now: Moment, id: FeedId, name: LogId) {
        let peers = self.sharers(id);
        if self.push_head_to(id, name, &peers) {
            self.mention_soon(now, id, name);
        }
    }

    /// The same to these only; whether some of them want it mentioned later instead.
    pub(super) fn push_head_to(&mut self, id: FeedId, name: LogId, peers: &[ConnectionId]) -> bool {
        let Some(feed) = self.feeds.get(&id) else { return false };
        let Some(log) = feed.logs.get(&name) else { return false };
        if log.stored_size < log.size() {
            return false;
        }
        let size = log.size();
        // A seeder's word goes with the head: one flight to each, and none before the post itself.
        let stored = log.stored().filter(|_| feed.is_seeded_by(&self.options.witness));
        let can_mention = log.stored().is_some_and(|stored| stored.entries == size);
        let (mut to, mut others) = (Vec::new(), false);
        for &connection in peers {
            let Some(peer) = self.peers.get_mut(&connection).filter(|peer| !peer.closing) else { continue };
            let Some(share) = peer.shares.get_mut(&id) else { continue };
            let theirs = share.logs.entry(name).or_default();
            if theirs.silent && can_mention {
                others |= theirs.size < size;
            } else if theirs.size < size && log.held.contains(&(theirs.size..size)) {
                to.push((Recipient { connection, channel: share.channel }, theirs.size));
                theirs.size = size;
                share.told_stored.extend(stored.map(|stored| (name, stored)));
            }
        }
        if !to.is_empty() {
            self.actions.push_back(Action::Read(Read::Push { to, feed: id, log: name, stored }));
        }
        others
    }

    /// More of a feed is on the disk: seeders say so at once, and peers learn soon what they may ask for.
    fn held_grew(&mut self, id: FeedId) {
        let all = self.feeds.get(&id).is_some_and(Feed::holds_all_entries);
        for connection in self.sharers(id) {
            self.tell_stored(connection, id);
            if let Some(share) = self.peers.get_mut(&connection).and_then(|peer| peer.shares.get_mut(&id)) {
                // A pushed head says by itself that all before it is held.
                share.untold |= !(all && share.told_all);
                if share.untold {
                    self.untold.insert(id);
                }
            }
        }
    }

    /// Tells peers what is held, where it changed and they were not told lately; forgets what was expected in vain.
    pub(super) fn tell_held(&mut self, now: Moment) {
        let mut due = Vec::new();
        for id in std::mem::take(&mut self.untold) {
            for connection in self.sharers(id) {
                let peer = self.peers.get_mut(&connection);
                let Some(share) = peer.and_then(|peer| peer.shares.get_mut(&id)) else { continue };
                if share.expecting_since.is_some_and(|since| now.since(since) >= EXPECTED_WITHIN) {
                    share.expecting_since = None;
                    for log in self.feeds.get_mut(&id).into_iter().flat_map(|feed| feed.logs.values_mut()) {
                        log.unask(connection, None);
                    }
                }
                let lately = share.told_held.is_some_and(|told| now.since(told) < TELL_EVERY);
                if share.untold && !lately {
                    share.untold = false;
                    share.told_held = Some(now);
                    due.push((connection, id));
                }
                if share.untold || share.expecting_since.is_some() {
                    self.untold.insert(id);
                }
            }
        }
        for (connection, id) in due {
            self.tell_state(connection, id);
        }
    }

    /// Tells every peer of a feed its records and what is held.
    pub(super) fn tell_state_to_all(&mut self, id: FeedId) {
        for connection in self.sharers(id) {
            self.tell_state(connection, id);
        }
    }

    fn tell_state(&mut self, connection: ConnectionId, id: FeedId) {
        let Some(feed) = self.feeds.get(&id) else { return };
        let Some(share) = self.peers.get_mut(&connection).and_then(|peer| peer.shares.get_mut(&id)) else { return };
        let heads = share.logs.iter().map(|(log, theirs)| (*log, theirs.size)).collect();
        for log in feed.logs.values().filter(|log| log.stored_size == log.size()) {
            let theirs = share.logs.entry(log.id()).or_default();
            theirs.size = theirs.size.max(log.size());
        }
        let (manifest, roster) = std::mem::replace(&mut share.records, feed.versions());
        share.told_all = feed.holds_all_entries();
        let known = Interest { manifest, roster, heads, ..Interest::default() };
        let to = Recipient { connection, channel: share.channel };
        self.actions.push_back(Action::Read(Read::State { to, feed: id, known, newest: None }));
    }
}
