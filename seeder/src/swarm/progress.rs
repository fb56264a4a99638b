//! What a caller sees of work under way.

use peerfeed_protocol::announce::TrackerUrl;
use peerfeed_protocol::ids::{FeedId, LogId};

/// What a [`crate::node::Node::sync`] is to bring.
#[derive(Clone, Debug, Default)]
pub struct SyncGoal {
    /// The newest so many entries of each feed; `None` brings all.
    pub newest: Option<u64>,
    /// Every blob that the entries refer to.
    pub blobs: bool,
    /// Trackers to ask beside those already known.
    pub trackers: Vec<TrackerUrl>,
    /// Nobody waits for it: it ends when everybody who is known has failed, and does not look out for who starts just now.
    pub in_passing: bool,
}

/// An event of [`crate::node::Node::sync`] or [`crate::node::Node::fetch_blob`]. The last one is `Done` or `Failed`.
#[derive(Clone, Debug)]
pub enum Progress {
    /// The state of the work; repeated at most ten times a second.
    Working {
        /// Peers connected for the feeds asked about.
        peers: u32,
        /// Entries that are new here.
        entries_done: u64,
        /// Entries wanted in all, as far as known; those held before not counted.
        entries_total: u64,
        /// Bytes of blobs that are new here.
        blob_bytes_done: u64,
        /// Bytes of blobs wanted in all, as far as known; those held before not counted.
        blob_bytes_total: u64,
    },
    /// Everything that the reachable peers have is stored and synced to disk.
    Done(Vec<FeedOutcome>),
    /// It did not work out; what did arrive is stored.
    Failed(SyncFailure),
}

/// What a sync brought for one feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedOutcome {
    /// The feed.
    pub feed: FeedId,
    /// Entries that are new here; 0 means that nothing was new.
    pub new_entries: u64,
    /// Entries held now.
    pub entries_held: u64,
    /// Entries known to exist.
    pub entries: u64,
    /// Bytes of blobs that are new here.
    pub blob_bytes: u64,
    /// Peers that answered for this feed.
    pub peers: u32,
    /// Where it was looked for, when nobody answered.
    pub tried: Vec<Attempt>,
}

/// Why a sync failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SyncFailure {
    /// No tracker, no seeder and no peer is known for this feed.
    #[error("nobody is known who could have feed {feed}: neither its link nor its manifest names a seeder or tracker")]
    NobodyKnown {
        /// The feed.
        feed: FeedId,
    },
    /// Nobody who was tried answered for this feed.
    #[error("nobody answered for feed {feed}")]
    NobodyAnswered {
        /// The feed.
        feed: FeedId,
        /// Every tracker, seeder and peer that was tried, with its error.
        tried: Vec<Attempt>,
    },
    /// Peers answered, but nothing more arrived before the time was over.
    #[error("no peer sent what is still missing of feed {feed}")]
    Stalled {
        /// The feed.
        feed: FeedId,
        /// Every tracker, seeder and peer that was tried, with its error.
        tried: Vec<Attempt>,
    },
    /// The feed is not in this data folder.
    #[error("feed {feed} is not in this data folder")]
    UnknownFeed {
        /// The feed.
        feed: FeedId,
    },
    /// What arrived could not be stored: a full disk, or the quota of the feed.
    #[error("what arrived could not be stored: {0}")]
    Store(String),
    /// The node is shutting down.
    #[error("interrupted")]
    Interrupted,
}

/// One place where a feed was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// What was tried.
    pub kind: AttemptKind,
    /// URL of the tracker, or `HOST:PORT`.
    pub address: String,
    /// What came of it: `None` when it answered.
    pub error: Option<String>,
}

/// What was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttemptKind {
    /// A tracker.
    Tracker,
    /// A seeder that the manifest or the link names.
    Seeder,
    /// A peer that a tracker or another peer named.
    Peer,
}

/// An entry that has just been stored, whoever wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// The feed.
    pub feed: FeedId,
    /// The log.
    pub log: LogId,
    /// Position in the log.
    pub index: u64,
}
