//! What the engine is told of connections and trackers.

use std::net::SocketAddr;
use std::time::Duration;

use peerfeed_protocol::peer::{Closed, Event};

use super::Ticket;

/// Something that happened on a connection.
#[derive(Debug)]
pub enum Input {
    /// A connection that came in has finished its handshake; comes before everything else of it.
    Incoming {
        /// Where it came from.
        address: SocketAddr,
    },
    /// A connection that was dialled is connected; its handshake begins.
    Connected {
        /// What the address was resolved to.
        address: SocketAddr,
    },
    /// Its machine reported something, about this request of ours if it is about one.
    Event(Event, Option<Ticket>),
    /// So many bytes wait in it to be sent.
    Drained(usize),
    /// It is over. Nothing more comes.
    Ended(Ended),
}

/// How a connection ended.
#[derive(Clone, Debug)]
pub enum Ended {
    /// It never was one: one line for a person.
    NotConnected(String),
    /// Its machine ended it.
    Closed(Closed),
    /// The system did: one line for a person.
    Broken(String),
}

/// What a tracker answered, or why it did not.
#[derive(Clone, Debug)]
pub enum Announced {
    /// It answered.
    Peers {
        /// When it wants to hear from us again.
        interval: Duration,
        /// Whom it named.
        peers: Vec<SocketAddr>,
    },
    /// It did not.
    Failed {
        /// One line for a person.
        error: String,
        /// It does not want to be asked again.
        never_again: bool,
    },
}
