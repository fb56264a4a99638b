//! Records, and the change to another cipher between them.

use serde_json::json;

use super::super::puppet::{CHANGE, Direction};
use crate::vector::{Story, hex};

const KEY: [u8; 32] = [9; 32];

/// What a direction does next.
enum Step {
    Record(u8, &'static [u8]),
    Change,
}

fn records(steps: &[Step]) -> Vec<u8> {
    let mut direction = Direction::new(KEY);
    let mut bytes = Vec::new();
    for step in steps {
        match step {
            Step::Record(lane, payload) => bytes.extend(direction.record(*lane, payload)),
            Step::Change => direction.change(),
        }
    }
    bytes
}

pub(super) fn stories() -> Vec<Story> {
    use Step::{Change, Record};
    let story = |name, story, records: &[u8], accepted| Story {
        name,
        story,
        kind: "peer-records",
        spec: if accepted { &["PEER-20", "PEER-25"] } else { &["PEER-25"] },
        given: json!({ "key": hex(KEY), "records": hex(records) }),
        accepted,
    };
    let changed_twice = records(&[
        Record(0, b"ChaCha20-Poly1305"),
        Record(CHANGE, &[1]),
        Change,
        Record(1, b"AES-256-GCM"),
        Record(0, b"both lanes"),
        Record(CHANGE, &[1]),
        Change,
        Record(1, b"under the next key"),
    ]);
    let mut flipped = changed_twice.clone();
    *flipped.last_mut().expect("there are records") ^= 1;
    vec![
        story(
            "cipher-changed-twice",
            "A direction that changes to AES-256-GCM, and later to the next key.",
            &changed_twice,
            true,
        ),
        story(
            "cipher-changed-and-a-bit-flipped",
            "The last tag under the second key of AES is changed.",
            &flipped,
            false,
        ),
        story(
            "cipher-changed-in-words-only",
            "What follows the change is still sealed as before.",
            &records(&[Record(CHANGE, &[1]), Record(1, b"as before")]),
            false,
        ),
        story("cipher-changed-to-another", "There is no cipher 2.", &records(&[Record(CHANGE, &[2])]), false),
    ]
}
