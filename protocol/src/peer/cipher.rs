//! The cipher of one direction, and the one that follows it. spec: PEER-20, PEER-25

use ring::aead::{AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, Tag, UnboundKey};
use zeroize::Zeroizing;

use crate::limits::RECORDS_PER_AES_KEY_MAX;

/// Whether this machine has instructions for AES and for GCM's hash. Without them ChaCha20-Poly1305 is faster, and AES would
/// look things up in tables, where other programs on the same processor can watch it.
pub fn aes_is_fast() -> bool {
    #[cfg(target_arch = "x86_64")]
    let fast = std::arch::is_x86_feature_detected!("aes") && std::arch::is_x86_feature_detected!("pclmulqdq");
    #[cfg(target_arch = "aarch64")]
    let fast = std::arch::is_aarch64_feature_detected!("aes") && std::arch::is_aarch64_feature_detected!("pmull");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let fast = false;
    fast
}

/// One direction's key, and how many messages went under it.
pub(super) struct Cipher {
    suite: Suite,
    key: LessSafeKey,
    next: u64,
}

/// Noise's cipher functions, as far as they are used here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Suite {
    ChaChaPoly,
    AesGcm,
}

impl Cipher {
    /// What the handshake ends in.
    pub(super) fn chacha(key: &[u8; 32]) -> Self {
        Self::new(Suite::ChaChaPoly, key)
    }

    fn new(suite: Suite, key: &[u8; 32]) -> Self {
        let algorithm = match suite {
            Suite::ChaChaPoly => &CHACHA20_POLY1305,
            Suite::AesGcm => &AES_256_GCM,
        };
        let key = UnboundKey::new(algorithm, key).expect("a key has 32 bytes");
        Self { suite, key: LessSafeKey::new(key), next: 0 }
    }

    /// Seals a message where it lies.
    pub(super) fn seal(&mut self, message: &mut [u8]) -> Tag {
        let nonce = self.next_nonce();
        let tag = self.key.seal_in_place_separate_tag(nonce, Aad::empty(), message);
        tag.expect("a record is far below what the cipher takes")
    }

    /// Opens a message with the tag behind it where it lies; none if it was changed on the way.
    pub(super) fn open<'m>(&mut self, sealed: &'m mut [u8]) -> Option<&'m mut [u8]> {
        let nonce = self.next_nonce();
        self.key.open_in_place(nonce, Aad::empty(), sealed).ok()
    }

    /// AES-256-GCM under the key that follows from this one.
    pub(super) fn successor(&self) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        let nonce = self.nonce(u64::MAX);
        let _unused_tag = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::empty(), &mut *key)
            .expect("32 bytes are far below what the cipher takes");
        Self::new(Suite::AesGcm, &key)
    }

    /// Whether it is the one that every connection begins with.
    pub(super) fn is_first(&self) -> bool {
        self.suite == Suite::ChaChaPoly
    }

    /// Whether no more may be sealed under this key but the change to the next one.
    pub(super) fn is_worn(&self) -> bool {
        self.suite == Suite::AesGcm && self.next >= RECORDS_PER_AES_KEY_MAX - 1
    }

    /// Uses the key up to its last message, which is the change to the next one.
    #[cfg(test)]
    pub(super) fn wear(&mut self) {
        self.next = RECORDS_PER_AES_KEY_MAX - 1;
    }

    /// The nonce of the next message: each is used once.
    fn next_nonce(&mut self) -> Nonce {
        let number = self.next;
        self.next = number.checked_add(1).expect("a connection ends long before 2^64 records");
        self.nonce(number)
    }

    fn nonce(&self, number: u64) -> Nonce {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&match self.suite {
            Suite::ChaChaPoly => number.to_le_bytes(),
            Suite::AesGcm => number.to_be_bytes(),
        });
        Nonce::assume_unique_for_key(nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_aes_wears_out_one_message_before_its_limit_and_chacha_never_does() {
        let mut cipher = Cipher::chacha(&[7; 32]);
        cipher.next = RECORDS_PER_AES_KEY_MAX;
        assert!(cipher.is_first() && !cipher.is_worn());
        let mut cipher = cipher.successor();
        cipher.next = RECORDS_PER_AES_KEY_MAX - 2;
        assert!(!cipher.is_first() && !cipher.is_worn());
        let _ = cipher.seal(&mut [0; 4]);
        assert!(cipher.is_worn());
        let fresh = cipher.successor();
        assert!(!fresh.is_worn() && fresh.next == 0);
    }
}
