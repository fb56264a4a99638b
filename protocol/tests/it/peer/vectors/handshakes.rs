//! Hints and handshakes.

use peerfeed_protocol::crypto::{Entropy, FeedKeys};
use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::peer::hint::HintKey;
use serde_json::{Value as Json, json};

use super::super::DAY;
use super::super::sample::SampleLog;
use crate::vector::{Story, hex};

/// Secrets of the two machines of these tests: a machine's ephemeral key is the first output of its seed.
pub(super) fn transcript_given(feed: &FeedId) -> Json {
    json!({
        "feed": hex(feed), "day": DAY, "payload": hex(b"\0\0\0\x03\x01de"),
        "initiator_node": hex([11; 32]), "initiator_ephemeral": hex(Entropy::from_seed([21; 32]).bytes::<32>()),
        "responder_node": hex([12; 32]), "responder_ephemeral": hex(Entropy::from_seed([22; 32]).bytes::<32>()),
    })
}

pub(super) fn handshake_stories() -> Vec<Story> {
    let feed = SampleLog::new(0).feed;
    let ephemeral = [7; 32];
    let hint = hex(HintKey::new(&FeedKeys::new(&feed)).hint(DAY, &ephemeral));
    let hinted = |name, story, day: u64, hint: &str, accepted| Story {
        name,
        story,
        kind: "peer-hint",
        spec: &["PEER-11", "PEER-12"],
        given: json!({ "feed": hex(feed), "day": day, "ephemeral": hex(ephemeral), "hint": hint }),
        accepted,
    };
    let flipped = format!("{:02x}{}", u8::from_str_radix(&hint[..2], 16).unwrap() ^ 1, &hint[2..]);
    let mut stories = vec![
        hinted("hint-of-today", "The hint of the responder's own day fits.", DAY, &hint, true),
        hinted("hint-of-yesterday", "The initiator's clock may be a day behind.", DAY + 1, &hint, true),
        hinted("hint-of-tomorrow", "The initiator's clock may be a day ahead.", DAY - 1, &hint, true),
        hinted(
            "hint-two-days-old",
            "A hint of two days ago no longer fits: no byte is answered.",
            DAY + 2,
            &hint,
            false,
        ),
        hinted("hint-with-a-bit-flipped", "A hint that fits no feed gets no byte in answer.", DAY, &flipped, false),
    ];
    let mut transcript = |name, story, changed: Option<(u64, u64)>| {
        let mut given = transcript_given(&feed);
        if let Some((flight, byte)) = changed {
            given["changed_flight"] = json!(flight);
            given["changed_byte"] = json!(byte);
        }
        let spec: &[&str] = if changed.is_none() {
            &["PEER-10", "PEER-11", "PEER-20", "PEER-34", "PEER-35"]
        } else {
            &["PEER-10", "PEER-13"]
        };
        stories.push(Story { name, story, kind: "peer-handshake", spec, given, accepted: changed.is_none() });
    };
    transcript(
        "handshake-transcript",
        "A whole handshake with fixed keys, the channel proofs that follow from it, and the first record of each side: a hello without keys.",
        None,
    );
    transcript(
        "handshake-first-message-changed",
        "A bit of the ephemeral key is flipped: nothing is answered.",
        Some((1, 20)),
    );
    transcript(
        "handshake-second-message-changed",
        "A bit of the responder's sealed static key is flipped.",
        Some((2, 40)),
    );
    transcript("handshake-third-message-changed", "A bit of the last authentication tag is flipped.", Some((3, 63)));
    stories
}
