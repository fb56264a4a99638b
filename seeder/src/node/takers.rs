//! Who takes the chunks of a blob as they come: a file that is written meanwhile.

use std::collections::HashMap;
use std::sync::mpsc::Sender;

use peerfeed_protocol::feed::BlobRef;
use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::peer::VerifiedChunks;
use tokio::sync::mpsc::UnboundedSender;

use crate::swarm::TaskId;

/// Groups of chunks, 1 MB each, that may wait for their taker: while there are more, no more of the blob is asked for. What
/// is asked for by then comes on top, at most a window.
const WAITING_MAX: usize = 16;

/// A group of chunks that has just come, on its way to the disk. Dropping it says that it was taken.
pub struct FreshChunks {
    /// The chunks.
    pub chunks: VerifiedChunks,
    _taken: Taken,
}

/// Says at its end that a group was taken.
struct Taken {
    task: TaskId,
    say: UnboundedSender<TaskId>,
}

impl Drop for Taken {
    fn drop(&mut self) {
        // A node that has ended does not want to know.
        let _ = self.say.send(self.task);
    }
}

/// Takers by the task that brings them what they take.
pub(super) struct Takers {
    takers: HashMap<TaskId, Taker>,
    taken: UnboundedSender<TaskId>,
}

struct Taker {
    feed: FeedId,
    blob: BlobRef,
    fresh: Sender<FreshChunks>,
    waiting: usize,
}

/// A blob of which more may be asked for, or not.
pub(super) struct Appetite {
    pub feed: FeedId,
    pub blob: BlobRef,
    pub is_full: bool,
}

impl Takers {
    /// `taken` is told the task whenever something was taken.
    pub(super) fn new(taken: UnboundedSender<TaskId>) -> Self {
        Self { takers: HashMap::new(), taken }
    }

    pub(super) fn add(&mut self, task: TaskId, feed: FeedId, blob: BlobRef, fresh: Sender<FreshChunks>) {
        self.takers.insert(task, Taker { feed, blob, fresh, waiting: 0 });
    }

    /// Gives chunks to all who take this blob; what becomes of its appetite, where anybody does.
    pub(super) fn hand_on(&mut self, feed: FeedId, chunks: &VerifiedChunks) -> Option<Appetite> {
        let blob = BlobRef { root: chunks.root(), size: chunks.size() };
        let mut is_taken = false;
        for (task, taker) in self.takers.iter_mut().filter(|(_, taker)| (taker.feed, taker.blob) == (feed, blob)) {
            let taken = Taken { task: *task, say: self.taken.clone() };
            taker.waiting += 1;
            is_taken = true;
            // Who is gone drops it, and so has taken it.
            let _ = taker.fresh.send(FreshChunks { chunks: chunks.clone(), _taken: taken });
        }
        is_taken.then(|| self.appetite(feed, blob))
    }

    /// Something was taken.
    pub(super) fn taken(&mut self, task: TaskId) -> Option<Appetite> {
        let taker = self.takers.get_mut(&task)?;
        taker.waiting = taker.waiting.saturating_sub(1);
        let (feed, blob) = (taker.feed, taker.blob);
        Some(self.appetite(feed, blob))
    }

    /// A task has ended.
    pub(super) fn remove(&mut self, task: TaskId) -> Option<Appetite> {
        let taker = self.takers.remove(&task)?;
        Some(self.appetite(taker.feed, taker.blob))
    }

    fn appetite(&self, feed: FeedId, blob: BlobRef) -> Appetite {
        let mut takers = self.takers.values().filter(|taker| (taker.feed, taker.blob) == (feed, blob));
        Appetite { feed, blob, is_full: takers.any(|taker| taker.waiting > WAITING_MAX) }
    }
}
