//! Turning a blob back into the file, chunk by chunk, in any order.

use thiserror::Error;

use super::{BlobKey, BlobSize, BlobSizeError, CHUNK_PIECE_BYTES, CHUNK_TAG_BYTES, nonce};
use crate::crypto::secretbox;

/// Opens the chunks of one blob. It holds no state, so chunks may be opened in any order and from several threads.
#[derive(Clone, Debug)]
pub struct BlobOpener {
    key: BlobKey,
    size: BlobSize,
    file_bytes: u64,
}

/// A chunk cannot be opened: the fault of who sealed it, for its bytes were proven before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OpenChunkError {
    /// The blob has no such chunk.
    #[error("the blob has no chunk {0}")]
    NoSuchChunk(u32),
    /// Another length than this chunk has.
    #[error("the chunk has {came} bytes where {due} are due")]
    Length {
        /// Bytes that are due.
        due: usize,
        /// Bytes that came.
        came: usize,
    },
    /// Another key or place, or altered.
    #[error("the chunk does not open under the attachment's key")]
    Forged(#[from] secretbox::OpenError),
    /// Behind the file's end there is something else than zeros.
    #[error("the padding behind the file is not zero")]
    Padding,
}

impl BlobOpener {
    /// An opener for the blob of a file of `file_bytes`: the attachment's key and size.
    pub fn new(key: BlobKey, file_bytes: u64) -> Result<Self, BlobSizeError> {
        Ok(Self { key, size: BlobSize::of_file(file_bytes)?, file_bytes })
    }

    /// The size that the blob must have; the leaf header has to say the same.
    pub fn size(&self) -> BlobSize {
        self.size
    }

    /// Opens chunk `index` and adds the file's bytes in it, without padding, to `out`: possibly none. spec: BLOB-7
    pub fn open_onto(&self, index: u32, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), OpenChunkError> {
        let due = self.size.chunk_bytes(index).ok_or(OpenChunkError::NoSuchChunk(index))?;
        if chunk.len() != due {
            return Err(OpenChunkError::Length { due, came: chunk.len() });
        }
        let (tag, piece) = chunk.split_first_chunk::<CHUNK_TAG_BYTES>().expect("every chunk is longer than its tag");
        let nonce = nonce(index, self.size.is_last(index));
        let begin = out.len();
        out.extend_from_slice(piece);
        let opened = secretbox::open_in_place(&self.key.0, &nonce, &mut out[begin..], tag);
        let start = u64::from(index) * CHUNK_PIECE_BYTES as u64;
        let left = self.file_bytes.saturating_sub(start).min(piece.len() as u64);
        let end = begin + usize::try_from(left).expect("at most a piece");
        let padded = opened
            .map_err(OpenChunkError::from)
            .and_then(|()| out[end..].iter().all(|byte| *byte == 0).then_some(()).ok_or(OpenChunkError::Padding));
        out.truncate(if padded.is_ok() { end } else { begin });
        padded
    }

    /// Opens chunk `index` into a buffer of its own. spec: BLOB-7
    pub fn open(&self, index: u32, chunk: &[u8]) -> Result<Vec<u8>, OpenChunkError> {
        let mut opened = Vec::with_capacity(chunk.len());
        self.open_onto(index, chunk, &mut opened)?;
        Ok(opened)
    }
}
