//! Vectors of heads: alone, under a roster, and against the head that is held.

use peerfeed_protocol::bencode::{Dict, Value};
use peerfeed_protocol::crypto::DeviceKey;
use peerfeed_protocol::feed::{
    Device, Head, HeadDecision, HeadError, HeadRefusal, LogEnd, Roster, RosterContent, UnverifiedHead,
};
use peerfeed_protocol::merkle::{Frontier, Hash, NodePos, consistency_proof, leaf_hash};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

use super::Kind;
use super::actors::{device, device_box, feed, fields, flipped, identity, log, other_device, roster, signed_by};
use super::records::{given_feed, refusal};
use crate::vector::{Given, Outcome, Story, hex, word};

/// A head by itself: its device may be anybody, so that it is taken to be the only one of the roster.
pub(super) fn head(given: &Given<'_>) -> Outcome {
    let head = UnverifiedHead::decode(&given.bytes("record")).map_err(|error| refusal(&error))?;
    let device = Device::new(head.log().device, device_box().public());
    let roster = RosterContent::first(device).sign(&identity()).expect("a small roster");
    verified(head, given, &roster)
}

pub(super) fn head_in_roster(given: &Given<'_>) -> Outcome {
    let head = UnverifiedHead::decode(&given.bytes("record")).map_err(|error| refusal(&error))?;
    verified(head, given, &given_roster(given))
}

pub(super) fn next_head(given: &Given<'_>) -> Outcome {
    let feed = given_feed(given);
    let held = Head::from_stored(&feed, &given.bytes("held")).expect("what is held was accepted before");
    let received = UnverifiedHead::decode(&given.bytes("record")).map_err(|error| refusal(&error))?;
    let proof = given.optional("proof").map(|_| {
        let hashes = given.byte_list("proof").into_iter();
        hashes.map(|hash| Hash::from_slice(&hash).expect("a hash has 32 bytes")).collect::<Vec<_>>()
    });
    match HeadDecision::judge(&feed, &given_roster(given), Some(&held), received, proof.as_deref()) {
        HeadDecision::Refused(HeadRefusal::Head(error)) => Err(head_refusal(&error)),
        HeadDecision::Refused(HeadRefusal::Proof(error)) => Err(word(&error)),
        HeadDecision::Refused(error) => Err(word(&error)),
        HeadDecision::Fork(evidence) => {
            assert!(evidence.holds(), "evidence convinces others too");
            Ok(json!({ "decision": "fork" }))
        }
        decision => Ok(json!({ "decision": word(&decision) })),
    }
}

fn verified(head: UnverifiedHead, given: &Given<'_>, roster: &Roster) -> Outcome {
    let head = head.verify(&given_feed(given), roster).map_err(|error| head_refusal(&error))?;
    Ok(json!({ "log": hex(head.log().to_bytes()), "size": head.size(), "root": hex(head.root()) }))
}

fn given_roster(given: &Given<'_>) -> Roster {
    Roster::decode(&given_feed(given), &given.bytes("roster")).expect("the roster in force was accepted before")
}

fn head_refusal(error: &HeadError) -> String {
    match error {
        HeadError::Record(error) => refusal(error),
        error => word(error),
    }
}

/// A log's tree, for its roots and proofs.
pub(super) struct Tree {
    frontier: Frontier,
    nodes: BTreeMap<NodePos, Hash>,
    roots: Vec<Hash>,
}

impl Tree {
    /// The tree whose leaves are these bytes.
    pub(super) fn of(leaves: &[&[u8]]) -> Self {
        let mut tree = Self { frontier: Frontier::new(), nodes: BTreeMap::new(), roots: Vec::new() };
        for leaf in leaves {
            tree.nodes.extend(tree.frontier.append(leaf_hash(leaf)).expect("a small tree"));
            tree.roots.push(tree.frontier.root());
        }
        tree
    }

    pub(super) fn head(&self, size: u64) -> Head {
        let root = self.roots[usize::try_from(size).unwrap() - 1];
        Head::sign(&feed(), &log(), size, &root, &device())
    }

    pub(super) fn proof(&self, old: u64, new: u64) -> Vec<Hash> {
        consistency_proof(&self.nodes, old, new).expect("all nodes are there")
    }
}

fn given(record: impl AsRef<[u8]>) -> Json {
    json!({ "feed": hex(feed()), "record": hex(record) })
}

fn under(roster: &Roster, record: impl AsRef<[u8]>) -> Json {
    json!({ "feed": hex(feed()), "roster": hex(roster.bytes()), "record": hex(record) })
}

pub(super) fn stories() -> Vec<Story> {
    [alone(), under_a_roster(), against_the_held()].into_iter().flatten().collect()
}

fn alone() -> Vec<Story> {
    let kind = Kind { kind: "head", spec: &["LOG-1", "LOG-2"] };
    let tree = Tree::of(&[b"one", b"two", b"three"]);
    let good = tree.head(3);
    let with = |key: &'static [u8], value: Value<'static>| {
        given(signed_by(&device(), "head", &fields(good.bytes()).with(key, value)))
    };
    vec![
        kind.accepted("a-head", "Three entries under one signature.", given(good.bytes())),
        kind.accepted("a-head-with-a-key-of-a-later-version", "The unknown key is kept.", with(b"z", Value::from(1))),
        kind.refused("a-head-of-an-empty-log", "There is nothing to sign.", with(b"n", Value::from(0))),
        kind.refused("a-head-with-one-bit-flipped", "The signature notices it.", given(flipped(good.bytes(), 150))),
        kind.refused(
            "a-head-signed-by-another-device",
            "A device signs its own logs only.",
            given(signed_by(&other_device(), "head", &fields(good.bytes()))),
        ),
        kind.refused(
            "a-head-too-long",
            "513 bytes: refused before anything is parsed.",
            with(b"zz", Value::from(vec![b'z'; 513 - good.bytes().len() - 8])),
        ),
        kind.refused(
            "a-head-of-another-feed",
            "The feed id is part of what is signed.",
            json!({ "feed": hex(peerfeed_protocol::crypto::IdentityKey::from_seed(&[99; 32]).feed_id()), "record": hex(good.bytes()) }),
        ),
        kind.refused(
            "a-head-of-no-proper-device",
            "The log's device key has small order.",
            with(b"l", Value::from([0; 40])),
        ),
    ]
}

fn under_a_roster() -> Vec<Story> {
    let kind = Kind { kind: "head-in-roster", spec: &["LOG-3", "FEED-10"] };
    let tree = Tree::of(&[b"one", b"two", b"three", b"four"]);
    let ended = |ends: Vec<LogEnd>| {
        let mut revoked = Device::new(device().id(), device_box().public());
        revoked.ends = Some(ends);
        RosterContent::first(revoked).sign(&identity()).expect("a small roster")
    };
    let end = LogEnd { incarnation: log().incarnation, size: 3, root: *tree.head(3).root() };
    let other_root = LogEnd { root: Hash::new([1; 32]), ..end };
    let stranger = |device: &DeviceKey| {
        let device = Device::new(device.id(), device_box().public());
        RosterContent::first(device).sign(&identity()).expect("a small roster")
    };
    vec![
        kind.accepted("a-head-of-a-listed-device", "The device may write.", under(&roster(), tree.head(4).bytes())),
        kind.accepted(
            "a-head-at-the-end-of-a-revoked-device",
            "Up to here it counts.",
            under(&ended(vec![end]), tree.head(3).bytes()),
        ),
        kind.accepted(
            "a-head-before-the-end-of-a-revoked-device",
            "So does what is before.",
            under(&ended(vec![end]), tree.head(2).bytes()),
        ),
        kind.refused(
            "a-head-beyond-the-end-of-a-revoked-device",
            "A thief cannot go on.",
            under(&ended(vec![end]), tree.head(4).bytes()),
        ),
        kind.refused(
            "another-end-of-a-revoked-device",
            "Nor can he rewrite the last state.",
            under(&ended(vec![other_root]), tree.head(3).bytes()),
        ),
        kind.refused(
            "an-unlisted-log-of-a-revoked-device",
            "A log that is not listed ends at 0.",
            under(&ended(Vec::new()), tree.head(1).bytes()),
        ),
        kind.refused(
            "a-head-of-a-device-that-is-not-listed",
            "Anybody can sign something.",
            under(&stranger(&other_device()), tree.head(1).bytes()),
        ),
    ]
}

fn against_the_held() -> Vec<Story> {
    let kind = Kind { kind: "next-head", spec: &["LOG-5", "LOG-6"] };
    let trunk = Tree::of(&[b"one", b"two", b"three", b"four", b"five"]);
    let branch = Tree::of(&[b"one", b"two", b"THREE", b"four", b"five"]);
    let next = |held: &Head, record: &Head, proof: Option<Vec<Hash>>| {
        let mut given = under(&roster(), record.bytes());
        given["held"] = json!(hex(held.bytes()));
        if let Some(proof) = proof {
            given["proof"] = json!(proof.iter().map(hex).collect::<Vec<_>>());
        }
        given
    };
    let forged = signed_by(&other_device(), "head", &fields(trunk.head(5).bytes()));
    let (three, five) = (trunk.head(3), trunk.head(5));
    vec![
        kind.accepted(
            "a-head-that-continues-the-log",
            "Its proof leads from the held root to the new one.",
            next(&three, &five, Some(trunk.proof(3, 5))),
        ),
        kind.accepted("a-head-that-is-held", "Nothing new.", next(&three, &three, None)),
        kind.accepted(
            "a-replayed-older-head",
            "Ignored: whoever sent it may just be behind.",
            next(&five, &three, None),
        ),
        kind.accepted(
            "two-heads-of-one-size",
            "Two roots at one size: the log was forked.",
            next(&three, &branch.head(3), None),
        ),
        kind.accepted(
            "a-head-of-another-branch",
            "The proof fits the new root and shows another past: the log was forked.",
            next(&three, &branch.head(5), Some(branch.proof(3, 5))),
        ),
        kind.refused("a-larger-head-without-proof", "It may continue the log or not.", next(&three, &five, None)),
        kind.refused(
            "a-larger-head-with-a-made-up-proof",
            "A wrong proof is no evidence against the log.",
            next(&three, &five, Some(vec![Hash::new([1; 32]); trunk.proof(3, 5).len()])),
        ),
        kind.refused(
            "a-larger-head-with-a-proof-too-short",
            "It cannot be one.",
            next(&three, &five, Some(Vec::new())),
        ),
        kind.refused("a-forged-larger-head", "Signed by another device.", {
            let mut given = next(&three, &five, Some(trunk.proof(3, 5)));
            given["record"] = json!(hex(forged));
            given
        }),
    ]
}

#[test]
fn evidence_of_a_fork_holds_only_if_both_heads_are_of_one_log() {
    let tree = Tree::of(&[b"one", b"two", b"three"]);
    let branch = Tree::of(&[b"one", b"two", b"THREE"]);
    let evidence =
        |held: Head, received: Head| peerfeed_protocol::feed::ForkEvidence { held, received, proof: Vec::new() };
    assert!(evidence(tree.head(3), branch.head(3)).holds());
    assert!(!evidence(tree.head(2), branch.head(2)).holds(), "both branches begin alike");
    assert!(!evidence(tree.head(2), branch.head(3)).holds(), "nothing shows that the larger is another branch");
    let mut other = log();
    other.incarnation = peerfeed_protocol::ids::Incarnation::new([9; 8]);
    let elsewhere = Head::sign(&feed(), &other, 3, branch.head(3).root(), &device());
    assert!(!evidence(tree.head(3), elsewhere).holds());
}

/// The dictionary of a head holds what the chapter says and nothing else.
#[test]
fn a_head_holds_log_size_root_and_version() {
    let head = Tree::of(&[b"one"]).head(1);
    let due = Dict::new().with(b"l", log()).with(b"n", 1).with(b"r", *head.root()).with(b"v", 1);
    assert_eq!(fields(head.bytes()), due);
    assert!(head.bytes().len() < 200, "about 190 bytes");
}
