//! Vectors of manifest and roster.

use peerfeed_protocol::bencode::{Dict, Value};
use peerfeed_protocol::crypto::{DeviceKey, IdentityKey, OwnerKey, Phrase};
use peerfeed_protocol::feed::{
    Device, LogEnd, Manifest, RecordError, Records, RecordsDecision, Roster, successor_digest,
};
use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::limits::SUCCESSION_NUMBER_MIN;
use peerfeed_protocol::merkle::Hash;
use serde_json::{Value as Json, json};

use super::actors::{
    feed, fields, flipped, friend_box, identity, log, manifest_content, other_device, roster_content, signed,
};
use super::{Kind, actors};
use crate::vector::{Given, Outcome, Story, hex, unhex, word};

pub(super) fn manifest(given: &Given<'_>) -> Outcome {
    let record = Manifest::decode(&given_feed(given), &given.bytes("record")).map_err(|error| refusal(&error))?;
    let content = record.content();
    let seeders: Vec<Json> =
        content.seeders.iter().map(|seeder| json!({ "address": seeder.address, "key": hex(seeder.witness) })).collect();
    Ok(json!({
        "n": content.number, "roster_digest": hex(content.roster_digest), "successor": hex(content.successor_digest),
        "seeders": seeders, "trackers": content.trackers, "signer": hex(record.successor().map_or(&[][..], |key| key)),
    }))
}

pub(super) fn roster(given: &Given<'_>) -> Outcome {
    let record = Roster::decode(&given_feed(given), &given.bytes("record")).map_err(|error| refusal(&error))?;
    let devices: Vec<Json> = record
        .devices()
        .iter()
        .map(|device| json!({ "key": hex(device.id), "box": hex(device.box_key), "revoked": device.ends.is_some() }))
        .collect();
    let recovery = record.content().recovery.map(hex).unwrap_or_default();
    Ok(json!({
        "n": record.number(), "digest": hex(record.digest()), "devices": devices, "recovery": recovery,
        "signer": hex(record.successor().map_or(&[][..], |key| key)),
    }))
}

pub(super) fn pair(given: &Given<'_>) -> Outcome {
    let feed = given_feed(given);
    let held = given.optional("held").map(|held| {
        let record = |name: &str| unhex(held[name].as_str().expect("a record in hex"));
        Records::decode(&feed, &record("manifest"), &record("roster")).expect("what is held was accepted before")
    });
    let roster = given.optional("roster").map(|_| given.bytes("roster"));
    match Records::judge(&feed, held.as_ref(), Some(&given.bytes("manifest")), roster.as_deref()) {
        RecordsDecision::Refused(error) => Err(refusal(&error)),
        decision => Ok(json!({ "decision": word(&decision) })),
    }
}

/// The feed's successor, as its words would give it.
fn successor() -> OwnerKey {
    OwnerKey::Successor(Phrase::from_entropy(&[16; 32]).successor(), feed())
}

fn taken_back() -> (Manifest, Roster) {
    let mut roster = roster_content();
    (roster.number, roster.recovery) = (SUCCESSION_NUMBER_MIN, Some(friend_box().public()));
    let roster = roster.sign_as(&successor()).expect("a small roster");
    let mut content = manifest_content();
    content.number = SUCCESSION_NUMBER_MIN;
    (content.roster_digest, content.successor_digest) = (roster.digest(), committed());
    (content.sign_as(&successor()).expect("a small manifest"), roster)
}

fn committed() -> [u8; 32] {
    successor_digest(&successor().signer().expect("a successor names itself"))
}

pub(super) fn given_feed(given: &Given<'_>) -> FeedId {
    FeedId::from_bytes(given.array("feed")).expect("the vectors' feed id is a proper one")
}

/// The word for a refused record: of a field, what is wrong with it.
pub(super) fn refusal(error: &RecordError) -> String {
    match error {
        RecordError::Field(error) => word(&error.problem),
        RecordError::Bencode(error) => word(error),
        RecordError::Key(error) => word(error),
        error => word(error),
    }
}

pub(super) fn stories() -> Vec<Story> {
    [manifests(), rosters(), pairs()].into_iter().flatten().collect()
}

fn given(record: impl AsRef<[u8]>) -> Json {
    json!({ "feed": hex(feed()), "record": hex(record) })
}

fn manifests() -> Vec<Story> {
    let kind =
        Kind { kind: "manifest", spec: &["FEED-1", "FEED-2", "FEED-3", "FEED-4", "FEED-5", "FEED-6", "FEED-13"] };
    let good = actors::manifest();
    let with = |key: &'static [u8], value: Value<'static>| signed("manifest", &fields(good.bytes()).with(key, value));
    let mut largest = manifest_content();
    largest.unknown = Dict::new().with(b"zz", vec![0; 0]);
    let room = 900 - largest.sign(&identity()).expect("still small").bytes().len() - 2;
    largest.unknown = Dict::new().with(b"zz", vec![b'z'; room]);
    let seeder = fields(good.bytes()).list(b"s").expect("seeders")[0].clone();
    let spaced = Value::from(vec![Value::from("http://a b")]);
    let small_order = Dict::new().with(b"a", "h:1").with(b"k", [0; 32]);
    vec![
        kind.accepted("a-manifest", "One seeder, two trackers.", given(good.bytes())),
        kind.accepted(
            "a-manifest-with-a-key-of-a-later-version",
            "The unknown key is kept; what is known is read.",
            given(with(b"q", Value::from("later"))),
        ),
        kind.accepted(
            "the-largest-manifest",
            "Exactly 900 bytes with its signature.",
            given(largest.sign(&identity()).expect("900 bytes").bytes()),
        ),
        kind.refused(
            "a-manifest-one-byte-too-long",
            "901 bytes: refused before anything is parsed.",
            given(with(b"zz", Value::from(vec![b'z'; room + 1]))),
        ),
        kind.accepted(
            "a-manifest-of-the-successor",
            "The feed was taken back: another key signs for the same feed id.",
            given(taken_back().0.bytes()),
        ),
        kind.refused("a-manifest-of-a-successor-that-was-not-committed-to", "Anybody could name themselves.", {
            let signer = successor();
            let dict = fields(good.bytes())
                .with(b"n", SUCCESSION_NUMBER_MIN)
                .with(b"k", signer.signer().expect("a successor names itself"));
            given(signer.sign_record("manifest", &dict.encode()))
        }),
        kind.refused("a-manifest-that-names-the-successor-and-is-signed-by-the-identity", "The thief's attempt.", {
            let key = successor().signer().expect("a successor names itself");
            given(signed("manifest", &fields(good.bytes()).with(b"k", key).with(b"x", committed())))
        }),
        kind.refused(
            "a-manifest-of-the-identity-with-a-number-of-the-successor",
            "A thief's, to be above the owner's.",
            given(with(b"n", Value::from(SUCCESSION_NUMBER_MIN))),
        ),
        kind.refused("a-manifest-with-one-bit-flipped", "The signature notices it.", given(flipped(good.bytes(), 100))),
        kind.refused(
            "a-manifest-signed-as-a-roster",
            "The type is part of what is signed.",
            given(signed("roster", &fields(good.bytes()))),
        ),
        kind.refused(
            "a-manifest-of-another-feed",
            "Signed by another identity.",
            given(IdentityKey::from_seed(&[99; 32]).sign_record("manifest", &fields(good.bytes()).encode())),
        ),
        kind.refused("a-manifest-cut-off-after-its-signature", "64 bytes are no record.", given(&good.bytes()[..64])),
        kind.refused("a-manifest-of-version-2", "Of a later version.", given(with(b"v", Value::from(2)))),
        kind.refused("a-manifest-numbered-zero", "Numbers begin at 1.", given(with(b"n", Value::from(0)))),
        kind.refused("a-manifest-with-five-seeders", "At most 4.", given(with(b"s", Value::from(vec![seeder; 5])))),
        kind.refused("a-manifest-with-a-space-in-a-tracker", "Addresses are visible ASCII.", given(with(b"t", spaced))),
        kind.refused(
            "a-manifest-with-a-witness-of-small-order",
            "Anything would verify under that key.",
            given(with(b"s", Value::from(vec![Value::from(small_order)]))),
        ),
        kind.refused("a-manifest-without-its-roster", "The digest is missing.", {
            let mut dict = fields(good.bytes());
            dict.remove(b"r");
            given(signed("manifest", &dict))
        }),
    ]
}

fn rosters() -> Vec<Story> {
    let kind = Kind {
        kind: "roster",
        spec: &["FEED-1", "FEED-2", "FEED-7", "FEED-8", "FEED-9", "FEED-10", "FEED-13", "FEED-14"],
    };
    let mut two = roster_content();
    let mut revoked = Device::new(other_device().id(), friend_box().public());
    revoked.ends = Some(vec![LogEnd { incarnation: log().incarnation, size: 7, root: Hash::new([1; 32]) }]);
    two.devices.push(revoked);
    let two = two.sign(&identity()).expect("two devices");
    let many = |count: u8| {
        let devices: Vec<_> = (0..count)
            .map(|seed| DeviceKey::from_seed(&[seed; 32]).id())
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .map(|id| Value::from(Dict::new().with(b"b", friend_box().public()).with(b"k", id)))
            .collect::<Vec<_>>();
        signed("roster", &fields(actors::roster().bytes()).with(b"d", devices))
    };
    let mut unsorted = fields(two.bytes()).list(b"d").expect("devices").to_vec();
    unsorted.reverse();
    let with = |devices: Vec<Value<'static>>| given(signed("roster", &fields(two.bytes()).with(b"d", devices)));
    let twice = vec![unsorted[0].clone(), unsorted[0].clone()];
    let ended_at_nothing = {
        let end = Dict::new().with(b"i", [1; 8]).with(b"n", 0).with(b"r", [0; 32]);
        let device = unsorted[0].as_dict().expect("a device").clone().with(b"e", vec![Value::from(end)]);
        vec![Value::from(device)]
    };
    vec![
        kind.accepted("a-roster", "One device.", given(actors::roster().bytes())),
        kind.accepted(
            "a-roster-with-a-revoked-device",
            "One of its logs ends at 7, any other at 0.",
            given(two.bytes()),
        ),
        kind.accepted(
            "a-roster-of-the-successor-with-a-recovery-box",
            "Signed by the key that it names; the manifest tells whether that is the feed's.",
            given(taken_back().1.bytes()),
        ),
        kind.accepted("a-roster-of-64-devices", "The most that there may be.", given(many(64))),
        kind.refused("a-roster-of-65-devices", "One more.", given(many(65))),
        kind.refused("a-roster-without-devices", "Nobody could write.", with(Vec::new())),
        kind.refused("a-roster-that-is-not-sorted", "Devices are sorted by key.", with(unsorted)),
        kind.refused("a-roster-with-a-device-twice", "Each device is listed once.", with(twice)),
        kind.refused(
            "a-roster-with-an-end-at-nothing",
            "A log that counts for nothing is not listed.",
            with(ended_at_nothing),
        ),
        kind.refused("a-roster-with-one-bit-flipped", "The signature notices it.", given(flipped(two.bytes(), 80))),
        kind.refused("a-roster-in-loose-bencode", "`i01e` is no canonical integer, signed or not.", {
            let payload = fields(actors::roster().bytes()).encode();
            let at = payload.windows(6).position(|six| six == b"1:ni1e").expect("its number") + 4;
            given(identity().sign_record("roster", &[&payload[..at], b"0", &payload[at..]].concat()))
        }),
    ]
}

fn pairs() -> Vec<Story> {
    let kind = Kind { kind: "records", spec: &["FEED-11", "FEED-12", "FEED-13"] };
    let manifest_of = |number: u64, roster: &Roster, tracker: &str| {
        let mut content = manifest_content();
        (content.number, content.roster_digest) = (number, roster.digest());
        content.trackers = vec![tracker.to_owned()];
        content.sign(&identity()).expect("a small manifest")
    };
    let committing = |number: u64| {
        let mut content = manifest_content();
        (content.number, content.successor_digest) = (number, committed());
        content.sign(&identity()).expect("a small manifest")
    };
    let held_roster = actors::roster();
    let mut content = roster_content();
    content.number = 2;
    let new_roster = content.sign(&identity()).expect("a small roster");
    let held = manifest_of(5, &held_roster, "udp://a:1");
    let other = manifest_of(5, &held_roster, "udp://b:1");
    let (smaller, larger) = if held.digest() < other.digest() { (&held, &other) } else { (&other, &held) };
    let newer = manifest_of(6, &new_roster, "udp://a:1");
    let pair = |held: &Manifest, manifest: &Manifest, roster: Option<&Roster>| {
        let mut given = json!({
            "feed": hex(feed()), "manifest": hex(manifest.bytes()),
            "held": { "manifest": hex(held.bytes()), "roster": hex(held_roster.bytes()) },
        });
        if let Some(roster) = roster {
            given["roster"] = json!(hex(roster.bytes()));
        }
        given
    };
    vec![
        kind.accepted(
            "newer-records",
            "A higher number, with the roster it names.",
            pair(&held, &newer, Some(&new_roster)),
        ),
        kind.accepted(
            "newer-records-without-their-roster",
            "The roster has to be asked for.",
            pair(&held, &newer, None),
        ),
        kind.accepted("replayed-older-records", "Ignored: whoever sent them may just be behind.", {
            pair(&held, &manifest_of(4, &held_roster, "udp://a:1"), None)
        }),
        kind.accepted("the-records-that-are-held", "Nothing new.", pair(&held, &held, None)),
        kind.accepted(
            "the-smaller-of-two-manifests-of-one-number",
            "The smaller digest holds.",
            pair(larger, smaller, None),
        ),
        kind.accepted(
            "the-larger-of-two-manifests-of-one-number",
            "The larger digest is ignored.",
            pair(smaller, larger, None),
        ),
        kind.accepted("records-of-the-successor", "They hold against any of the identity's.", {
            let (manifest, roster) = taken_back();
            pair(&committing(9), &manifest, Some(&roster))
        }),
        kind.accepted("records-of-the-identity-after-the-successor", "Ignored, whatever their number.", {
            let (held, roster) = taken_back();
            let mut given = pair(&held, &committing(SUCCESSION_NUMBER_MIN - 1), Some(&held_roster));
            given["held"]["roster"] = json!(hex(roster.bytes()));
            given
        }),
        kind.accepted("records-that-name-another-successor", "A thief's own one: ignored.", {
            let mut content = manifest_content();
            (content.number, content.successor_digest) = (9, [7; 32]);
            pair(&held, &content.sign(&identity()).expect("a small manifest"), None)
        }),
        kind.refused("newer-records-with-another-roster", "Not the roster that the manifest names.", {
            let mut content = roster_content();
            content.number = 3;
            pair(&held, &newer, Some(&content.sign(&identity()).expect("a small roster")))
        }),
    ]
}
