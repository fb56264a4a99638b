//! What can go wrong with the store, sorted by who has to act.

use std::io;
use std::path::PathBuf;

use peerfeed_protocol::limits::LOGS_PER_DEVICE_MAX;
use thiserror::Error;

use super::limits::DISK_RESERVE_BYTES;

/// The medium or the file under the store failed: the operator's matter.
#[derive(Debug, Error)]
pub enum StorageError {
    /// No room is left, or less than the store leaves free.
    #[error(
        "the disk is full: make room ({} MiB always stay free), or lower the quotas of the feeds held here",
        DISK_RESERVE_BYTES >> 20
    )]
    DiskFull,
    /// The file or its disk may only be read.
    #[error("the data folder is read-only: store.redb cannot be written")]
    ReadOnly,
    /// An earlier failure of the disk: the store refuses to go on until it is opened again.
    #[error("the disk failed before: end the program and start it again")]
    FailedBefore,
    /// Something in the file is not what was written.
    #[error("store.redb is damaged ({0}): move it away and fetch the feeds again")]
    Damaged(String),
    /// Any other failure of the disk or file.
    #[error("store.redb cannot be read or written")]
    Io(#[source] io::Error),
    /// The database refuses something that this program should not have asked: our fault.
    #[error("the database refuses an operation")]
    Engine(#[source] Box<redb::Error>),
}

impl StorageError {
    /// A row that does not have the form this version writes.
    pub(crate) fn row(table: &str) -> Self {
        Self::Damaged(format!("a row of table {table} has another form"))
    }
}

impl From<io::Error> for StorageError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => Self::DiskFull,
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Self::ReadOnly,
            _ => Self::Io(error),
        }
    }
}

impl From<redb::Error> for StorageError {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Io(error) => error.into(),
            redb::Error::PreviousIo => Self::FailedBefore,
            redb::Error::Corrupted(what) => Self::Damaged(what),
            other => Self::Engine(Box::new(other)),
        }
    }
}

macro_rules! from_redb {
    ($($error:ident),*) => {$(
        impl From<redb::$error> for StorageError {
            fn from(error: redb::$error) -> Self {
                redb::Error::from(error).into()
            }
        }
        impl From<redb::$error> for WriteError {
            fn from(error: redb::$error) -> Self {
                StorageError::from(error).into()
            }
        }
    )*};
}
from_redb!(StorageError, TableError, TransactionError, CommitError, SetDurabilityError);

/// Why a data folder cannot be opened: the operator's matter.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process works in it.
    #[error("the data folder {folder} is in use by {holder}: end that first, or use another folder with --data")]
    Held {
        /// The folder.
        folder: PathBuf,
        /// Process id and command of the holder.
        holder: String,
    },
    /// A later version of the program wrote it.
    #[error(
        "the data folder was written by a newer version (format {found}, this program knows {known}): install that version"
    )]
    Newer {
        /// Format of the folder.
        found: u64,
        /// Newest format that this program knows.
        known: u64,
    },
    /// The folder cannot be made or used.
    #[error("the data folder {folder} cannot be used")]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The file `store.redb` is something else.
    #[error("{0} is no store of this program")]
    Foreign(PathBuf),
    /// The store itself.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Which bound a write would exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quota {
    /// The feed's own.
    Feed {
        /// Bytes it may take.
        bytes: u64,
    },
    /// The one over all feeds.
    Total {
        /// Bytes all feeds together may take.
        bytes: u64,
    },
}

/// Why a write changed nothing.
#[derive(Debug, Error)]
pub enum WriteError {
    /// A quota is used up: the operator may raise it.
    #[error("{}", full(.0))]
    Full(Quota),
    /// A file is larger than what a quota leaves for it, and not a part of it is kept: others may fit.
    #[error("a file of {bytes} bytes does not fit in what is left of {}", whose(.quota))]
    FileTooLarge {
        /// Bytes of the file.
        bytes: u64,
        /// Which quota.
        quota: Quota,
    },
    /// The device has as many logs as it may: it is at fault, or was restored too often.
    #[error("this device has {LOGS_PER_DEVICE_MAX} logs already, and may not have more")]
    TooManyLogs,
    /// No such feed is held here: the caller's fault.
    #[error("this feed is not in the store")]
    UnknownFeed,
    /// No head of this log was put: the caller's fault.
    #[error("this log is not in the store")]
    UnknownLog,
    /// No entry refers to such a blob: the caller's fault.
    #[error("this blob is not in the store")]
    UnknownBlob,
    /// The part lies outside of the log or blob, or not on group borders: the caller's fault.
    #[error("this part lies outside of what is known of the log or blob")]
    Outside,
    /// A header that is none: the caller should have checked it.
    #[error("an entry header is malformed")]
    Header,
    /// Two heads of the same size with different roots: the log's device signed both, keep them with `put_fork`.
    #[error("the head contradicts the one held")]
    Contradiction,
    /// The log was found forked and takes no further heads.
    #[error("this log is forked and takes no further heads")]
    Forked,
    /// The job found that what it was to write cannot be written.
    #[error("this cannot be written")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The medium.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The store was shut down.
    #[error("the store is closed")]
    Closed,
}

fn full(quota: &Quota) -> String {
    format!("{} is used up", whose(quota))
}

fn whose(quota: &Quota) -> String {
    match quota {
        Quota::Feed { bytes } => format!("the feed's quota of {bytes} bytes"),
        Quota::Total { bytes } => format!("the quota of {bytes} bytes over all feeds"),
    }
}
