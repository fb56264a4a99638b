//! A connection between two machines.

use std::net::SocketAddr;

use peerfeed::swarm::{ConnectionId, Link};
use peerfeed_protocol::peer::Moment;

/// Both ends.
pub(super) struct Wire {
    pub ends: [End; 2],
}

/// How far an end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// It speaks and listens.
    Open,
    /// The engine was told of its end; what waits is still sent.
    Ended,
    /// Nothing comes or goes any more.
    Gone,
}

/// One end.
pub(super) struct End {
    pub machine: usize,
    pub id: ConnectionId,
    /// None once it is gone: there are many more of these than of others.
    link: Option<Box<Link>>,
    /// Where it came from, on the side to which it came.
    pub incoming: Option<SocketAddr>,
    /// The engine knows of it.
    pub known: bool,
    pub phase: Phase,
    pub told_bytes: usize,
    /// Moment for which the connection is to be woken.
    pub wake: Option<Moment>,
    /// It waits for the machine's line.
    pub waits: bool,
}

impl End {
    pub(super) fn new(machine: usize, id: ConnectionId, link: Link, incoming: Option<SocketAddr>) -> Self {
        let known = incoming.is_none();
        let link = Some(Box::new(link));
        Self { machine, id, link, incoming, known, phase: Phase::Open, told_bytes: 0, wake: None, waits: false }
    }

    /// The connection of an end that is not gone.
    pub(super) fn link(&mut self) -> &mut Link {
        self.link.as_mut().expect("who asks has looked whether it is gone")
    }

    /// Nothing comes or goes any more.
    pub(super) fn go(&mut self) {
        self.phase = Phase::Gone;
        self.link = None;
    }
}
