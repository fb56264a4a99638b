//! Names that say nothing beyond being different.

use super::bytes::plain_name;
use crate::merkle::Hash;

plain_name! {
    /// The Merkle root over the sealed chunks of a blob, which names it.
    BlobRoot, 32
}

plain_name! {
    /// A stretch of one audience's posts under one secret.
    EpochId, 16
}

plain_name! {
    /// The X25519 public key of a node in the transport's handshake; a reader shows another one to each seeder.
    NodeKey, 32
}

plain_name! {
    /// The X25519 public key of a device, to which secrets are sealed.
    BoxPublic, 32
}

impl EpochId {
    /// The epoch that everyone who knows the feed id can read: sixteen zero bytes.
    pub const PUBLIC: Self = Self::new([0; 16]);
}

impl From<Hash> for BlobRoot {
    fn from(root: Hash) -> Self {
        Self::new(root.to_bytes())
    }
}

impl From<BlobRoot> for Hash {
    fn from(root: BlobRoot) -> Self {
        Self::new(root.to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_prints_a_short_prefix_and_display_everything() {
        let id = EpochId::new([0xab; 16]);
        assert_eq!(format!("{id:?}"), "EpochId(abababab\u{2026})");
        assert_eq!(id.to_string(), "ab".repeat(16));
    }

    #[test]
    fn a_slice_of_another_length_is_refused_by_name() {
        let error = EpochId::from_slice(&[0; 15]).expect_err("one byte is missing");
        assert_eq!(error.to_string(), "EpochId has 16 bytes, not 15");
    }
}
