//! A feed's records and entries: what is signed, what is sealed, and what is accepted.
//!
//! Every type that was read keeps the bytes as they came: records are stored and forwarded as received, and what is not
//! understood is kept. spec: FEED, LOG, ENTRY, EPOCH, BLOB, LINK

mod acceptance;
pub mod blob;
pub mod body;
mod clock;
mod control;
mod epoch;
mod grant;
mod granting;
mod head;
mod keyring;
mod leaf;
mod link;
mod manifest;
mod names;
mod private;
mod record;
mod records;
mod roster;
mod sealed;
mod writer;

pub use acceptance::{ForkEvidence, HeadDecision, HeadRefusal};
pub use body::{Attachment, Body, BodyError, Content, Message, Post, Profile};
pub use clock::{Clock, Shown, Stamp, StampError};
pub use control::{Control, ControlError, EarlierEpoch, EpochStart, Grants, PrekeyNotice};
pub use epoch::{EarlierSecretError, EntryKey, EpochSecret, ReadKey, SEALED_SECRET_BYTES, random_epoch_id};
pub use grant::{
    GRANT_ROW_BYTES, GRANT_TAG_BYTES, GrantKey, GrantKind, GrantRow, GrantRows, GrantRowsError, Granted, OpenGrantError,
};
pub use granting::{Recipient, grant_to};
pub use head::{Head, HeadError, UnverifiedHead};
pub use keyring::{Keyring, KnownEpoch, ReadError};
pub use leaf::{BlobRef, Class, LeafContent, LeafError, LeafHeader, OtherBody, Retention};
pub use link::{Link, LinkError, LinkSeeder};
pub use manifest::{Manifest, ManifestContent, SeederAddress, successor_digest};
pub use names::{file_name, shown, shown_in_line};
pub use private::{AudienceState, FollowedState, MemberState, PrivateError, PrivateNotice, PrivatePart, PrivateState};
pub use record::{RecordError, stored_number};
pub use records::{Records, RecordsDecision};
pub use roster::{Device, LogEnd, Roster, RosterContent};
pub use sealed::{CONTENT_BYTES_MAX, ContentTooLong, OpenBodyError, is_sealed_length, open_body, seal_body};
pub use writer::{AppendError, LogWriter, NewEntry};
