//! Vectors of the private state.

use peerfeed_protocol::bencode::{Dict, Value};
use peerfeed_protocol::crypto::kdf::derive;
use peerfeed_protocol::crypto::{BoxKey, secretbox};
use peerfeed_protocol::feed::{
    AudienceState, Control, ControlError, FollowedState, LinkSeeder, MemberState, PrivateError, PrivateNotice,
    PrivateState, Stamp,
};
use peerfeed_protocol::ids::{BoxPublic, EpochId, FeedId};
use serde_json::{Value as Json, json};

use super::Kind;
use super::actors::{NOW, device_box, entropy, feed, flipped, friend_box, friends_epoch, witness};
use super::records::given_feed;
use crate::vector::{Given, Outcome, Story, hex, word};

const SALT: [u8; 16] = [21; 16];

pub(super) fn private(given: &Given<'_>) -> Outcome {
    let control = Control::decode(&given.bytes("body")).map_err(|error| match error {
        ControlError::Field(error) => word(&error.problem),
        error => word(&error),
    })?;
    let Control::Private(notice) = control else { return Err("another-type".to_owned()) };
    let own = BoxKey::from_bytes(given.array("recovery_secret"));
    let author = BoxPublic::new(given.array("device_box"));
    let part = notice.open(&own, &author, &given_feed(given)).map_err(|error| match error {
        PrivateError::Field(error) => word(&error.problem),
        PrivateError::Bencode(error) => word(&error),
        error => word(&error),
    })?;
    let state = &part.state;
    Ok(json!({
        "moment": part.stamp.number(), "part": part.number, "parts": part.count,
        "audiences": state.audiences.iter().map(|row| json!([
            hex(&row.name), hex(row.epoch.unwrap_or(EpochId::PUBLIC)), u8::from(row.left)
        ])).collect::<Vec<_>>(),
        "members": state.members.iter().map(|row| json!([
            hex(row.feed), hex(&row.audience), row.since_s,
            row.epochs.as_ref().map(|epochs| epochs.iter().map(hex).collect::<Vec<_>>())
        ])).collect::<Vec<_>>(),
        "followed": state.followed.iter().map(|row| json!([
            hex(row.feed), row.petname, row.suggested_name, row.muted, row.added_s,
            row.seeders.iter().map(|seeder| seeder.address.clone()).collect::<Vec<_>>(), row.trackers
        ])).collect::<Vec<_>>(),
    }))
}

fn other_feed() -> FeedId {
    peerfeed_protocol::crypto::IdentityKey::from_seed(&[31; 32]).feed_id()
}

fn state() -> PrivateState {
    let (epoch, _) = friends_epoch();
    let seeder = LinkSeeder { address: "seeder.example:6881".to_owned(), witness: Some(witness().key()) };
    let member =
        |audience: &[u8], epochs| MemberState { feed: other_feed(), audience: audience.to_vec(), since_s: NOW, epochs };
    PrivateState {
        audiences: vec![
            AudienceState { name: b"friends".to_vec(), epoch: Some(epoch), left: true },
            AudienceState { name: b"list hikers".to_vec(), epoch: None, left: false },
        ],
        members: vec![member(b"friends", None), member(b"list hikers", Some(vec![epoch]))],
        followed: vec![FollowedState {
            feed: other_feed(),
            added_s: NOW,
            muted: true,
            petname: Some("Ben of the hill".to_owned()),
            suggested_name: None,
            seeders: vec![seeder],
            trackers: vec!["udp://tracker.example:6969".to_owned()],
        }],
    }
}

fn moment() -> Stamp {
    Stamp::from_number(i64::try_from(NOW * 1_000).expect("a time of ours") << 16).expect("a moment")
}

fn given(body: &[u8]) -> Json {
    json!({
        "feed": hex(feed()), "body": hex(body), "device_box": hex(device_box().public()),
        "recovery_secret": hex(*friend_box().to_bytes()),
    })
}

fn notice(state: &PrivateState) -> PrivateNotice {
    let part = state.parts(moment()).remove(0);
    PrivateNotice::seal(&part, &device_box(), &friend_box().public(), &feed(), &mut entropy()).expect("proper keys")
}

fn body(notice: PrivateNotice) -> Vec<u8> {
    Control::Private(notice).encode().expect("within its limits")
}

/// Seals any plaintext at all, length and padding included.
fn sealed(plain: &[u8]) -> Json {
    let shared = device_box().agree(&friend_box().public()).expect("proper keys");
    let key = derive(&*shared, "private", &[feed().as_bytes(), &SALT]);
    let sealed = secretbox::seal(&key, &[0; 24], plain);
    given(&body(PrivateNotice { salt: SALT, sealed, unknown: Dict::new() }))
}

fn plain(content: &[u8], length: usize) -> Vec<u8> {
    let length = u32::try_from(length).expect("short");
    let mut plain = [&length.to_be_bytes()[..], content].concat();
    plain.resize(2_000 - 16, 0);
    plain
}

fn content() -> Dict<'static> {
    let none = Vec::<Value<'static>>::new;
    Dict::new()
        .with(b"a", none())
        .with(b"f", none())
        .with(b"i", 0)
        .with(b"p", none())
        .with(b"w", moment().number())
        .with(b"z", 1)
}

pub(super) fn stories() -> Vec<Story> {
    let kind = Kind { kind: "private", spec: &["ENTRY-23", "ENTRY-24", "ENTRY-25"] };
    let good = body(notice(&state()));
    let changed = |name: &str, value: Json| {
        let mut given = given(&good);
        given[name] = value;
        given
    };
    let with = |key: &'static [u8], value: Value<'static>| {
        let bytes = content().with(key, value).encode();
        sealed(&plain(&bytes, bytes.len()))
    };
    let empty = content().encode();
    let followed = |name: String| {
        let row = Dict::new()
            .with(b"a", NOW)
            .with(b"f", other_feed())
            .with(b"m", 0)
            .with(b"n", name)
            .with(b"s", Vec::<Value<'static>>::new())
            .with(b"t", Vec::<Value<'static>>::new());
        with(b"f", Value::from(vec![Value::from(row)]))
    };
    vec![
        kind.accepted("a-private-state", "A friend, a list, a feed with a name.", given(&good)),
        kind.accepted("a-private-state-of-nobody", "The last friend was taken out.", with(b"z", Value::from(1))),
        kind.accepted(
            "a-private-state-with-a-key-of-a-later-version",
            "Passed over.",
            with(b"y", Value::from("later")),
        ),
        kind.refused(
            "a-private-state-for-other-words",
            "Nobody else opens it.",
            changed("recovery_secret", json!(hex([99; 32]))),
        ),
        kind.refused(
            "a-private-state-of-another-feed",
            "The key follows from the feed.",
            changed("feed", json!(hex(other_feed()))),
        ),
        kind.refused(
            "a-private-state-from-a-key-of-small-order",
            "The agreed secret would be no secret.",
            changed("device_box", json!(hex([0; 32]))),
        ),
        kind.refused(
            "a-private-state-with-one-bit-flipped",
            "It does not open.",
            given(&flipped(&good, good.len() - 100)),
        ),
        kind.refused("a-private-state-of-an-odd-length", "No part is sealed in 1,999 bytes.", {
            let dict = Dict::new().with(b"e", SALT).with(b"s", vec![0; 1_999]).with(b"t", "private").with(b"v", 1);
            given(&dict.encode())
        }),
        kind.refused("a-private-state-that-is-not-padded-with-zeros", "Padding must not carry anything.", {
            let mut plain = plain(&empty, empty.len());
            *plain.last_mut().expect("it is not empty") = 1;
            sealed(&plain)
        }),
        kind.refused(
            "a-private-state-longer-than-what-it-is-sealed-in",
            "Its length points behind the end.",
            sealed(&plain(&empty, 1_981)),
        ),
        kind.refused("a-private-state-of-no-parts", "There is at least one.", with(b"z", Value::from(0))),
        kind.refused("a-private-state-of-65-parts", "One more than there may be.", with(b"z", Value::from(65))),
        kind.refused("a-private-state-behind-its-last-part", "Parts are counted from 0.", with(b"i", Value::from(1))),
        kind.refused("a-private-state-at-moment-zero", "Moments begin at 1.", with(b"w", Value::from(0))),
        kind.refused("a-private-state-with-a-name-too-long", "101 bytes.", followed("n".repeat(101))),
        kind.refused(
            "a-private-state-with-an-audience-left-twice",
            "0 or 1.",
            with(
                b"a",
                Value::from(vec![Value::from(vec![Value::from("friends"), Value::from([0; 16]), Value::from(2)])]),
            ),
        ),
    ]
}
