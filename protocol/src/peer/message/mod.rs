//! The messages of the peer protocol and their exact bytes, in both directions. spec: PEER-30 to PEER-36, PEER-40 to PEER-49
//!
//! A message is a type byte and the rest of its frame: a canonical bencode dictionary for most, a raw layout for those
//! that carry payload ([`EntriesFrame`], [`ChunksFrame`]) and for pings. Whatever decodes is within the limits of
//! [`crate::limits`]; nothing here knows the state of a connection.

mod blobs;
mod chunks;
mod control;
mod entries;
mod exchange;
mod field;
mod hello;
mod hold;
mod mail;
mod name;
mod open;
mod push;
mod raw;
mod state;

pub use blobs::{BlobHeld, BlobsHeld, BlobsWanted};
pub use chunks::{ChunksFrame, ChunksHeader, ChunksWanted, GetChunks};
pub use control::{Cancel, Close, Ping, Reject, RejectCode};
pub use entries::{EntriesFrame, EntriesWanted, EntryBytes, GetEntries};
pub use exchange::{PeerExchange, Peers};
pub use hello::{Hello, WitnessProof};
pub use hold::{Held, Hold};
pub use mail::{Admission, GetMail, Kept, Mail, MailAnswer, MailCame, MailWanted, Put};
pub use name::{ChannelId, MessageType, RequestId};
pub use open::{Interest, Newest, Open, Opened};
pub use push::{HeadPush, PushedEntry, Stored, StoredMessage};
pub use state::{GrantRow, HeadNews, HeldRange, State, StateMessage};

use thiserror::Error;

use crate::bencode::{DecodeError, FieldError};

/// Why the rest of a frame is not the message that its type says: the sender's fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MalformedMessage {
    /// Not canonical bencode, or too long.
    #[error("not a canonical record")]
    Bencode(#[from] DecodeError),
    /// Something else than a dictionary.
    #[error("not a dictionary")]
    NotADict,
    /// A field that breaks its format.
    #[error("a field breaks its format")]
    Field(#[from] FieldError),
    /// A raw layout that ends too early.
    #[error("the message ends too early")]
    Truncated,
    /// A raw layout with bytes left over.
    #[error("{0} bytes follow the message")]
    TrailingBytes(usize),
    /// A number of a raw layout that its format does not allow.
    #[error("{0} is out of range")]
    OutOfRange(&'static str),
}

/// A message that is a type byte and a rest; those with payload have their own ways to be written. spec: PEER-30
pub trait Message: Sized {
    /// Its type byte.
    const TYPE: MessageType;

    /// The rest of the frame.
    fn encode(&self) -> Vec<u8>;

    /// The message that this rest of a frame is.
    fn decode(rest: &[u8]) -> Result<Self, MalformedMessage>;
}
