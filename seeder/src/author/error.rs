//! Why nothing was written.

use std::io;
use std::path::PathBuf;

use peerfeed_protocol::feed::blob::BlobSizeError;
use peerfeed_protocol::feed::{BodyError, RecordError, shown_in_line};
use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::limits::{
    ATTACHMENTS_MAX, CHANNEL_BYTES_MAX, NAME_BYTES_MAX, POST_TEXT_BYTES_MAX, SEEDERS_MAX, TRACKERS_MAX,
};
use peerfeed_protocol::mailbox::PacketError;
use thiserror::Error;

use super::lists::LIST_NAME_BYTES_MAX;
use crate::keys::KeyError;
use crate::store::{StorageError, WriteError};

/// Why an identity was not made, or an entry or record not written. Nothing was changed.
#[derive(Debug, Error)]
pub enum AuthorError {
    /// The folder has an identity already: the person's matter.
    #[error("this data folder already has an identity: use another one with --data")]
    Exists,
    /// A name, as friends would see it, over its limit.
    #[error("the name has {0} bytes, and at most {NAME_BYTES_MAX} are possible")]
    NameTooLong(usize),
    /// Neither text nor file.
    #[error("a post needs a text or a file")]
    EmptyPost,
    /// The text is over its limit.
    #[error("the text has {0} bytes, and a post holds at most {POST_TEXT_BYTES_MAX}: attach it as a file")]
    TextTooLong(usize),
    /// A channel under a name that none can have.
    #[error("a channel's name has 1 to {CHANNEL_BYTES_MAX} visible bytes on one line")]
    Channel,
    /// More files than a post can have.
    #[error("{0} files are attached, and a post has at most {ATTACHMENTS_MAX}")]
    TooManyFiles(usize),
    /// A file to attach cannot be read.
    #[error("{path} cannot be read")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A folder, pipe or device instead of a file.
    #[error("{0} is not a regular file")]
    NotAFile(PathBuf),
    /// The file grew or shrank while it was sealed.
    #[error("{0} changed while it was read: post it again when it is at rest")]
    FileChanged(PathBuf),
    /// The file is larger than any blob.
    #[error("{path} is too large")]
    FileTooLarge {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: BlobSizeError,
    },
    /// More seeders than a manifest can list.
    #[error("the feed names {SEEDERS_MAX} seeders already: remove one first")]
    TooManySeeders,
    /// More trackers than a manifest can list.
    #[error("the feed names {TRACKERS_MAX} trackers already: remove one first")]
    TooManyTrackers,
    /// The records would break a limit.
    #[error("the feed's records cannot say this")]
    Record(#[from] RecordError),
    /// The entry would break a limit.
    #[error("the entry cannot be written")]
    Body(#[from] BodyError),
    /// A friend of oneself.
    #[error("that is your own feed")]
    Oneself,
    /// A list under a name that none can have.
    #[error(
        "a list's name has 1 to {LIST_NAME_BYTES_MAX} visible bytes on one line, and is not `public`, `friends` or a feed id"
    )]
    ListName,
    /// There is no list of this name.
    #[error("you have no list called {}", shown_in_line(.0))]
    NoSuchList(String),
    /// Nobody would read what is for this list.
    #[error("nobody is on the list {}", shown_in_line(.0))]
    EmptyList(String),
    /// Somebody who is no friend: only friends can be on lists or get messages.
    #[error("{0} is no friend of yours")]
    NoFriend(FeedId),
    /// Somebody who is not on the list.
    #[error("{0} is not on this list")]
    NotOnList(FeedId),
    /// Somebody reads all of a list, and cannot be made to read less of it.
    #[error("{0} reads everything for this list already, and cannot unread it")]
    ReadsMore(FeedId),
    /// A letter that cannot be sealed.
    #[error("the letter cannot be sealed")]
    Letter(#[from] PacketError),
    /// The identity's key is not on this machine.
    #[error("where your feed is found is signed by your identity, whose key is not on this machine")]
    NoIdentity,
    /// The words of somebody else, or of another identity.
    #[error("these are the words of another feed")]
    OtherWords,
    /// The identity counts for nothing any more: its successor signs.
    #[error("this feed was taken back from this identity: only the 24 words sign for it now")]
    TakenBack,
    /// The successor of the words is not the one to which the feed committed.
    #[error("the records of this feed commit to another successor: they are forged, or these are not its words")]
    OtherSuccessor,
    /// A file that is not an export, or of a later version.
    #[error("this is not an identity that was exported")]
    Export,
    /// The keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The store does not know the feed of the keys.
    #[error("the store in this data folder does not have the records of its feed: restore store.redb")]
    RecordsLost,
    /// The store lacks the secret of the epoch that it writes in.
    #[error("the secret of the audience's epoch is not in the store")]
    EpochLost,
    /// The system gives no randomness.
    #[error("the system gives no randomness")]
    Randomness(#[source] getrandom::Error),
    /// The store refuses.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The store cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
