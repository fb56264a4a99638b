//! What comes out of a connection only after its proof was checked.

use bytes::Bytes;

use super::message::{BlobHeld, HeadNews};
use crate::feed::LeafHeader;
use crate::feed::blob::BlobSize;
use crate::ids::{BlobRoot, LogId};
use crate::merkle::{Hash, VerifiedNodes};

/// Entries that were proven to stand at their places in the tree of this size and root; each body there is the one that
/// its header names. Only this module's parent makes them.
///
/// Whose tree it is was not checked here: compare `root` with a head whose signature was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedEntries {
    pub(super) log: LogId,
    pub(super) from: u64,
    pub(super) size: u64,
    pub(super) root: Hash,
    pub(super) entries: Vec<VerifiedEntry>,
    pub(super) nodes: VerifiedNodes,
}

/// An entry out of [`VerifiedEntries`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedEntry {
    /// The leaf header.
    pub header: LeafHeader,
    /// The body as stored; none when the peer no longer holds it.
    pub body: Option<Bytes>,
}

impl VerifiedEntries {
    /// The log that was asked about.
    pub fn log(&self) -> LogId {
        self.log
    }

    /// Place of the first entry.
    pub fn from(&self) -> u64 {
        self.from
    }

    /// Place after the last entry.
    pub fn to(&self) -> u64 {
        self.from + u64::try_from(self.entries.len()).expect("a frame has few entries")
    }

    /// Entries of the tree against which they were proven.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Root of the tree against which they were proven.
    pub fn root(&self) -> Hash {
        self.root
    }

    /// The entries in the order of their places.
    pub fn entries(&self) -> &[VerifiedEntry] {
        &self.entries
    }

    /// Every node of the tree that the proof has taught.
    pub fn nodes(&self) -> &VerifiedNodes {
        &self.nodes
    }

    /// The entries and the nodes, to keep.
    pub fn into_parts(self) -> (Vec<VerifiedEntry>, VerifiedNodes) {
        (self.entries, self.nodes)
    }
}

/// Chunks that were proven to be part of a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedChunks {
    pub(super) root: BlobRoot,
    pub(super) size: BlobSize,
    pub(super) from: u32,
    pub(super) chunks: Vec<Bytes>,
    pub(super) nodes: VerifiedNodes,
}

impl VerifiedChunks {
    /// The blob.
    pub fn root(&self) -> BlobRoot {
        self.root
    }

    /// Size of the whole blob as sealed.
    pub fn size(&self) -> BlobSize {
        self.size
    }

    /// Number of the first chunk.
    pub fn from(&self) -> u32 {
        self.from
    }

    /// The sealed chunks. Those of one answer share one allocation: who keeps one in memory keeps all.
    pub fn chunks(&self) -> &[Bytes] {
        &self.chunks
    }

    /// Every node of the blob's tree that the proof has taught.
    pub fn nodes(&self) -> &VerifiedNodes {
        &self.nodes
    }

    /// The chunks and the nodes, to keep.
    pub fn into_parts(self) -> (Vec<Bytes>, VerifiedNodes) {
        (self.chunks, self.nodes)
    }
}

/// A head that was pushed, and perhaps the entry that it adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedHead {
    /// The head and its consistency proof, neither checked.
    pub news: HeadNews,
    /// The newest entry, proven against the head as it was sent.
    pub entry: Option<VerifiedEntries>,
}

impl BlobHeld {
    /// Says that a blob is held completely.
    pub fn complete(root: BlobRoot, bytes: u64) -> Self {
        Self { root, bytes, groups: None }
    }

    /// Says that nothing of a blob is held.
    pub fn nothing(root: BlobRoot) -> Self {
        Self { root, bytes: 0, groups: None }
    }
}
