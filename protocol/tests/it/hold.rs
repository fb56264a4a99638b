//! Vectors of codes by which a seeder takes in a feed.

use peerfeed_protocol::crypto::{HoldKey, IdentityKey, Signature, WitnessSecret, verify};
use peerfeed_protocol::hold::HoldCode;
use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::peer::Role;
use serde_json::{Value as Json, json};

use crate::vector::{self, Given, Outcome, Story, hex, word};

const EXPIRY: u64 = 1_800_000_000;
const SECRET: [u8; 16] = [7; 16];

#[test]
fn codes_are_what_the_vectors_say() {
    vector::bless("hold", &[codes(), wishes()].concat(), run);
    vector::check("hold", run);
}

fn run(given: &Given<'_>) -> Outcome {
    match given.kind {
        "hold-code" => code(given),
        "hold-wish" => wish(given),
        other => panic!("no vector of kind {other} belongs here"),
    }
}

fn code(given: &Given<'_>) -> Outcome {
    let code: HoldCode = given.text("text").parse().map_err(|error| word(&error))?;
    assert_eq!(code.to_string(), given.text("text").to_ascii_lowercase());
    Ok(json!({ "witness": hex(code.witness), "expiry": code.expiry_s, "id": hex(code.key().id()) }))
}

/// As a seeder checks it: the code's id and the handshake are those of the connection.
fn wish(given: &Given<'_>) -> Outcome {
    let id = FeedId::from_bytes(given.array("id")).expect("the id of a code");
    let feed = FeedId::from_bytes(given.array("feed")).map_err(|error| word(&error))?;
    let signed = [&given.bytes("handshake_hash")[..], &[u8::try_from(given.uint("role")).unwrap()]].concat();
    verify(&id, "hold", &feed, &signed, &Signature::new(given.array("signature"))).map_err(|error| word(&error))?;
    Ok(json!({}))
}

fn witness() -> WitnessSecret {
    WitnessSecret::from_seed(&[21; 32])
}

fn feed(seed: u8) -> FeedId {
    IdentityKey::from_seed(&[seed; 32]).feed_id()
}

fn story(name: &'static str, story: &'static str, given: Json, accepted: bool) -> Story {
    Story { name, story, kind: "hold-code", spec: &["HOLD-1", "HOLD-2"], given, accepted }
}

fn bech32m(prefix: &str, bytes: &[u8]) -> String {
    bech32::encode::<bech32::Bech32m>(bech32::Hrp::parse(prefix).unwrap(), bytes).unwrap()
}

fn codes() -> Vec<Story> {
    let text = HoldCode::new(witness().key(), EXPIRY, SECRET).to_string();
    let bytes = [&witness().key().as_bytes()[..], &EXPIRY.to_be_bytes(), &SECRET].concat();
    let given = |text: &str| json!({ "text": text });
    let mut mistyped = text.clone().into_bytes();
    mistyped[20] = if mistyped[20] == b'q' { b'p' } else { b'q' };
    let mut weak = bytes.clone();
    weak[..32].copy_from_slice(&[0; 32]);
    vec![
        story("a-code", "The part of a code behind the address.", given(&text), true),
        story("a-code-in-capitals", "As codes for cameras write it.", given(&text.to_ascii_uppercase()), true),
        story("a-mistyped-code", "One character is another.", given(std::str::from_utf8(&mistyped).unwrap()), false),
        story("a-code-cut-short", "The last five characters are missing.", given(&text[..text.len() - 5]), false),
        story("a-code-of-55-bytes", "Well typed, but a byte too short.", given(&bech32m("hold", &bytes[..55])), false),
        story("a-code-of-57-bytes", "With a byte more.", given(&bech32m("hold", &[&bytes[..], &[0]].concat())), false),
        story("a-code-of-a-key-alone", "What a seeder prints: no code.", given(&bech32m("wit", &bytes[..32])), false),
        story(
            "a-code-with-no-proper-key",
            "The seeder's key is of small order.",
            given(&bech32m("hold", &weak)),
            false,
        ),
    ]
}

fn wishes() -> Vec<Story> {
    let (key, hash) = (HoldKey::from_secret(&SECRET), [3; 32]);
    let asker = Role::Initiator.byte();
    let sign = |feed: &FeedId, role: u8| key.sign(feed, &[&hash[..], &[role]].concat()).to_bytes();
    let given = |feed: [u8; 32], role: u8, signature: [u8; 64]| {
        json!({
            "id": hex(key.id()), "feed": hex(feed), "handshake_hash": hex(hash), "role": role, "signature": hex(signature),
        })
    };
    let story = |name, story, given, accepted| Story {
        name,
        story,
        kind: "hold-wish",
        spec: &["HOLD-2", "HOLD-4"],
        given,
        accepted,
    };
    let good = sign(&feed(31), asker);
    let mut later = given(feed(31).to_bytes(), asker, good);
    later["handshake_hash"] = json!(hex([4; 32]));
    let other = HoldKey::from_secret(&[8; 16]).sign(&feed(31), &[&hash[..], &[asker]].concat()).to_bytes();
    let mut no_feed = [0; 32];
    no_feed[0] = 1;
    vec![
        story("a-wish", "Who has the code asks for a feed to be held.", given(feed(31).to_bytes(), asker, good), true),
        story(
            "a-wish-for-another-feed",
            "The signature names another one.",
            given(feed(32).to_bytes(), asker, good),
            false,
        ),
        story("a-wish-sent-back", "The role is that of who is asked.", given(feed(31).to_bytes(), 1, good), false),
        story("a-wish-on-another-connection", "Replayed under another handshake.", later, false),
        story(
            "a-wish-by-another-code",
            "Signed by a key of another secret.",
            given(feed(31).to_bytes(), asker, other),
            false,
        ),
        story("a-wish-for-no-feed", "The feed id is the identity element.", given(no_feed, asker, good), false),
    ]
}
