//! Records: the encrypted units in which both lanes travel. spec: PEER-20, PEER-21, PEER-25

use bytes::BytesMut;

use super::cipher::Cipher;
use super::violation::Violation;
use crate::limits::{RECORD_BYTES_MAX, RECORD_OVERHEAD_BYTES};

/// Bytes of the length in front of a record.
pub(super) const LENGTH_BYTES: usize = 2;

/// The lane byte of a record that changes the cipher. spec: PEER-25
pub(super) const CHANGE: u8 = 2;

/// What such a record changes to: AES-256-GCM. spec: PEER-25
const TO_AES: [u8; 1] = [1];

/// The shortest ciphertext: one byte of a lane's stream.
const BYTES_MIN: usize = RECORD_OVERHEAD_BYTES + 1;

/// Seals and opens the records of one connection, each way in order, where they lie.
pub(super) struct Records {
    sealing: Cipher,
    opening: Cipher,
    /// Whether both sides compute AES fast.
    agreed_on_aes: bool,
}

/// The length of the ciphertext that these two bytes announce. spec: PEER-20
pub(super) fn announced_length(bytes: [u8; LENGTH_BYTES]) -> Result<usize, Violation> {
    let length = usize::from(u16::from_be_bytes(bytes));
    if (BYTES_MIN..=RECORD_BYTES_MAX).contains(&length) { Ok(length) } else { Err(Violation::RecordLength(length)) }
}

impl Records {
    /// With the keys of the two directions that the handshake ended in.
    pub(super) fn new(sealing: &[u8; 32], opening: &[u8; 32]) -> Self {
        Self { sealing: Cipher::chacha(sealing), opening: Cipher::chacha(opening), agreed_on_aes: false }
    }

    /// Both sides have said that they compute AES fast: from now on either may change to it.
    pub(super) fn agree_on_aes(&mut self) {
        self.agreed_on_aes = true;
    }

    /// Whether the next record has to change the cipher; `much` says whether more than a few words are to be sent.
    pub(super) fn is_change_due(&self, much: bool) -> bool {
        self.sealing.is_worn() || self.agreed_on_aes && much && self.sealing.is_first()
    }

    /// Makes a record of the end of `out`, from `start` on room for its length, that changes the cipher of those behind it.
    pub(super) fn change(&mut self, out: &mut Vec<u8>, start: usize) {
        out.extend_from_slice(&TO_AES);
        self.seal(out, start, CHANGE);
        self.sealing = self.sealing.successor();
    }

    /// Opens the records that come next with the cipher that a record with this payload has changed to.
    pub(super) fn follow_change(&mut self, payload: &[u8]) -> Result<(), Violation> {
        if !self.agreed_on_aes || payload != TO_AES {
            return Err(Violation::Cipher);
        }
        self.opening = self.opening.successor();
        Ok(())
    }

    /// Makes a record of the end of `out`: from `start` on, room for its length, then bytes of a lane's stream. spec: PEER-20
    pub(super) fn seal(&mut self, out: &mut Vec<u8>, start: usize, lane: u8) {
        // The lane stands behind the payload, so that a receiver can decrypt to where the payload belongs.
        out.push(lane);
        let plain = start + LENGTH_BYTES;
        let announced = u16::try_from(out.len() - plain + RECORD_OVERHEAD_BYTES - 1).expect("a record is below 64 KiB");
        out[start..plain].copy_from_slice(&announced.to_be_bytes());
        let tag = self.sealing.seal(&mut out[plain..]);
        out.extend_from_slice(tag.as_ref());
    }

    /// Opens a record, appends its payload to `out` and returns the lane. spec: PEER-21
    pub(super) fn open(&mut self, ciphertext: &[u8], out: &mut BytesMut) -> Result<u8, Violation> {
        let start = out.len();
        out.extend_from_slice(ciphertext);
        let (lane, payload) =
            self.opening.open(&mut out[start..]).and_then(|opened| opened.split_last()).ok_or(Violation::Record)?;
        let (lane, length) = (*lane, payload.len());
        out.truncate(start + length);
        Ok(lane)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worn_key_is_changed_though_few_words_are_sent_and_the_other_side_follows() {
        let (mut ours, mut theirs) = (Records::new(&[1; 32], &[2; 32]), Records::new(&[2; 32], &[1; 32]));
        ours.agree_on_aes();
        theirs.agree_on_aes();
        let pass = |ours: &mut Records, theirs: &mut Records| {
            let (mut out, mut lane) = (vec![0; LENGTH_BYTES], BytesMut::new());
            if ours.is_change_due(false) {
                ours.change(&mut out, 0);
                assert_eq!(theirs.open(&out[LENGTH_BYTES..], &mut lane).unwrap(), CHANGE);
                theirs.follow_change(&lane).unwrap();
                return true;
            }
            out.extend_from_slice(b"word");
            ours.seal(&mut out, 0, 0);
            assert_eq!(theirs.open(&out[LENGTH_BYTES..], &mut lane).unwrap(), 0);
            assert_eq!(lane, b"word"[..]);
            false
        };
        assert!(!pass(&mut ours, &mut theirs), "few words are no reason to begin with AES");
        assert!(ours.is_change_due(true));
        let (mut out, mut lane) = (vec![0; LENGTH_BYTES], BytesMut::new());
        ours.change(&mut out, 0);
        theirs.open(&out[LENGTH_BYTES..], &mut lane).unwrap();
        theirs.follow_change(&lane).unwrap();
        ours.sealing.wear();
        theirs.opening.wear();
        assert!(pass(&mut ours, &mut theirs), "the key is worn");
        assert!(!pass(&mut ours, &mut theirs), "the next one is not");
    }
}
