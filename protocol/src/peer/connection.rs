//! A connection between two peers, as a pure machine.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use super::asked::Asked;
use super::channel::Channels;
use super::event::{Closed, Event, PeerHello};
use super::handshake::{Handshake, NodeSecret, Role};
use super::hint::HintKey;
use super::lane::{BULK, Lane, URGENT};
use super::message::{ChannelId, Close, Interest, Message, RejectCode};
use super::moment::Moment;
use super::outbox::Outbox;
use super::owed::Owed;
use super::pings::Pings;
use super::record::Records;
use super::verify::ChunkHasher;
use super::violation::Violation;
use crate::crypto::{FeedKeys, WitnessSecret};
use crate::ids::{FeedId, NodeKey};
use crate::limits::REQUESTS_OPEN_MAX;

/// What a connection needs to know about the program around it.
#[derive(Clone, Debug)]
pub struct Options {
    /// Secret of the node key that the peer gets to see.
    pub node_secret: NodeSecret,
    /// Witness key to prove, for a seeder that has one.
    pub witness: Option<Arc<WitnessSecret>>,
    /// Port on which this node listens.
    pub listen_port: Option<u16>,
    /// Name and version of the program; at most 100 bytes.
    pub program: String,
    /// The peer's address, to be told to it.
    pub observed: Option<SocketAddr>,
    /// Requests of the peer that may be open at once; more are rejected.
    pub requests_max: u32,
    /// Whether records may be sealed with AES-256-GCM; [`aes_is_fast`](super::aes_is_fast) tells. spec: PEER-25
    pub fast_aes: bool,
}

impl Options {
    /// Options with this node secret and nothing to tell.
    pub fn new(node_secret: NodeSecret) -> Self {
        Self {
            node_secret,
            witness: None,
            listen_port: None,
            program: String::new(),
            observed: None,
            requests_max: REQUESTS_OPEN_MAX,
            fast_aes: false,
        }
    }
}

/// One connection, from its first byte to its last: handshake, records, lanes, messages, channels, requests.
///
/// A pure machine: bytes, moments and a seed go in; bytes, events and the next deadline come out. The driver around it
/// repeats, until [`Event::Closed`]:
///
/// 1. hand over what happened: [`handle_bytes`](Self::handle_bytes) with what the socket gave (at most 64 KiB at a time,
///    since what they contain becomes events), [`handle_timeout`](Self::handle_timeout) when the deadline has come;
/// 2. take every event from [`poll_event`](Self::poll_event), act on it, call what it wants to call;
/// 3. take what is to be sent from [`poll_transmit`](Self::poll_transmit) while the socket accepts it; stop producing
///    answers while [`buffered_bytes`](Self::buffered_bytes) is high;
/// 4. sleep until [`poll_timeout`](Self::poll_timeout), new bytes, or room in the socket.
///
/// Whatever arrives, memory stays bounded: one unfinished frame per lane, the limits of [`crate::limits`] for
/// everything else, and what the application itself hands over. spec: PEER
pub struct Connection {
    pub(super) role: Role,
    pub(super) options: Options,
    pub(super) phase: Phase,
    pub(super) records: Option<Records>,
    pub(super) hash: [u8; 32],
    pub(super) node: Option<NodeKey>,
    pub(super) seed: [u8; 32],
    /// A handshake message or a record of which a part has come.
    pub(super) partial: Vec<u8>,
    pub(super) partial_since: Option<Moment>,
    pub(super) lanes: [Lane; 2],
    pub(super) hasher: ChunkHasher,
    pub(super) outbox: Outbox,
    pub(super) events: VecDeque<Event>,
    pub(super) channels: Channels,
    /// Channels that were opened before the handshake was done.
    pub(super) early: Vec<(ChannelId, FeedId, Interest)>,
    pub(super) asked: Asked,
    pub(super) owed: Owed,
    pub(super) peer: Option<PeerHello>,
    pub(super) pinged: Option<Moment>,
    pub(super) pings: Pings,
    pub(super) skipped_frames: u64,
    pub(super) started: Moment,
    pub(super) heard: Moment,
    pub(super) said: Moment,
    pub(super) stalled_since: Option<Moment>,
}

/// How far a connection is.
pub(super) enum Phase {
    /// Responder: the first message is awaited.
    FirstMessage,
    /// Responder: it came, and the driver looks its feed up.
    Admission(Vec<u8>),
    /// Its further messages.
    Handshake(Handshake),
    /// Records.
    Open,
    /// Nothing is received any more.
    Over,
}

impl Connection {
    /// The side that opened the TCP connection, towards a peer of this feed. The first message waits to be sent.
    ///
    /// `seed` must be random and used once: the ephemeral key follows from it. `unix_day` is the unix time divided by
    /// 86,400 seconds. Channels can be opened at once; they go out with the end of the handshake.
    pub fn initiator(feed: &FeedId, options: Options, seed: [u8; 32], now: Moment, unix_day: u64) -> Self {
        let keys = FeedKeys::new(feed);
        let mut handshake = Handshake::new(Role::Initiator, &keys, &options.node_secret, seed);
        let message = handshake.write();
        let ephemeral = message.first_chunk().expect("the first message begins with the ephemeral key");
        let hint = HintKey::new(&keys).hint(unix_day, ephemeral);
        let mut connection = Self::new(Role::Initiator, Phase::Handshake(handshake), options, seed, now);
        connection.outbox.push_plain(&hint);
        connection.outbox.push_plain(&message);
        connection
    }

    /// The side that accepted the TCP connection. It sends nothing before [`admit`](Self::admit).
    ///
    /// `seed` must be random and used once: the ephemeral key follows from it.
    pub fn responder(options: Options, seed: [u8; 32], now: Moment) -> Self {
        Self::new(Role::Responder, Phase::FirstMessage, options, seed, now)
    }

    fn new(role: Role, phase: Phase, options: Options, seed: [u8; 32], now: Moment) -> Self {
        Self {
            role,
            options,
            phase,
            records: None,
            hash: [0; 32],
            node: None,
            seed,
            partial: Vec::new(),
            partial_since: None,
            lanes: [Lane::new(URGENT), Lane::new(BULK)],
            hasher: ChunkHasher::default(),
            outbox: Outbox::default(),
            events: VecDeque::new(),
            channels: Channels::new(role),
            early: Vec::new(),
            asked: Asked::default(),
            owed: Owed::default(),
            peer: None,
            pinged: None,
            pings: Pings::default(),
            skipped_frames: 0,
            started: now,
            heard: now,
            said: now,
            stalled_since: None,
        }
    }

    /// The witness key to prove from now on; what the peer has been told already stays as it is.
    pub fn prove(&mut self, witness: Option<Arc<WitnessSecret>>) {
        self.options.witness = witness;
    }

    /// Responder, after [`Event::FirstMessage`]: goes on with the handshake for this feed. spec: PEER-13
    pub fn admit(&mut self, feed: &FeedId) -> Result<(), Violation> {
        let Phase::Admission(message) = &self.phase else { return Ok(()) };
        let mut handshake = Handshake::new(Role::Responder, &FeedKeys::new(feed), &self.options.node_secret, self.seed);
        let read = handshake.read(message);
        self.phase = Phase::Handshake(handshake);
        match read {
            Ok(()) => self.go_on_with_handshake(),
            Err(ref violation) => self.fail(violation),
        }
        read
    }

    /// Takes bytes that came from the peer, in order, cut in any way.
    ///
    /// After an error the connection is over; events from before it can still be polled, and what
    /// [`poll_transmit`](Self::poll_transmit) gives may still be sent.
    pub fn handle_bytes(&mut self, now: Moment, mut input: &[u8]) -> Result<(), Violation> {
        while !input.is_empty() && !self.is_over() {
            self.heard = now;
            self.take(now, &mut input).inspect_err(|violation| self.fail(violation))?;
        }
        Ok(())
    }

    /// Appends to `out` at most `bytes_max` bytes for the socket and returns how many; 0 when nothing waits. Urgent
    /// messages go between the records of bulk ones. spec: PEER-21
    pub fn poll_transmit(&mut self, now: Moment, out: &mut Vec<u8>, bytes_max: usize) -> usize {
        let written = self.outbox.write(self.records.as_mut(), out, bytes_max);
        if written > 0 {
            self.said = now;
            self.stalled_since = None;
        }
        written
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        if self.events.is_empty() {
            // An idle connection holds no room for them.
            self.events = VecDeque::new();
        }
        event
    }

    /// Whether there is a next event.
    pub fn has_event(&self) -> bool {
        !self.events.is_empty()
    }

    /// Bytes that wait to be sent, encryption not counted. While it is high, answers should wait with the application.
    pub fn buffered_bytes(&self) -> usize {
        self.outbox.bytes()
    }

    /// Of [`Self::buffered_bytes`], those that nothing may keep waiting: the handshake and urgent messages.
    pub fn urgent_bytes(&self) -> usize {
        self.outbox.urgent_bytes()
    }

    /// Which side this is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The peer's node key, once the handshake is done.
    pub fn node(&self) -> Option<NodeKey> {
        self.node
    }

    /// How the peer introduced itself, once it has.
    pub fn peer_hello(&self) -> Option<&PeerHello> {
        self.peer.as_ref()
    }

    /// Frames of unknown types that were skipped.
    pub fn skipped_frames(&self) -> u64 {
        self.skipped_frames
    }

    /// Whether the connection is over.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// Ends the connection because of a violation, and says so where it may be said. spec: PEER-60, PEER-61
    pub(super) fn fail(&mut self, violation: &Violation) {
        let told = violation.may_be_told() && self.records.is_some();
        self.end(Closed::Violation(violation.clone()));
        if told {
            self.say_goodbye(RejectCode::Malformed, Some(violation.cause()));
        }
    }

    pub(super) fn say_goodbye(&mut self, code: RejectCode, text: Option<&str>) {
        let close = Close { channel: None, code, text: text.map(str::to_owned) };
        self.outbox.push_urgent(Close::TYPE, &close.encode());
    }

    /// Ends the connection: nothing is received any more, and only urgent messages that wait are still sent.
    pub(super) fn end(&mut self, closed: Closed) {
        self.phase = Phase::Over;
        if self.records.is_some() {
            self.outbox.abandon_bulk();
        } else {
            self.outbox = Outbox::default();
        }
        self.partial = Vec::new();
        self.lanes = [Lane::new(URGENT), Lane::new(BULK)];
        self.hasher = ChunkHasher::default();
        self.channels.clear();
        self.asked = Asked::default();
        self.owed = Owed::default();
        self.events.push_back(Event::Closed(closed));
    }
}
