//! Turning a file into a blob, chunk by chunk.

use thiserror::Error;

use super::{BlobKey, BlobSize, BlobSizeError, CHUNK_PIECE_BYTES, CHUNK_TAG_BYTES, nonce};
use crate::crypto::{Entropy, secretbox};
use crate::limits::CHUNK_BYTES;
use crate::merkle::{self, Hash};

/// Seals one file under a key of its own, one chunk after the other.
///
/// For every chunk: take [`next_piece_bytes`](Self::next_piece_bytes) bytes of the file, put them behind
/// [`CHUNK_TAG_BYTES`] of room in a buffer, and call [`seal_in_place`](Self::seal_in_place); or let
/// [`seal`](Self::seal) make the buffer. The hashes of the chunks go into the tree whose root names the blob.
///
/// A sealer that was broken off is thrown away with its key: no chunk is ever sealed twice. spec: BLOB-1
#[derive(Debug)]
pub struct BlobSealer {
    key: BlobKey,
    size: BlobSize,
    file_bytes: u64,
    next: u32,
}

/// The pieces do not add up to the file: the caller's fault, or the file changed while it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SealChunkError {
    /// All chunks are sealed already.
    #[error("the blob has no further chunk")]
    Done,
    /// A piece of another length than is due.
    #[error("the piece has {came} bytes where {due} are due: the file changed while it was read")]
    PieceLength {
        /// Bytes that are due.
        due: usize,
        /// Bytes that came.
        came: usize,
    },
}

impl BlobSealer {
    /// A sealer for a file of `file_bytes`, with a fresh key.
    pub fn new(file_bytes: u64, entropy: &mut Entropy) -> Result<Self, BlobSizeError> {
        Self::with_key(file_bytes, BlobKey::random(entropy))
    }

    /// A sealer under a given key, which must never have sealed anything: for test vectors.
    pub fn with_key(file_bytes: u64, key: BlobKey) -> Result<Self, BlobSizeError> {
        Ok(Self { key, size: BlobSize::of_file(file_bytes)?, file_bytes, next: 0 })
    }

    /// The key, for the attachment.
    pub fn key(&self) -> &BlobKey {
        &self.key
    }

    /// The size of the blob that comes out.
    pub fn size(&self) -> BlobSize {
        self.size
    }

    /// The number of the chunk that is sealed next; `None` when all are.
    pub fn next_index(&self) -> Option<u32> {
        (self.next < self.size.chunks()).then_some(self.next)
    }

    /// Bytes of the file that go into the next chunk: 0 in a chunk that is all padding, and when all are sealed.
    pub fn next_piece_bytes(&self) -> usize {
        let start = u64::from(self.next) * CHUNK_PIECE_BYTES as u64;
        let left = self.file_bytes.saturating_sub(start).min(CHUNK_PIECE_BYTES as u64);
        usize::try_from(left).expect("a piece fits in memory")
    }

    /// Seals the next chunk where it stands: `chunk` is emptied of anything behind its piece, extended by the padding
    /// that is due, and sealed; its first [`CHUNK_TAG_BYTES`] bytes, whatever they were, become the tag.
    ///
    /// Gives the chunk's leaf hash. spec: BLOB-2, BLOB-3, BLOB-5, BLOB-6
    pub fn seal_in_place(&mut self, chunk: &mut Vec<u8>) -> Result<Hash, SealChunkError> {
        let sealed_bytes = self.size.chunk_bytes(self.next).ok_or(SealChunkError::Done)?;
        let due = CHUNK_TAG_BYTES + self.next_piece_bytes();
        if chunk.len() != due {
            return Err(SealChunkError::PieceLength {
                due: due - CHUNK_TAG_BYTES,
                came: chunk.len().saturating_sub(CHUNK_TAG_BYTES),
            });
        }
        chunk.resize(sealed_bytes, 0);
        let nonce = nonce(self.next, self.size.is_last(self.next));
        let (tag, piece) = chunk.split_at_mut(CHUNK_TAG_BYTES);
        tag.copy_from_slice(&secretbox::seal_in_place(&self.key.0, &nonce, piece));
        self.next += 1;
        Ok(merkle::leaf_hash(chunk))
    }

    /// Seals the next chunk from a piece of the file, in a buffer of its own. spec: BLOB-2
    pub fn seal(&mut self, piece: &[u8]) -> Result<(Vec<u8>, Hash), SealChunkError> {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES.min(CHUNK_TAG_BYTES + piece.len()));
        chunk.extend_from_slice(&[0; CHUNK_TAG_BYTES]);
        chunk.extend_from_slice(piece);
        let leaf = self.seal_in_place(&mut chunk)?;
        Ok((chunk, leaf))
    }
}
