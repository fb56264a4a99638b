//! A feed's records and entries: what is signed, what is sealed, and what is accepted.
//!
//! Every type that was read keeps the bytes as they came: records are stored and forwarded as received, and what is not
//! understood is kept. spec: FEED, LOG, ENTRY, EPOCH, BLOB, LINK

pub mod blob;
mod clock;
mod epoch;
mod head;
mod leaf;
mod manifest;
mod record;
mod roster;
mod sealed;

pub use clock::{Clock, Shown, Stamp, StampError};
pub use epoch::{EarlierSecretError, EntryKey, EpochSecret, ReadKey, SEALED_SECRET_BYTES, random_epoch_id};
pub use head::{Head, HeadError, UnverifiedHead};
pub use leaf::{BlobRef, Class, LeafContent, LeafError, LeafHeader, OtherBody, Retention};
pub use manifest::{Manifest, ManifestContent, SeederAddress, successor_digest};
pub use record::RecordError;
pub use roster::{Device, LogEnd, Roster, RosterContent};
pub use sealed::{CONTENT_BYTES_MAX, ContentTooLong, OpenBodyError, is_sealed_length, open_body, seal_body};
