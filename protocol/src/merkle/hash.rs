//! The hash of leaves and nodes.

use sha2::{Digest, Sha256};

use crate::ids::bytes::plain_name;

plain_name! {
    /// The SHA-256 hash of a leaf, an inner node or a whole tree. spec: TREE-1
    Hash, 32
}

/// The root of the tree without leaves: SHA-256 of nothing. spec: TREE-1
pub const EMPTY_ROOT: Hash = Hash::new([
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41,
    0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
]);

/// SHA-256(0x00 ‖ data): in one pass, without copying the data. spec: TREE-1
pub fn leaf_hash(data: &[u8]) -> Hash {
    Hash::new(Sha256::new().chain_update([0]).chain_update(data).finalize().into())
}

/// SHA-256(0x01 ‖ left ‖ right). spec: TREE-1
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hash::new(Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into())
}
