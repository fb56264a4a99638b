//! Keys and where they come from, signatures, blinding, secret boxes, and randomness that is passed in.
//!
//! Each primitive of another crate is used in one module here and nowhere else. spec: ID-1 to ID-14

pub mod blind;
mod box_key;
mod feed_keys;
pub mod fingerprint;
mod hold;
mod identity;
pub mod kdf;
mod owner;
mod passphrase;
mod phrase;
pub(crate) mod point;
mod random;
mod sealed_file;
pub mod secretbox;
mod sign;
mod signed;

pub use blind::{Blinding, SwarmSigner};
pub use box_key::{AgreementError, BoxKey};
pub use feed_keys::FeedKeys;
pub(crate) use hold::HOLD;
pub use hold::HoldKey;
pub use identity::{IdentityKey, SuccessorKey};
pub use owner::OwnerKey;
pub(crate) use owner::SignerKey;
pub use passphrase::{PassphraseCost, PassphraseError, PassphraseKey, check_new_passphrase};
pub use phrase::{Phrase, PhraseError};
pub use random::Entropy;
pub use sealed_file::{SealedFile, SealedFileError};
pub use sign::{DeviceKey, PublicKey, Signature, SignatureError, WitnessSecret, verify, verify_handshake};
pub use signed::{SignedBytes, SignedError};
