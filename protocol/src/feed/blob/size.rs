//! The sums of a blob: from its size follow the number and the sizes of its chunks.

use thiserror::Error;

use super::{CHUNK_PIECE_BYTES, CHUNK_TAG_BYTES};
use crate::limits::{BLOB_CHUNKS_MAX, CHUNK_BYTES};

const CHUNK: u64 = CHUNK_BYTES as u64;
const TAG: u64 = CHUNK_TAG_BYTES as u64;
const PIECE: u64 = CHUNK_PIECE_BYTES as u64;

/// Sealed bytes of a blob, checked to be a size that a blob can have. spec: BLOB-4
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobSize(u64);

/// No blob has this size: the fault of who named it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BlobSizeError {
    /// The last chunk would be empty or hold no more than its tag.
    #[error("no blob has {0} sealed bytes")]
    Impossible(u64),
    /// More chunks than a blob may have.
    #[error("a blob of {0} bytes is over the limit of {BLOB_CHUNKS_MAX} chunks")]
    TooLarge(u64),
}

/// The size to which a file of `size_bytes` is padded: Padmé, so that at most 12 % are added and the size tells only its
/// magnitude and a few leading bits; at least 1. spec: BLOB-5
pub fn padded_bytes(size_bytes: u64) -> Option<u64> {
    if size_bytes < 2 {
        return Some(1);
    }
    let exponent = size_bytes.ilog2();
    let kept_bits = exponent.ilog2() + 1;
    let mask = (1u64 << (exponent - kept_bits)) - 1;
    Some(size_bytes.checked_add(mask)? & !mask)
}

impl BlobSize {
    /// The size of a blob of `bytes` sealed bytes, if there is one. spec: BLOB-4
    pub fn new(bytes: u64) -> Result<Self, BlobSizeError> {
        if bytes.div_ceil(CHUNK) > BLOB_CHUNKS_MAX {
            return Err(BlobSizeError::TooLarge(bytes));
        }
        if bytes == 0 || (1..=TAG).contains(&(bytes % CHUNK)) {
            return Err(BlobSizeError::Impossible(bytes));
        }
        Ok(Self(bytes))
    }

    /// The size of the blob that a file of `size_bytes` becomes: padded, cut and sealed. spec: BLOB-5
    pub fn of_file(size_bytes: u64) -> Result<Self, BlobSizeError> {
        let too_large = BlobSizeError::TooLarge(size_bytes);
        let padded = padded_bytes(size_bytes).ok_or(too_large)?;
        let tags = padded.div_ceil(PIECE).checked_mul(TAG).ok_or(too_large)?;
        Self::new(padded.checked_add(tags).ok_or(too_large)?)
    }

    /// Sealed bytes in all.
    pub fn bytes(self) -> u64 {
        self.0
    }

    /// Number of chunks; at least 1.
    pub fn chunks(self) -> u32 {
        u32::try_from(self.0.div_ceil(CHUNK)).expect("a blob has at most 2^24 chunks")
    }

    /// Sealed bytes of chunk `index`; `None` when there is no such chunk. spec: BLOB-2
    pub fn chunk_bytes(self, index: u32) -> Option<usize> {
        let start = u64::from(index) * CHUNK;
        let left = self.0.checked_sub(start).filter(|left| *left > 0)?;
        Some(usize::try_from(left.min(CHUNK)).expect("a chunk fits in memory"))
    }

    /// Whether `index` is the last chunk.
    pub fn is_last(self, index: u32) -> bool {
        index + 1 == self.chunks()
    }

    /// Bytes of padded plaintext in all.
    pub fn padded_bytes(self) -> u64 {
        self.0 - u64::from(self.chunks()) * TAG
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_follows_padme_and_adds_at_most_an_eighth() {
        for (size, padded) in [(0, 1), (1, 1), (2, 2), (9, 10), (100, 104), (1_000, 1_024), (1_000_000, 1_015_808)] {
            assert_eq!(padded_bytes(size), Some(padded), "{size}");
        }
        for size in (0..5_000_000).step_by(997) {
            let padded = padded_bytes(size).unwrap();
            assert!(padded >= size && padded - size <= size / 8 + 1, "{size} became {padded}");
        }
        assert_eq!(padded_bytes(u64::MAX), None);
    }

    #[test]
    fn the_chunks_of_every_size_add_up_to_it() {
        for file in [0, 1, 63_983, 63_984, 63_985, 127_968, 127_969, 1 << 20, 20 << 20] {
            let size = BlobSize::of_file(file).unwrap();
            let sum: u64 = (0..size.chunks()).map(|index| size.chunk_bytes(index).unwrap() as u64).sum();
            assert_eq!(sum, size.bytes(), "{file}");
            assert_eq!(size.chunk_bytes(size.chunks()), None);
            assert!(size.is_last(size.chunks() - 1));
            assert_eq!(Some(size.padded_bytes()), padded_bytes(file));
        }
    }

    #[test]
    fn a_size_whose_last_chunk_would_be_only_a_tag_is_refused() {
        for bytes in [0, 1, 16, 64_001, 64_016, 128_016] {
            assert_eq!(BlobSize::new(bytes), Err(BlobSizeError::Impossible(bytes)));
        }
        for bytes in [17, 64_000, 64_017, 128_000] {
            assert!(BlobSize::new(bytes).is_ok(), "{bytes}");
        }
    }

    #[test]
    fn the_largest_blob_is_accepted_and_one_byte_more_is_not() {
        let largest = BLOB_CHUNKS_MAX * CHUNK;
        assert_eq!(BlobSize::new(largest).map(BlobSize::chunks), Ok(1 << 24));
        assert_eq!(BlobSize::new(largest + 17), Err(BlobSizeError::TooLarge(largest + 17)));
        assert_eq!(BlobSize::of_file(u64::MAX), Err(BlobSizeError::TooLarge(u64::MAX)));
    }
}
