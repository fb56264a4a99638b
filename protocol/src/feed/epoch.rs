//! Epochs: stretches of one audience's posts under one secret, and the keys that follow from it.

use std::fmt;

use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::crypto::kdf::derive;
use crate::crypto::{Entropy, FeedKeys, secretbox};
use crate::ids::{EntryPlace, EpochId, FeedId};

/// Bytes of an earlier epoch's secret as a later one seals it: tag, then the secret. spec: EPOCH-6
pub const SEALED_SECRET_BYTES: usize = 48;

macro_rules! secret {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Zeroize, ZeroizeOnDrop)]
        pub struct $name([u8; 32]);

        impl $name {
            /// The secret made of these bytes.
            pub const fn new(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The bytes: for the store, a grant or a link, and for nothing else.
            pub const fn expose(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl PartialEq for $name {
            /// In constant time.
            fn eq(&self, other: &Self) -> bool {
                self.0.ct_eq(&other.0).into()
            }
        }

        impl Eq for $name {}

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(\u{2026})"))
            }
        }
    };
}

secret! {
    /// The secret S of an epoch: who has it reads the epoch and all earlier ones that it seals. spec: EPOCH-1
    EpochSecret
}

secret! {
    /// What opens the entries of one epoch, and no other epoch. spec: EPOCH-2
    ReadKey
}

/// The keys of one entry: they bind its body to its place and to its epoch. spec: ENTRY-9
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct EntryKey {
    pub(super) key: [u8; 32],
    pub(super) hint: [u8; 8],
    pub(super) commitment: [u8; 32],
}

/// The sealed secret of an earlier epoch does not open: the fault of who wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the earlier epoch's secret does not open under this epoch")]
pub struct EarlierSecretError(#[from] secretbox::OpenError);

impl EpochSecret {
    /// The secret of a new epoch.
    pub fn random(entropy: &mut Entropy) -> Self {
        Self(entropy.bytes())
    }

    /// The secret of the `public` epoch: everyone who knows the feed id has it. spec: EPOCH-4
    pub fn public(feed: &FeedId) -> Self {
        Self(*FeedKeys::new(feed).public_epoch)
    }

    /// The key that opens the entries of this epoch. spec: EPOCH-2
    pub fn read_key(&self, feed: &FeedId) -> ReadKey {
        ReadKey(*derive(&self.0, "read", &[feed.as_bytes()]))
    }

    /// Seals the secret of an earlier epoch, so that who is granted this one reads that one too. spec: EPOCH-6
    pub fn seal_earlier(&self, feed: &FeedId, earlier: &EpochId, secret: &EpochSecret) -> [u8; SEALED_SECRET_BYTES] {
        secretbox::seal(&self.history_key(feed), &history_nonce(earlier), &secret.0)
            .try_into()
            .expect("a tag and 32 bytes")
    }

    /// The secret of an earlier epoch that this one seals. spec: EPOCH-6
    pub fn open_earlier(
        &self,
        feed: &FeedId,
        earlier: &EpochId,
        sealed: &[u8; SEALED_SECRET_BYTES],
    ) -> Result<EpochSecret, EarlierSecretError> {
        let opened = secretbox::open(&self.history_key(feed), &history_nonce(earlier), sealed)?;
        Ok(Self(opened[..].try_into().expect("48 bytes without the tag")))
    }

    /// The key under which this epoch seals earlier secrets. spec: EPOCH-3
    fn history_key(&self, feed: &FeedId) -> Zeroizing<[u8; 32]> {
        derive(&self.0, "history", &[feed.as_bytes()])
    }
}

impl ReadKey {
    /// The keys of the entry at `place`, if it belongs to this epoch. spec: ENTRY-9
    pub fn entry_key(&self, place: &EntryPlace) -> EntryKey {
        let parts: [&[u8]; 3] = [place.feed.as_bytes(), &place.log.to_bytes(), &place.index.to_be_bytes()];
        let secret = derive::<72>(&self.0, "entry", &parts);
        let mut entry = EntryKey { key: [0; 32], hint: [0; 8], commitment: [0; 32] };
        entry.key.copy_from_slice(&secret[..32]);
        entry.hint.copy_from_slice(&secret[32..40]);
        entry.commitment.copy_from_slice(&secret[40..]);
        entry
    }
}

impl EntryKey {
    /// The hint that stands in the header.
    pub fn hint(&self) -> &[u8; 8] {
        &self.hint
    }

    /// The commitment that stands in the header.
    pub fn commitment(&self) -> &[u8; 32] {
        &self.commitment
    }

    /// Whether the header's hint and commitment are this key's; in constant time. spec: ENTRY-10
    pub fn fits(&self, hint: &[u8; 8], commitment: &[u8; 32]) -> bool {
        (self.hint.ct_eq(hint) & self.commitment.ct_eq(commitment)).into()
    }
}

impl fmt::Debug for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EntryKey(\u{2026})")
    }
}

/// One key seals each earlier epoch once, always with the same content, so that epoch's id serves as the nonce.
fn history_nonce(earlier: &EpochId) -> [u8; 24] {
    let mut nonce = [0; 24];
    nonce[..16].copy_from_slice(earlier.as_bytes());
    nonce
}

/// A random id for a new epoch; never the public one's.
pub fn random_epoch_id(entropy: &mut Entropy) -> EpochId {
    loop {
        let id = EpochId::new(entropy.bytes());
        if id != EpochId::PUBLIC {
            return id;
        }
    }
}
