//! A person's key pair.

use std::fmt;

use zeroize::Zeroizing;

use super::blind::{Blinding, SwarmSigner};
use super::sign::{Secret, Signature};
use super::signed::SignedBytes;
use crate::ids::FeedId;

/// The secret that owns a feed. It signs manifest, roster and delegations, and nothing else.
pub struct IdentityKey {
    secret: Secret,
    feed: FeedId,
}

impl IdentityKey {
    /// The key that follows from 32 secret bytes: those of a phrase, or of the key file.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let secret = Secret::from_seed(seed);
        // A seed's public key is a multiple of the base point by a clamped scalar: always a proper key.
        let feed = FeedId::from_stored(secret.public());
        Self { secret, feed }
    }

    /// The bytes for the key file.
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        self.secret.seed()
    }

    /// The feed that this identity owns.
    pub fn feed_id(&self) -> FeedId {
        self.feed
    }

    /// Signs `bytes` as a record of this type in the own feed. spec: ID-7
    pub fn sign(&self, record_type: &str, bytes: &[u8]) -> Signature {
        self.secret.sign(record_type, self.feed.as_bytes(), bytes)
    }

    /// The signed record: signature ‖ `bytes`. spec: ID-7
    pub fn sign_record(&self, record_type: &str, bytes: &[u8]) -> Vec<u8> {
        SignedBytes::join(&self.sign(record_type, bytes), bytes)
    }

    /// The key that signs under the blinded feed id. It must never leave the machine that holds the identity. spec: ID-10
    pub fn swarm_signer(&self, blinding: &Blinding) -> SwarmSigner {
        SwarmSigner::new(&self.secret.seed(), &self.feed, blinding)
    }
}

impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentityKey({:?})", self.feed)
    }
}

/// The key that can take an identity back. It exists only while the owner types the phrase. spec: ID-2
pub struct SuccessorKey(Secret);

impl SuccessorKey {
    pub(super) fn from_seed(seed: &[u8; 32]) -> Self {
        Self(Secret::from_seed(seed))
    }

    /// The public key, whose digest the manifest carries.
    pub fn public(&self) -> [u8; 32] {
        self.0.public()
    }

    /// Signs `bytes` as a record of this type in the feed that is taken back. spec: ID-7
    pub fn sign(&self, record_type: &str, feed: &FeedId, bytes: &[u8]) -> Signature {
        self.0.sign(record_type, feed.as_bytes(), bytes)
    }
}

impl fmt::Debug for SuccessorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SuccessorKey(\u{2026})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_feed_id_is_the_ed25519_public_key_of_the_seed() {
        // RFC 8032, section 7.1, test 1.
        let seed = [
            0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49,
            0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
        ];
        let key = IdentityKey::from_seed(&seed);
        assert_eq!(key.feed_id().as_bytes()[..4], [0xd7, 0x5a, 0x98, 0x01]);
        assert_eq!(FeedId::from_bytes(key.feed_id().to_bytes()), Ok(key.feed_id()));
        assert_eq!(*key.seed(), seed);
    }

    #[test]
    fn an_identity_prints_the_start_of_its_feed_and_nothing_secret() {
        let text = format!("{:?}", IdentityKey::from_seed(&[1; 32]));
        assert_eq!(text, "IdentityKey(FeedId(8a88e3dd\u{2026}))");
    }
}
