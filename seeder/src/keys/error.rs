//! Why keys cannot be used.

use std::io;
use std::path::PathBuf;

use peerfeed_protocol::crypto::{PassphraseError, SealedFileError};
use thiserror::Error;

use crate::store::{StorageError, WriteError};

/// Why the keys of a data folder cannot be read or written.
#[derive(Debug, Error)]
pub enum KeyError {
    /// A key file is not there, or not what it should be.
    #[error("{path} is not a key file of this program: restore it from a backup")]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// A key file cannot be read or written.
    #[error("{path} cannot be used")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The keys are there, and the store does not know their feed.
    #[error(
        "the store in this data folder does not have the feed of its identity: restore store.redb, or use a new folder"
    )]
    StoreLost,
    /// The keys are sealed, and were not opened for this process.
    #[error("the keys in this data folder are sealed under a passphrase")]
    Locked,
    /// A sealed key file does not open.
    #[error("{path} does not open")]
    Sealed {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: SealedFileError,
    },
    /// The new passphrase is none.
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
    /// The system gives no randomness.
    #[error("the system gives no randomness")]
    Randomness(#[source] getrandom::Error),
    /// The store cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// What lies open in the store cannot be sealed.
    #[error(transparent)]
    Write(#[from] WriteError),
}
