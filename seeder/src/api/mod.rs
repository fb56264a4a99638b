//! The local API: what commands ask and what the engine answers.
//!
//! The same [`Request`] is handled by the same code whether a daemon holds the data folder, reached over a Unix socket
//! (HTTP/1.1, JSON in, one JSON object per line out), or the command holds it itself.

mod backend;
mod client;
mod failure;
mod hold_code;
pub mod limits;
mod replies;
mod reply;
mod request;
mod secret;
mod server;
mod status;

pub use backend::{Backend, BackendOptions, SOCKET};
pub use client::{Client, ConnectError};
pub use failure::{Failure, FailureKind, Need};
pub use hold_code::HoldCode;
pub use replies::{Answers, Handle, Replies, answer};
pub use reply::{
    Attachment, Created, Device, Entry, Feed, Fetched, File, Friend, FriendRequest, Identity, Keys, Link, List, Posted,
    Progress, Reply, Seeder, Stage, Tracker,
};
pub use request::{Audience, Call, Request, milliseconds};
pub use secret::Secret;
pub use server::{Server, ServerError};
pub use status::{Refused, Status, Traffic};
