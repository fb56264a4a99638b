//! What the engine wants done.

use std::fmt;

use peerfeed_protocol::announce::{Event as AnnounceEvent, TrackerUrl};
use peerfeed_protocol::ids::{FeedId, LogId, SwarmId, WitnessKey};
use peerfeed_protocol::peer::message::Interest;

use super::command::Command;
use super::job::{Read, Write};
use super::progress::Progress;

/// A connection, numbered by the engine; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// A request that the engine made of a peer, numbered over all peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// A write, numbered in the order in which it has to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub u64);

/// Something that a caller asked for and waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(pub u64);

/// What the engine wants done. Actions are to be carried out in their order.
#[derive(Debug)]
pub enum Action {
    /// Connect to an address and open these feeds; the handshake is made for the first of them.
    Dial {
        /// Number of the connection from now on.
        connection: ConnectionId,
        /// `HOST:PORT`.
        address: String,
        /// The seeder that is expected there: its own node key is used for it.
        witness: Option<WitnessKey>,
        /// Whether this node proves its own witness key: only for feeds that it seeds.
        prove: bool,
        /// Feeds to open, at least one.
        opens: Vec<(FeedId, Interest)>,
    },
    /// Something for a connection.
    Tell {
        /// Which one.
        connection: ConnectionId,
        /// What.
        command: Command,
    },
    /// Something to be stored; tell the outcome by [`super::Engine::handle_written`].
    Write {
        /// Its number.
        job: JobId,
        /// What.
        write: Write,
    },
    /// Something to be read from the store and sent, away from the engine.
    Read(Read),
    /// Something to be asked of a tracker; tell the outcome by [`super::Engine::handle_announced`].
    Announce(AnnounceJob),
    /// Something that a caller waits for.
    Report {
        /// Who waits.
        task: TaskId,
        /// What to tell.
        report: Report,
    },
    /// A packet came into the mailbox of an own feed that is kept here.
    MailCame(FeedId),
    /// Entries were stored.
    Arrived {
        /// The feed.
        feed: FeedId,
        /// The log.
        log: LogId,
        /// First of them.
        from: u64,
        /// First after them.
        to: u64,
    },
}

/// One announce to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnounceJob {
    /// The feed; not to be told to the tracker.
    pub feed: FeedId,
    /// What the tracker knows it by.
    pub swarm: SwarmId,
    /// The tracker.
    pub tracker: TrackerUrl,
    /// What is said.
    pub event: AnnounceEvent,
    /// Whether the outcome is of interest; goodbyes are said into the void.
    pub farewell: bool,
}

/// What a caller is told.
#[derive(Debug)]
pub enum Report {
    /// Of a sync or a blob.
    Progress(Progress),
    /// A wait for seeders has ended: the addresses of those who have everything, or none in time.
    Stored(Result<Vec<String>, NotStored>),
    /// A probe has ended.
    Probed(Result<WitnessKey, ProbeFailure>),
}

/// Why a wait for seeders was in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotStored {
    /// The feed is not here.
    UnknownFeed,
    /// There is nobody to wait for.
    NoSeeders,
    /// The time is over.
    TimedOut,
}

/// Why a probe was in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeFailure {
    /// It could not be reached, or does not hold the feed.
    NoAnswer(String),
    /// It is no seeder.
    NotASeeder,
    /// The time is over.
    TimedOut,
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection {}", self.0)
    }
}
