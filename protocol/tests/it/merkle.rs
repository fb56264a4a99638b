//! Vectors of the tree chapter: the published ones of Certificate Transparency, and own ones for ranges.

use std::collections::BTreeMap;

use peerfeed_protocol::merkle::{
    Frontier, Hash, NodePos, RangeProof, consistency_proof, inclusion_proof, leaf_hash, range_proof, root_from_nodes,
    verify_consistency, verify_inclusion,
};
use serde_json::{Value as Json, json};

use crate::vector::{self, Given, Outcome, Story, hex, unhex, word};

#[test]
fn trees_and_proofs_are_what_the_vectors_say() {
    vector::bless("merkle", &stories(), run);
    vector::check("merkle", run);
}

/// The eight leaves with which RFC 6962 logs are tested everywhere (certificate-transparency, `merkle_tree_test`).
const LEAVES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];

/// Their published roots, for 0 to 8 leaves.
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

/// Published inclusion proofs: leaf, size, hashes.
const INCLUSION: [(u64, u64, &[&str]); 5] = [
    (0, 1, &[]),
    (
        0,
        8,
        &[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        5,
        8,
        &[
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (2, 3, &["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        1,
        5,
        &[
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
];

/// Published consistency proofs: old size, new size, hashes.
const CONSISTENCY: [(u64, u64, &[&str]); 5] = [
    (1, 1, &[]),
    (
        1,
        8,
        &[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        &[
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        &[
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
    (
        6,
        7,
        &[
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
];

type NodeMap = BTreeMap<NodePos, Hash>;

#[test]
fn the_published_roots_come_of_the_published_leaves() {
    let (nodes, _) = published();
    for (size, root) in (0..).zip(ROOTS) {
        assert_eq!(root_from_nodes(&nodes, size).map(hex).as_deref(), Some(root), "{size} leaves");
    }
}

#[test]
fn the_published_proofs_are_made_and_verified() {
    let (nodes, leaves) = published();
    for (index, size, due) in INCLUSION {
        let proof = inclusion_proof(&nodes, index, size).unwrap();
        assert_eq!(hexes(&proof), due, "leaf {index} of {size}");
        let leaf = &leaves[usize::try_from(index).unwrap()];
        assert_eq!(verify_inclusion(index, size, leaf, &root(size), &proof), Ok(()));
    }
    for (old, new, due) in CONSISTENCY {
        let proof = consistency_proof(&nodes, old, new).unwrap();
        assert_eq!(hexes(&proof), due, "{old} to {new}");
        assert_eq!(verify_consistency(old, &root(old), new, &root(new), &proof), Ok(()));
    }
}

fn published() -> (NodeMap, Vec<Hash>) {
    let leaves: Vec<Hash> = LEAVES.iter().map(|leaf| leaf_hash(&unhex(leaf))).collect();
    (nodes_over(&leaves), leaves)
}

fn nodes_over(leaves: &[Hash]) -> NodeMap {
    let mut frontier = Frontier::new();
    leaves.iter().flat_map(|leaf| frontier.append(*leaf).unwrap()).collect()
}

fn root(size: u64) -> Hash {
    hash(&unhex(ROOTS[usize::try_from(size).unwrap()]))
}

fn hash(bytes: &[u8]) -> Hash {
    Hash::from_slice(bytes).expect("a hash has 32 bytes")
}

fn hexes(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(hex).collect()
}

fn run(given: &Given<'_>) -> Outcome {
    let hashes = |name| given.byte_list(name).iter().map(|bytes| hash(bytes)).collect::<Vec<_>>();
    let outcome = match given.kind {
        "tree" => {
            let leaves: Vec<Hash> = given.byte_list("leaves").iter().map(|leaf| leaf_hash(leaf)).collect();
            let mut frontier = Frontier::new();
            for leaf in &leaves {
                frontier.append(*leaf).unwrap();
            }
            Ok(json!({ "root": hex(frontier.root()), "size": leaves.len() }))
        }
        "inclusion" => verify_inclusion(
            given.uint("index"),
            given.uint("size"),
            &hash(&given.bytes("leaf_hash")),
            &hash(&given.bytes("root")),
            &hashes("proof"),
        )
        .map(|()| json!({})),
        "consistency" => verify_consistency(
            given.uint("old_size"),
            &hash(&given.bytes("old_root")),
            given.uint("size"),
            &hash(&given.bytes("root")),
            &hashes("proof"),
        )
        .map(|()| json!({})),
        "range" => RangeProof::from_hashes(hashes("proof"))
            .and_then(|proof| {
                let (leaves, root) = (hashes("leaf_hashes"), hash(&given.bytes("root")));
                proof.verify(given.uint("from"), &leaves, given.uint("size"), &root)
            })
            .map(|learnt| {
                let nodes: Vec<Json> =
                    learnt.iter().map(|(pos, hash)| json!([pos.level, pos.index, hex(hash)])).collect();
                json!({ "nodes": nodes })
            }),
        other => panic!("no vector of kind {other} belongs here"),
    };
    outcome.map_err(|error| word(&error))
}

fn stories() -> Vec<Story> {
    let mut stories = Vec::new();
    let (_, leaves) = published();
    let tree = |name, story, count: usize| Story {
        name,
        story,
        kind: "tree",
        spec: &["TREE-1"],
        given: json!({ "leaves": LEAVES[..count] }),
        accepted: true,
    };
    stories.push(tree("the-empty-tree", "The root of no leaves is SHA-256 of nothing.", 0));
    stories.push(tree("one-leaf", "The root of one leaf is the leaf's hash.", 1));
    stories.push(tree("seven-leaves", "A ragged tree: published for Certificate Transparency.", 7));
    stories.push(tree("eight-leaves", "A full tree: published for Certificate Transparency.", 8));

    let inclusion = |name, story, index: u64, size: u64, leaf: Hash, proof: &[&str], accepted| Story {
        name,
        story,
        kind: "inclusion",
        spec: &["TREE-6"],
        given: json!({
            "index": index, "size": size, "leaf_hash": hex(leaf), "root": hex(root(size.min(8))), "proof": proof
        }),
        accepted,
    };
    stories.push(inclusion("the-only-leaf", "It needs no hash.", 0, 1, leaves[0], INCLUSION[0].2, true));
    stories.push(inclusion("leaf-5-of-8", "A published inclusion proof.", 5, 8, leaves[5], INCLUSION[2].2, true));
    stories.push(inclusion("leaf-1-of-5", "A published one in a ragged tree.", 1, 5, leaves[1], INCLUSION[4].2, true));
    stories.push(inclusion(
        "another-leaf",
        "The proof of leaf 5 is no proof of leaf 4.",
        5,
        8,
        leaves[4],
        INCLUSION[2].2,
        false,
    ));
    stories.push(inclusion(
        "a-leaf-outside",
        "The tree has eight leaves: 0 to 7.",
        8,
        8,
        leaves[5],
        INCLUSION[2].2,
        false,
    ));
    stories.push(inclusion(
        "an-inclusion-hash-missing",
        "Two hashes where three are due.",
        5,
        8,
        leaves[5],
        &INCLUSION[2].2[1..],
        false,
    ));

    let consistency = |name, story, (old, new): (u64, u64), old_root: Hash, proof: &[&str], accepted| Story {
        name,
        story,
        kind: "consistency",
        spec: &["TREE-7"],
        given: json!({
            "old_size": old, "old_root": hex(old_root), "size": new, "root": hex(root(new)), "proof": proof
        }),
        accepted,
    };
    stories.push(consistency("from-1-to-8", "A published consistency proof.", (1, 8), root(1), CONSISTENCY[1].2, true));
    stories.push(consistency(
        "from-6-to-8",
        "A published one from a ragged tree.",
        (6, 8),
        root(6),
        CONSISTENCY[2].2,
        true,
    ));
    stories.push(consistency("from-nothing", "Every tree continues the empty one.", (0, 8), root(0), &[], true));
    stories.push(consistency("from-8-to-8", "A tree continues itself.", (8, 8), root(8), &[], true));
    stories.push(consistency(
        "a-rewritten-past",
        "The old root is that of other leaves.",
        (6, 8),
        root(5),
        CONSISTENCY[2].2,
        false,
    ));
    stories.push(consistency(
        "backwards",
        "A tree does not continue a larger one.",
        (8, 6),
        root(8),
        CONSISTENCY[2].2,
        false,
    ));
    stories.push(consistency(
        "a-consistency-hash-too-many",
        "Four hashes where three are due.",
        (6, 8),
        root(6),
        &[CONSISTENCY[2].2, &[ROOTS[1]]].concat(),
        false,
    ));
    stories.extend(ranges());
    stories
}

/// Ranges of a tree of thirteen leaves, each the byte of its own number.
fn ranges() -> Vec<Story> {
    let leaves: Vec<Hash> = (0..13u8).map(|number| leaf_hash(&[number])).collect();
    let nodes = nodes_over(&leaves);
    let root = hex(root_from_nodes(&nodes, 13).unwrap());
    let given = |from: usize, to: usize| {
        let proof = range_proof(&nodes, from as u64, to as u64, 13).unwrap();
        json!({
            "from": from, "leaf_hashes": hexes(&leaves[from..to]), "size": 13, "root": root,
            "proof": hexes(proof.hashes())
        })
    };
    let range = |name, story, given, accepted| Story {
        name,
        story,
        kind: "range",
        spec: &["TREE-8", "TREE-9", "TREE-10"],
        given,
        accepted,
    };
    let changed = |change: &dyn Fn(&mut Json)| {
        let mut given = given(3, 7);
        change(&mut given);
        given
    };
    vec![
        range(
            "the-newest-three-of-thirteen",
            "Nothing is right of them, so only what is left is proven.",
            given(10, 13),
            true,
        ),
        range("the-middle-of-thirteen", "Perfect subtrees on either side, left to right.", given(3, 7), true),
        range("all-of-thirteen", "The leaves alone give the root.", given(0, 13), true),
        range(
            "an-empty-range",
            "No leaves: the proof is the tree's perfect subtrees on either side of a place.",
            given(5, 5),
            true,
        ),
        range(
            "a-leaf-changed",
            "One bit of one leaf hash is flipped.",
            changed(&|given| {
                given["leaf_hashes"][1] = json!(hex(leaf_hash(b"other")));
            }),
            false,
        ),
        range(
            "a-range-hash-changed",
            "One hash of the proof is another one.",
            changed(&|given| {
                given["proof"][0] = json!(hex(leaf_hash(b"other")));
            }),
            false,
        ),
        range(
            "a-range-hash-missing",
            "The last hash of the proof is left out.",
            changed(&|given| {
                given["proof"].as_array_mut().unwrap().pop();
            }),
            false,
        ),
        range(
            "a-range-shifted-by-one",
            "The same leaves and hashes, claimed one place further right.",
            changed(&|given| {
                given["from"] = json!(4);
            }),
            false,
        ),
        range(
            "a-range-beyond-the-end",
            "Leaves 12 to 15 of thirteen.",
            changed(&|given| {
                given["from"] = json!(12);
            }),
            false,
        ),
        range(
            "two-hashes-exchanged",
            "The order of a proof's hashes is part of it.",
            changed(&|given| {
                given["proof"].as_array_mut().unwrap().swap(0, 1);
            }),
            false,
        ),
    ]
}
