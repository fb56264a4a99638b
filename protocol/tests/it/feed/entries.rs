//! Vectors of leaf headers and sealed entries.

use peerfeed_protocol::bencode::{Dict, Value};
use peerfeed_protocol::crypto::secretbox;
use peerfeed_protocol::feed::blob::{BlobKey, BlobSize};
use peerfeed_protocol::feed::{
    Attachment, BlobRef, Body, BodyError, Class, Content, EntryKey, EpochSecret, LeafContent, LeafError, LeafHeader,
    LogWriter, Message, NewEntry, Post, Profile, ReadKey, Retention, Stamp, open_body,
};
use peerfeed_protocol::ids::{BlobRoot, EntryPlace, LogId};
use peerfeed_protocol::merkle::Frontier;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use super::Kind;
use super::actors::{NOW, entropy, feed, flipped, friends_key, log};
use super::records::given_feed;
use crate::vector::{Given, Outcome, Story, hex, word};

pub(super) fn leaf(given: &Given<'_>) -> Outcome {
    let header = LeafHeader::decode(&given.bytes("header")).map_err(|error| leaf_refusal(&error))?;
    let class = match header.class() {
        Class::Sealed { .. } => 0,
        Class::Control => 1,
        Class::Other(class) => class,
    };
    let blobs: Vec<Json> = header.blobs().iter().map(|blob| json!([hex(blob.root), blob.size.bytes()])).collect();
    Ok(json!({
        "leaf_hash": hex(header.leaf_hash()), "class": class, "body_bytes": header.body_bytes(), "time": header.time(),
        "blobs": blobs,
    }))
}

pub(super) fn entry(given: &Given<'_>) -> Outcome {
    let place = EntryPlace {
        feed: given_feed(given),
        log: LogId::from_bytes(&given.array("log")).expect("a proper log"),
        index: given.uint("index"),
    };
    let read = match given.optional("read_key") {
        Some(_) => ReadKey::new(given.array("read_key")),
        None => EpochSecret::new(given.array("secret")).read_key(&place.feed),
    };
    let header = LeafHeader::decode(&given.bytes("header")).map_err(|error| leaf_refusal(&error))?;
    let content = open_body(&read.entry_key(&place), &header, &given.bytes("body")).map_err(|error| word(&error))?;
    let body = Body::decode(&content).map_err(|error| body_refusal(&error))?;
    let mut found = json!({ "plaintext": hex(&*content), "moment": body.stamp.number() });
    match &body.content {
        Content::Post(post) => {
            found["type"] = json!("post");
            found["text"] = json!(post.text);
        }
        Content::Message(message) => {
            found["type"] = json!("message");
            found["text"] = json!(message.text);
            found["to"] = json!(hex(message.to.as_bytes()));
        }
        Content::Profile(profile) => {
            found["type"] = json!("profile");
            found["name"] = json!(profile.name);
        }
        Content::Unknown { name, .. } => found["type"] = json!(name),
    }
    Ok(found)
}

fn leaf_refusal(error: &LeafError) -> String {
    match error {
        LeafError::Field(error) => word(&error.problem),
        LeafError::Bencode(error) => word(error),
        error => word(error),
    }
}

fn body_refusal(error: &BodyError) -> String {
    match error {
        BodyError::Field(error) => word(&error.problem),
        BodyError::Bencode(error) => word(error),
        error => word(error),
    }
}

pub(super) fn stories() -> Vec<Story> {
    [headers(), entries(), broken_entries()].into_iter().flatten().collect()
}

pub(super) fn place(index: u64) -> EntryPlace {
    EntryPlace { feed: feed(), log: log(), index }
}

fn moment() -> Stamp {
    Stamp::from_number(i64::try_from(NOW * 1_000).expect("a time of ours") << 16).expect("a moment")
}

pub(super) fn post(text: &str) -> Body {
    Body::post(moment(), Post { text: text.to_owned(), channel: Some("pictures".to_owned()), attachments: Vec::new() })
}

fn attachment(name: &str) -> Attachment {
    Attachment {
        key: BlobKey::new([10; 32]),
        media_type: "image/png".to_owned(),
        name: name.to_owned(),
        root: BlobRoot::new([11; 32]),
        size_bytes: 123_456,
    }
}

fn append(body: &Body) -> NewEntry {
    let mut writer = LogWriter::new(feed(), log(), Frontier::new(), 0);
    writer.append(body, &friends_key(), NOW, &mut entropy()).expect("an entry within its limits")
}

fn given(entry: &NewEntry) -> Json {
    given_parts(entry.header.bytes(), &entry.body)
}

fn given_parts(header: &[u8], body: &[u8]) -> Json {
    json!({
        "feed": hex(feed()), "log": hex(log().to_bytes()), "index": 0, "header": hex(header), "body": hex(body),
        "read_key": hex(friends_key().expose()), "nonce_random": hex(entropy().bytes::<32>()),
    })
}

fn header_content(key: &EntryKey, body: &[u8]) -> LeafContent {
    LeafContent {
        class: Class::Sealed { hint: *key.hint(), commitment: *key.commitment() },
        body_bytes: u32::try_from(body.len()).expect("a body"),
        body_digest: Sha256::digest(body).into(),
        blobs: Vec::new(),
        retention: Retention::Keep,
        time: NOW,
    }
}

fn headers() -> Vec<Story> {
    let kind = Kind {
        kind: "leaf",
        spec: &["ENTRY-1", "ENTRY-2", "ENTRY-3", "ENTRY-5", "ENTRY-6", "ENTRY-7", "ENTRY-8", "LOG-4"],
    };
    let key = friends_key().entry_key(&place(0));
    let blob = BlobRef { root: BlobRoot::new([11; 32]), size: BlobSize::of_file(123_456).expect("a size") };
    let mut content = header_content(&key, &[0; 250]);
    content.blobs = vec![blob; 16];
    let full = LeafHeader::encode(&content).expect("sixteen blobs fit");
    let dict = || -> Dict<'static> {
        let value = peerfeed_protocol::bencode::decode(full.bytes(), 1_024).expect("canonical");
        value.into_owned().into_dict().expect("a dictionary")
    };
    let with = |key: &'static [u8], value: Value<'static>| json!({ "header": hex(dict().with(key, value).encode()) });
    let without = |key: &[u8]| {
        let mut dict = dict();
        dict.remove(key);
        json!({ "header": hex(dict.encode()) })
    };
    let blobs = |blob: [Value<'static>; 2], count: usize| Value::from(vec![Value::from(blob.to_vec()); count]);
    let root = || Value::from([11; 32]);
    vec![
        kind.accepted("a-header-with-sixteen-blobs", "The fullest header.", json!({ "header": hex(full.bytes()) })),
        kind.accepted(
            "a-header-with-a-key-of-a-later-version",
            "The unknown key is kept and hashed.",
            with(b"z", Value::from("later")),
        ),
        kind.accepted(
            "a-header-of-a-later-version",
            "Kept and served: refusing it would stop the log.",
            with(b"v", Value::from(2)),
        ),
        kind.accepted("a-header-of-a-later-class", "Kept and served, too.", with(b"c", Value::from(7))),
        kind.accepted("a-header-of-a-later-retention-class", "Treated as \"keep\".", with(b"r", Value::from(3))),
        kind.refused(
            "a-header-with-seventeen-blobs",
            "One more than there may be.",
            with(b"f", blobs([root(), Value::from(50_000)], 17)),
        ),
        kind.refused(
            "a-header-with-an-impossible-blob",
            "64,016 bytes would leave a chunk that is only a tag.",
            with(b"f", blobs([root(), Value::from(64_016)], 1)),
        ),
        kind.refused(
            "a-header-of-1025-bytes",
            "One byte too long.",
            with(b"zz", Value::from(vec![b'z'; 1_025 - full.bytes().len() - 8])),
        ),
        kind.refused("a-sealed-header-without-hint", "No reader could find the key.", without(b"h")),
        kind.refused("a-sealed-header-without-commitment", "A body could open under two keys.", without(b"k")),
        kind.refused("a-control-header-with-a-hint", "Control entries are clear.", with(b"c", Value::from(1))),
        kind.refused("a-sealed-header-of-an-odd-length", "No sealed body has 300 bytes.", with(b"b", Value::from(300))),
        kind.refused("a-header-of-a-body-too-long", "Over 64,000 bytes.", with(b"b", Value::from(128_000))),
        kind.refused("a-header-from-before-1970", "Times are not negative.", with(b"t", Value::from(-1))),
        kind.refused("a-header-with-unsorted-keys", "Every record has one spelling.", {
            let bytes = full.bytes();
            json!({ "header": hex([b"d1:vi1e", &bytes[1..bytes.len() - 7], b"e"].concat()) })
        }),
    ]
}

fn entries() -> Vec<Story> {
    let kind = Kind {
        kind: "entry",
        spec: &[
            "ENTRY-8", "ENTRY-9", "ENTRY-10", "ENTRY-11", "ENTRY-12", "ENTRY-13", "ENTRY-14", "ENTRY-15", "ENTRY-16",
            "ENTRY-17", "ENTRY-18", "ENTRY-22",
        ],
    };
    let mut files = post("three pictures");
    if let Content::Post(post) = &mut files.content {
        post.attachments = vec![attachment("cat.png"), attachment("dog.png"), attachment("\u{1f984}.png")];
    }
    let profile = Body::profile(moment(), Profile { name: "Ada".to_owned() });
    let unknown = Body {
        content: Content::Unknown { name: "poll".to_owned(), version: 3 },
        critical: true,
        unknown: Dict::new().with(b"q", "tea or coffee?"),
        ..post("")
    };
    let message = Message { to: feed(), text: "only you".to_owned(), attachments: vec![attachment("cat.png")] };
    let message = Body { content: Content::Message(message), ..post("") };
    let longest = post(&"x".repeat(50_000));
    vec![
        kind.accepted("a-post", "A short text in the smallest size.", given(&append(&post("good morning")))),
        kind.accepted("a-post-of-which-only-the-epochs-secret-is-given", "The read key follows from it.", {
            let mut given = given(&append(&post("good morning")));
            let given = given.as_object_mut().expect("an object");
            given.remove("read_key");
            given.insert("secret".to_owned(), json!(hex([7; 32])));
            json!(given)
        }),
        kind.accepted(
            "a-post-with-files",
            "Three attachments; their blobs stand in the header too.",
            given(&append(&files)),
        ),
        kind.accepted("the-longest-post", "50,000 bytes of text in the largest size.", given(&append(&longest))),
        kind.accepted("a-profile", "How the owner wants to be called.", given(&append(&profile))),
        kind.accepted("a-message", "For one person, who stands inside it.", given(&append(&message))),
        kind.accepted("an-entry-of-a-later-type", "Kept and shown as a placeholder.", given(&append(&unknown))),
    ]
}

/// Seals any plaintext at all, length and padding included, under the first entry's key.
fn sealed(plain: &[u8], change: impl FnOnce(&mut LeafContent)) -> Json {
    let key = friends_key().entry_key(&place(0));
    let okm = peerfeed_protocol::crypto::kdf::derive::<72>(
        friends_key().expose(),
        "entry",
        &[feed().as_bytes(), &log().to_bytes(), &0u64.to_be_bytes()],
    );
    let raw = okm[..32].try_into().expect("32 bytes");
    let nonce = [12; 24];
    let body = [&nonce[..], &secretbox::seal(&raw, &nonce, plain)].concat();
    let mut content = header_content(&key, &body);
    change(&mut content);
    given_parts(LeafHeader::encode(&content).expect("a header within its limits").bytes(), &body)
}

/// A plaintext of the smallest size.
fn plain(content: &[u8], length: u32) -> Vec<u8> {
    let mut plain = [&length.to_be_bytes()[..], content].concat();
    plain.resize(210, 0);
    plain
}

fn broken_entries() -> Vec<Story> {
    let kind = Kind {
        kind: "entry",
        spec: &["ENTRY-4", "ENTRY-9", "ENTRY-10", "ENTRY-12", "ENTRY-13", "ENTRY-15", "ENTRY-22"],
    };
    let good = append(&post("good morning"));
    let content = post("x").encode().expect("content").to_vec();
    let length = u32::try_from(content.len()).expect("short");
    let with = |key: &'static [u8], value: Value<'static>| {
        let value_of = peerfeed_protocol::bencode::decode(&content, 1_000).expect("canonical");
        let dict = value_of.as_dict().expect("a dictionary").clone().into_owned().with(key, value).encode();
        sealed(&plain(&dict, u32::try_from(dict.len()).expect("short")), |_| {})
    };
    let changed = |name: &str, value: Json| {
        let mut given = given(&good);
        given[name] = value;
        given
    };
    let other_commitment = |content: &mut LeafContent| {
        let Class::Sealed { hint, .. } = content.class else { unreachable!("it is sealed") };
        content.class = Class::Sealed { hint, commitment: [13; 32] };
    };
    vec![
        kind.refused("an-entry-at-another-index", "A body opens at its own place only.", changed("index", json!(1))),
        kind.refused("an-entry-in-another-log", "In its own log only.", {
            let mut other = log();
            other.incarnation = peerfeed_protocol::ids::Incarnation::new([9; 8]);
            changed("log", json!(hex(other.to_bytes())))
        }),
        kind.refused(
            "an-entry-under-another-epoch",
            "The hint is another one.",
            changed("read_key", json!(hex([14; 32]))),
        ),
        kind.refused(
            "a-body-with-one-bit-flipped",
            "Its digest is another one.",
            changed("body", json!(hex(flipped(&good.body, 100)))),
        ),
        kind.refused("a-body-cut-short", "Its length is another one.", changed("body", json!(hex(&good.body[..249])))),
        kind.refused(
            "a-body-under-another-commitment",
            "The hint fits, the commitment does not.",
            sealed(&plain(&content, length), other_commitment),
        ),
        kind.refused("a-body-sealed-under-another-key", "Header and digest fit, the box does not open.", {
            let body = [&[12; 24][..], &secretbox::seal(&[15; 32], &[12; 24], &plain(&content, length))].concat();
            let key = friends_key().entry_key(&place(0));
            let header = LeafHeader::encode(&header_content(&key, &body)).expect("a header");
            given_parts(header.bytes(), &body)
        }),
        kind.refused("a-body-that-is-not-padded-with-zeros", "Padding must not carry anything.", {
            let mut plain = plain(&content, length);
            plain[209] = 1;
            sealed(&plain, |_| {})
        }),
        kind.refused(
            "a-content-longer-than-its-body",
            "Its length points behind the end.",
            sealed(&plain(&content, 207), |_| {}),
        ),
        kind.refused(
            "a-content-that-is-not-canonical",
            "One byte of padding counted in.",
            sealed(&plain(&content, length + 1), |_| {}),
        ),
        kind.refused("a-post-at-moment-zero", "Moments begin at 1.", with(b"w", Value::from(0))),
        kind.refused(
            "a-post-whose-attachments-are-no-list",
            "The list may be empty, nothing else.",
            with(b"a", Value::from(0)),
        ),
        kind.refused(
            "a-type-in-capitals",
            "Types are made of a to z, digits and dashes.",
            with(b"t", Value::from("Post")),
        ),
        kind.refused("a-message-for-nobody", "It says for whom it is.", with(b"t", Value::from("message"))),
        kind.refused("a-message-for-a-key-that-is-none", "The neutral element is nobody's feed.", {
            let mut nobody = [0; 32];
            nobody[0] = 1;
            let dict = Dict::new()
                .with(b"a", Vec::<Value<'_>>::new())
                .with(b"c", 0)
                .with(b"p", nobody)
                .with(b"t", "message")
                .with(b"v", 1)
                .with(b"w", moment().number())
                .with(b"x", "only you")
                .encode();
            sealed(&plain(&dict, u32::try_from(dict.len()).expect("short")), |_| {})
        }),
        kind.refused("a-channel-too-long", "65 bytes.", with(b"h", Value::from("c".repeat(65)))),
    ]
}
