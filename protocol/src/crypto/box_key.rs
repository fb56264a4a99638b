//! A device's key for receiving sealed secrets.

use std::fmt;

use thiserror::Error;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::ids::BoxPublic;

/// The other key has small order, so that the agreed secret would not depend on ours: the fault of who made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("box key of the other side has small order")]
pub struct AgreementError;

/// The X25519 secret of a device. It never moves to another one.
pub struct BoxKey(StaticSecret);

impl BoxKey {
    /// The key made of 32 secret bytes, as they lie in the key file.
    pub fn from_bytes(secret: [u8; 32]) -> Self {
        Self(StaticSecret::from(secret))
    }

    /// The bytes for the key file.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The key that the roster lists.
    pub fn public(&self) -> BoxPublic {
        BoxPublic::new(PublicKey::from(&self.0).to_bytes())
    }

    /// The secret that only the two devices know: X25519; an all-zero outcome is refused. spec: ID-13
    pub fn agree(&self, other: &BoxPublic) -> Result<Zeroizing<[u8; 32]>, AgreementError> {
        let shared = self.0.diffie_hellman(&PublicKey::from(other.to_bytes()));
        if shared.was_contributory() { Ok(Zeroizing::new(shared.to_bytes())) } else { Err(AgreementError) }
    }
}

impl fmt::Debug for BoxKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxKey(\u{2026})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_devices_agree_on_one_secret() {
        let (one, other) = (BoxKey::from_bytes([1; 32]), BoxKey::from_bytes([2; 32]));
        assert_eq!(one.agree(&other.public()), other.agree(&one.public()));
        assert_ne!(one.agree(&other.public()), one.agree(&one.public()));
    }

    #[test]
    fn a_key_of_small_order_is_refused() {
        let key = BoxKey::from_bytes([1; 32]);
        let mut one = [0; 32];
        one[0] = 1;
        assert_eq!(key.agree(&BoxPublic::new([0; 32])), Err(AgreementError));
        assert_eq!(key.agree(&BoxPublic::new(one)), Err(AgreementError));
    }
}
