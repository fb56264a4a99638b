//! Something that a caller waits for.

use std::collections::BTreeMap;
use std::time::Duration;

use peerfeed_protocol::announce::TrackerUrl;
use peerfeed_protocol::feed::BlobRef;
use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::peer::Moment;

use super::progress::{FeedOutcome, SyncGoal};

/// A sync, a wait for seeders, or a probe.
#[derive(Debug)]
pub(super) enum Task {
    /// Bring what is new.
    Sync(Sync),
    /// Wait until seeders have everything.
    Wait {
        /// The feed.
        feed: FeedId,
        /// When to give up.
        until: Moment,
    },
    /// Learn an address's witness key.
    Probe {
        /// The feed.
        feed: FeedId,
        /// The address.
        address: String,
        /// When to give up.
        until: Moment,
    },
}

/// A sync under way.
#[derive(Debug)]
pub(super) struct Sync {
    /// What was held of each feed at the start.
    pub feeds: BTreeMap<FeedId, Start>,
    /// What is wanted.
    pub goal: SyncGoal,
    /// One blob only.
    pub blob: Option<BlobRef>,
    /// Longest time without anything arriving.
    pub timeout: Duration,
    /// When it began.
    pub began: Moment,
    /// When something arrived last.
    pub moved: Moment,
    /// What was held then.
    pub moved_at: (u64, u64),
    /// When progress was told last.
    pub told: Option<Moment>,
}

/// Where a feed stood when a sync began.
#[derive(Clone, Debug, Default)]
pub(super) struct Start {
    /// Entries held.
    pub entries: u64,
    /// Bytes of blobs held.
    pub blob_bytes: u64,
    /// When the first peer was there with its state.
    pub met: Option<Moment>,
    /// What it came to.
    pub outcome: Option<FeedOutcome>,
}

impl Task {
    /// Whether the task is about this feed.
    pub(super) fn is_about(&self, id: &FeedId) -> bool {
        match self {
            Self::Sync(sync) => sync.feeds.contains_key(id),
            Self::Wait { feed, .. } | Self::Probe { feed, .. } => feed == id,
        }
    }

    /// Trackers that were named for it.
    pub(super) fn trackers(&self) -> &[TrackerUrl] {
        match self {
            Self::Sync(sync) => &sync.goal.trackers,
            _ => &[],
        }
    }

    /// The feeds that it is about.
    pub(super) fn feeds(&self) -> Vec<FeedId> {
        match self {
            Self::Sync(sync) => sync.feeds.keys().copied().collect(),
            Self::Wait { feed, .. } | Self::Probe { feed, .. } => vec![*feed],
        }
    }
}
