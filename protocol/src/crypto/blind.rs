//! Blinding: the swarm key, and signing under it.
//!
//! The only place that uses a signature library's low-level interface. Two rules keep it safe: the blinded scalar is only
//! ever used with its own nonce prefix, which depends on the blinded key (a prefix that did not would repeat nonces across
//! periods), and the public key that is hashed into a signature is always the one that belongs to the scalar.

use std::fmt;

use curve25519_dalek::scalar::Scalar;
use ed25519_dalek::VerifyingKey;
use ed25519_dalek::hazmat::{ExpandedSecretKey, raw_sign};
use sha2::{Digest, Sha512};
use thiserror::Error;

use super::point;
use super::sign::{self, Signature, SignatureError};
use crate::ids::{FeedId, SwarmId, SwarmKey};
use crate::limits::SWARM_SECRET_BYTES_MAX;

/// A swarm secret that is longer than its length byte can say: the caller's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a swarm secret has at most {SWARM_SECRET_BYTES_MAX} bytes, not {0}")]
pub struct SecretTooLong(pub usize);

/// What a feed id is blinded with: a swarm secret and a period. spec: ID-8
#[derive(Clone, PartialEq, Eq)]
pub struct Blinding {
    secret: Vec<u8>,
    period: u64,
}

impl Blinding {
    /// The blinding of version 1: no secret, period 0. spec: ID-8
    pub const VERSION_1: Self = Self { secret: Vec::new(), period: 0 };

    /// A blinding with a secret of at most 255 bytes.
    pub fn new(secret: &[u8], period: u64) -> Result<Self, SecretTooLong> {
        if secret.len() > SWARM_SECRET_BYTES_MAX {
            return Err(SecretTooLong(secret.len()));
        }
        Ok(Self { secret: secret.to_vec(), period })
    }

    /// A' = hA. spec: ID-8
    pub fn swarm_key(&self, feed: &FeedId) -> SwarmKey {
        let point = point::check(feed.as_bytes()).expect("a feed id was checked when it was made");
        // h is zero with a chance of 2^-252; otherwise a multiple of a proper key is a proper key.
        SwarmKey::from_stored((self.factor(feed) * point).compress().to_bytes())
    }

    /// h = SHA-512(`peerfeed/1/blind` ‖ A ‖ u8 length of s ‖ s ‖ u64 period) mod ℓ. spec: ID-8
    fn factor(&self, feed: &FeedId) -> Scalar {
        let length = u8::try_from(self.secret.len()).expect("checked when it was made");
        let digest = Sha512::new()
            .chain_update(b"peerfeed/1/blind")
            .chain_update(feed.as_bytes())
            .chain_update([length])
            .chain_update(&self.secret)
            .chain_update(self.period.to_be_bytes())
            .finalize();
        Scalar::from_bytes_mod_order_wide(&digest.into())
    }
}

impl fmt::Debug for Blinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blinding(period {})", self.period)
    }
}

impl FeedId {
    /// The swarm key of version 1. spec: ID-8
    pub fn swarm_key(&self) -> SwarmKey {
        Blinding::VERSION_1.swarm_key(self)
    }

    /// The swarm id of version 1: what trackers see. spec: ID-9
    pub fn swarm_id(&self) -> SwarmId {
        self.swarm_key().swarm_id()
    }
}

/// Signs under a swarm key: certificates of seeders, items of the DHT. spec: ID-10
///
/// It must never leave the machine that holds the identity: with the feed id, it gives the identity's own secret away.
pub struct SwarmSigner {
    secret: ExpandedSecretKey,
    public: VerifyingKey,
    key: SwarmKey,
}

impl SwarmSigner {
    /// a' = ha mod ℓ, prefix' = SHA-512(`peerfeed/1/blind-prefix` ‖ prefix ‖ A')[..32]. spec: ID-10
    pub(super) fn new(seed: &[u8; 32], feed: &FeedId, blinding: &Blinding) -> Self {
        let identity = ExpandedSecretKey::from(seed);
        let key = blinding.swarm_key(feed);
        let digest = Sha512::new()
            .chain_update(b"peerfeed/1/blind-prefix")
            .chain_update(identity.hash_prefix)
            .chain_update(key.as_bytes())
            .finalize();
        let mut hash_prefix = [0; 32];
        hash_prefix.copy_from_slice(&digest[..32]);
        let secret = ExpandedSecretKey { scalar: blinding.factor(feed) * identity.scalar, hash_prefix };
        let public = VerifyingKey::from(&secret);
        debug_assert_eq!(public.as_bytes(), key.as_bytes(), "ha belongs to hA");
        Self { secret, public, key }
    }

    /// The key under which the signatures verify.
    pub fn key(&self) -> SwarmKey {
        self.key
    }

    /// Signs `bytes` as a record of this type in the swarm: the swarm key stands where the feed id stands otherwise, so
    /// that who verifies need not know the feed id. spec: ID-10
    pub fn sign(&self, record_type: &str, bytes: &[u8]) -> Signature {
        let message = sign::message(record_type, self.key.as_bytes(), bytes);
        Signature::new(raw_sign::<Sha512>(&self.secret, &message, &self.public).to_bytes())
    }
}

impl fmt::Debug for SwarmSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SwarmSigner({:?})", self.key)
    }
}

/// Checks that the owner of a swarm signed `bytes` as a record of this type. spec: ID-10
pub fn verify(swarm: &SwarmKey, record_type: &str, bytes: &[u8], signature: &Signature) -> Result<(), SignatureError> {
    sign::verify_message(swarm.as_bytes(), &sign::message(record_type, swarm.as_bytes(), bytes), signature)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::IdentityKey;

    #[test]
    fn what_is_signed_under_a_blinded_key_verifies_as_an_ordinary_signature() {
        for seed in 0..20 {
            let identity = IdentityKey::from_seed(&[seed; 32]);
            let blinding = Blinding::new(b"secret", u64::from(seed)).unwrap();
            let signer = identity.swarm_signer(&blinding);
            assert_eq!(signer.key(), blinding.swarm_key(&identity.feed_id()));
            assert_eq!(SwarmKey::from_bytes(signer.key().to_bytes()), Ok(signer.key()));
            let signature = signer.sign("certificate", b"bytes");
            assert_eq!(verify(&signer.key(), "certificate", b"bytes", &signature), Ok(()));
            assert_eq!(verify(&signer.key(), "certificate", b"other", &signature), Err(SignatureError));
            assert_eq!(verify(&signer.key(), "item", b"bytes", &signature), Err(SignatureError));
        }
    }

    #[test]
    fn secret_period_and_feed_each_give_another_swarm() {
        let feed = |seed: u8| IdentityKey::from_seed(&[seed; 32]).feed_id();
        let keys = [
            feed(1).swarm_key(),
            feed(2).swarm_key(),
            Blinding::new(b"", 1).unwrap().swarm_key(&feed(1)),
            Blinding::new(b"\0", 0).unwrap().swarm_key(&feed(1)),
        ];
        for (at, key) in keys.iter().enumerate() {
            assert!(!keys[..at].contains(key));
            assert_ne!(key.as_bytes(), feed(1).as_bytes());
        }
    }

    #[test]
    fn nonces_do_not_repeat_between_periods() {
        let identity = IdentityKey::from_seed(&[1; 32]);
        let r = |period| {
            let signer = identity.swarm_signer(&Blinding::new(b"", period).unwrap());
            // The nonce prefix is all that could be shared; with it R would be, for one message under two keys.
            let signature = raw_sign::<Sha512>(&signer.secret, b"message", &signer.public).to_bytes();
            signature[..32].to_vec()
        };
        assert_ne!(r(0), r(1));
    }

    #[test]
    fn a_secret_must_fit_its_length_byte() {
        assert_eq!(Blinding::new(&[0; 256], 0), Err(SecretTooLong(256)));
        assert!(Blinding::new(&[0; 255], 0).is_ok());
    }
}
