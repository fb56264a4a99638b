//! The perfect subtrees of a tree: their names, and a store of them.

use std::collections::BTreeMap;

use super::{EMPTY_ROOT, Hash, node_hash};
use crate::limits::TREE_SIZE_MAX;

/// A perfect subtree: the leaves from `index · 2^level` to `(index + 1) · 2^level`. spec: TREE-3
///
/// It has the same hash in every tree that is large enough to contain it, so nodes that were once learnt stay valid
/// while a log grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodePos {
    /// 0 for a leaf.
    pub level: u8,
    /// Counted from the left, from 0.
    pub index: u64,
}

impl NodePos {
    /// The leaf with this index.
    pub const fn leaf(index: u64) -> Self {
        Self { level: 0, index }
    }

    /// The subtree that this one is a half of.
    #[must_use]
    pub const fn parent(self) -> Self {
        Self { level: self.level + 1, index: self.index / 2 }
    }

    /// Whether this is the right half of its parent.
    pub const fn is_right(self) -> bool {
        self.index % 2 == 1
    }
}

/// A store of perfect subtrees.
pub trait Nodes {
    /// The hash at `pos`; none if it is not held.
    fn node(&self, pos: NodePos) -> Option<Hash>;
}

impl<N: Nodes + ?Sized> Nodes for &N {
    fn node(&self, pos: NodePos) -> Option<Hash> {
        (**self).node(pos)
    }
}

/// Nodes kept in memory.
impl Nodes for BTreeMap<NodePos, Hash> {
    fn node(&self, pos: NodePos) -> Option<Hash> {
        self.get(&pos).copied()
    }
}

/// The fewest perfect subtrees that make up the leaves `[from, to)`, from left to right: the compact range. spec: TREE-4
///
/// At most one per level when `from` is 0, at most two per level otherwise.
pub fn covering(from: u64, to: u64) -> Vec<NodePos> {
    let mut cover = Vec::new();
    let mut at = from;
    while at < to {
        // The largest subtree that starts here and does not reach over the end.
        let level = at.trailing_zeros().min((to - at).ilog2());
        cover.push(NodePos { level: u8::try_from(level).expect("a level is below 64"), index: at >> level });
        at += 1 << level;
    }
    cover
}

/// The root of the tree of the first `size` leaves; none if a node is missing or no tree has this size.
pub fn root_from_nodes(nodes: &impl Nodes, size: u64) -> Option<Hash> {
    if size > TREE_SIZE_MAX {
        return None;
    }
    if size == 0 { Some(EMPTY_ROOT) } else { subtree_hash(nodes, 0, size) }
}

/// The hash of the RFC 9162 subtree over the leaves `[from, to)`, which must be one: `from < to`, and `from` a multiple of
/// the largest power of two below `to - from`. None if a node is missing.
pub(super) fn subtree_hash(nodes: &impl Nodes, from: u64, to: u64) -> Option<Hash> {
    let hashes: Option<Vec<Hash>> = covering(from, to).into_iter().map(|pos| nodes.node(pos)).collect();
    fold_right(&hashes?)
}

/// Joins the perfect subtrees of a ragged tree, given from left to right, to its root; none if there are none.
pub(super) fn fold_right(peaks: &[Hash]) -> Option<Hash> {
    peaks.iter().rev().copied().reduce(|right, left| node_hash(&left, &right))
}

/// The size of the left half of a tree: the largest power of two below `size`, which is at least 2. spec: TREE-1
pub(super) fn split_point(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_covered_by_the_fewest_subtrees() {
        let pos = |level, index| NodePos { level, index };
        assert_eq!(covering(0, 7), [pos(2, 0), pos(1, 2), pos(0, 6)]);
        assert_eq!(covering(3, 8), [pos(0, 3), pos(2, 1)]);
        assert_eq!(covering(5, 13), [pos(0, 5), pos(1, 3), pos(2, 2), pos(0, 12)]);
        assert_eq!(covering(4, 4), []);
    }

    #[test]
    fn the_largest_tree_is_covered_without_overflow() {
        assert_eq!(covering(0, TREE_SIZE_MAX).len(), 63);
        assert_eq!(covering(1, TREE_SIZE_MAX).len(), 124);
        assert_eq!(covering(0, u64::MAX).len(), 64);
    }

    #[test]
    fn a_missing_node_gives_no_root() {
        let nodes: BTreeMap<_, _> = [(NodePos::leaf(0), Hash::new([1; 32]))].into();
        assert_eq!(root_from_nodes(&nodes, 1), Some(Hash::new([1; 32])));
        assert_eq!(root_from_nodes(&nodes, 2), None);
        assert_eq!(root_from_nodes(&nodes, 0), Some(EMPTY_ROOT));
        assert_eq!(root_from_nodes(&nodes, u64::MAX), None);
    }
}
