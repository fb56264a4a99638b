//! The right edge of a growing tree.

use super::node::fold_right;
use super::{EMPTY_ROOT, Hash, NodePos, Nodes, ProofError, covering, node_hash};
use crate::limits::TREE_SIZE_MAX;

/// All that is needed to append to a tree and to name its root: the compact range of all of its leaves. spec: TREE-5
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// Hashes of `covering(0, size)`, largest subtree first.
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// The tree of the first `size` leaves of a store; none if a node is missing or no tree has this size.
    pub fn from_nodes(nodes: &impl Nodes, size: u64) -> Option<Self> {
        if size > TREE_SIZE_MAX {
            return None;
        }
        let peaks = covering(0, size).into_iter().map(|pos| nodes.node(pos)).collect::<Option<_>>()?;
        Some(Self { size, peaks })
    }

    /// Leaves so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The tree's root.
    pub fn root(&self) -> Hash {
        fold_right(&self.peaks).unwrap_or(EMPTY_ROOT)
    }

    /// Appends a leaf by its hash and returns the perfect subtrees that came into being, the leaf's own first: what a store
    /// has to write. The only error is a tree that is full. spec: TREE-5
    pub fn append(&mut self, leaf: Hash) -> Result<Vec<(NodePos, Hash)>, ProofError> {
        if self.size >= TREE_SIZE_MAX {
            return Err(ProofError::TooLarge(self.size.saturating_add(1)));
        }
        let (mut pos, mut hash) = (NodePos::leaf(self.size), leaf);
        let mut new = vec![(pos, hash)];
        while pos.is_right() {
            let left = self.peaks.pop().expect("the left half of a right half is a peak");
            hash = node_hash(&left, &hash);
            pos = pos.parent();
            new.push((pos, hash));
        }
        self.peaks.push(hash);
        self.size += 1;
        Ok(new)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::merkle::{leaf_hash, model};

    #[test]
    fn the_root_is_that_of_the_recursive_definition_at_every_size() {
        let leaves = model::leaves(200);
        let mut frontier = Frontier::new();
        let mut nodes = BTreeMap::new();
        assert_eq!(frontier.root(), EMPTY_ROOT);
        for (before, leaf) in leaves.iter().enumerate() {
            nodes.extend(frontier.append(*leaf).unwrap());
            assert_eq!(frontier.root(), model::root(&leaves[..=before]));
            assert_eq!(Frontier::from_nodes(&nodes, frontier.size()).as_ref(), Some(&frontier));
        }
    }

    #[test]
    fn appending_yields_each_perfect_subtree_once() {
        let mut frontier = Frontier::new();
        let mut seen = Vec::new();
        for leaf in model::leaves(8) {
            seen.extend(frontier.append(leaf).unwrap().into_iter().map(|(pos, _)| pos));
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 15);
        assert!(seen.contains(&NodePos { level: 3, index: 0 }));
    }

    #[test]
    fn a_full_tree_takes_no_leaf() {
        let mut full = Frontier { size: TREE_SIZE_MAX, peaks: vec![leaf_hash(b""); 63] };
        assert_eq!(full.append(leaf_hash(b"x")), Err(ProofError::TooLarge(TREE_SIZE_MAX + 1)));
    }
}
