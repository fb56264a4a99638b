//! What can go wrong around a node, sorted by who has to act.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use peerfeed_protocol::ids::FeedId;

/// Why a node did not start: the operator's matter.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store could not be opened.
    #[error("could not open the data folder {}", path.display())]
    Store {
        /// The data folder.
        path: PathBuf,
        /// What was wrong.
        #[source]
        source: crate::store::OpenError,
    },
    /// The store was opened and could not be read.
    #[error("could not read the store")]
    Read(#[source] crate::store::StorageError),
    /// The node's keys could not be read or made.
    #[error("could not read or make {}", path.display())]
    Keys {
        /// The key file.
        path: PathBuf,
        /// What was wrong.
        #[source]
        source: io::Error,
    },
    /// An address could not be listened on.
    #[error("could not listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What was wrong.
        #[source]
        source: io::Error,
    },
    /// The system has no randomness to give.
    #[error("the system gives no randomness")]
    Randomness(#[source] getrandom::Error),
}

/// Why waiting for seeders ended without success: a plain no.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// The feed's manifest lists no seeder.
    #[error("feed {0} lists no seeder that could store it")]
    NoSeeders(FeedId),
    /// The time was over before one seeder had stored everything.
    #[error("no seeder has stored everything of feed {0} yet")]
    TimedOut(FeedId),
    /// The feed is not in this data folder.
    #[error("feed {0} is not in this data folder")]
    UnknownFeed(FeedId),
    /// The node is shutting down.
    #[error("interrupted")]
    Interrupted,
}

/// Why a seeder's witness key could not be learnt.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// It could not be reached, or it does not hold the feed.
    #[error("{address} did not answer for this feed: {reason}")]
    NoAnswer {
        /// Where it was looked for.
        address: String,
        /// What came of it.
        reason: String,
    },
    /// It answered, but proved no witness key: it is no seeder.
    #[error("{0} answered, but it is not a seeder")]
    NotASeeder(String),
    /// The time was over.
    #[error("{0} did not answer in time")]
    TimedOut(String),
    /// The node is shutting down.
    #[error("interrupted")]
    Interrupted,
}
