//! A connection between two peers, as a pure machine.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::asked::Asked;
use super::channel::Channels;
use super::event::{Closed, Event, PeerHello};
use super::handshake::{Handshake, MESSAGE_BYTES, NodeSecret, Role, Session};
use super::hint::{FirstMessage, HINT_BYTES, HintKey};
use super::lane::{BULK, Lane, URGENT};
use super::message::{ChannelId, Close, Hello, Interest, Message, MessageType, RejectCode, WitnessProof};
use super::moment::Moment;
use super::outbox::Outbox;
use super::owed::Owed;
use super::record::{self, Records};
use super::verify::ChunkHasher;
use super::violation::{Timeout, Violation};
use crate::crypto::{FeedKeys, WitnessSecret};
use crate::ids::{FeedId, NodeKey};
use crate::limits::{
    FIRST_MESSAGE_SECONDS_MAX, HANDSHAKE_SECONDS_MAX, KEEP_ALIVE_SECONDS, RECORD_SECONDS_MAX, REQUESTS_OPEN_MAX,
    SILENCE_SECONDS_MAX, STALL_SECONDS_MAX,
};

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
    node: Option<NodeKey>,
    seed: [u8; 32],
    /// A handshake message or a record of which a part has come.
    partial: Vec<u8>,
    partial_since: Option<Moment>,
    lanes: [Lane; 2],
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
    pub(super) skipped_frames: u64,
    started: Moment,
    heard: Moment,
    said: Moment,
    stalled_since: Option<Moment>,
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
            skipped_frames: 0,
            started: now,
            heard: now,
            said: now,
            stalled_since: None,
        }
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

    /// Does what is due; call when [`poll_timeout`](Self::poll_timeout) has come. Too early is harmless.
    pub fn handle_timeout(&mut self, now: Moment) {
        if self.is_over() {
            return;
        }
        let run_out = self.patience().find(|(_, deadline)| *deadline <= now).map(|(timeout, _)| timeout);
        if let Some(timeout) = run_out {
            self.end(Closed::Timeout(timeout));
            return;
        }
        if !matches!(self.phase, Phase::Open) {
            return;
        }
        for (channel, request) in self.asked.take_late(now) {
            self.events.push_back(Event::TimedOut { channel, request });
        }
        if self.stalled_since.is_none() && self.keep_alive_due() <= now {
            if self.outbox.is_empty() {
                self.outbox.push_keep_alive();
            }
            self.stalled_since = Some(now);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next; none once the connection is over.
    pub fn poll_timeout(&self) -> Option<Moment> {
        if self.is_over() {
            return None;
        }
        let open = matches!(self.phase, Phase::Open);
        let keep_alive = (open && self.stalled_since.is_none()).then(|| self.keep_alive_due());
        let patience = self.patience().map(|(_, deadline)| deadline);
        patience.chain(keep_alive).chain(self.asked.next_deadline()).min()
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
        self.events.pop_front()
    }

    /// Bytes that wait to be sent, encryption not counted. While it is high, answers should wait with the application.
    pub fn buffered_bytes(&self) -> usize {
        self.outbox.bytes()
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

    fn keep_alive_due(&self) -> Moment {
        self.said.after(Duration::from_secs(KEEP_ALIVE_SECONDS))
    }

    /// What the connection is waiting for, and until when. spec: PEER-50 to PEER-54
    fn patience(&self) -> impl Iterator<Item = (Timeout, Moment)> {
        let deadline = |since: Moment, seconds| since.after(Duration::from_secs(seconds));
        let first = matches!(self.phase, Phase::FirstMessage)
            .then(|| (Timeout::FirstMessage, deadline(self.started, FIRST_MESSAGE_SECONDS_MAX)));
        let open = matches!(self.phase, Phase::Open);
        let handshake = (!open).then(|| (Timeout::Handshake, deadline(self.started, HANDSHAKE_SECONDS_MAX)));
        let record = self.partial_since.map(|since| (Timeout::Record, deadline(since, RECORD_SECONDS_MAX)));
        let silence = open.then(|| (Timeout::Silence, deadline(self.heard, SILENCE_SECONDS_MAX)));
        let stalled = self.stalled_since.map(|since| (Timeout::Stalled, deadline(since, STALL_SECONDS_MAX)));
        [first, handshake, record, silence, stalled].into_iter().flatten()
    }

    fn take(&mut self, now: Moment, input: &mut &[u8]) -> Result<(), Violation> {
        match &mut self.phase {
            Phase::FirstMessage => {
                if let Some(bytes) = gather(&mut self.partial, input, HINT_BYTES + MESSAGE_BYTES[0]) {
                    self.take_first_message(&bytes);
                }
            }
            // Nobody has anything to say before the answer to the first message.
            Phase::Admission(_) => return Err(Violation::Handshake),
            Phase::Handshake(handshake) => {
                let due = MESSAGE_BYTES[if self.role == Role::Initiator { 1 } else { 2 }];
                if let Some(bytes) = gather(&mut self.partial, input, due) {
                    handshake.read(&bytes)?;
                    self.go_on_with_handshake();
                }
            }
            Phase::Open => self.take_record(now, input)?,
            Phase::Over => *input = &[],
        }
        Ok(())
    }

    fn take_first_message(&mut self, bytes: &[u8]) {
        let (hint, message) = bytes.split_first_chunk().expect("as many bytes were gathered");
        let ephemeral = *message.first_chunk().expect("as many bytes were gathered");
        self.events.push_back(Event::FirstMessage(FirstMessage { hint: *hint, ephemeral }));
        self.phase = Phase::Admission(message.to_vec());
    }

    /// Writes the message that is ours to send, and opens the connection after the last one.
    fn go_on_with_handshake(&mut self) {
        let Phase::Handshake(mut handshake) = std::mem::replace(&mut self.phase, Phase::Open) else { return };
        if !handshake.is_finished() {
            self.outbox.push_plain(&handshake.write());
        }
        if !handshake.is_finished() {
            self.phase = Phase::Handshake(handshake);
            return;
        }
        let Session { records, hash, node } = handshake.finish();
        (self.records, self.hash, self.node) = (Some(records), hash, Some(node));
        self.events.push_back(Event::Established { node });
        self.introduce();
    }

    fn introduce(&mut self) {
        let witness = self.options.witness.as_ref().map(|witness| WitnessProof {
            key: witness.key().to_bytes(),
            signature: witness.sign_handshake(&witnessed(&self.hash, self.role)).to_bytes(),
        });
        let program = Some(self.options.program.clone()).filter(|program| !program.is_empty());
        let hello = Hello {
            extensions: std::collections::BTreeMap::new(),
            listen_port: self.options.listen_port,
            requests_max: self.options.requests_max,
            program,
            witness,
            observed: self.options.observed,
        };
        self.outbox.push_urgent(Hello::TYPE, &hello.encode());
        for (channel, feed, interest) in std::mem::take(&mut self.early) {
            self.send_open(channel, &feed, interest);
        }
    }

    /// Opens the record at the front of the input, or keeps what is there of it.
    fn take_record(&mut self, now: Moment, input: &mut &[u8]) -> Result<(), Violation> {
        if self.partial.is_empty()
            && let Some((length, rest)) = input.split_first_chunk()
            && let Some((ciphertext, rest)) = rest.split_at_checked(record::announced_length(*length)?)
        {
            // The usual case: decrypted straight out of the caller's buffer.
            *input = rest;
            return self.open_record(now, ciphertext);
        }
        self.partial_since.get_or_insert(now);
        if self.partial.len() < record::LENGTH_BYTES {
            fill(&mut self.partial, input, record::LENGTH_BYTES);
        }
        let Some(length) = self.partial.first_chunk() else { return Ok(()) };
        let due = record::LENGTH_BYTES + record::announced_length(*length)?;
        if !fill(&mut self.partial, input, due) {
            return Ok(());
        }
        let whole = std::mem::take(&mut self.partial);
        self.partial_since = None;
        self.open_record(now, &whole[record::LENGTH_BYTES..])
    }

    fn open_record(&mut self, now: Moment, ciphertext: &[u8]) -> Result<(), Violation> {
        let records = self.records.as_mut().expect("an open connection has its ciphers");
        let [urgent, bulk] = &mut self.lanes;
        // Decrypted to where it most probably belongs; on the wrong lane it is moved, which costs little.
        let guess = if bulk.is_within_frame() || ciphertext.len() > 4_096 { BULK } else { URGENT };
        let (likely, other) = if guess == BULK { (bulk, urgent) } else { (urgent, bulk) };
        let start = likely.stream().len();
        let lane = records.open(ciphertext, likely.stream())?;
        if lane > BULK {
            return Err(Violation::Lane(lane));
        }
        if lane != guess {
            let moved = likely.stream().split_off(start);
            other.stream().extend_from_slice(&moved);
        }
        self.take_frames(now, lane)
    }

    fn take_frames(&mut self, now: Moment, lane: u8) -> Result<(), Violation> {
        while !self.is_over()
            && let Some(frame) = self.lanes[usize::from(lane)].next_frame()?
        {
            self.handle_frame(now, frame)?;
        }
        let lane = &mut self.lanes[usize::from(lane)];
        let Some(unfinished) = lane.unfinished() else { return Ok(()) };
        let kind = MessageType::from_byte(unfinished.kind);
        if matches!(kind, Some(MessageType::Chunks | MessageType::Entries)) {
            self.asked.note_progress(now);
        }
        if kind == Some(MessageType::Chunks)
            && let Some((request, _)) = super::message::ChunksHeader::peek(unfinished.rest)
            && let Some(wanted) = self.asked.chunks(request)
        {
            self.hasher.advance(unfinished.rest, request, wanted);
            lane.reserve_frame();
        }
        Ok(())
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

/// What a witness signs: the handshake hash and the signer's role. spec: PEER-33
pub(super) fn witnessed(hash: &[u8; 32], role: Role) -> [u8; 33] {
    let mut bytes = [role.byte(); 33];
    bytes[..32].copy_from_slice(hash);
    bytes
}

/// Moves bytes from the input until `partial` has `due` of them; whether it has.
fn fill(partial: &mut Vec<u8>, input: &mut &[u8], due: usize) -> bool {
    let (taken, rest) = input.split_at(input.len().min(due.saturating_sub(partial.len())));
    partial.extend_from_slice(taken);
    *input = rest;
    partial.len() >= due
}

/// The next `due` bytes, once they have come.
fn gather(partial: &mut Vec<u8>, input: &mut &[u8], due: usize) -> Option<Vec<u8>> {
    fill(partial, input, due).then(|| std::mem::take(partial))
}
