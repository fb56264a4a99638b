//! Two connections joined by a link.

use std::ops::ControlFlow;

use super::pipe::{Link, Pipe};
use crate::crypto::Entropy;
use crate::peer::{Connection, Event, Moment, Role};

/// Most bytes that are taken from a socket at once, as a driver does it.
const READ_BYTES: usize = 64 * 1024;

/// An initiator and a responder, a link between them, and a clock that jumps.
///
/// The clock starts with the SYN of the TCP connection, so that the first byte of the protocol leaves one round trip
/// later.
pub struct Pair {
    /// The present moment.
    pub now: Moment,
    /// The side that opened the connection.
    pub initiator: Connection,
    /// The side that accepted it.
    pub responder: Connection,
    up: Pipe,
    down: Pipe,
    cuts: Option<Entropy>,
}

impl Pair {
    /// Joins two connections that were made at the moment [`Pair::established`] of this link.
    pub fn new(link: Link, initiator: Connection, responder: Connection) -> Self {
        let (up, down) = (Pipe::new(link), Pipe::new(link));
        Self { now: Self::established(link), initiator, responder, up, down, cuts: None }
    }

    /// When TCP is through: one round trip after the SYN.
    pub fn established(link: Link) -> Moment {
        Moment::START.after(link.round_trip())
    }

    /// Cuts what arrives into pieces of random length, some of a single byte; the same ones for the same seed.
    pub fn cut_randomly(&mut self, seed: u64) {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        self.cuts = Some(Entropy::from_seed(bytes));
    }

    /// The connection of one side.
    pub fn side(&mut self, role: Role) -> &mut Connection {
        match role {
            Role::Initiator => &mut self.initiator,
            Role::Responder => &mut self.responder,
        }
    }

    /// Bytes that this side has sent.
    pub fn sent_bytes(&self, role: Role) -> u64 {
        match role {
            Role::Initiator => self.up.sent_bytes(),
            Role::Responder => self.down.sent_bytes(),
        }
    }

    /// Lets time pass until `act`, which gets every event, breaks, or nothing is left to happen before `until`. Returns
    /// whether `act` broke.
    pub fn run(
        &mut self,
        until: Moment,
        mut act: impl FnMut(Moment, Role, &mut Connection, Event) -> ControlFlow<()>,
    ) -> bool {
        loop {
            for role in [Role::Initiator, Role::Responder] {
                let now = self.now;
                while let Some(event) = self.side(role).poll_event() {
                    if act(now, role, self.side(role), event).is_break() {
                        return true;
                    }
                }
            }
            if self.transmit() | self.deliver() {
                continue;
            }
            let timeouts = [self.initiator.poll_timeout(), self.responder.poll_timeout()];
            let next = timeouts.into_iter().chain([self.up.next(), self.down.next()]).flatten().min();
            let Some(next) = next.filter(|next| *next <= until) else {
                self.now = self.now.max(until);
                return false;
            };
            self.now = self.now.max(next);
            self.initiator.handle_timeout(self.now);
            self.responder.handle_timeout(self.now);
        }
    }

    fn transmit(&mut self) -> bool {
        let mut sent = false;
        for role in [Role::Initiator, Role::Responder] {
            let (connection, pipe) = match role {
                Role::Initiator => (&mut self.initiator, &mut self.up),
                Role::Responder => (&mut self.responder, &mut self.down),
            };
            let mut bytes = Vec::new();
            if connection.poll_transmit(self.now, &mut bytes, pipe.room()) > 0 {
                pipe.send(self.now, &bytes);
                sent = true;
            }
        }
        sent
    }

    fn deliver(&mut self) -> bool {
        let to_responder = self.up.receive(self.now);
        let to_initiator = self.down.receive(self.now);
        for (connection, bytes) in [(&mut self.responder, &to_responder), (&mut self.initiator, &to_initiator)] {
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let length = match &mut self.cuts {
                    None => READ_BYTES,
                    Some(cuts) => match cuts.bytes::<2>() {
                        [0..=127, length] => usize::from(length % 4) + 1,
                        [high, low] => usize::from(u16::from_be_bytes([high, low])),
                    },
                };
                let (piece, behind) = rest.split_at(length.min(rest.len()));
                // An error is told again by the event that follows it.
                if connection.handle_bytes(self.now, piece).is_err() {
                    break;
                }
                rest = behind;
            }
        }
        !(to_responder.is_empty() && to_initiator.is_empty())
    }
}
