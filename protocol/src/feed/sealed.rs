//! Sealed bodies: content under an entry key, in one of nine sizes.

use sha2::{Digest, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

use super::epoch::EntryKey;
use super::leaf::{Class, LeafHeader, OtherBody};
use crate::crypto::{Entropy, secretbox};
use crate::limits::{BODY_BYTES_MAX, SEALED_BODY_DOUBLINGS_MAX, SEALED_BODY_UNIT_BYTES};

/// Bytes in front of the ciphertext: nonce and tag. spec: ENTRY-8
const FRONT_BYTES: usize = secretbox::NONCE_BYTES + secretbox::TAG_BYTES;
/// Bytes of a sealed body that are not content: those in front, and the content's length. spec: ENTRY-8
const OVERHEAD_BYTES: usize = FRONT_BYTES + LENGTH_BYTES;
const LENGTH_BYTES: usize = 4;

/// Bytes of content that the largest sealed body holds.
pub const CONTENT_BYTES_MAX: usize = BODY_BYTES_MAX - OVERHEAD_BYTES;

/// The content is too long for one body: the caller's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("content of {0} bytes does not fit one entry, which holds {CONTENT_BYTES_MAX}")]
pub struct ContentTooLong(pub usize);

/// Why a sealed body does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OpenBodyError {
    /// The header is not of a sealed entry: the caller's fault.
    #[error("the entry is not sealed")]
    NotSealed,
    /// The entry belongs to another epoch than the key, or its header was made up.
    #[error("the key is not the one of this entry")]
    OtherKey,
    /// The body is not the one that the header names: the fault of who sent it.
    #[error("the entry's body is not its own")]
    OtherBody(#[from] OtherBody),
    /// It was not sealed under the key that its header commits to: the fault of who wrote it.
    #[error("the entry's body does not open under its key")]
    Forged(#[from] secretbox::OpenError),
    /// The length in it is more than it holds: the fault of who wrote it.
    #[error("the entry's content is longer than its body")]
    Length,
    /// Behind the content there is something else than zeros: the fault of who wrote it.
    #[error("the padding behind the entry's content is not zero")]
    Padding,
}

/// Whether a sealed body can have this many bytes: 250 * 2^k, k = 0 to 8. spec: ENTRY-8
pub fn is_sealed_length(bytes: usize) -> bool {
    bytes.is_multiple_of(SEALED_BODY_UNIT_BYTES)
        && (bytes / SEALED_BODY_UNIT_BYTES).is_power_of_two()
        && bytes <= BODY_BYTES_MAX
}

/// Seals `content` under the key of its entry, in the smallest size that holds it. spec: ENTRY-8, ENTRY-11
pub fn seal_body(key: &EntryKey, content: &[u8], entropy: &mut Entropy) -> Result<Vec<u8>, ContentTooLong> {
    let sealed_bytes = sealed_length(content.len()).ok_or(ContentTooLong(content.len()))?;
    let length = u32::try_from(content.len()).expect("a body is far below 2^32 bytes");
    let mut body = vec![0; sealed_bytes];
    body[FRONT_BYTES..OVERHEAD_BYTES].copy_from_slice(&length.to_be_bytes());
    body[OVERHEAD_BYTES..OVERHEAD_BYTES + content.len()].copy_from_slice(content);

    let nonce = hedged_nonce(key, &entropy.bytes(), &body[FRONT_BYTES..]);
    let tag = secretbox::seal_in_place(&key.key, &nonce, &mut body[FRONT_BYTES..]);
    body[..secretbox::NONCE_BYTES].copy_from_slice(&nonce);
    body[secretbox::NONCE_BYTES..FRONT_BYTES].copy_from_slice(&tag);
    Ok(body)
}

/// Opens a body: its header must be this key's and name this body. The content is still to be decoded. spec: ENTRY-10
pub fn open_body(key: &EntryKey, header: &LeafHeader, body: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenBodyError> {
    let Class::Sealed { hint, commitment } = header.class() else { return Err(OpenBodyError::NotSealed) };
    if !key.fits(&hint, &commitment) {
        return Err(OpenBodyError::OtherKey);
    }
    header.check_body(body)?;
    // A header of a sealed entry names one of the nine lengths, and the body has it.
    let (nonce, sealed) = body.split_first_chunk().expect("the smallest sealed body is longer than a nonce");
    let mut content = secretbox::open(&key.key, nonce, sealed)?;

    let (length, rest) = content.split_first_chunk().expect("the smallest sealed body holds a length");
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| OpenBodyError::Length)?;
    let padding = rest.get(length..).ok_or(OpenBodyError::Length)?;
    if padding.iter().any(|byte| *byte != 0) {
        return Err(OpenBodyError::Padding);
    }
    content.truncate(LENGTH_BYTES + length);
    content.drain(..LENGTH_BYTES);
    Ok(content)
}

fn sealed_length(content_bytes: usize) -> Option<usize> {
    (0..=SEALED_BODY_DOUBLINGS_MAX)
        .map(|doublings| SEALED_BODY_UNIT_BYTES << doublings)
        .find(|size| content_bytes.saturating_add(OVERHEAD_BYTES) <= *size)
}

/// Random, and safe should the randomness ever repeat: then only the same content under the same key gets the same nonce.
/// spec: ENTRY-11
fn hedged_nonce(key: &EntryKey, random: &[u8; 32], plaintext: &[u8]) -> [u8; secretbox::NONCE_BYTES] {
    let digest = Sha256::new()
        .chain_update(b"peerfeed/1/nonce\0")
        .chain_update(key.key)
        .chain_update(random)
        .chain_update(plaintext)
        .finalize();
    *digest.first_chunk().expect("a digest is longer than a nonce")
}
