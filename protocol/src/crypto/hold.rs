//! The key of a code by which a seeder takes in a feed. spec: HOLD-2

use std::fmt;

use super::kdf::derive;
use super::sign::{Secret, Signature};
use crate::ids::FeedId;

/// What is signed with it.
pub(crate) const HOLD: &str = "hold";

/// The key of a code: who has the code can sign, and the seeder that gave it away knows the public half alone.
pub struct HoldKey(Secret);

impl HoldKey {
    /// The key that follows from the secret in a code.
    pub fn from_secret(secret: &[u8; 16]) -> Self {
        Self(Secret::from_seed(&derive(secret, "hold-code", &[])))
    }

    /// The code's id: it stands where the id of a feed stands on other connections.
    pub fn id(&self) -> FeedId {
        // A seed's public key is always a proper key.
        FeedId::from_stored(self.0.public())
    }

    /// Signs the wish to have `feed` held, on the connection that `handshake` names.
    pub fn sign(&self, feed: &FeedId, handshake: &[u8]) -> Signature {
        self.0.sign(HOLD, feed.as_bytes(), handshake)
    }
}

impl fmt::Debug for HoldKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HoldKey(\u{2026})")
    }
}
