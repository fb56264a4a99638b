//! Signatures: what exactly is signed, by which kinds of key, and how it is checked.

use std::fmt;

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::ids::{DeviceId, FeedId, SwarmKey, WitnessKey};

/// The signature does not fit the key, the type, the feed or the bytes: the fault of who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("signature does not verify")]
pub struct SignatureError;

/// An ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature([u8; 64]);

impl Signature {
    /// Length in bytes.
    pub const LENGTH: usize = 64;

    /// The signature made of these bytes; whether it is a good one shows when it is verified.
    pub const fn new(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }

    /// The bytes, copied.
    pub const fn to_bytes(self) -> [u8; 64] {
        self.0
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(\u{2026})")
    }
}

/// A public key under which records are signed.
pub trait PublicKey {
    /// Its encoding.
    fn key_bytes(&self) -> &[u8; 32];
}

macro_rules! public_keys {
    ($($key:ty),*) => {$(
        impl PublicKey for $key {
            fn key_bytes(&self) -> &[u8; 32] {
                self.as_bytes()
            }
        }
    )*};
}
public_keys!(FeedId, DeviceId, WitnessKey, SwarmKey);

/// Checks that `signer` signed `bytes` as a record of this type in this feed. spec: ID-7
pub fn verify(
    signer: &impl PublicKey,
    record_type: &str,
    feed: &FeedId,
    bytes: &[u8],
    signature: &Signature,
) -> Result<(), SignatureError> {
    verify_message(signer.key_bytes(), &message(record_type, feed.as_bytes(), bytes), signature)
}

/// Checks a seeder's signature over the handshake of a connection; see [`WitnessSecret::sign_handshake`].
pub fn verify_handshake(
    witness: &WitnessKey,
    handshake_hash: &[u8],
    signature: &Signature,
) -> Result<(), SignatureError> {
    verify_message(witness.as_bytes(), &message(WITNESS, b"", handshake_hash), signature)
}

const WITNESS: &str = "witness";

/// `peerfeed/1/<type>`, a zero byte, the feed id (or what stands for it), the bytes. spec: ID-7
pub(super) fn message(record_type: &str, context: &[u8], bytes: &[u8]) -> Vec<u8> {
    [b"peerfeed/1/", record_type.as_bytes(), &[0], context, bytes].concat()
}

/// Always the strict check: the plain one accepts keys of small order and more than one encoding. spec: ID-7
pub(super) fn verify_message(key: &[u8; 32], message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
    let key = VerifyingKey::from_bytes(key).map_err(|_| SignatureError)?;
    let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
    key.verify_strict(message, &signature).map_err(|_| SignatureError)
}

/// An ed25519 secret with the operations that every kind of signing key has.
pub(super) struct Secret(SigningKey);

impl Secret {
    pub(super) fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    pub(super) fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    pub(super) fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    pub(super) fn sign(&self, record_type: &str, context: &[u8], bytes: &[u8]) -> Signature {
        Signature(self.0.sign(&message(record_type, context, bytes)).to_bytes())
    }
}

/// The signing key of a device. It never moves to another one.
pub struct DeviceKey(Secret);

impl DeviceKey {
    /// The key that follows from 32 secret bytes, as they lie in the key file.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(Secret::from_seed(seed))
    }

    /// The bytes for the key file.
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        self.0.seed()
    }

    /// The device's name.
    pub fn id(&self) -> DeviceId {
        // A seed's public key is a multiple of the base point by a clamped scalar: always a proper key.
        DeviceId::from_stored(self.0.public())
    }

    /// Signs `bytes` as a record of this type in this feed. spec: ID-7
    pub fn sign(&self, record_type: &str, feed: &FeedId, bytes: &[u8]) -> Signature {
        self.0.sign(record_type, feed.as_bytes(), bytes)
    }
}

/// The key with which a seeder vouches for what it holds.
pub struct WitnessSecret(Secret);

impl WitnessSecret {
    /// The key that follows from 32 secret bytes, as they lie in the key file.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(Secret::from_seed(seed))
    }

    /// The bytes for the key file.
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        self.0.seed()
    }

    /// The key that manifests list.
    pub fn key(&self) -> WitnessKey {
        WitnessKey::from_stored(self.0.public())
    }

    /// Signs `bytes` as a record of this type in this feed. spec: ID-7
    pub fn sign(&self, record_type: &str, feed: &FeedId, bytes: &[u8]) -> Signature {
        self.0.sign(record_type, feed.as_bytes(), bytes)
    }

    /// Proves to the other end of a connection that this seeder is the listed one: signs `peerfeed/1/witness` ‖ 0x00 ‖
    /// handshake hash. spec: ID-7
    pub fn sign_handshake(&self, handshake_hash: &[u8]) -> Signature {
        self.0.sign(WITNESS, b"", handshake_hash)
    }
}

macro_rules! redact {
    ($($key:ident),*) => {$(
        impl fmt::Debug for $key {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($key), "(\u{2026})"))
            }
        }
    )*};
}
redact!(DeviceKey, WitnessSecret);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::IdentityKey;

    fn feed(seed: u8) -> FeedId {
        IdentityKey::from_seed(&[seed; 32]).feed_id()
    }

    #[test]
    fn a_signature_holds_for_its_signer_type_feed_and_bytes_alone() {
        let (key, other) = (DeviceKey::from_seed(&[1; 32]), DeviceKey::from_seed(&[2; 32]));
        let signature = key.sign("head", &feed(3), b"bytes");
        assert_eq!(verify(&key.id(), "head", &feed(3), b"bytes", &signature), Ok(()));
        assert_eq!(verify(&other.id(), "head", &feed(3), b"bytes", &signature), Err(SignatureError));
        assert_eq!(verify(&key.id(), "roster", &feed(3), b"bytes", &signature), Err(SignatureError));
        assert_eq!(verify(&key.id(), "head", &feed(4), b"bytes", &signature), Err(SignatureError));
        assert_eq!(verify(&key.id(), "head", &feed(3), b"byteS", &signature), Err(SignatureError));
    }

    #[test]
    fn a_key_of_small_order_verifies_nothing() {
        // Under the plain check, R = identity and s = 0 verify any message for these keys.
        let mut signature = [0; 64];
        signature[0] = 1;
        let mut identity = [0; 32];
        identity[0] = 1;
        for key in [identity, [0; 32]] {
            let weak = DeviceId::from_stored(key);
            for text in [&b"a"[..], b"b", b"c", b"d", b"e", b"f"] {
                let verdict = verify(&weak, "head", &feed(1), text, &Signature::new(signature));
                assert_eq!(verdict, Err(SignatureError));
            }
        }
    }

    #[test]
    fn a_witness_proves_itself_for_one_handshake_only() {
        let witness = WitnessSecret::from_seed(&[5; 32]);
        let signature = witness.sign_handshake(&[9; 32]);
        assert_eq!(verify_handshake(&witness.key(), &[9; 32], &signature), Ok(()));
        assert_eq!(verify_handshake(&witness.key(), &[8; 32], &signature), Err(SignatureError));
    }

    #[test]
    fn keys_survive_the_key_file_and_do_not_print_themselves() {
        let key = DeviceKey::from_seed(&[7; 32]);
        assert_eq!(*key.seed(), [7; 32]);
        assert_eq!(DeviceKey::from_seed(&key.seed()).id(), key.id());
        assert_eq!(DeviceId::from_bytes(key.id().to_bytes()), Ok(key.id()));
        assert_eq!(format!("{key:?}"), "DeviceKey(\u{2026})");
    }
}
