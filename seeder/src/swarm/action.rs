//! What the engine wants done.

use std::fmt;

use bytes::Bytes;
use peerfeed_protocol::announce::{Event as AnnounceEvent, TrackerUrl};
use peerfeed_protocol::feed::{BlobRef, ForkEvidence, Head, Records};
use peerfeed_protocol::ids::{BlobRoot, FeedId, LogId, SwarmId, WitnessKey};
use peerfeed_protocol::merkle::{Hash, RangeProof};
use peerfeed_protocol::peer::message::{
    BlobHeld, ChunksWanted, EntriesWanted, HeadNews, Interest, Newest, PushedEntry, RejectCode, State, Stored,
};
use peerfeed_protocol::peer::{ChannelId, EntriesAnswer, RequestId, VerifiedChunks, VerifiedEntries};

use super::progress::Progress;

/// A connection, numbered by the engine; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// A request that the engine made of a peer, numbered over all peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// A write, numbered in the order in which it has to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub u64);

/// Something that a caller asked for and waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(pub u64);

/// What the engine wants done. Actions are to be carried out in their order.
#[derive(Debug)]
pub enum Action {
    /// Connect to an address and open these feeds; the handshake is made for the first of them.
    Dial {
        /// Number of the connection from now on.
        connection: ConnectionId,
        /// `HOST:PORT`.
        address: String,
        /// The seeder that is expected there: its own node key is used for it.
        witness: Option<WitnessKey>,
        /// Whether this node proves its own witness key: only for feeds that it seeds.
        prove: bool,
        /// Feeds to open, at least one.
        opens: Vec<(FeedId, Interest)>,
    },
    /// Something for a connection.
    Tell {
        /// Which one.
        connection: ConnectionId,
        /// What.
        command: Command,
    },
    /// Something to be stored; tell the outcome by [`super::Engine::handle_written`].
    Write {
        /// Its number.
        job: JobId,
        /// What.
        write: Write,
    },
    /// Something to be read from the store and sent, away from the engine.
    Read(Read),
    /// Something to be asked of a tracker; tell the outcome by [`super::Engine::handle_announced`].
    Announce(AnnounceJob),
    /// Something that a caller waits for.
    Report {
        /// Who waits.
        task: TaskId,
        /// What to tell.
        report: Report,
    },
    /// Entries were stored.
    Arrived {
        /// The feed.
        feed: FeedId,
        /// The log.
        log: LogId,
        /// First of them.
        from: u64,
        /// First after them.
        to: u64,
    },
}

/// One announce to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnounceJob {
    /// The feed; not to be told to the tracker.
    pub feed: FeedId,
    /// What the tracker knows it by.
    pub swarm: SwarmId,
    /// The tracker.
    pub tracker: TrackerUrl,
    /// What is said.
    pub event: AnnounceEvent,
    /// Whether anything of the feed is lacking here.
    pub complete: bool,
    /// Whether the outcome is of interest; goodbyes are said into the void.
    pub farewell: bool,
}

/// What a caller is told.
#[derive(Debug)]
pub enum Report {
    /// Of a sync or a blob.
    Progress(Progress),
    /// A wait for seeders has ended: the addresses of those who have everything, or none in time.
    Stored(Result<Vec<String>, NotStored>),
    /// A probe has ended.
    Probed(Result<WitnessKey, ProbeFailure>),
}

/// Why a wait for seeders was in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotStored {
    /// The feed is not here.
    UnknownFeed,
    /// There is nobody to wait for.
    NoSeeders,
    /// The time is over.
    TimedOut,
}

/// Why a probe was in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeFailure {
    /// It could not be reached, or does not hold the feed.
    NoAnswer(String),
    /// It is no seeder.
    NotASeeder,
    /// The time is over.
    TimedOut,
}

/// Something for a connection to do.
#[derive(Debug)]
pub enum Command {
    /// Ask to open a feed.
    Open(FeedId, Interest),
    /// Accept a channel that the peer asked for.
    Accept(ChannelId, FeedId, Interest),
    /// Refuse a channel that the peer asked for.
    Refuse(ChannelId, RejectCode),
    /// Close a channel.
    CloseChannel(ChannelId, RejectCode),
    /// Ask for entries, to be proven against the tree of this root.
    RequestEntries {
        /// Number under which the answer is to be reported.
        ticket: Ticket,
        /// Channel of the feed.
        channel: ChannelId,
        /// What is asked for.
        wanted: EntriesWanted,
        /// Root of the tree of `wanted.size` entries.
        root: Hash,
    },
    /// Ask for chunks.
    RequestChunks {
        /// Number under which the answer is to be reported.
        ticket: Ticket,
        /// Channel of the feed.
        channel: ChannelId,
        /// What is asked for.
        wanted: ChunksWanted,
    },
    /// Take a request back.
    Cancel(Ticket),
    /// Do not answer a request of the peer.
    Reject(ChannelId, RequestId, RejectCode),
    /// Ask which blobs the peer holds.
    AskBlobs(ChannelId, Vec<BlobRoot>),
    /// Say what is synced to disk here.
    Stored(ChannelId, Stored),
    /// Tell records, heads and holdings.
    State(ChannelId, State),
    /// Send a part of the newest entries that the peer wants at once, of a log of this size.
    Newest(ChannelId, LogId, u64, EntriesAnswer),
    /// Push a head, and its entry if it is small.
    PushHead(ChannelId, HeadNews, Option<PushedEntry>),
    /// Answer a request for entries, or a part of it.
    AnswerEntries(ChannelId, RequestId, EntriesAnswer),
    /// Answer a request for chunks.
    AnswerChunks(ChannelId, RequestId, RangeProof, Vec<Bytes>),
    /// Tell what is held of blobs.
    TellBlobs(ChannelId, Vec<BlobHeld>),
    /// Close the connection.
    Close(RejectCode),
}

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
    },
    /// Two heads that do not fit together.
    Fork(Box<ForkEvidence>),
}

impl Write {
    /// The feed that it is about.
    pub fn feed(&self) -> FeedId {
        match self {
            Self::Records(records) => *records.manifest().feed(),
            Self::Head(head) => *head.feed(),
            Self::Fork(evidence) => *evidence.held.feed(),
            Self::Entries { feed, .. } | Self::Chunks { feed, .. } | Self::StoredBy { feed, .. } => *feed,
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
    /// It is not, and nothing changed; one line for a person.
    Failed(String),
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

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection {}", self.0)
    }
}
