//! Every limit of the protocol, named once, with its unit and its reason.

/// Levels of nesting that a bencoded record may have, the outermost value counting as one.
///
/// No record of the protocol needs more than five; eight leaves room and keeps recursion far from the stack's end.
/// spec: BEN-3
pub const BENCODE_DEPTH_MAX: usize = 8;

/// Characters of a feed id in its printed form: `feed1`, 52 of data, 6 of checksum. spec: ID-3
pub const FEED_ID_CHARS: usize = 63;

/// Characters that are looked at when a person types a feed id or a recovery phrase.
///
/// The longest valid phrase has 24 words of 8 letters with a space after each: 216. More is not worth parsing.
pub const TYPED_TEXT_CHARS_MAX: usize = 1024;

/// Bytes of a swarm secret: its length is hashed as one byte. spec: ID-8
pub const SWARM_SECRET_BYTES_MAX: usize = 255;

/// Leaves of a tree: sizes travel as bencode integers, which end below 2^63. spec: TREE-2
pub const TREE_SIZE_MAX: u64 = (1 << 63) - 1;

/// Hashes in an inclusion or consistency proof: one per level of the largest tree, and one more where the old tree of a
/// consistency proof ends. spec: TREE-6, TREE-7
pub const PROOF_HASHES_MAX: usize = 64;

/// Hashes in a range proof: at most one perfect subtree per level on the left, two per level on the right. spec: TREE-9
pub const RANGE_PROOF_HASHES_MAX: usize = 3 * 63;
