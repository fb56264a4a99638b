//! The names of things: feeds, swarms, devices, logs, entries, blobs, epochs, nodes.
//!
//! Names that are ed25519 keys exist only for points that were checked ([`KeyError`] says what was wrong); the others are
//! plain bytes. All are `Copy` and print a short prefix under `Debug`. spec: ID-1 to ID-14

pub(crate) mod bytes;
mod entry;
mod feed;
mod key;
mod log;
mod opaque;
mod swarm;

pub use bytes::LengthError;
pub use entry::{EntryId, EntryIdError, EntryPlace};
pub use feed::{FeedId, FeedIdError};
pub use key::{DeviceId, KeyError, SwarmKey, WitnessKey};
pub use log::{Incarnation, LogId};
pub use opaque::{BlobRoot, BoxPublic, EpochId, NodeKey};
pub use swarm::SwarmId;
