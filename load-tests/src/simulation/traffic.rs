//! Connections: made, driven, ended.

use std::net::SocketAddr;
use std::sync::Arc;

use peerfeed::swarm::{Command, ConnectionId, Ended, Input, Link};
use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::peer::message::Interest;
use peerfeed_protocol::peer::{Connection, Event, NodeSecret, Options};

use super::machine::{address, at, secret};
use super::wire::{End, Phase, Wire};
use super::world::{Happening, World};

/// The day by every machine's clock.
const UNIX_DAY: u64 = 20_000;

/// Bytes that a connection hands to the line at once.
const PIECE_BYTES: usize = 16 << 10;

impl World {
    /// A dial gets through, or does not.
    pub(super) fn connect(
        &mut self,
        from: usize,
        connection: ConnectionId,
        dialled: &str,
        prove: bool,
        opens: Vec<(FeedId, Interest)>,
    ) {
        if !self.machines[from].alive {
            return;
        }
        let there = at(dialled).filter(|there| self.machines.get(*there).is_some_and(|machine| machine.alive));
        self.restless.insert(from);
        let Some(there) = there else {
            let input = Input::Ended(Ended::NotConnected("nothing listens there".to_owned()));
            self.machines[from].engine.handle_input(self.now, connection, input);
            return;
        };
        let mut outgoing = self.options(from, prove);
        outgoing.node_secret = NodeSecret::from_bytes(secret(from, there));
        let seeds: [[u8; 32]; 2] = [self.chance.bytes(), self.chance.bytes()];
        let (first, incoming) = (opens[0].0, self.options(there, true));
        let mut initiator = Link::new(Connection::initiator(&first, outgoing, seeds[0], self.now, UNIX_DAY));
        for (feed, interest) in opens {
            initiator.apply(self.now, Command::Open(feed, interest));
        }
        let responder = Link::new(Connection::responder(incoming, seeds[1], self.now));
        let wire = self.wires.len();
        let id = ConnectionId(wire as u64 * 2 + 1);
        let port = 10_000 + u16::try_from(wire % 50_000).expect("it is below");
        let came_from = SocketAddr::new(address(from).ip(), port);
        let ends = [End::new(from, connection, initiator, None), End::new(there, id, responder, Some(came_from))];
        self.wires.push(Wire { ends });
        self.machines[from].wires.insert(connection, (wire, 0));
        self.machines[there].wires.insert(id, (wire, 1));
        let connected = Input::Connected { address: address(there) };
        self.machines[from].engine.handle_input(self.now, connection, connected);
        self.drive(wire, 0);
        self.drive(wire, 1);
    }

    fn options(&self, number: usize, prove: bool) -> Options {
        let machine = &self.machines[number];
        let mut options = Options::new(machine.node.clone());
        options.listen_port = Some(7_000);
        options.witness = (prove && machine.seeds).then(|| Arc::clone(&machine.witness));
        options
    }

    /// Passes on what one end of a connection has to tell and to send.
    pub(super) fn drive(&mut self, wire: usize, side: usize) {
        let number = self.wires[wire].ends[side].machine;
        if self.wires[wire].ends[side].phase == Phase::Gone {
            return;
        }
        self.pass_events_on(wire, side);
        self.transmit(wire, side);
        let end = &mut self.wires[wire].ends[side];
        let buffered = end.link().buffered_bytes();
        let drained = buffered < end.told_bytes;
        end.told_bytes = buffered;
        if drained && end.phase == Phase::Open && end.known {
            let id = end.id;
            self.machines[number].engine.handle_input(self.now, id, Input::Drained(buffered));
            self.restless.insert(number);
        }
        let end = &mut self.wires[wire].ends[side];
        if end.phase == Phase::Ended && buffered == 0 {
            self.forget(wire, side);
            // Last words arrive first.
            let heard = self.machines[number].line_free(self.now).after(self.plan.one_way);
            self.push(heard, Happening::Closed(wire, 1 - side));
        } else if let Some(due) = end.link().connection().poll_timeout().map(|due| due.max(self.now))
            && end.wake.is_none_or(|wake| due < wake)
        {
            end.wake = Some(due);
            self.push(due, Happening::Timeout(wire, side));
        }
    }

    fn transmit(&mut self, wire: usize, side: usize) {
        let number = self.wires[wire].ends[side].machine;
        loop {
            let end = &mut self.wires[wire].ends[side];
            if end.waits || end.link().buffered_bytes() == 0 {
                return;
            }
            if let Some(free) = self.machines[number].line_busy_until(self.now) {
                end.waits = true;
                self.push(free, Happening::Line(wire, side));
                return;
            }
            let mut bytes = Vec::new();
            if end.link().connection().poll_transmit(self.now, &mut bytes, PIECE_BYTES) == 0 {
                return;
            }
            let arrives = self.machines[number].send(self.now, bytes.len()).after(self.plan.one_way);
            self.push(arrives, Happening::Arrives(wire, 1 - side, bytes));
        }
    }

    fn pass_events_on(&mut self, wire: usize, side: usize) {
        while let Some((event, ticket)) = self.wires[wire].ends[side].link().poll_event() {
            let end = &mut self.wires[wire].ends[side];
            let (number, id) = (end.machine, end.id);
            self.restless.insert(number);
            let input = match event {
                Event::FirstMessage(first) => {
                    if let Some(feed) = self.hints.find(&first, UNIX_DAY) {
                        // A handshake that does not fit is told as an event.
                        let _ = end.link().connection().admit(&feed);
                    }
                    continue;
                }
                Event::Established { .. } => {
                    if let Some(address) = end.incoming.filter(|_| !std::mem::replace(&mut end.known, true)) {
                        self.machines[number].engine.handle_input(self.now, id, Input::Incoming { address });
                    }
                    Input::Event(event, ticket)
                }
                Event::Closed(closed) => {
                    end.phase = Phase::Ended;
                    if !end.known {
                        continue;
                    }
                    Input::Ended(Ended::Closed(closed))
                }
                event => Input::Event(event, ticket),
            };
            self.machines[number].engine.handle_input(self.now, id, input);
        }
    }

    /// One end is over; its engine is told why, if it is still to be.
    pub(super) fn end(&mut self, wire: usize, side: usize, why: Option<Ended>) {
        let end = &mut self.wires[wire].ends[side];
        let (number, id) = (end.machine, end.id);
        let untold = end.phase == Phase::Open && end.known;
        self.forget(wire, side);
        if let Some(why) = why.filter(|_| untold && self.machines[number].alive) {
            self.machines[number].engine.handle_input(self.now, id, Input::Ended(why));
            self.restless.insert(number);
        }
    }

    fn forget(&mut self, wire: usize, side: usize) {
        let end = &mut self.wires[wire].ends[side];
        end.go();
        self.machines[end.machine].wires.remove(&end.id);
    }
}
