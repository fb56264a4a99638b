//! `GET_ENTRIES` and ENTRIES: a range of a log with its proof. spec: PEER-40, PEER-41

use std::ops::Range;

use bytes::Bytes;

use super::field::{channel, dict, out_of_range, request, small};
use super::raw::{RawReader, put_hashes};
use super::{ChannelId, MalformedMessage, Message, MessageType, RequestId};
use crate::bencode::Dict;
use crate::ids::LogId;
use crate::limits::{BODY_BYTES_MAX, ENTRIES_PER_REQUEST_MAX, LEAF_HEADER_BYTES_MAX};
use crate::merkle::Hash;

/// Stands in place of a body's length where the body is no longer held.
const NO_BODY: u16 = u16::MAX;
const LAST: u8 = 1;

/// A range of a log that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntriesWanted {
    /// The log.
    pub log: LogId,
    /// First entry.
    pub from: u64,
    /// First entry after.
    pub to: u64,
    /// Size of the head against which the answer is to be proven.
    pub size: u64,
    /// Bytes of headers and bodies that the answer may have in all; one entry may always be sent.
    pub bytes_max: u32,
    /// Whether the answer begins at the end of the range.
    pub newest_first: bool,
}

impl EntriesWanted {
    /// Whether it asks for entries of its tree, and not for too many. spec: PEER-40
    pub fn is_allowed(&self) -> bool {
        self.from < self.to && self.to <= self.size && self.to - self.from <= ENTRIES_PER_REQUEST_MAX
    }
}

/// Asks for entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GetEntries {
    /// Channel of the feed.
    pub channel: ChannelId,
    /// Number to answer under.
    pub request: RequestId,
    /// What is asked for.
    pub wanted: EntriesWanted,
}

/// An entry as it travels: neither hashed nor parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryBytes {
    /// The leaf header.
    pub header: Bytes,
    /// The body as stored; none when it is no longer held.
    pub body: Option<Bytes>,
}

/// A part of an answer, proven by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntriesFrame {
    /// Channel of the feed.
    pub channel: ChannelId,
    /// The request; none for the newest entries that follow a STATE.
    pub request: Option<RequestId>,
    /// Whether nothing more follows.
    pub last: bool,
    /// The log.
    pub log: LogId,
    /// Place of the first entry.
    pub from: u64,
    /// Size of the tree that the proof leads to.
    pub size: u64,
    /// Hashes of the range proof.
    pub proof: Vec<Hash>,
    /// The entries; at least one.
    pub entries: Vec<EntryBytes>,
}

impl Message for GetEntries {
    const TYPE: MessageType = MessageType::GetEntries;

    fn encode(&self) -> Vec<u8> {
        let wanted = &self.wanted;
        Dict::new()
            .with(b"a", wanted.from)
            .with(b"b", wanted.to)
            .with(b"c", self.channel.0)
            .with_optional(b"d", wanted.newest_first.then_some(1))
            .with(b"l", wanted.log)
            .with(b"n", wanted.size)
            .with(b"q", self.request.0)
            .with(b"z", wanted.bytes_max)
            .encode()
    }

    fn decode(rest: &[u8]) -> Result<Self, MalformedMessage> {
        let dict = dict(rest)?;
        let wanted = EntriesWanted {
            log: LogId::from_stored(&dict.array(b"l")?),
            from: dict.uint(b"a")?,
            to: dict.uint(b"b")?,
            size: dict.uint(b"n")?,
            bytes_max: small(&dict, b"z")?,
            newest_first: dict.optional_uint(b"d")?.is_some_and(|flag| flag != 0),
        };
        if !wanted.is_allowed() {
            return Err(out_of_range(b"b").into());
        }
        Ok(Self { channel: channel(&dict)?, request: request(&dict)?, wanted })
    }
}

impl EntriesFrame {
    /// Places of the entries.
    pub fn range(&self) -> Range<u64> {
        self.from..self.from + u64::try_from(self.entries.len()).expect("a frame has few entries")
    }

    /// The rest of the frame.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(100 + self.proof.len() * 32 + self.payload_bytes());
        out.extend_from_slice(&self.channel.0.to_be_bytes());
        out.extend_from_slice(&self.request.map_or(0, |request| request.0).to_be_bytes());
        out.push(if self.last { LAST } else { 0 });
        out.extend_from_slice(&self.log.to_bytes());
        let range = self.range();
        for number in [range.start, range.end, self.size] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        put_hashes(&mut out, &self.proof);
        for entry in &self.entries {
            out.extend_from_slice(&length(entry.header.len()).to_be_bytes());
            out.extend_from_slice(&entry.header);
            let Some(body) = &entry.body else {
                out.extend_from_slice(&NO_BODY.to_be_bytes());
                continue;
            };
            out.extend_from_slice(&length(body.len()).to_be_bytes());
            out.extend_from_slice(body);
        }
        out
    }

    /// The frame that these bytes are; headers and bodies share their memory.
    pub fn decode(rest: Bytes) -> Result<Self, MalformedMessage> {
        let mut raw = RawReader::new(rest);
        let channel = ChannelId(raw.u16()?);
        let request = Some(RequestId(raw.u32()?)).filter(|request| request.0 != 0);
        let last = match raw.u8()? {
            0 => false,
            LAST => true,
            _ => return Err(MalformedMessage::OutOfRange("flags")),
        };
        let log = LogId::from_stored(&raw.array()?);
        let (from, to, size) = (raw.u64()?, raw.u64()?, raw.u64()?);
        if from >= to || to > size || to - from > ENTRIES_PER_REQUEST_MAX {
            return Err(MalformedMessage::OutOfRange("range of entries"));
        }
        let proof = raw.hashes()?;
        let entries = (from..to).map(|_| EntryBytes::read(&mut raw)).collect::<Result<_, _>>()?;
        raw.end()?;
        Ok(Self { channel, request, last, log, from, size, proof, entries })
    }

    /// Bytes of headers and bodies.
    pub fn payload_bytes(&self) -> usize {
        self.entries.iter().map(EntryBytes::len).sum()
    }
}

impl EntryBytes {
    fn read(raw: &mut RawReader) -> Result<Self, MalformedMessage> {
        let header_length = usize::from(raw.u16()?);
        if !(1..=LEAF_HEADER_BYTES_MAX).contains(&header_length) {
            return Err(MalformedMessage::OutOfRange("length of a leaf header"));
        }
        let header = raw.bytes(header_length)?;
        let body = match raw.u16()? {
            NO_BODY => None,
            length if usize::from(length) > BODY_BYTES_MAX => {
                return Err(MalformedMessage::OutOfRange("length of a body"));
            }
            length => Some(raw.bytes(usize::from(length))?),
        };
        Ok(Self { header, body })
    }

    /// Bytes of header and body.
    #[expect(clippy::len_without_is_empty, reason = "a header is never empty")]
    pub fn len(&self) -> usize {
        self.header.len() + self.body.as_ref().map_or(0, Bytes::len)
    }
}

fn length(bytes: usize) -> u16 {
    u16::try_from(bytes).expect("headers and bodies are shorter than 64 KiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> EntriesFrame {
        EntriesFrame {
            channel: ChannelId(3),
            request: Some(RequestId(7)),
            last: true,
            log: LogId::from_stored(&[7; 40]),
            from: 10,
            size: 20,
            proof: vec![Hash::new([1; 32]); 3],
            entries: vec![
                EntryBytes { header: Bytes::from_static(b"header"), body: Some(Bytes::from_static(b"body")) },
                EntryBytes { header: Bytes::from_static(b"header"), body: None },
                EntryBytes { header: Bytes::from_static(b"header"), body: Some(Bytes::new()) },
            ],
        }
    }

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        let frame = frame();
        assert_eq!(EntriesFrame::decode(frame.encode().into()), Ok(frame.clone()));
        let unasked = EntriesFrame { request: None, last: false, ..frame };
        assert_eq!(EntriesFrame::decode(unasked.encode().into()), Ok(unasked));
    }

    #[test]
    fn a_frame_cut_anywhere_or_with_a_byte_too_many_is_refused() {
        let whole = frame().encode();
        for length in 0..whole.len() {
            assert!(EntriesFrame::decode(Bytes::copy_from_slice(&whole[..length])).is_err(), "cut to {length} bytes");
        }
        let longer = [&whole[..], &[0]].concat();
        assert_eq!(EntriesFrame::decode(longer.into()), Err(MalformedMessage::TrailingBytes(1)));
    }

    #[test]
    fn a_request_is_read_as_it_was_written_and_stays_within_its_head() {
        let wanted = EntriesWanted {
            log: LogId::from_stored(&[7; 40]),
            from: 3,
            to: 9,
            size: 9,
            bytes_max: 1000,
            newest_first: true,
        };
        let message = GetEntries { channel: ChannelId(3), request: RequestId(7), wanted };
        assert_eq!(GetEntries::decode(&message.encode()), Ok(message));
        for (from, to) in [(9, 9), (3, 10), (9, 3)] {
            let message = GetEntries { wanted: EntriesWanted { from, to, ..wanted }, ..message };
            assert!(GetEntries::decode(&message.encode()).is_err(), "{from}..{to} of 9");
        }
    }
}
