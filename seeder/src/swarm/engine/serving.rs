//! What peers ask of us. Every request is answered or rejected.

use peerfeed_protocol::ids::{BlobRoot, FeedId};
use peerfeed_protocol::peer::message::{ChunksWanted, EntriesWanted, RejectCode};
use peerfeed_protocol::peer::{ChannelId, Moment, RequestId};

use super::{Action, Command, Engine};
use crate::swarm::ConnectionId;
use crate::swarm::job::{Read, Recipient};
use crate::swarm::limits::{BLOBS_AWAITED, SERVE_ENTRY_BYTES, SERVE_STALLED};
use crate::swarm::uploads::Weight;

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

    pub(super) fn handle_blobs_wanted(&mut self, connection: ConnectionId, channel: ChannelId, roots: Vec<BlobRoot>) {
        let to = Recipient { connection, channel };
        let Some((id, share)) = self.peers.get_mut(&connection).and_then(|peer| peer.share_of(channel)) else { return };
        let Some(feed) = self.feeds.get(&id) else { return };
        for blob in feed.blobs.values().filter(|blob| !blob.is_complete()) {
            let root = blob.reference().root;
            if share.blobs_awaited.len() < BLOBS_AWAITED && roots.contains(&root) {
                share.blobs_awaited.insert(root);
            }
        }
        self.actions.push_back(Action::Read(Read::Blobs { to, feed: id, roots }));
    }

    /// A blob is here: whoever asked about it before is told.
    pub(super) fn tell_blob(&mut self, id: FeedId, root: BlobRoot) {
        for peer in self.peers.values_mut() {
            let connection = peer.id;
            let Some(share) = peer.shares.get_mut(&id) else { continue };
            if share.blobs_awaited.remove(&root) {
                let to = Recipient { connection, channel: share.channel };
                self.actions.push_back(Action::Read(Read::Blobs { to, feed: id, roots: vec![root] }));
            }
        }
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
            self.tell(to.connection, Command::Reject(to.channel, request, RejectCode::OverLimit));
        }
    }

    /// Has the next answers read.
    pub(super) fn serve(&mut self, now: Moment) {
        while let Some((_, read)) = self.uploads.next() {
            self.actions.push_back(Action::Read(read));
        }
        // Nobody is banned for being slow; but whoever takes nothing does not keep the others waiting.
        if let Some(connection) = self.uploads.in_the_way(now) {
            tracing::debug!(%connection, "it takes nothing of what it asked for, and others wait");
            self.close(connection, RejectCode::Busy);
        }
        if self.uploads.is_full() {
            self.wake_by(now.after(SERVE_STALLED));
        }
    }
}
