//! Who may sign for a feed: its identity, or the successor that took it back.

use std::fmt;

use super::identity::{IdentityKey, SuccessorKey};
use super::phrase::Phrase;
use super::sign::PublicKey;
use super::signed::SignedBytes;
use crate::ids::FeedId;

/// What signs manifest and roster of a feed.
pub enum OwnerKey {
    /// The identity, whose public key is the feed id.
    Identity(IdentityKey),
    /// The key from the same words that takes the feed back from a thief of the identity. spec: FEED-13
    Successor(SuccessorKey, FeedId),
}

impl OwnerKey {
    /// The successor that these words give.
    pub fn successor(phrase: &Phrase) -> Self {
        Self::Successor(phrase.successor(), phrase.identity().feed_id())
    }

    /// The feed.
    pub fn feed_id(&self) -> FeedId {
        match self {
            Self::Identity(identity) => identity.feed_id(),
            Self::Successor(_, feed) => *feed,
        }
    }

    /// What records must say of who signs them: the successor's public key; nothing for the identity. spec: FEED-13
    pub fn signer(&self) -> Option<[u8; 32]> {
        match self {
            Self::Identity(_) => None,
            Self::Successor(successor, _) => Some(successor.public()),
        }
    }

    /// The signed record: signature ‖ `bytes`. spec: ID-7
    pub fn sign_record(&self, record_type: &str, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Identity(identity) => identity.sign_record(record_type, bytes),
            Self::Successor(successor, feed) => SignedBytes::join(&successor.sign(record_type, feed, bytes), bytes),
        }
    }
}

impl fmt::Debug for OwnerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity(identity) => identity.fmt(f),
            Self::Successor(successor, _) => successor.fmt(f),
        }
    }
}

/// The key under which a record says that it is signed: the feed's own, or a successor's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SignerKey(pub(crate) [u8; 32]);

impl PublicKey for SignerKey {
    fn key_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}
