//! What a connection tells its owner.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::hint::FirstMessage;
use super::message::{
    Admission, BlobHeld, ChannelId, ChunksWanted, EntriesWanted, Interest, MailAnswer, MailWanted, PeerExchange,
    RejectCode, RequestId, State, Stored,
};
use super::verified::{PushedHead, VerifiedChunks, VerifiedEntries};
use super::violation::{Timeout, Violation};
use crate::ids::{BlobRoot, DeviceId, FeedId, NodeKey, SwarmId, WitnessKey};

/// Something that happened on a connection, in the order in which it happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// Responder only, once: the first message is there. Look the feed up and call `admit`, or drop the connection
    /// without a byte.
    FirstMessage(FirstMessage),
    /// The handshake is done; the peer holds the secret of `node` and knows the feed.
    Established {
        /// The peer's node key.
        node: NodeKey,
    },
    /// The peer introduced itself; comes before any other message.
    Hello(PeerHello),
    /// The peer asks to open a channel: answer with `accept` or `refuse`.
    OpenRequested {
        /// Channel to answer on.
        channel: ChannelId,
        /// Swarm whose feed the peer wants; `accept` checks that it knows the feed itself.
        swarm: SwarmId,
        /// What it has and wants.
        interest: Interest,
    },
    /// The peer accepted a channel that we opened.
    Opened {
        /// Our channel.
        channel: ChannelId,
        /// Its feed.
        feed: FeedId,
        /// What the peer has and wants.
        interest: Interest,
    },
    /// The peer refused a channel that we opened; the channel is gone.
    Refused {
        /// Our channel, now gone.
        channel: ChannelId,
        /// Its feed.
        feed: FeedId,
        /// Why.
        code: RejectCode,
    },
    /// Records and heads that the peer has; parsed, with no signature or consistency proof checked.
    State {
        /// Channel of the feed.
        channel: ChannelId,
        /// What the peer says.
        state: State,
    },
    /// The peer asks for entries: answer with `answer_entries` or `reject`.
    EntriesWanted {
        /// Channel of the feed.
        channel: ChannelId,
        /// Number to answer under.
        request: RequestId,
        /// What it asks for.
        wanted: EntriesWanted,
    },
    /// The peer asks for chunks: answer with `answer_chunks` or `reject`.
    ChunksWanted {
        /// Channel of the feed.
        channel: ChannelId,
        /// Number to answer under.
        request: RequestId,
        /// What it asks for.
        wanted: ChunksWanted,
    },
    /// The peer no longer needs an answer; it must still be answered or rejected, best at once with `Cancelled`.
    Cancelled {
        /// Channel of the feed.
        channel: ChannelId,
        /// The request, still open.
        request: RequestId,
    },
    /// Entries, proven against the root that was asked about.
    Entries {
        /// Channel of the feed.
        channel: ChannelId,
        /// The request they answer; none for the newest entries that follow the peer's first state, which are proven
        /// against a head of that state whose signature is still to be checked.
        request: Option<RequestId>,
        /// The entries.
        entries: VerifiedEntries,
        /// Whether this ends the answer.
        last: bool,
    },
    /// The first bytes of an answer with chunks are here: the peer is sending it. Nothing of it is proven yet.
    ChunksBegun {
        /// The request that it answers.
        request: RequestId,
    },
    /// Chunks of a blob, proven against its root; this ends the answer.
    Chunks {
        /// Channel of the feed.
        channel: ChannelId,
        /// The request they answer.
        request: RequestId,
        /// The chunks.
        chunks: VerifiedChunks,
    },
    /// The peer does not answer a request; this ends it.
    Rejected {
        /// Channel of the feed.
        channel: ChannelId,
        /// The request, now ended.
        request: RequestId,
        /// Why.
        code: RejectCode,
    },
    /// A request got no answer in time: give it to somebody else. Comes once; should the answer come later it is
    /// delivered all the same, and until then the request counts as outstanding.
    TimedOut {
        /// Channel of the feed.
        channel: ChannelId,
        /// The request that is late.
        request: RequestId,
    },
    /// The peer asks which of these blobs we hold.
    BlobsWanted {
        /// Channel of the feed.
        channel: ChannelId,
        /// Roots asked about.
        roots: Vec<BlobRoot>,
    },
    /// The peer says which blobs, and which parts of them, it holds.
    BlobsHeld {
        /// Channel of the feed.
        channel: ChannelId,
        /// One item per blob.
        blobs: Vec<BlobHeld>,
    },
    /// A log grew just now.
    HeadPushed {
        /// Channel of the feed.
        channel: ChannelId,
        /// The head, its proof, and perhaps the newest entry.
        head: PushedHead,
    },
    /// The peer has synced entries of a log to its disk.
    Stored {
        /// Channel of the feed.
        channel: ChannelId,
        /// How far.
        stored: Stored,
        /// Whether it wants the heads of this log pushed, or only to hear that it grew; none: as before.
        push: Option<bool>,
    },
    /// Addresses of other peers of the feed.
    Peers {
        /// Channel of the feed.
        channel: ChannelId,
        /// Whom the peer met and lost.
        peers: PeerExchange,
    },
    /// Who knows a code, and has proven it, wants a feed to be held: answer with `confirm_held` or `reject`.
    HoldWanted {
        /// Channel of the code.
        channel: ChannelId,
        /// Number to answer under.
        request: RequestId,
        /// What is to be held.
        feed: FeedId,
    },
    /// The peer holds the feed that we named; this ends the request.
    Held {
        /// Channel of the code.
        channel: ChannelId,
        /// The request.
        request: RequestId,
    },
    /// The peer brings a packet for the feed's mailbox: answer with `confirm_kept` or `reject`.
    PutWanted {
        /// Channel of the feed.
        channel: ChannelId,
        /// Number to answer under.
        request: RequestId,
        /// The packet.
        packet: Bytes,
        /// What lets it in, not checked.
        admission: Admission,
    },
    /// A packet of ours is on the peer's disk; this ends the request.
    Kept {
        /// Channel of the feed.
        channel: ChannelId,
        /// The request.
        request: RequestId,
    },
    /// A device, which has proven its key, asks for the feed's mail: answer with `answer_mail` or `reject`. Whether it is
    /// one of the feed's devices is not checked.
    MailWanted {
        /// Channel of the feed.
        channel: ChannelId,
        /// Number to answer under.
        request: RequestId,
        /// The device.
        device: DeviceId,
        /// What it asks.
        wanted: MailWanted,
    },
    /// Packets out of our mailbox at the peer; this ends the request.
    Mail {
        /// Channel of the feed.
        channel: ChannelId,
        /// The request.
        request: RequestId,
        /// What is there.
        answer: MailAnswer,
    },
    /// A packet came into our mailbox at the peer.
    MailCame {
        /// Channel of the feed.
        channel: ChannelId,
    },
    /// The answer to a `ping`.
    Pong {
        /// From the ping's writing until the pong's arrival.
        round_trip: Duration,
    },
    /// The peer pings more often than is answered. spec: PEER-55
    PingsPassedOver {
        /// Pings in a row that got no answer.
        count: u64,
    },
    /// The peer closed a channel; every request on it was reported as rejected before.
    ChannelClosed {
        /// The channel, now gone.
        channel: ChannelId,
        /// Why.
        code: RejectCode,
    },
    /// The connection is over. Always the last event; whatever `poll_transmit` still gives may be sent before the
    /// socket is closed.
    Closed(Closed),
}

/// How the peer introduced itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerHello {
    /// Port on which it listens, at the address it is seen from.
    pub listen_port: Option<u16>,
    /// Name and version of its program; shown, never acted on.
    pub program: Option<String>,
    /// Our address as it sees it.
    pub observed: Option<SocketAddr>,
    /// The witness key whose secret it has proven to hold, on this very connection.
    pub witness: Option<WitnessKey>,
    /// Requests that it is willing to have open at once.
    pub requests_max: u32,
    /// Whether it says that its processor computes AES fast. spec: PEER-25
    pub fast_aes: bool,
}

/// Why a connection is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The peer broke the protocol.
    Violation(Violation),
    /// The peer was too slow, or is gone.
    Timeout(Timeout),
    /// The peer said goodbye.
    ByPeer(RejectCode),
    /// We did.
    ByUs(RejectCode),
}
