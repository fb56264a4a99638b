//! Proof that a leaf is in a tree. RFC 9162, section 2.1.3.

use super::node::{split_point, subtree_hash};
use super::{Hash, Nodes, ProofError, node_hash};
use crate::limits::TREE_SIZE_MAX;

/// The RFC 9162 inclusion proof of leaf `index` in the tree of `size` leaves, lowest sibling first. spec: TREE-6
///
/// None if the leaf is outside of the tree or a node is missing.
pub fn inclusion_proof(nodes: &impl Nodes, index: u64, size: u64) -> Option<Vec<Hash>> {
    siblings(index, size).ok()?.into_iter().map(|(from, to)| subtree_hash(nodes, from, to)).collect()
}

/// Checks that the leaf with hash `leaf` is number `index` of the tree with `size` leaves and this root. spec: TREE-6
pub fn verify_inclusion(index: u64, size: u64, leaf: &Hash, root: &Hash, proof: &[Hash]) -> Result<(), ProofError> {
    let due = siblings(index, size)?.len();
    if proof.len() != due {
        return Err(ProofError::WrongLength { due, came: proof.len() });
    }
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if at % 2 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            // A ragged right edge has no sibling on these levels.
            while at % 2 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    if hash == *root { Ok(()) } else { Err(ProofError::OtherRoot) }
}

/// The subtrees, as leaf ranges, whose hashes the proof consists of.
fn siblings(index: u64, size: u64) -> Result<Vec<(u64, u64)>, ProofError> {
    if size > TREE_SIZE_MAX {
        return Err(ProofError::TooLarge(size));
    }
    if index >= size {
        return Err(ProofError::OutsideOfTree { size });
    }
    let (mut from, mut to, mut path) = (0, size, Vec::new());
    while to - from > 1 {
        let middle = from + split_point(to - from);
        if index < middle {
            path.push((middle, to));
            to = middle;
        } else {
            path.push((from, middle));
            from = middle;
        }
    }
    path.reverse();
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::model;

    #[test]
    fn every_leaf_of_every_small_tree_is_proven_as_the_rfc_defines() {
        for size in 1..70 {
            let (leaves, nodes) = model::tree(size);
            for index in 0..size {
                let proof = inclusion_proof(&nodes, index as u64, size as u64).unwrap();
                assert_eq!(proof, model::path(index, &leaves), "leaf {index} of {size}");
                let root = model::root(&leaves);
                assert_eq!(verify_inclusion(index as u64, size as u64, &leaves[index], &root, &proof), Ok(()));
            }
        }
    }

    #[test]
    fn a_proof_holds_for_no_other_leaf_place_or_root() {
        let (leaves, nodes) = model::tree(13);
        let root = model::root(&leaves);
        let proof = inclusion_proof(&nodes, 5, 13).unwrap();
        assert_eq!(verify_inclusion(5, 13, &leaves[6], &root, &proof), Err(ProofError::OtherRoot));
        assert_eq!(verify_inclusion(4, 13, &leaves[5], &root, &proof), Err(ProofError::OtherRoot));
        assert_eq!(verify_inclusion(5, 13, &leaves[5], &leaves[5], &proof), Err(ProofError::OtherRoot));
        assert_eq!(
            verify_inclusion(5, 13, &leaves[5], &root, &proof[1..]),
            Err(ProofError::WrongLength { due: 4, came: 3 })
        );
        assert_eq!(verify_inclusion(13, 13, &leaves[5], &root, &proof), Err(ProofError::OutsideOfTree { size: 13 }));
        assert_eq!(verify_inclusion(0, u64::MAX, &leaves[5], &root, &proof), Err(ProofError::TooLarge(u64::MAX)));
    }

    #[test]
    fn the_largest_tree_needs_no_more_hashes_than_it_has_levels() {
        assert_eq!(siblings(0, TREE_SIZE_MAX).unwrap().len(), 63);
        assert_eq!(siblings(TREE_SIZE_MAX - 1, TREE_SIZE_MAX).unwrap().len(), 62);
    }
}
