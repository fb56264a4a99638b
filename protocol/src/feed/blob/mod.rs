//! Blobs: immutable sealed files, cut in chunks. spec: BLOB-1 to BLOB-7
//!
//! [`BlobSize`] does the sums for everybody, blind seeders included; [`BlobSealer`] and [`BlobOpener`] are for who has the
//! key. A chunk is sealed and opened in the buffer in which it travels.

mod open;
mod seal;
mod size;

pub use open::{BlobOpener, OpenChunkError};
pub use seal::{BlobSealer, SealChunkError};
pub use size::{BlobSize, BlobSizeError, padded_bytes};

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::crypto::Entropy;

/// Bytes that sealing adds to a chunk: the tag in front of it. spec: BLOB-2
pub const CHUNK_TAG_BYTES: usize = 16;

/// Bytes of plaintext in a full chunk. spec: BLOB-2
pub const CHUNK_PIECE_BYTES: usize = crate::limits::CHUNK_BYTES - CHUNK_TAG_BYTES;

/// The key of one blob: random, and never used for a second one. spec: BLOB-1
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct BlobKey([u8; 32]);

impl BlobKey {
    /// A fresh key.
    pub fn random(entropy: &mut Entropy) -> Self {
        Self(entropy.bytes())
    }

    /// A key that came in an attachment.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for the attachment that carries them.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for BlobKey {
    /// In constant time.
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for BlobKey {}

impl fmt::Debug for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlobKey(\u{2026})")
    }
}

/// The nonce of chunk `index`: its number, whether it is the last, zeros. spec: BLOB-3
fn nonce(index: u32, last: bool) -> [u8; 24] {
    let mut nonce = [0; 24];
    nonce[..8].copy_from_slice(&u64::from(index).to_be_bytes());
    nonce[8] = u8::from(last);
    nonce
}
