//! What peers ask of us. Every request is answered or rejected.

use std::time::Duration;

use peerfeed_protocol::ids::{BlobRoot, FeedId};
use peerfeed_protocol::peer::message::{ChunksWanted, EntriesWanted, RejectCode};
use peerfeed_protocol::peer::{ChannelId, Moment, RequestId};

use super::{Action, Command, Engine};
use crate::swarm::ConnectionId;
use crate::swarm::job::{Read, Recipient};
use crate::swarm::limits::{BLOB_QUESTIONS_BURST, SERVE_ENTRY_BYTES, SERVE_STALLED};
use crate::swarm::uploads::Weight;

/// How soon it is seen whether the line takes more peers at a time.
const LINE_LOOK: Duration = Duration::from_secs(1);

impl Engine {
    pub(super) fn handle_entries_wanted(
        &mut self,
        connection: ConnectionId,
        channel: ChannelId,
        request: RequestId,
        mut wanted: EntriesWanted,
    ) {
        let to = Recipient { connection, channel };
        let Some(feed) = self.peers.get(&connection).and_then(|peer| peer.channels.get(&channel)).copied() else {
            self.tell(connection, Command::Reject(channel, request, RejectCode::UnknownFeed));
            return;
        };
        wanted.bytes_max = wanted.bytes_max.min(SERVE_ENTRY_BYTES);
        self.enqueue(to, feed, Weight::Urgent, Read::Entries { to, request, feed, wanted });
    }

    pub(super) fn handle_chunks_wanted(
        &mut self,
        connection: ConnectionId,
        channel: ChannelId,
        request: RequestId,
        wanted: ChunksWanted,
    ) {
        let to = Recipient { connection, channel };
        let Some(feed) = self.peers.get(&connection).and_then(|peer| peer.channels.get(&channel)).copied() else {
            self.tell(connection, Command::Reject(channel, request, RejectCode::UnknownFeed));
            return;
        };
        self.enqueue(to, feed, Weight::Bulk, Read::Chunks { to, request, feed, wanted });
    }

    /// A peer asks what is held of blobs. Who asks on and on is passed over: it may ask again.
    pub(super) fn handle_blobs_wanted(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        channel: ChannelId,
        roots: Vec<BlobRoot>,
    ) {
        let to = Recipient { connection, channel };
        let Some((id, share)) = self.peers.get_mut(&connection).and_then(|peer| peer.share_of(channel)) else { return };
        if !share.questions.admits(now, BLOB_QUESTIONS_BURST) {
            self.totals.over_limit += 1;
            return;
        }
        let Some(feed) = self.feeds.get(&id) else { return };
        for root in &roots {
            match feed.blob_of(root) {
                Some(blob) if blob.is_complete() => {}
                blob => share.await_blob(*root, blob.is_some()),
            }
        }
        self.actions.push_back(Action::Read(Read::Blobs { to, feed: id, roots }));
    }

    /// The peer takes a request back: if it is not being served yet it ends here.
    pub(super) fn handle_cancelled(&mut self, connection: ConnectionId, channel: ChannelId, request: RequestId) {
        let withdrawn = self
            .uploads
            .withdraw(connection, |read| read.channel() == Some(channel) && read.request() == Some(request));
        if !withdrawn.is_empty() {
            self.tell(connection, Command::Reject(channel, request, RejectCode::Cancelled));
        }
    }

    /// An answer was handed to its connection, or a rejection in its place.
    pub fn handle_served(&mut self, now: Moment, connection: ConnectionId, answer_bytes: usize, sent_bytes: usize) {
        self.uploads.served(now, connection, answer_bytes, sent_bytes);
        self.totals.sent_bytes += sent_bytes as u64;
        if let Some(peer) = self.peers.get_mut(&connection) {
            peer.served_bytes += sent_bytes as u64;
        }
        self.settle(now);
    }

    fn enqueue(&mut self, to: Recipient, feed: FeedId, weight: Weight, read: Read) {
        let bytes = read.answer_bytes();
        if let Err(read) = self.uploads.push(to.connection, feed, weight, bytes, read)
            && let Some(request) = read.request()
        {
            self.totals.over_limit += 1;
            self.tell(to.connection, Command::Reject(to.channel, request, RejectCode::OverLimit));
        }
    }

    /// Has the next answers read.
    pub(super) fn serve(&mut self, now: Moment) {
        while let Some((_, read)) = self.uploads.next(now) {
            self.actions.push_back(Action::Read(read));
        }
        // Nobody is banned for being slow; but whoever takes nothing does not keep the others waiting.
        if let Some(connection) = self.uploads.in_the_way(now) {
            tracing::debug!(%connection, "it takes nothing of what it asked for, and others wait");
            self.totals.stalled += 1;
            self.close(connection, RejectCode::Busy);
        }
        if let Some(at) = self.uploads.paced_until() {
            self.wake_by(at);
        }
        if self.uploads.waits_for_line() {
            self.wake_by(now.after(LINE_LOOK));
        }
        if self.uploads.is_full() {
            self.wake_by(now.after(SERVE_STALLED));
        }
    }
}
