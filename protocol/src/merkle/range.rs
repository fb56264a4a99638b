//! Proof that consecutive leaves are in a tree: the compact ranges on either side of them.

use super::node::fold_right;
use super::{EMPTY_ROOT, Hash, NodePos, Nodes, ProofError, covering, node_hash};
use crate::limits::{RANGE_PROOF_HASHES_MAX, TREE_SIZE_MAX};

/// The hashes of the perfect subtrees that make up `[0, from)` and `[to, size)`, from left to right. spec: TREE-8
///
/// The newest 50 of 100,000 entries need no more than 17 hashes, since nothing is right of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeProof(Vec<Hash>);

/// What a verified range proof has taught: perfect subtrees, each with its hash, that belong to the tree. spec: TREE-10
///
/// These are all that is needed to prove any part of the range to somebody else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifiedNodes(Vec<(NodePos, Hash)>);

impl VerifiedNodes {
    /// The nodes, in the order in which they were learnt.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (NodePos, Hash)> + '_ {
        self.0.iter().copied()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl IntoIterator for VerifiedNodes {
    type Item = (NodePos, Hash);
    type IntoIter = std::vec::IntoIter<(NodePos, Hash)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// The proof of the leaves `[from, to)` in the tree of `size` leaves. spec: TREE-8
///
/// None unless `from <= to <= size`, or if a node is missing.
pub fn range_proof(nodes: &impl Nodes, from: u64, to: u64, size: u64) -> Option<RangeProof> {
    let (left, right) = sides(from, to, size).ok()?;
    left.into_iter().chain(right).map(|pos| nodes.node(pos)).collect::<Option<_>>().map(RangeProof)
}

impl RangeProof {
    /// The proof made of these hashes; too many for any tree are refused at once. spec: TREE-9
    pub fn from_hashes(hashes: Vec<Hash>) -> Result<Self, ProofError> {
        if hashes.len() > RANGE_PROOF_HASHES_MAX {
            return Err(ProofError::WrongLength { due: RANGE_PROOF_HASHES_MAX, came: hashes.len() });
        }
        Ok(Self(hashes))
    }

    /// The proof's hashes, from left to right, to keep.
    pub fn into_hashes(self) -> Vec<Hash> {
        self.0
    }

    /// The proof's hashes, from left to right.
    pub fn hashes(&self) -> &[Hash] {
        &self.0
    }

    /// Checks that `leaves` are the hashes of the leaves from number `from` on of the tree with `size` leaves and this
    /// root, and returns every perfect subtree learnt by it. spec: TREE-9, TREE-10
    pub fn verify(&self, from: u64, leaves: &[Hash], size: u64, root: &Hash) -> Result<VerifiedNodes, ProofError> {
        let count = u64::try_from(leaves.len()).expect("a slice is shorter than 2^64");
        let to = from.checked_add(count).ok_or(ProofError::OutsideOfTree { size })?;
        let (left, right) = sides(from, to, size)?;
        let due = left.len() + right.len();
        if self.0.len() != due {
            return Err(ProofError::WrongLength { due, came: self.0.len() });
        }
        let (left_hashes, right_hashes) = self.0.split_at(left.len());
        let mut tree = Assembly::default();
        for (pos, hash) in left.into_iter().zip(left_hashes) {
            tree.push(pos, *hash);
        }
        for (index, hash) in (from..to).zip(leaves) {
            tree.push(NodePos::leaf(index), *hash);
        }
        for (pos, hash) in right.into_iter().zip(right_hashes) {
            tree.push(pos, *hash);
        }
        if tree.root() == *root { Ok(VerifiedNodes(tree.learnt)) } else { Err(ProofError::OtherRoot) }
    }
}

fn sides(from: u64, to: u64, size: u64) -> Result<(Vec<NodePos>, Vec<NodePos>), ProofError> {
    if size > TREE_SIZE_MAX {
        return Err(ProofError::TooLarge(size));
    }
    if from > to || to > size {
        return Err(ProofError::OutsideOfTree { size });
    }
    Ok((covering(0, from), covering(to, size)))
}

/// A tree that is put together from left to right; halves are joined as soon as both are there.
#[derive(Default)]
struct Assembly {
    peaks: Vec<(NodePos, Hash)>,
    learnt: Vec<(NodePos, Hash)>,
}

impl Assembly {
    /// Adds the subtree that begins where the last one ended.
    fn push(&mut self, mut pos: NodePos, mut hash: Hash) {
        self.learnt.push((pos, hash));
        while pos.is_right() {
            let (_, left) = self.peaks.pop().expect("the left half of a right half is the last peak");
            hash = node_hash(&left, &hash);
            pos = pos.parent();
            self.learnt.push((pos, hash));
        }
        self.peaks.push((pos, hash));
    }

    fn root(&self) -> Hash {
        let peaks: Vec<_> = self.peaks.iter().map(|(_, hash)| *hash).collect();
        fold_right(&peaks).unwrap_or(EMPTY_ROOT)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::merkle::model;

    #[test]
    fn every_range_of_every_small_tree_is_proven_and_its_nodes_are_true() {
        for size in 0..20usize {
            let (leaves, nodes) = model::tree(size);
            let root = model::root(&leaves);
            for from in 0..=size {
                for to in from..=size {
                    let proof = range_proof(&nodes, from as u64, to as u64, size as u64).unwrap();
                    let learnt = proof.verify(from as u64, &leaves[from..to], size as u64, &root).unwrap();
                    for (pos, hash) in learnt {
                        assert_eq!(nodes.node(pos), Some(hash), "{pos:?} of [{from}, {to}) of {size}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_newest_fifty_of_a_hundred_thousand_need_less_than_a_kibibyte() {
        assert!(covering(0, 99_950).len() * Hash::LENGTH < 1024);
        assert!(covering(100_000, 100_000).is_empty());
    }

    #[test]
    fn no_proof_is_longer_than_the_limit() {
        for (from, to) in [(TREE_SIZE_MAX / 2, TREE_SIZE_MAX / 2 + 2), (TREE_SIZE_MAX / 4, TREE_SIZE_MAX / 4 + 2)] {
            let (left, right) = sides(from, to, TREE_SIZE_MAX).unwrap();
            assert!(left.len() + right.len() <= RANGE_PROOF_HASHES_MAX);
        }
        let too_many = vec![EMPTY_ROOT; RANGE_PROOF_HASHES_MAX + 1];
        assert!(matches!(RangeProof::from_hashes(too_many), Err(ProofError::WrongLength { .. })));
    }

    #[test]
    fn sizes_that_no_tree_has_are_refused() {
        let proof = RangeProof::from_hashes(vec![]).unwrap();
        let leaf = [EMPTY_ROOT];
        assert_eq!(proof.verify(u64::MAX, &leaf, 5, &EMPTY_ROOT), Err(ProofError::OutsideOfTree { size: 5 }));
        assert_eq!(proof.verify(5, &leaf, 5, &EMPTY_ROOT), Err(ProofError::OutsideOfTree { size: 5 }));
        assert_eq!(proof.verify(0, &leaf, u64::MAX, &EMPTY_ROOT), Err(ProofError::TooLarge(u64::MAX)));
        assert_eq!(
            proof.verify(0, &leaf, TREE_SIZE_MAX, &EMPTY_ROOT),
            Err(ProofError::WrongLength { due: 124, came: 0 })
        );
    }

    #[test]
    fn a_store_without_the_nodes_gives_no_proof() {
        assert_eq!(range_proof(&BTreeMap::new(), 1, 2, 4), None);
        assert_eq!(range_proof(&BTreeMap::new(), 3, 2, 4), None);
    }

    proptest! {
        #[test]
        fn who_verified_a_range_can_prove_each_part_of_it(
            size in 1usize..300, cuts in proptest::array::uniform4(0usize..300)
        ) {
            let mut cuts = cuts.map(|cut| cut % (size + 1));
            cuts.sort_unstable();
            let [from, inner_from, inner_to, to] = cuts;
            let (leaves, nodes) = model::tree(size);
            let root = model::root(&leaves);
            let outer = range_proof(&nodes, from as u64, to as u64, size as u64).unwrap();
            let learnt: BTreeMap<_, _> =
                outer.verify(from as u64, &leaves[from..to], size as u64, &root).unwrap().into_iter().collect();
            let inner = range_proof(&learnt, inner_from as u64, inner_to as u64, size as u64);
            prop_assert_eq!(&inner, &range_proof(&nodes, inner_from as u64, inner_to as u64, size as u64));
            let verified = inner.unwrap().verify(inner_from as u64, &leaves[inner_from..inner_to], size as u64, &root);
            prop_assert!(verified.is_ok());
        }

        #[test]
        fn one_changed_hash_anywhere_is_noticed(
            size in 1usize..100, from in 0usize..100, length in 1usize..100, which in any::<prop::sample::Index>()
        ) {
            let from = from % size;
            let to = (from + length).min(size);
            let (leaves, nodes) = model::tree(size);
            let proof = range_proof(&nodes, from as u64, to as u64, size as u64).unwrap();
            let mut all: Vec<Hash> = proof.hashes().iter().chain(&leaves[from..to]).copied().collect();
            let at = which.index(all.len());
            let mut bytes = all[at].to_bytes();
            bytes[7] ^= 1;
            all[at] = Hash::new(bytes);
            let (hashes, changed) = all.split_at(proof.hashes().len());
            let broken = RangeProof::from_hashes(hashes.to_vec()).unwrap();
            prop_assert_eq!(
                broken.verify(from as u64, changed, size as u64, &model::root(&leaves)),
                Err(ProofError::OtherRoot)
            );
        }
    }
}
