//! What a connection answers to the peer's requests. spec: PEER-41 to PEER-43

use bytes::Bytes;

use super::calls::{CallError, check_length};
use super::connection::Connection;
use super::lane::BULK;
use super::message::{
    ChannelId, ChunksHeader, EntriesFrame, EntryBytes, Message, MessageType, Reject, RejectCode, RequestId,
};
use crate::ids::LogId;
use crate::limits::URGENT_FRAME_BYTES_MAX;
use crate::merkle::RangeProof;

/// Entries to answer with: a part of what was asked for.
#[derive(Clone, Debug)]
pub struct EntriesAnswer {
    /// Place of the first entry.
    pub from: u64,
    /// Proof of these entries in the tree of the size that was asked for.
    pub proof: RangeProof,
    /// The entries; at least one.
    pub entries: Vec<EntryBytes>,
    /// Whether nothing more follows.
    pub last: bool,
}

impl Connection {
    /// Sends a part of the newest entries that the peer's interest wants, after a state that announced them; they are
    /// of a log whose head of size `size` was in that state. Each log goes downwards from its end, all together within
    /// the bytes wanted. `answer.last` ends the newest entries of all logs. spec: PEER-41
    pub fn send_newest(
        &mut self,
        channel: ChannelId,
        log: LogId,
        size: u64,
        answer: EntriesAnswer,
    ) -> Result<(), CallError> {
        let agreed = self.channels.agreed(channel).ok_or(CallError::ChannelNotOpen)?;
        let rest = entries_frame(channel, None, log, size, answer)?;
        let on_bulk = agreed.newest_on_bulk || rest.len() > URGENT_FRAME_BYTES_MAX;
        agreed.newest_on_bulk = on_bulk;
        self.send_on(on_bulk, channel, MessageType::Entries, rest);
        Ok(())
    }

    /// Answers a request for entries, or a part of it: a contiguous part from the end that was asked for, in several
    /// calls if need be, within the bytes asked for. spec: PEER-41
    pub fn answer_entries(
        &mut self,
        channel: ChannelId,
        request: RequestId,
        answer: EntriesAnswer,
    ) -> Result<(), CallError> {
        let (wanted, debt) = self.owed.entries(channel, request).ok_or(CallError::RequestNotOpen)?;
        let last = answer.last;
        let rest = entries_frame(channel, Some(request), wanted.log, wanted.size, answer)?;
        let on_bulk = debt.on_bulk || rest.len() > URGENT_FRAME_BYTES_MAX;
        debt.on_bulk = on_bulk;
        if last {
            self.owed.settle(channel, request);
        }
        self.send_on(on_bulk, channel, MessageType::Entries, rest);
        Ok(())
    }

    /// Answers a request for chunks: all that were asked for, as sealed. They are not copied before they are encrypted.
    /// spec: PEER-42
    pub fn answer_chunks(
        &mut self,
        channel: ChannelId,
        request: RequestId,
        proof: RangeProof,
        chunks: Vec<Bytes>,
    ) -> Result<(), CallError> {
        let wanted = self.owed.chunks(channel, request).ok_or(CallError::RequestNotOpen)?;
        let lengths = chunks.iter().map(|chunk| Some(chunk.len()));
        if !lengths.eq((wanted.from..wanted.to).map(|index| wanted.size.chunk_bytes(index))) {
            return Err(CallError::OverLimit);
        }
        self.owed.settle(channel, request);
        let header = ChunksHeader { channel, request, from: wanted.from, to: wanted.to, proof: proof.into_hashes() };
        let rest = std::iter::once(Bytes::from(header.encode())).chain(chunks).collect();
        self.outbox.push_chunks(channel, request, rest);
        Ok(())
    }

    /// Ends a request of the peer without an answer, or without the rest of it. spec: PEER-43
    pub fn reject(&mut self, channel: ChannelId, request: RequestId, code: RejectCode) -> Result<(), CallError> {
        let (on_bulk, is_open) = match self.owed.entries(channel, request) {
            Some((_, debt)) => (debt.on_bulk, true),
            None => (false, self.owed.is_open(channel, request)),
        };
        if !is_open {
            return Err(CallError::RequestNotOpen);
        }
        self.owed.settle(channel, request);
        // Behind the parts of the answer that were sent before.
        self.send_on(on_bulk, channel, MessageType::Reject, Reject { channel, request: Some(request), code }.encode());
        Ok(())
    }
}

fn entries_frame(
    channel: ChannelId,
    request: Option<RequestId>,
    log: LogId,
    size: u64,
    answer: EntriesAnswer,
) -> Result<Vec<u8>, CallError> {
    let EntriesAnswer { from, proof, entries, last } = answer;
    if entries.is_empty() {
        return Err(CallError::OverLimit);
    }
    let frame = EntriesFrame { channel, request, last, log, from, size, proof: proof.into_hashes(), entries };
    let rest = frame.encode();
    check_length(rest.len(), BULK)?;
    Ok(rest)
}
