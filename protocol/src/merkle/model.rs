//! The definitions of RFC 9162, section 2.1, word for word and slow: what the real ones are compared with.

use std::collections::BTreeMap;

use super::{EMPTY_ROOT, Frontier, Hash, NodePos, leaf_hash, node_hash};

/// The hashes of `count` different leaves.
pub(super) fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|index| leaf_hash(&index.to_be_bytes())).collect()
}

/// The hashes of `size` leaves and all perfect subtrees over them.
pub(super) fn tree(size: usize) -> (Vec<Hash>, BTreeMap<NodePos, Hash>) {
    let leaves = leaves(size);
    let mut frontier = Frontier::new();
    let nodes = leaves.iter().flat_map(|leaf| frontier.append(*leaf).unwrap()).collect();
    (leaves, nodes)
}

/// `MTH(D_n)`
pub(super) fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => EMPTY_ROOT,
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves));
            node_hash(&root(left), &root(right))
        }
    }
}

/// `PATH(m, D_n)`
pub(super) fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return vec![];
    }
    let middle = split(leaves);
    let (left, right) = leaves.split_at(middle);
    if index < middle {
        [path(index, left), vec![root(right)]].concat()
    } else {
        [path(index - middle, right), vec![root(left)]].concat()
    }
}

/// `PROOF(m, D_n)`
pub(super) fn consistency(old: usize, leaves: &[Hash]) -> Vec<Hash> {
    subproof(old, leaves, true)
}

fn subproof(old: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if whole { vec![] } else { vec![root(leaves)] };
    }
    let middle = split(leaves);
    let (left, right) = leaves.split_at(middle);
    if old <= middle {
        [subproof(old, left, whole), vec![root(right)]].concat()
    } else {
        [subproof(old - middle, right, false), vec![root(left)]].concat()
    }
}

fn split(leaves: &[Hash]) -> usize {
    let mut power = 1;
    while power * 2 < leaves.len() {
        power *= 2;
    }
    power
}
