//! Telling peers which parts of files are here, as they come. spec: PEER-45

use std::time::Duration;

use peerfeed_protocol::feed::BlobRef;
use peerfeed_protocol::ids::{BlobRoot, FeedId};
use peerfeed_protocol::peer::Moment;
use peerfeed_protocol::peer::message::BlobHeld;

use super::{Command, Engine};
use crate::swarm::blob::Holding;
use crate::swarm::limits::{
    ASK_BLOBS_EVERY, ASK_TOLD_EVERY, BLOBS_AWAITED, BLOBS_AWAITED_UNKNOWN, OFFER_BYTES_PER_SECOND, OFFER_EVERY,
};
use crate::swarm::peer::Share;

impl Engine {
    /// A part of a file is on the disk: whoever asked about the file is told soon, together with what comes until then; at
    /// once if that was all.
    pub(super) fn offer_soon(&mut self, now: Moment, id: FeedId, reference: BlobRef) {
        let Some(blob) = self.feeds.get(&id).and_then(|feed| feed.blobs.get(&reference)) else { return };
        let at =
            if blob.is_complete() { now } else { blob.offered.map_or(now, |last| last.after(pause(&blob.held()))) };
        if !self.offers.contains(&(id, reference)) {
            self.offers.push((id, reference));
        }
        self.offer_at = Some(self.offer_at.map_or(at, |due| due.min(at)));
    }

    /// Tells what is due to be told.
    pub(super) fn offer(&mut self, now: Moment) {
        if self.offer_at.is_none_or(|at| at > now) {
            return;
        }
        self.offer_at = None;
        for (id, reference) in std::mem::take(&mut self.offers) {
            let Some(blob) = self.feeds.get_mut(&id).and_then(|feed| feed.blobs.get_mut(&reference)) else { continue };
            let held = blob.held();
            let due = blob.offered.map_or(now, |last| last.after(pause(&held)));
            if due > now && !blob.is_complete() {
                self.offers.push((id, reference));
                self.offer_at = Some(self.offer_at.map_or(due, |at| at.min(due)));
                continue;
            }
            blob.offered = Some(now);
            let mut to = Vec::new();
            for peer in self.peers.values_mut().filter(|peer| !peer.closing) {
                let Some(share) = peer.shares.get_mut(&id) else { continue };
                let lacks = share.blobs.get(&held.root).is_none_or(|theirs| !theirs.is_complete());
                let awaits = if held.groups.is_none() {
                    share.blobs_awaited.remove(&held.root)
                } else {
                    share.blobs_awaited.contains(&held.root)
                };
                if awaits && lacks {
                    to.push((peer.id, share.channel));
                }
            }
            for (connection, channel) in to {
                self.tell(connection, Command::TellBlobs(channel, vec![held.clone()]));
            }
        }
    }
}

impl Share {
    /// The peer asked about a blob that is not all here: it is told when more is. What is not known here either may be
    /// in an entry that is on its way, and few of those are remembered.
    pub(super) fn await_blob(&mut self, root: BlobRoot, known: bool) {
        let most = if known { BLOBS_AWAITED } else { BLOBS_AWAITED_UNKNOWN };
        if self.blobs_awaited.len() < most {
            self.blobs_awaited.insert(root);
        }
    }

    /// How long after a question the peer is asked again what it holds of a blob.
    pub(super) fn asks_again_after(&self, root: &BlobRoot) -> Duration {
        match self.blobs.get(root) {
            Some(Holding::Told(_) | Holding::Nothing) => ASK_TOLD_EVERY,
            None => ASK_BLOBS_EVERY,
        }
    }
}

/// Least time between two offers of a blob: longer for very large ones, whose offers are large.
fn pause(held: &BlobHeld) -> Duration {
    let bytes = held.groups.as_ref().map_or(0, bytes::Bytes::len) as u64;
    OFFER_EVERY + Duration::from_micros(bytes * 1_000_000 / OFFER_BYTES_PER_SECOND)
}
