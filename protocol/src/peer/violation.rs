//! Why a connection ends, sorted by whose fault it is.

use thiserror::Error;

use super::message::MalformedMessage;
use crate::feed::{LeafError, OtherBody, RecordError};
use crate::merkle::ProofError;

/// What the other side did that ends the connection. spec: PEER-60
///
/// Nothing of the frame in which it was found is delivered. Each kind has a [`Violation::cause`] for counters.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Violation {
    /// A handshake message that does not open under the feed's keys: a stranger, or a byte changed on the way.
    #[error("the handshake does not fit the feed")]
    Handshake,
    /// A record that does not open: a byte was changed on the way, or the peer's cipher is broken.
    #[error("a record does not open")]
    Record,
    /// A record shorter or longer than records are.
    #[error("a record of {0} bytes is out of bounds")]
    RecordLength(usize),
    /// A lane that does not exist.
    #[error("there is no lane {0}")]
    Lane(u8),
    /// A change of the cipher that was not agreed on, or to one that does not exist.
    #[error("the cipher may not be changed like this")]
    Cipher,
    /// A frame longer than its lane carries.
    #[error("a frame of {length} bytes is too long for lane {lane}")]
    FrameLength {
        /// Length that the frame claims.
        length: usize,
        /// Lane on which it came.
        lane: u8,
    },
    /// A message that is not what its format says.
    #[error("a message does not parse")]
    Malformed(#[from] MalformedMessage),
    /// A message type that needs an extension that was not agreed on.
    #[error("message type {0:#04x} was not negotiated")]
    NotNegotiated(u8),
    /// Something else than the hello came first, or a second hello.
    #[error("the hello came late, twice or not at all")]
    HelloOrder,
    /// The witness signature does not fit this handshake.
    #[error("the witness signature is not of this handshake")]
    WitnessSignature,
    /// The signature of a device that asks for its mail does not fit this handshake.
    #[error("the device's signature is not of this handshake")]
    DeviceSignature,
    /// The signature of who wants a feed to be held does not fit this handshake, or what is to be held is no feed.
    #[error("the wish to have a feed held is not of this handshake")]
    HoldSignature,
    /// A channel that was never opened, opened twice, opened with a number of the wrong side, or is not open yet.
    #[error("channel {0} is not in a state for this message")]
    Channel(u16),
    /// The opener proves knowledge of another feed than ours.
    #[error("the answer to an opened channel has a wrong proof")]
    ChannelMac,
    /// An answer that nobody asked for, or more of it than was asked for.
    #[error("an answer was not asked for")]
    Unasked,
    /// An answer whose proof does not lead to the root asked about.
    #[error("a proof does not fit")]
    Proof(#[from] ProofError),
    /// An entry that is in its tree but is none: no honest peer keeps or serves it.
    #[error("an entry's header is none")]
    Leaf(#[from] LeafError),
    /// A body that is not the one its leaf header names.
    #[error("a body is not the one its leaf header names")]
    Body(#[from] OtherBody),
    /// A head with an entry or a proof that depends on it does not parse.
    #[error("a head is none")]
    Head(#[from] RecordError),
    /// A request under a number that is still in use.
    #[error("request number {0} is in use")]
    RequestNumber(u32),
    /// More questions than their answers are taken.
    #[error("questions come faster than their answers are taken")]
    Flood,
}

/// Who made a connection end, as far as one can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The peer, beyond doubt: it held the session's keys and said something wrong. It may be banned.
    Peer,
    /// The peer or anything on the way to it; no ground for a ban.
    Path,
}

impl Violation {
    /// Who is at fault.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Handshake | Self::Record | Self::RecordLength(_) => Fault::Path,
            _ => Fault::Peer,
        }
    }

    /// Whether the peer may be told: only one that has shown that it knows the feed. spec: PEER-61
    pub fn may_be_told(&self) -> bool {
        self.fault() == Fault::Peer
    }

    /// A short name for counters; one of a fixed set.
    pub fn cause(&self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Record => "record",
            Self::RecordLength(_) => "record_length",
            Self::Lane(_) => "lane",
            Self::Cipher => "cipher",
            Self::FrameLength { .. } => "frame_length",
            Self::Malformed(_) => "malformed",
            Self::NotNegotiated(_) => "not_negotiated",
            Self::HelloOrder => "hello_order",
            Self::WitnessSignature => "witness_signature",
            Self::DeviceSignature => "device_signature",
            Self::HoldSignature => "hold_signature",
            Self::Channel(_) => "channel",
            Self::ChannelMac => "channel_mac",
            Self::Unasked => "unasked",
            Self::Proof(_) => "proof",
            Self::Leaf(_) => "leaf",
            Self::Body(_) => "body",
            Self::Head(_) => "head",
            Self::RequestNumber(_) => "request_number",
            Self::Flood => "flood",
        }
    }
}

/// Which patience ran out. spec: PEER-50
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum Timeout {
    /// The first message was not complete in time.
    #[error("the first message did not come in time")]
    FirstMessage,
    /// The handshake was not finished in time.
    #[error("the handshake was not finished in time")]
    Handshake,
    /// A record was begun and not finished.
    #[error("a record was begun and not finished")]
    Record,
    /// Nothing came for a long time.
    #[error("nothing came for a long time")]
    Silence,
    /// What we have to say was not taken.
    #[error("the peer takes nothing")]
    Stalled,
}
