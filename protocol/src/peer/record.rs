//! Records: the encrypted units in which both lanes travel. spec: PEER-20, PEER-21

use bytes::BytesMut;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

use super::violation::Violation;
use crate::limits::{RECORD_BYTES_MAX, RECORD_OVERHEAD_BYTES};

/// Bytes of the length in front of a record.
pub(super) const LENGTH_BYTES: usize = 2;

/// The shortest ciphertext: one byte of a lane's stream.
const BYTES_MIN: usize = RECORD_OVERHEAD_BYTES + 1;

/// Seals and opens the records of one connection, each way in order, where they lie.
pub(super) struct Records {
    sealing: Cipher,
    opening: Cipher,
}

/// One direction, as Noise numbers its messages.
struct Cipher {
    key: LessSafeKey,
    next: u64,
}

/// The length of the ciphertext that these two bytes announce. spec: PEER-20
pub(super) fn announced_length(bytes: [u8; LENGTH_BYTES]) -> Result<usize, Violation> {
    let length = usize::from(u16::from_be_bytes(bytes));
    if (BYTES_MIN..=RECORD_BYTES_MAX).contains(&length) { Ok(length) } else { Err(Violation::RecordLength(length)) }
}

impl Cipher {
    fn new(key: &[u8; 32]) -> Self {
        let key = UnboundKey::new(&CHACHA20_POLY1305, key).expect("a key has 32 bytes");
        Self { key: LessSafeKey::new(key), next: 0 }
    }

    /// The nonce of the next record: each is used once.
    fn nonce(&mut self) -> Nonce {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&self.next.to_le_bytes());
        self.next = self.next.checked_add(1).expect("a connection ends long before 2^64 records");
        Nonce::assume_unique_for_key(nonce)
    }
}

impl Records {
    /// With the keys of the two directions that the handshake ended in.
    pub(super) fn new(sealing: &[u8; 32], opening: &[u8; 32]) -> Self {
        Self { sealing: Cipher::new(sealing), opening: Cipher::new(opening) }
    }

    /// Makes a record of the end of `out`: from `start` on, room for its length, then bytes of a lane's stream. spec: PEER-20
    pub(super) fn seal(&mut self, out: &mut Vec<u8>, start: usize, lane: u8) {
        // The lane stands behind the payload, so that a receiver can decrypt to where the payload belongs.
        out.push(lane);
        let plain = start + LENGTH_BYTES;
        let announced = u16::try_from(out.len() - plain + RECORD_OVERHEAD_BYTES - 1).expect("a record is below 64 KiB");
        out[start..plain].copy_from_slice(&announced.to_be_bytes());
        let nonce = self.sealing.nonce();
        let tag = self.sealing.key.seal_in_place_separate_tag(nonce, Aad::empty(), &mut out[plain..]);
        out.extend_from_slice(tag.expect("a record is far below what the cipher takes").as_ref());
    }

    /// Opens a record, appends its payload to `out` and returns the lane. spec: PEER-21
    pub(super) fn open(&mut self, ciphertext: &[u8], out: &mut BytesMut) -> Result<u8, Violation> {
        let start = out.len();
        out.extend_from_slice(ciphertext);
        let nonce = self.opening.nonce();
        let opened = self.opening.key.open_in_place(nonce, Aad::empty(), &mut out[start..]);
        let (lane, payload) = opened.ok().and_then(|opened| opened.split_last()).ok_or(Violation::Record)?;
        let (lane, length) = (*lane, payload.len());
        out.truncate(start + length);
        Ok(lane)
    }
}
