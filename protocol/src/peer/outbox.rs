//! What waits to be sent, in two lanes. spec: PEER-21, PEER-23, PEER-25

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

use super::frame::{self, KEEP_ALIVE};
use super::lane::{BULK, URGENT};
use super::message::{ChannelId, MessageType, RequestId};
use super::record::{LENGTH_BYTES, Records};
use crate::limits::{RECORD_OVERHEAD_BYTES, RECORD_PAYLOAD_BYTES_MAX};

/// Bytes after which no further frame is added to a record of the urgent lane.
const URGENT_RECORD_BYTES: usize = 4_096;

/// Handshake messages, then the frames of both lanes.
#[derive(Default)]
pub(super) struct Outbox {
    plain: Vec<u8>,
    urgent: BytesMut,
    /// What is left of each frame of the urgent bytes.
    urgent_frames: VecDeque<usize>,
    /// Frames of the bulk lane that go before chunks: somebody waits to read them.
    texts: VecDeque<BulkFrame>,
    /// Chunks, and the last words of channels, which must not pass them.
    chunks: VecDeque<BulkFrame>,
    bulk_bytes: usize,
    /// Of the urgent bytes, those that the machine wrote by itself since the lane was last empty.
    reply_bytes: usize,
}

/// A frame of the bulk lane: what is left of it, in pieces that are not copied until they are encrypted.
struct BulkFrame {
    channel: Option<ChannelId>,
    /// The request that it answers, for chunks.
    request: Option<RequestId>,
    begun: bool,
    pieces: VecDeque<Bytes>,
}

impl Outbox {
    /// Bytes of the handshake, which go out as they are and before everything else.
    pub(super) fn push_plain(&mut self, bytes: &[u8]) {
        self.plain.extend_from_slice(bytes);
    }

    pub(super) fn push_urgent(&mut self, kind: MessageType, rest: &[u8]) {
        let prefix = frame::prefix(kind, rest.len());
        self.urgent.extend_from_slice(&prefix);
        self.urgent.extend_from_slice(rest);
        self.urgent_frames.push_back(prefix.len() + rest.len());
    }

    /// An urgent frame that the peer caused by its own: a reject or a pong.
    pub(super) fn push_reply(&mut self, kind: MessageType, rest: &[u8]) {
        self.reply_bytes += rest.len();
        self.push_urgent(kind, rest);
    }

    pub(super) fn push_keep_alive(&mut self) {
        self.urgent.extend_from_slice(&KEEP_ALIVE);
        self.urgent_frames.push_back(KEEP_ALIVE.len());
    }

    /// A frame of the bulk lane, its rest in pieces. Those of one answer keep their order; text passes chunks. spec: PEER-23
    pub(super) fn push_bulk(&mut self, channel: Option<ChannelId>, kind: MessageType, rest: Vec<Bytes>) {
        let frame = self.bulk_frame(channel, None, kind, rest);
        let queue = if kind == MessageType::Close { &mut self.chunks } else { &mut self.texts };
        queue.push_back(frame);
    }

    /// A CHUNKS frame, its rest in pieces.
    pub(super) fn push_chunks(&mut self, channel: ChannelId, request: RequestId, rest: Vec<Bytes>) {
        let frame = self.bulk_frame(Some(channel), Some(request), MessageType::Chunks, rest);
        self.chunks.push_back(frame);
    }

    fn bulk_frame(
        &mut self,
        channel: Option<ChannelId>,
        request: Option<RequestId>,
        kind: MessageType,
        rest: Vec<Bytes>,
    ) -> BulkFrame {
        let rest_bytes = rest.iter().map(Bytes::len).sum();
        let prefix = frame::prefix(kind, rest_bytes);
        self.bulk_bytes += prefix.len() + rest_bytes;
        let pieces =
            std::iter::once(Bytes::copy_from_slice(&prefix)).chain(rest).filter(|piece| !piece.is_empty()).collect();
        BulkFrame { channel, request, begun: false, pieces }
    }

    /// Drops the chunks that answer this request, if nothing of them was sent yet; whether it did.
    pub(super) fn take_back(&mut self, channel: ChannelId, request: RequestId) -> bool {
        let before = self.bulk_bytes;
        self.purge_if(|frame| frame.channel == Some(channel) && frame.request == Some(request));
        self.bulk_bytes < before
    }

    /// Drops the bulk frames of a channel of which nothing was sent yet.
    pub(super) fn purge(&mut self, channel: ChannelId) {
        self.purge_if(|frame| frame.channel == Some(channel));
    }

    /// Drops all bulk frames: of a frame that was begun the rest will never be sent.
    pub(super) fn abandon_bulk(&mut self) {
        self.texts.clear();
        self.chunks.clear();
        self.bulk_bytes = 0;
    }

    fn purge_if(&mut self, condition: impl Fn(&BulkFrame) -> bool) {
        let mut purged = 0;
        for queue in [&mut self.texts, &mut self.chunks] {
            queue.retain(|frame| {
                let keep = frame.begun || !condition(frame);
                if !keep {
                    purged += frame.pieces.iter().map(Bytes::len).sum::<usize>();
                }
                keep
            });
        }
        self.bulk_bytes -= purged;
    }

    /// Bytes that wait, encryption not counted.
    pub(super) fn bytes(&self) -> usize {
        self.plain.len() + self.urgent.len() + self.bulk_bytes
    }

    /// Bytes that wait and that nothing may keep waiting, encryption not counted.
    pub(super) fn urgent_bytes(&self) -> usize {
        self.plain.len() + self.urgent.len()
    }

    /// Bytes of replies that the peer has caused and not taken.
    pub(super) fn reply_bytes(&self) -> usize {
        self.reply_bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes() == 0
    }

    /// Appends handshake bytes, then records, to `out` for as long as they fit into `bytes_max`; urgent ones first.
    /// Returns how many bytes were appended.
    pub(super) fn write(&mut self, records: Option<&mut Records>, out: &mut Vec<u8>, bytes_max: usize) -> usize {
        let start = out.len();
        let plain = self.plain.len().min(bytes_max);
        out.extend(self.plain.drain(..plain));
        if self.plain.is_empty() {
            self.plain = Vec::new();
        }
        let Some(records) = records.filter(|_| self.plain.is_empty()) else { return out.len() - start };
        if self.is_empty() {
            return out.len() - start;
        }
        loop {
            let room = bytes_max - (out.len() - start);
            let Some(room) = room.checked_sub(LENGTH_BYTES + RECORD_OVERHEAD_BYTES).filter(|room| *room > 0) else {
                break;
            };
            let room = room.min(RECORD_PAYLOAD_BYTES_MAX);
            let record = out.len();
            out.extend_from_slice(&[0; LENGTH_BYTES]);
            if records.is_change_due(self.bulk_bytes > 0) {
                records.change(out, record);
                continue;
            }
            let lane = if self.append_urgent(out, room) > 0 { URGENT } else { BULK };
            if lane == BULK && self.append_bulk(out, room) == 0 {
                out.truncate(record);
                break;
            }
            records.seal(out, record, lane);
        }
        out.len() - start
    }

    /// A record is read only when it is whole, so one with enough in it ends where a frame ends: what is behind would
    /// delay what is in front.
    fn append_urgent(&mut self, out: &mut Vec<u8>, room: usize) -> usize {
        let mut filled = 0;
        while filled < URGENT_RECORD_BYTES
            && let Some(left) = self.urgent_frames.front_mut()
            && (filled == 0 || *left <= room - filled)
        {
            let length = (*left).min(room - filled);
            out.extend_from_slice(&self.urgent[..length]);
            self.urgent.advance(length);
            filled += length;
            *left -= length;
            if *left == 0 {
                self.urgent_frames.pop_front();
            }
        }
        if self.urgent.is_empty() {
            // An idle connection holds no room for what it may have to send.
            self.urgent = BytesMut::new();
            self.urgent_frames = VecDeque::new();
            self.reply_bytes = 0;
        }
        filled
    }

    /// A record never carries parts of two bulk frames, so that a receiver's buffer ends where the frame ends.
    fn append_bulk(&mut self, out: &mut Vec<u8>, room: usize) -> usize {
        // What was begun is ended first: a lane's frames do not mix.
        let begun = self.chunks.front().is_some_and(|frame| frame.begun);
        let queue = if begun || self.texts.is_empty() { &mut self.chunks } else { &mut self.texts };
        let Some(frame) = queue.front_mut() else { return 0 };
        frame.begun = true;
        let mut filled = 0;
        while filled < room
            && let Some(piece) = frame.pieces.front_mut()
        {
            let length = piece.len().min(room - filled);
            out.extend_from_slice(&piece[..length]);
            piece.advance(length);
            filled += length;
            if piece.is_empty() {
                frame.pieces.pop_front();
            }
        }
        if frame.pieces.is_empty() {
            queue.pop_front();
        }
        if queue.is_empty() {
            *queue = VecDeque::new();
        }
        self.bulk_bytes -= filled;
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(kinds: &[(MessageType, u16)]) -> Outbox {
        let mut outbox = Outbox::default();
        for (number, (kind, channel)) in (1..).zip(kinds) {
            let (channel, rest) = (ChannelId(*channel), vec![Bytes::from(vec![0; 1_000])]);
            match kind {
                MessageType::Chunks => outbox.push_chunks(channel, RequestId(number), rest),
                kind => outbox.push_bulk(Some(channel), *kind, rest),
            }
        }
        outbox
    }

    /// The types of the frames in the order in which they leave.
    fn order(mut outbox: Outbox) -> Vec<u8> {
        let mut order = Vec::new();
        let mut out = Vec::new();
        while outbox.append_bulk(&mut out, 1_005) > 0 {
            order.push(out[4]);
            out.clear();
        }
        assert!(outbox.is_empty());
        order
    }

    #[test]
    fn text_passes_films_and_a_last_word_does_not() {
        let (chunks, entries, close) = (MessageType::Chunks, MessageType::Entries, MessageType::Close);
        let outbox = outbox(&[(chunks, 1), (chunks, 1), (close, 1), (entries, 3), (entries, 3)]);
        assert_eq!(order(outbox), [entries, entries, chunks, chunks, close].map(|kind| kind as u8));
    }

    #[test]
    fn chunks_are_taken_back_until_they_have_begun_to_leave() {
        let (chunks, entries) = (MessageType::Chunks, MessageType::Entries);
        let mut outbox = outbox(&[(chunks, 1), (chunks, 1), (entries, 1)]);
        outbox.append_bulk(&mut Vec::new(), 1_005);
        outbox.append_bulk(&mut Vec::new(), 100);
        assert!(!outbox.take_back(ChannelId(1), RequestId(1)), "it is on its way");
        assert!(!outbox.take_back(ChannelId(2), RequestId(2)), "it is of another channel");
        assert!(outbox.take_back(ChannelId(1), RequestId(2)));
        assert!(!outbox.take_back(ChannelId(1), RequestId(2)), "it is gone");
        assert_eq!((outbox.bytes(), order(outbox)), (905, vec![0]), "the rest of the first");
    }

    #[test]
    fn what_was_begun_is_ended_first() {
        let mut outbox = outbox(&[(MessageType::Chunks, 1)]);
        let mut out = Vec::new();
        outbox.append_bulk(&mut out, 100);
        outbox.push_bulk(Some(ChannelId(3)), MessageType::Entries, vec![Bytes::from_static(b"text")]);
        assert_eq!(outbox.append_bulk(&mut out, 2_000), 905, "the rest of the film alone");
        assert_eq!(outbox.append_bulk(&mut out, 2_000), 9);
    }
}
