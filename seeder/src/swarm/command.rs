//! What the engine tells a connection to do.

use bytes::Bytes;
use peerfeed_protocol::ids::{BlobRoot, FeedId, LogId};
use peerfeed_protocol::merkle::{Hash, RangeProof};
use peerfeed_protocol::peer::message::{
    BlobHeld, ChunksWanted, EntriesWanted, HeadNews, Interest, MailAnswer, PeerExchange, PushedEntry, RejectCode,
    State, Stored,
};
use peerfeed_protocol::peer::{ChannelId, EntriesAnswer, RequestId};

use super::Ticket;

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
    /// Say what is synced to disk here, and perhaps whether the log's heads are to be pushed.
    Stored(ChannelId, Stored, Option<bool>),
    /// Tell records, heads and holdings.
    State(ChannelId, State),
    /// Send a part of the newest entries that the peer wants at once, of a log of this size.
    Newest(ChannelId, LogId, u64, EntriesAnswer),
    /// Name peers of the feed that came or left.
    Peers(ChannelId, PeerExchange),
    /// Push a head, and its entry if it is small.
    PushHead(ChannelId, HeadNews, Option<PushedEntry>),
    /// Answer a request for entries, or a part of it.
    AnswerEntries(ChannelId, RequestId, EntriesAnswer),
    /// Answer a request for chunks.
    AnswerChunks(ChannelId, RequestId, RangeProof, Vec<Bytes>),
    /// Confirm that a packet is on the disk.
    ConfirmKept(ChannelId, RequestId),
    /// Answer a device that asked for its mail.
    AnswerMail(ChannelId, RequestId, MailAnswer),
    /// Tell a device that a packet came.
    MailCame(ChannelId),
    /// Tell what is held of blobs.
    TellBlobs(ChannelId, Vec<BlobHeld>),
    /// Close the connection.
    Close(RejectCode),
}
