//! Names that are ed25519 public keys, checked to be usable ones.

use thiserror::Error;

/// Why 32 bytes are not the public key that they claim to be: the sender's fault. spec: ID-1
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// Another length than 32 bytes.
    #[error("a public key has 32 bytes, not {0}")]
    Length(usize),
    /// No point of the curve has this encoding.
    #[error("public key is not a point of the curve")]
    NotAPoint,
    /// A second encoding of a point that has a shorter one.
    #[error("public key is not in its canonical encoding")]
    NotCanonical,
    /// The neutral element, under which anything verifies.
    #[error("public key is the identity element")]
    IdentityElement,
    /// A point outside of the prime-order group: two such keys can verify the same signatures.
    #[error("public key has a torsion component")]
    Torsion,
}

/// Declares a name that is a checked ed25519 public key.
macro_rules! key_name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; 32]);

        $crate::ids::bytes::impl_bytes!($name, 32);

        impl $name {
            /// The key with this encoding, if it is canonical, torsion-free and not the identity element.
            /// spec: ID-1
            pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, $crate::ids::KeyError> {
                $crate::crypto::point::check(&bytes).map(|_| Self(bytes))
            }

            /// As [`Self::from_bytes`], from a slice of any length.
            pub fn from_slice(bytes: &[u8]) -> Result<Self, $crate::ids::KeyError> {
                let bytes = bytes.try_into().map_err(|_| $crate::ids::KeyError::Length(bytes.len()))?;
                Self::from_bytes(bytes)
            }

            /// A key that was checked before it was stored by this program, or that it made itself.
            ///
            /// Never for bytes that came from outside: the check costs a scalar multiplication (about 50 us), and
            /// this is for reading it back thousands of times.
            pub const fn from_stored(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }
        }
    };
}

pub(crate) use key_name;

key_name! {
    /// A device's ed25519 signing key, which names the device.
    DeviceId
}

key_name! {
    /// A seeder's ed25519 key, listed in the manifests of the feeds that it holds.
    WitnessKey
}

key_name! {
    /// A feed id, blinded: who knows the feed id can compute it, and nobody can trace it back. spec: ID-8
    SwarmKey
}

macro_rules! display_hex {
    ($($name:ident),*) => {$(
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $crate::ids::bytes::write_hex(&self.0, f)
            }
        }
    )*};
}
display_hex!(DeviceId, WitnessKey, SwarmKey);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_another_length_is_refused() {
        assert_eq!(DeviceId::from_slice(&[1; 31]), Err(KeyError::Length(31)));
    }

    #[test]
    fn a_key_is_checked_and_keeps_its_bytes() {
        let base = curve25519_dalek::constants::ED25519_BASEPOINT_COMPRESSED.to_bytes();
        assert_eq!(DeviceId::from_bytes(base).map(DeviceId::to_bytes), Ok(base));
        assert_eq!(WitnessKey::from_slice(&[0; 32]), Err(KeyError::Torsion));
    }
}
