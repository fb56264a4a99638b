//! RFC 9162 Merkle trees over SHA-256: hashes, proofs and the nodes to keep. spec: TREE-1 to TREE-10
//!
//! A tree is only ever described by its size and root; its perfect subtrees are named by [`NodePos`] and kept by whoever
//! implements [`Nodes`]. [`Frontier`] appends, and says which nodes came into being. Every proof function works from the
//! store alone, every verification from the proof alone.

mod consistency;
mod frontier;
mod hash;
mod inclusion;
#[cfg(test)]
mod model;
mod node;
mod range;

pub use consistency::{consistency_proof, verify_consistency};
pub use frontier::Frontier;
pub use hash::{EMPTY_ROOT, Hash, leaf_hash, node_hash};
pub use inclusion::{inclusion_proof, verify_inclusion};
pub use node::{NodePos, Nodes, covering, root_from_nodes};
pub use range::{RangeProof, VerifiedNodes, range_proof};

use thiserror::Error;

/// Why a proof does not prove what it should: the fault of who sent it, or of who asked for the impossible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProofError {
    /// The index or range lies outside of the tree, or the old tree is larger than the new one.
    #[error("the proof is asked for something outside of a tree of {size} leaves")]
    OutsideOfTree {
        /// Leaves of the tree.
        size: u64,
    },
    /// A tree size that no tree of the protocol has.
    #[error("a tree of {0} leaves is over the limit")]
    TooLarge(u64),
    /// More or fewer hashes than this proof has.
    #[error("the proof has {came} hashes where {due} are due")]
    WrongLength {
        /// How many this proof has.
        due: usize,
        /// How many came.
        came: usize,
    },
    /// It leads to another root.
    #[error("the proof leads to another root")]
    OtherRoot,
    /// The proof leads to the new root, but the old root is not that of its beginning: two histories were signed.
    #[error("the proof leads to another root of the smaller tree")]
    OtherOldRoot,
}
