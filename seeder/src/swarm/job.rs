//! What the engine wants stored, and what it wants read and said.

use bytes::Bytes;
use peerfeed_protocol::feed::{BlobRef, ForkEvidence, Head, Records};
use peerfeed_protocol::ids::{BlobRoot, DeviceId, FeedId, LogId, WitnessKey};
use peerfeed_protocol::peer::message::{
    Admission, ChunksWanted, EntriesWanted, Interest, MailAnswer, MailWanted, Newest, RejectCode, Stored,
};
use peerfeed_protocol::peer::{ChannelId, RequestId, VerifiedChunks, VerifiedEntries};

use super::ConnectionId;
use crate::store::WriteError;

/// Something to be stored.
#[derive(Clone, Debug)]
pub enum Write {
    /// A manifest and its roster.
    Records(Box<Records>),
    /// A head that was verified in every way.
    Head(Head),
    /// Entries that were proven against a head put before.
    Entries {
        /// The feed.
        feed: FeedId,
        /// The entries.
        entries: VerifiedEntries,
    },
    /// A group of chunks.
    Chunks {
        /// The feed that asked for it.
        feed: FeedId,
        /// The blob.
        blob: BlobRef,
        /// The chunks.
        chunks: VerifiedChunks,
    },
    /// A seeder's word about what it has synced.
    StoredBy {
        /// The feed.
        feed: FeedId,
        /// The seeder, which has proven its key.
        witness: WitnessKey,
        /// Its word.
        stored: Stored,
        /// Where it is to be remembered, if nobody listed it.
        met: Option<String>,
    },
    /// Two heads that do not fit together.
    Fork(Box<ForkEvidence>),
    /// A packet for a feed's mailbox, its admission not checked.
    Packet {
        /// The feed.
        feed: FeedId,
        /// The packet.
        packet: Bytes,
        /// What is to let it in.
        admission: Admission,
    },
    /// A device's question for its mail; that it is of the feed is not checked.
    Mail {
        /// The feed.
        feed: FeedId,
        /// The device, which has proven its key.
        device: DeviceId,
        /// What it asks.
        wanted: MailWanted,
    },
}

impl Write {
    /// The feed that it is about.
    pub fn feed(&self) -> FeedId {
        match self {
            Self::Records(records) => *records.manifest().feed(),
            Self::Head(head) => *head.feed(),
            Self::Fork(evidence) => *evidence.held.feed(),
            Self::Entries { feed, .. }
            | Self::Chunks { feed, .. }
            | Self::StoredBy { feed, .. }
            | Self::Packet { feed, .. }
            | Self::Mail { feed, .. } => *feed,
        }
    }

    /// Bytes of payload that it holds in memory.
    pub fn payload_bytes(&self) -> u64 {
        let bytes = match self {
            Self::Entries { entries, .. } => entries
                .entries()
                .iter()
                .map(|entry| entry.header.bytes().len() + entry.body.as_ref().map_or(0, Bytes::len))
                .sum(),
            Self::Chunks { chunks, .. } => chunks.chunks().iter().map(Bytes::len).sum(),
            Self::Packet { packet, .. } => packet.len(),
            _ => 0,
        };
        bytes as u64
    }
}

/// What came of a write.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is on the disk.
    Done {
        /// For entries, and for the last chunks of a blob: how many entries of each log are held together with their
        /// blobs, from the first on.
        complete: Vec<(LogId, u64)>,
    },
    /// A packet is kept; whether it came just now.
    Kept(bool),
    /// What a device finds in its mailbox.
    Mail(MailAnswer),
    /// A packet or a question for mail is not admitted.
    Refused(RejectCode),
    /// It is not, and nothing changed.
    Failed {
        /// One line for a person.
        reason: String,
        /// What it says of others.
        trouble: Trouble,
    },
}

/// What a write that failed says of those after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// They fail, too, and may go better by themselves later, as when a disk was full.
    ForNow,
    /// They fail, too, until a quota is raised.
    ForGood,
    /// This file does not fit in a quota; other files may, and texts.
    OneFile,
}

impl From<&WriteError> for Trouble {
    fn from(error: &WriteError) -> Self {
        match error {
            WriteError::FileTooLarge { .. } => Self::OneFile,
            WriteError::Full(_) => Self::ForGood,
            _ => Self::ForNow,
        }
    }
}

/// Something to be read from the store and sent to a peer.
#[derive(Clone, Debug)]
pub enum Read {
    /// What is here of a feed, for a peer that knows this much.
    State {
        /// To whom.
        to: Recipient,
        /// The feed.
        feed: FeedId,
        /// What the peer has and wants.
        known: Interest,
        /// The newest entries that it wants at once.
        newest: Option<Newest>,
    },
    /// A new head, and its entry if it is small.
    Push {
        /// To whom, with the size of the log that each knows.
        to: Vec<(Recipient, u64)>,
        /// The feed.
        feed: FeedId,
        /// The log.
        log: LogId,
        /// What a seeder says of it along with the head.
        stored: Option<Stored>,
    },
    /// Entries that a peer asked for. Counts as served when done.
    Entries {
        /// To whom.
        to: Recipient,
        /// Its request.
        request: RequestId,
        /// The feed.
        feed: FeedId,
        /// What it asks for.
        wanted: EntriesWanted,
    },
    /// Chunks that a peer asked for. Counts as served when done.
    Chunks {
        /// To whom.
        to: Recipient,
        /// Its request.
        request: RequestId,
        /// The feed.
        feed: FeedId,
        /// What it asks for.
        wanted: ChunksWanted,
    },
    /// What is held of blobs that a peer asked about.
    Blobs {
        /// To whom.
        to: Recipient,
        /// The feed.
        feed: FeedId,
        /// The blobs.
        roots: Vec<BlobRoot>,
    },
}

/// A channel of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The connection.
    pub connection: ConnectionId,
    /// The channel.
    pub channel: ChannelId,
}

impl Read {
    /// The channel that it is for, if it is for one.
    pub fn channel(&self) -> Option<ChannelId> {
        match self {
            Self::Push { .. } => None,
            Self::State { to, .. } | Self::Entries { to, .. } | Self::Chunks { to, .. } | Self::Blobs { to, .. } => {
                Some(to.channel)
            }
        }
    }

    /// Who asked, if it is the answer to a request for entries or chunks.
    pub fn asker(&self) -> Option<Recipient> {
        match self {
            Self::Entries { to, .. } | Self::Chunks { to, .. } => Some(*to),
            _ => None,
        }
    }

    /// The request that it answers, if it answers one.
    pub fn request(&self) -> Option<RequestId> {
        match self {
            Self::Entries { request, .. } | Self::Chunks { request, .. } => Some(*request),
            _ => None,
        }
    }

    /// Bytes that the answer has at most, for a request of the peer; 0 for what is told unasked.
    pub fn answer_bytes(&self) -> usize {
        match self {
            Self::Entries { wanted, .. } => wanted.bytes_max as usize,
            Self::Chunks { wanted, .. } => wanted.payload_bytes(),
            _ => 0,
        }
    }
}
