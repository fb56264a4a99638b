//! Vectors of control records, grants and earlier epochs.

use peerfeed_protocol::bencode::{Dict, Value};
use peerfeed_protocol::crypto::BoxKey;
use peerfeed_protocol::feed::{
    Control, ControlError, EarlierEpoch, EpochSecret, EpochStart, GrantKey, GrantKind, GrantRow, GrantRows, Granted,
    Grants, LeafHeader, LogWriter, PrekeyNotice,
};
use peerfeed_protocol::ids::{BoxPublic, EpochId};
use peerfeed_protocol::merkle::Frontier;
use serde_json::{Value as Json, json};

use super::Kind;
use super::actors::{NOW, device_box, entropy, feed, flipped, friend_box, friends_epoch, friends_key, log};
use super::records::given_feed;
use crate::vector::{Given, Outcome, Story, hex, word};

pub(super) fn control(given: &Given<'_>) -> Outcome {
    let header = LeafHeader::decode(&given.bytes("header")).expect("the header is not what is tried here");
    let body = given.bytes("body");
    header.check_body(&body).map_err(|error| word(&error))?;
    let control = Control::decode(&body).map_err(|error| match error {
        ControlError::Field(error) => word(&error.problem),
        ControlError::Grants(error) => word(&error),
        ControlError::Bencode(error) => word(&error),
        error @ ControlError::NotADictionary => word(&error),
    })?;
    assert_eq!(control.encode().as_deref(), Ok(&body[..]), "it is written again as it came");
    Ok(match control {
        Control::Epoch(start) => json!({
            "type": "epoch", "epoch": hex(start.epoch), "rows": start.grants.iter().len(),
            "earlier": start.earlier.iter().map(|earlier| hex(earlier.epoch)).collect::<Vec<_>>(),
        }),
        Control::Grants(grants) => {
            json!({ "type": "grants", "epoch": hex(grants.epoch), "rows": grants.grants.iter().len() })
        }
        Control::Prekey(notice) => json!({ "type": "prekey", "key": hex(notice.key) }),
        Control::Private(notice) => json!({ "type": "private", "sealed": notice.sealed.len() }),
        Control::Unknown { name, .. } => json!({ "type": name }),
    })
}

pub(super) fn grant(given: &Given<'_>) -> Outcome {
    let rows = GrantRows::decode(&given.bytes("rows")).map_err(|error| word(&error))?;
    let kind = if given.uint("kind") == 0 { GrantKind::Secret } else { GrantKind::ReadKey };
    let own = BoxKey::from_bytes(given.array("friend_secret"));
    let author = BoxPublic::new(given.array("device_box"));
    let key = GrantKey::agree(&own, &author, &given_feed(given), &EpochId::new(given.array("epoch")), kind)
        .map_err(|error| word(&error))?;
    let row = rows.find(key.tag()).ok_or("no-row")?;
    match key.open(&row).map_err(|error| word(&error))? {
        Granted::Secret(secret) => Ok(json!({ "value": hex(secret.expose()) })),
        Granted::ReadKey(read) => Ok(json!({ "value": hex(read.expose()) })),
    }
}

pub(super) fn history(given: &Given<'_>) -> Outcome {
    let secret = EpochSecret::new(given.array("secret"));
    let earlier = EpochId::new(given.array("epoch"));
    let opened =
        secret.open_earlier(&given_feed(given), &earlier, &given.array("sealed")).map_err(|error| word(&error))?;
    Ok(json!({ "earlier": hex(opened.expose()) }))
}

pub(super) fn stories() -> Vec<Story> {
    [controls(), grants(), histories()].into_iter().flatten().collect()
}

fn grant_key(kind: GrantKind) -> GrantKey {
    GrantKey::agree(&device_box(), &friend_box().public(), &feed(), &friends_epoch().0, kind).expect("proper keys")
}

fn earlier_epoch() -> (EpochId, EpochSecret) {
    (EpochId::new([16; 16]), EpochSecret::new([17; 32]))
}

fn rows(kind: GrantKind, secret: &[u8; 32], others: u8) -> GrantRows {
    let others = (0..others).map(|other| {
        let other = BoxKey::from_bytes([100 + other; 32]).public();
        let key = GrantKey::agree(&device_box(), &other, &feed(), &friends_epoch().0, kind).expect("proper keys");
        key.seal(secret)
    });
    let rows: Vec<GrantRow> = others.chain([grant_key(kind).seal(secret)]).collect();
    GrantRows::padded(rows, &mut entropy()).expect("few rows")
}

fn start() -> EpochStart {
    let (id, secret) = friends_epoch();
    let (earlier, earlier_secret) = earlier_epoch();
    EpochStart {
        epoch: id,
        earlier: vec![EarlierEpoch { epoch: earlier, sealed: secret.seal_earlier(&feed(), &earlier, &earlier_secret) }],
        grants: rows(GrantKind::Secret, secret.expose(), 2),
        unknown: Dict::new(),
    }
}

fn given_control(body: &[u8]) -> Json {
    let mut writer = LogWriter::new(feed(), log(), Frontier::new(), 0);
    let entry = writer.append_control(&Control::Epoch(start()), NOW).expect("a control entry");
    let mut content = entry.header.content().clone();
    content.body_bytes = u32::try_from(body.len()).expect("a body");
    content.body_digest = <sha2::Sha256 as sha2::Digest>::digest(body).into();
    json!({ "header": hex(LeafHeader::encode(&content).expect("a header").bytes()), "body": hex(body) })
}

fn controls() -> Vec<Story> {
    let kind = Kind { kind: "control", spec: &["EPOCH-4", "EPOCH-5", "EPOCH-6", "EPOCH-7", "EPOCH-8", "ENTRY-13"] };
    let mail = Kind { kind: "control", spec: &["MAIL-1"] };
    let good = Control::Epoch(start()).encode().expect("within its limits");
    let with = |key: &'static [u8], value: Value<'static>| {
        let decoded = peerfeed_protocol::bencode::decode(&good, 64_000).expect("canonical");
        given_control(&decoded.as_dict().expect("a dictionary").clone().into_owned().with(key, value).encode())
    };
    let more = Grants {
        epoch: friends_epoch().0,
        grants: rows(GrantKind::ReadKey, friends_key().expose(), 0),
        unknown: Dict::new(),
    };
    let prekey = Control::Prekey(PrekeyNotice { key: friend_box().public(), unknown: Dict::new() });
    let prekey = prekey.encode().expect("short");
    let short = Dict::new().with(b"k", [1; 31]).with(b"t", "prekey").with(b"v", 1).encode();
    let unknown = Control::Unknown { name: "delete".to_owned(), version: 1, fields: Dict::new().with(b"n", 5) };
    let three = vec![Value::from(EpochId::new([16; 16])), Value::from([0; 48]), Value::from(0)];
    vec![
        kind.accepted("a-new-epoch", "Three friends, one earlier epoch.", given_control(&good)),
        kind.accepted(
            "more-grants",
            "A read key for one friend more.",
            given_control(&Control::Grants(more).encode().expect("few rows")),
        ),
        mail.accepted("a-prekey", "Letters for the device are sealed to it.", given_control(&prekey)),
        mail.refused("a-prekey-of-31-bytes", "No key has so many.", given_control(&short)),
        kind.accepted(
            "a-control-record-of-a-later-type",
            "Kept and served.",
            given_control(&unknown.encode().expect("short")),
        ),
        kind.accepted("an-epoch-with-a-key-of-a-later-version", "The unknown key is kept.", with(b"z", Value::from(1))),
        kind.refused(
            "an-epoch-with-the-public-id",
            "The public epoch is never started.",
            with(b"e", Value::from([0; 16])),
        ),
        kind.refused("an-epoch-with-three-grant-rows", "No power of two.", with(b"g", Value::from(vec![1; 168]))),
        kind.refused("an-epoch-with-half-a-grant-row", "Rows have 56 bytes.", with(b"g", Value::from(vec![1; 84]))),
        kind.refused(
            "an-epoch-without-grant-rows",
            "There is always one, if only padding.",
            with(b"g", Value::from(Vec::<u8>::new())),
        ),
        kind.refused("an-epoch-with-one-tag-twice", "Each tag is there once.", with(b"g", Value::from(vec![1; 112]))),
        kind.refused(
            "an-earlier-epoch-with-three-parts",
            "It is an id and a sealed secret.",
            with(b"p", Value::from(vec![Value::from(three)])),
        ),
        kind.refused("a-control-body-of-another-entry", "The header names another body.", {
            let mut given = given_control(&good);
            given["body"] = json!(hex(flipped(&good, 30)));
            given
        }),
    ]
}

fn grants() -> Vec<Story> {
    let kind = Kind { kind: "grant", spec: &["EPOCH-1", "EPOCH-2", "EPOCH-8", "EPOCH-9", "FEED-9"] };
    let (epoch, secret) = friends_epoch();
    let given = |number: u8, rows: &[u8]| {
        json!({
            "feed": hex(feed()), "epoch": hex(epoch), "kind": number, "rows": hex(rows),
            "device_box": hex(device_box().public()), "friend_secret": hex(*friend_box().to_bytes()),
        })
    };
    let five = rows(GrantKind::Secret, secret.expose(), 4);
    let one = rows(GrantKind::Secret, secret.expose(), 0);
    let changed = |name: &str, value: Json| {
        let mut given = given(0, five.as_bytes());
        given[name] = value;
        given
    };
    let mut reversed: Vec<&[u8]> = five.as_bytes().chunks(56).collect();
    reversed.reverse();
    vec![
        kind.accepted("a-grant-among-eight-rows", "Five friends and three rows of padding.", given(0, five.as_bytes())),
        kind.accepted("a-grant-of-the-read-key-alone", "From now on, without history.", {
            given(1, rows(GrantKind::ReadKey, friends_key().expose(), 0).as_bytes())
        }),
        kind.refused("a-grant-for-others", "A stranger finds no row.", changed("friend_secret", json!(hex([99; 32])))),
        kind.refused("a-grant-for-another-epoch", "Tags follow from the epoch.", changed("epoch", json!(hex([1; 16])))),
        kind.refused("a-grant-of-another-kind", "A read key is not taken for a secret.", given(1, one.as_bytes())),
        kind.refused("a-grant-row-with-one-bit-flipped", "It does not open.", given(0, &flipped(one.as_bytes(), 40))),
        kind.refused("grant-rows-that-are-not-sorted", "Rows are sorted by tag.", given(0, &reversed.concat())),
        kind.refused(
            "a-grant-from-a-key-of-small-order",
            "The agreed secret would be no secret.",
            changed("device_box", json!(hex([0; 32]))),
        ),
    ]
}

fn histories() -> Vec<Story> {
    let kind = Kind { kind: "history", spec: &["EPOCH-3", "EPOCH-6"] };
    let (id, secret) = friends_epoch();
    let (earlier, earlier_secret) = earlier_epoch();
    let sealed = secret.seal_earlier(&feed(), &earlier, &earlier_secret);
    let given = |epoch: &EpochId, secret: &EpochSecret, sealed: &[u8]| json!({ "feed": hex(feed()), "secret": hex(secret.expose()), "epoch": hex(epoch), "sealed": hex(sealed) });
    vec![
        kind.accepted(
            "an-earlier-epoch",
            "Who has the later secret has the earlier one.",
            given(&earlier, &secret, &sealed),
        ),
        kind.refused("an-earlier-epoch-under-another-name", "The id is the nonce.", given(&id, &secret, &sealed)),
        kind.refused(
            "an-earlier-epoch-without-the-secret",
            "Another epoch's secret opens nothing.",
            given(&earlier, &earlier_secret, &sealed),
        ),
        kind.refused(
            "an-earlier-epoch-with-one-bit-flipped",
            "It does not open.",
            given(&earlier, &secret, &flipped(&sealed, 20)),
        ),
    ]
}
