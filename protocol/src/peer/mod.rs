//! The connection between two peers as a pure machine: handshake, lanes, channels, requests and their proofs. spec: PEER
//!
//! [`Connection`] is one TCP connection of either side. [`hint`] finds the feed of a first message before a byte is
//! answered, [`message`] has the exact bytes of every message. What comes out of a connection as
//! [`VerifiedEntries`] or [`VerifiedChunks`] was proven inside.

mod answers;
mod asked;
mod calls;
mod channel;
mod cipher;
mod connection;
mod dispatch;
mod event;
mod frame;
mod handshake;
pub mod hint;
mod hold;
mod incoming;
mod lane;
mod mail;
pub mod message;
mod moment;
mod newest;
mod outbox;
mod owed;
mod patience;
mod pings;
mod record;
pub mod sim;
mod verified;
mod verify;
mod violation;

pub use answers::EntriesAnswer;
pub use calls::CallError;
pub use cipher::aes_is_fast;
pub use connection::{Connection, Options};
pub use event::{Closed, Event, PeerHello};
pub use handshake::{NOISE_PROTOCOL, NodeSecret, Role};
pub use message::{ChannelId, RequestId};
pub use moment::Moment;
pub use verified::{PushedHead, VerifiedChunks, VerifiedEntries, VerifiedEntry};
pub use violation::{Fault, Timeout, Violation};
