//! From bytes to frames: the handshake, then records. spec: PEER-10, PEER-13, PEER-20, PEER-21, PEER-25

use std::collections::BTreeMap;

use super::connection::{Connection, Phase};
use super::event::Event;
use super::handshake::{MESSAGE_BYTES, Role, Session};
use super::hint::{FirstMessage, HINT_BYTES};
use super::lane::{BULK, URGENT};
use super::message::{ChunksHeader, Hello, Message, MessageType, WitnessProof};
use super::moment::Moment;
use super::record::{self, CHANGE};
use super::violation::Violation;

/// Bytes of ciphertext beyond which a record is taken for one of the bulk lane.
const BULK_RECORD_BYTES: usize = 4_096;

impl Connection {
    pub(super) fn take(&mut self, now: Moment, input: &mut &[u8]) -> Result<(), Violation> {
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
    pub(super) fn go_on_with_handshake(&mut self) {
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
            fast_aes: self.options.fast_aes,
            extensions: BTreeMap::new(),
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
        let guess = if bulk.is_within_frame() || ciphertext.len() > BULK_RECORD_BYTES { BULK } else { URGENT };
        let (likely, other) = if guess == BULK { (bulk, urgent) } else { (urgent, bulk) };
        let start = likely.stream().len();
        let lane = records.open(ciphertext, likely.stream())?;
        if lane == CHANGE {
            return records.follow_change(&likely.stream().split_off(start));
        }
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
            && let Some((request, _)) = ChunksHeader::peek(unfinished.rest)
            && let Some(wanted) = self.asked.chunks(request)
        {
            if !self.hasher.is_at(request) {
                self.events.push_back(Event::ChunksBegun { request });
            }
            self.hasher.advance(unfinished.rest, request, wanted);
            lane.reserve_frame();
        }
        Ok(())
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
