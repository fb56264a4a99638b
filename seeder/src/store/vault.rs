//! What secrets in the store are sealed under, as long as the device's key is open to this process. spec: STORE-34

use std::fmt;
use std::sync::{PoisonError, RwLock};

use peerfeed_protocol::crypto::kdf::derive;
use peerfeed_protocol::crypto::secretbox;
use zeroize::Zeroizing;

/// Bytes of a secret of 32 bytes once it is sealed: nonce, tag, secret.
pub(super) const SEALED_BYTES: usize = 24 + 16 + 32;

/// Holds a key that follows from the device's, or none: then what is sealed stays so, and nothing can be sealed.
#[derive(Default)]
pub struct Vault(RwLock<Option<Zeroizing<[u8; 32]>>>);

impl Vault {
    pub(super) fn set(&self, key: Option<Zeroizing<[u8; 32]>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = key;
    }

    pub(super) fn is_open(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Seals a secret for the row that `place` names; none while there is no key.
    pub(super) fn seal(&self, place: &[&[u8]], secret: &[u8; 32]) -> Option<[u8; SEALED_BYTES]> {
        let guard = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let key = guard.as_ref()?;
        // The nonce follows from the secret, so that two secrets for one row never share one.
        let nonce = derive::<24>(&**key, "store-nonce", &[place, &[secret]].concat());
        let sealed = secretbox::seal(&derive(&**key, "store-row", place), &nonce, secret);
        let mut bytes = [0; SEALED_BYTES];
        bytes[..24].copy_from_slice(&*nonce);
        bytes[24..].copy_from_slice(&sealed);
        Some(bytes)
    }

    /// Opens what [`Self::seal`] made; none without the key, and for what was sealed under another one.
    pub(super) fn open(&self, place: &[&[u8]], sealed: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
        let guard = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let (nonce, sealed) = sealed.split_first_chunk::<24>()?;
        let secret = secretbox::open(&derive(&**guard.as_ref()?, "store-row", place), nonce, sealed).ok()?;
        Some(Zeroizing::new(secret[..].try_into().ok()?))
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(\u{2026})")
    }
}
