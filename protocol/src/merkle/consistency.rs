//! Proof that a tree is a continuation of an earlier one. RFC 9162, section 2.1.4.

use super::node::{split_point, subtree_hash};
use super::{EMPTY_ROOT, Hash, Nodes, ProofError, node_hash};
use crate::limits::TREE_SIZE_MAX;

/// The RFC 9162 consistency proof from the tree of the first `old` leaves to that of the first `new`. spec: TREE-7
///
/// Empty when `old` is 0 or equals `new`; none if `old` is larger or a node is missing.
pub fn consistency_proof(nodes: &impl Nodes, old: u64, new: u64) -> Option<Vec<Hash>> {
    parts(old, new).ok()?.into_iter().map(|(from, to)| subtree_hash(nodes, from, to)).collect()
}

/// Checks that the tree (`new`, `new_root`) begins with the leaves of the tree (`old`, `old_root`). spec: TREE-7
pub fn verify_consistency(
    old: u64,
    old_root: &Hash,
    new: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    let due = parts(old, new)?.len();
    if proof.len() != due {
        return Err(ProofError::WrongLength { due, came: proof.len() });
    }
    if old == 0 {
        return if *old_root == EMPTY_ROOT { Ok(()) } else { Err(ProofError::OtherOldRoot) };
    }
    if old == new {
        return if old_root == new_root { Ok(()) } else { Err(ProofError::OtherRoot) };
    }
    // The right edge of the old tree, above the part that is a subtree of both trees.
    let shift = (old - 1).trailing_ones();
    let (mut at, mut last) = ((old - 1) >> shift, (new - 1) >> shift);
    let (start, rest) = if old.is_power_of_two() {
        (*old_root, proof)
    } else {
        let (first, rest) = proof.split_first().expect("the length was just compared and is at least 1");
        (*first, rest)
    };
    let (mut old_hash, mut new_hash) = (start, start);
    for hash in rest {
        if at % 2 == 1 || at == last {
            old_hash = node_hash(hash, &old_hash);
            new_hash = node_hash(hash, &new_hash);
            while at % 2 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node_hash(&new_hash, hash);
        }
        at >>= 1;
        last >>= 1;
    }
    // In this order: what leads to the new root is made of its genuine nodes, so that another old root then proves a fork.
    if new_hash != *new_root {
        Err(ProofError::OtherRoot)
    } else if old_hash != *old_root {
        Err(ProofError::OtherOldRoot)
    } else {
        Ok(())
    }
}

/// The subtrees, as leaf ranges, whose hashes the proof consists of: SUBPROOF of the RFC, without recursion.
fn parts(old: u64, new: u64) -> Result<Vec<(u64, u64)>, ProofError> {
    if new > TREE_SIZE_MAX {
        return Err(ProofError::TooLarge(new));
    }
    if old > new {
        return Err(ProofError::OutsideOfTree { size: new });
    }
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let (mut from, mut to, mut path) = (0, new, Vec::new());
    while to != old {
        let middle = from + split_point(to - from);
        if old <= middle {
            path.push((middle, to));
            to = middle;
        } else {
            path.push((from, middle));
            from = middle;
        }
    }
    // The verifier has the root of the whole old tree already.
    if from != 0 {
        path.push((from, to));
    }
    path.reverse();
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::model;

    #[test]
    fn every_pair_of_small_trees_is_proven_as_the_rfc_defines() {
        let (leaves, nodes) = model::tree(40);
        for new in 1..=40 {
            for old in 1..=new {
                let proof = consistency_proof(&nodes, old as u64, new as u64).unwrap();
                assert_eq!(proof, model::consistency(old, &leaves[..new]), "{old} to {new}");
                let (old_root, new_root) = (model::root(&leaves[..old]), model::root(&leaves[..new]));
                assert_eq!(verify_consistency(old as u64, &old_root, new as u64, &new_root, &proof), Ok(()));
            }
        }
    }

    #[test]
    fn everything_continues_the_empty_tree() {
        let (leaves, _) = model::tree(5);
        assert_eq!(verify_consistency(0, &EMPTY_ROOT, 5, &model::root(&leaves), &[]), Ok(()));
        assert_eq!(verify_consistency(0, &leaves[0], 5, &model::root(&leaves), &[]), Err(ProofError::OtherOldRoot));
    }

    #[test]
    fn a_rewritten_history_has_no_proof() {
        let (leaves, nodes) = model::tree(11);
        let mut rewritten = leaves[..6].to_vec();
        rewritten[2] = leaves[3];
        let proof = consistency_proof(&nodes, 6, 11).unwrap();
        let (old, new) = (model::root(&leaves[..6]), model::root(&leaves));
        assert_eq!(verify_consistency(6, &model::root(&rewritten), 11, &new, &proof), Err(ProofError::OtherOldRoot));
        assert_eq!(verify_consistency(6, &old, 11, &old, &proof), Err(ProofError::OtherRoot));
        assert_eq!(verify_consistency(6, &old, 6, &new, &[]), Err(ProofError::OtherRoot));
        assert_eq!(verify_consistency(11, &new, 6, &old, &proof), Err(ProofError::OutsideOfTree { size: 6 }));
        assert_eq!(
            verify_consistency(6, &old, 11, &new, &[]),
            Err(ProofError::WrongLength { due: proof.len(), came: 0 })
        );
    }

    #[test]
    fn each_changed_hash_is_noticed() {
        let (leaves, nodes) = model::tree(29);
        let (old, new) = (model::root(&leaves[..13]), model::root(&leaves));
        let proof = consistency_proof(&nodes, 13, 29).unwrap();
        for at in 0..proof.len() {
            let mut broken = proof.clone();
            broken[at] = leaves[0];
            assert!(verify_consistency(13, &old, 29, &new, &broken).is_err(), "hash {at}");
        }
    }

    #[test]
    fn the_largest_trees_stay_within_the_limit_of_a_proof() {
        for old in [1, 2, 3, TREE_SIZE_MAX / 2, TREE_SIZE_MAX / 2 + 1, TREE_SIZE_MAX - 1, TREE_SIZE_MAX] {
            assert!(parts(old, TREE_SIZE_MAX).unwrap().len() <= crate::limits::PROOF_HASHES_MAX);
        }
        assert_eq!(parts(1, u64::MAX), Err(ProofError::TooLarge(u64::MAX)));
    }
}
