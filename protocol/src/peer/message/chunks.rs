//! `GET_CHUNKS` and CHUNKS: a range of a blob with its proof. spec: PEER-42

use std::ops::Range;

use bytes::Bytes;

use super::field::{channel, dict, out_of_range, request, small};
use super::raw::{RawReader, put_hashes};
use super::{ChannelId, MalformedMessage, Message, MessageType, RequestId};
use crate::bencode::Dict;
use crate::feed::blob::BlobSize;
use crate::ids::BlobRoot;
use crate::limits::CHUNKS_PER_REQUEST_MAX;
use crate::merkle::Hash;

/// A range of a blob's chunks that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunksWanted {
    /// The blob.
    pub root: BlobRoot,
    /// Its size as sealed.
    pub size: BlobSize,
    /// First chunk.
    pub from: u32,
    /// First chunk after.
    pub to: u32,
}

/// Asks for chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GetChunks {
    /// Channel of the feed.
    pub channel: ChannelId,
    /// Number to answer under.
    pub request: RequestId,
    /// What is asked for.
    pub wanted: ChunksWanted,
}

/// What stands in a CHUNKS frame before the chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunksHeader {
    /// Channel of the feed.
    pub channel: ChannelId,
    /// The request.
    pub request: RequestId,
    /// First chunk.
    pub from: u32,
    /// First chunk after.
    pub to: u32,
    /// Hashes of the range proof.
    pub proof: Vec<Hash>,
}

/// An answer as it came: the chunks still in one piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunksFrame {
    /// What stands before the chunks.
    pub header: ChunksHeader,
    /// The sealed chunks, one after the other.
    pub payload: Bytes,
}

impl ChunksWanted {
    /// Bytes of the chunks asked for.
    pub fn payload_bytes(&self) -> usize {
        (self.from..self.to).filter_map(|chunk| self.size.chunk_bytes(chunk)).sum()
    }

    /// Whether it asks for chunks that the blob has, and not for too many. spec: PEER-42
    pub fn is_allowed(&self) -> bool {
        self.from < self.to && self.to <= self.size.chunks() && self.to - self.from <= CHUNKS_PER_REQUEST_MAX
    }
}

impl Message for GetChunks {
    const TYPE: MessageType = MessageType::GetChunks;

    fn encode(&self) -> Vec<u8> {
        let wanted = &self.wanted;
        Dict::new()
            .with(b"a", wanted.from)
            .with(b"b", wanted.to)
            .with(b"c", self.channel.0)
            .with(b"q", self.request.0)
            .with(b"r", wanted.root)
            .with(b"s", wanted.size.bytes())
            .encode()
    }

    fn decode(rest: &[u8]) -> Result<Self, MalformedMessage> {
        let dict = dict(rest)?;
        let wanted = ChunksWanted {
            root: BlobRoot::new(dict.array(b"r")?),
            size: BlobSize::new(dict.uint(b"s")?).map_err(|_| out_of_range(b"s"))?,
            from: small(&dict, b"a")?,
            to: small(&dict, b"b")?,
        };
        if !wanted.is_allowed() {
            return Err(out_of_range(b"b").into());
        }
        Ok(Self { channel: channel(&dict)?, request: request(&dict)?, wanted })
    }
}

impl ChunksHeader {
    /// Bytes before the proof hashes: channel, request, range and number of hashes.
    pub const FIXED_BYTES: usize = 2 + 4 + 4 + 4 + 1;

    /// Number of chunks that follow.
    pub fn chunks(&self) -> Range<u32> {
        self.from..self.to
    }

    /// Bytes before the chunks.
    pub fn bytes(&self) -> usize {
        Self::FIXED_BYTES + self.proof.len() * 32
    }

    /// The request and the place of the first chunk, out of the beginning of a frame; none if too little of it is there.
    pub fn peek(rest: &[u8]) -> Option<(RequestId, usize)> {
        let fixed = rest.first_chunk::<{ Self::FIXED_BYTES }>()?;
        let request = RequestId(u32::from_be_bytes([fixed[2], fixed[3], fixed[4], fixed[5]]));
        Some((request, Self::FIXED_BYTES + usize::from(fixed[14]) * 32))
    }

    /// What stands before the chunks.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes());
        out.extend_from_slice(&self.channel.0.to_be_bytes());
        out.extend_from_slice(&self.request.0.to_be_bytes());
        out.extend_from_slice(&self.from.to_be_bytes());
        out.extend_from_slice(&self.to.to_be_bytes());
        put_hashes(&mut out, &self.proof);
        out
    }

    fn read(raw: &mut RawReader) -> Result<Self, MalformedMessage> {
        let channel = ChannelId(raw.u16()?);
        let request = RequestId(raw.u32()?);
        let (from, to) = (raw.u32()?, raw.u32()?);
        if from >= to || to - from > CHUNKS_PER_REQUEST_MAX {
            return Err(MalformedMessage::OutOfRange("range of chunks"));
        }
        Ok(Self { channel, request, from, to, proof: raw.hashes()? })
    }
}

impl ChunksFrame {
    /// The frame that these bytes are; the chunks share their memory.
    pub fn decode(rest: Bytes) -> Result<Self, MalformedMessage> {
        let mut raw = RawReader::new(rest);
        let header = ChunksHeader::read(&mut raw)?;
        Ok(Self { header, payload: raw.rest() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::CHUNK_BYTES;

    fn wanted() -> ChunksWanted {
        ChunksWanted {
            root: BlobRoot::new([1; 32]),
            size: BlobSize::new(3 * CHUNK_BYTES as u64 - 5).unwrap(),
            from: 1,
            to: 3,
        }
    }

    #[test]
    fn a_request_is_read_as_it_was_written_and_stays_within_its_blob() {
        let message = GetChunks { channel: ChannelId(3), request: RequestId(7), wanted: wanted() };
        assert_eq!(GetChunks::decode(&message.encode()), Ok(message));
        for (from, to) in [(1, 4), (1, 1), (2, 1)] {
            let message = GetChunks { wanted: ChunksWanted { from, to, ..wanted() }, ..message };
            assert!(GetChunks::decode(&message.encode()).is_err(), "{from}..{to} of 3");
        }
    }

    #[test]
    fn the_last_chunk_is_shorter_than_the_others() {
        assert_eq!(wanted().payload_bytes(), 2 * CHUNK_BYTES - 5);
        assert_eq!(ChunksWanted { to: 2, ..wanted() }.payload_bytes(), CHUNK_BYTES);
    }

    #[test]
    fn an_answer_is_read_as_it_was_written() {
        let header = ChunksHeader {
            channel: ChannelId(1),
            request: RequestId(2),
            from: 0,
            to: 1,
            proof: vec![Hash::new([9; 32])],
        };
        let bytes = [header.encode(), b"payload".to_vec()].concat();
        let frame = ChunksFrame::decode(bytes.into()).unwrap();
        assert_eq!(frame, ChunksFrame { header, payload: Bytes::from_static(b"payload") });
    }

    #[test]
    fn an_answer_cut_in_its_proof_is_refused() {
        let header = ChunksHeader {
            channel: ChannelId(1),
            request: RequestId(2),
            from: 0,
            to: 1,
            proof: vec![Hash::new([9; 32])],
        };
        let bytes = header.encode();
        for length in 0..bytes.len() {
            assert!(ChunksFrame::decode(Bytes::copy_from_slice(&bytes[..length])).is_err());
        }
    }
}
