//! Reading raw layouts out of a frame without copying.

use bytes::Bytes;

use super::MalformedMessage;
use crate::limits::RANGE_PROOF_HASHES_MAX;
use crate::merkle::Hash;

/// Takes fields off the front of a frame; payload comes out as slices that share the frame's memory.
pub(super) struct RawReader {
    rest: Bytes,
}

impl RawReader {
    pub(super) fn new(rest: Bytes) -> Self {
        Self { rest }
    }

    pub(super) fn bytes(&mut self, length: usize) -> Result<Bytes, MalformedMessage> {
        if self.rest.len() < length { Err(MalformedMessage::Truncated) } else { Ok(self.rest.split_to(length)) }
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], MalformedMessage> {
        let array = *self.rest.first_chunk::<N>().ok_or(MalformedMessage::Truncated)?;
        let _ = self.rest.split_to(N);
        Ok(array)
    }

    pub(super) fn u8(&mut self) -> Result<u8, MalformedMessage> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, MalformedMessage> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, MalformedMessage> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, MalformedMessage> {
        self.array().map(u64::from_be_bytes)
    }

    /// A count byte and that many hashes.
    pub(super) fn hashes(&mut self) -> Result<Vec<Hash>, MalformedMessage> {
        let count = usize::from(self.u8()?);
        if count > RANGE_PROOF_HASHES_MAX {
            return Err(MalformedMessage::OutOfRange("number of proof hashes"));
        }
        (0..count).map(|_| self.array().map(Hash::new)).collect()
    }

    /// Everything that is left.
    pub(super) fn rest(self) -> Bytes {
        self.rest
    }

    pub(super) fn end(self) -> Result<(), MalformedMessage> {
        if self.rest.is_empty() { Ok(()) } else { Err(MalformedMessage::TrailingBytes(self.rest.len())) }
    }
}

/// Writes a count byte and the hashes.
pub(super) fn put_hashes(out: &mut Vec<u8>, hashes: &[Hash]) {
    out.push(u8::try_from(hashes.len()).expect("a range proof has at most 126 hashes"));
    for hash in hashes {
        out.extend_from_slice(hash.as_bytes());
    }
}
