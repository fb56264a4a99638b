//! Vectors of the identity chapter: phrases, ids, keys, signatures, blinding.

use peerfeed_protocol::bencode;
use peerfeed_protocol::crypto::{
    Blinding, FeedKeys, IdentityKey, PassphraseCost, Phrase, SealedFile, Signature, blind, fingerprint, kdf, secretbox,
    verify,
};
use peerfeed_protocol::ids::{DeviceId, EntryPlace, FeedId, LogId, SwarmKey};
use serde_json::{Value as Json, json};

use crate::vector::{self, Given, Outcome, Story, hex, unhex, word};

#[test]
fn ids_and_keys_are_what_the_vectors_say() {
    vector::bless("identity", &stories(), run);
    vector::check("identity", run);
}

const PHRASE: &str = "legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth useful \
                      legal winner thank year wave sausage worth title";

fn identity() -> IdentityKey {
    PHRASE.parse::<Phrase>().expect("a published phrase").identity()
}

fn run(given: &Given<'_>) -> Outcome {
    let feed = || FeedId::from_bytes(given.array("feed")).expect("a usable feed id");
    match given.kind {
        "identity" => {
            let phrase: Phrase = given.text("phrase").parse().map_err(|error| word(&error))?;
            let feed = phrase.identity().feed_id();
            Ok(json!({
                "feed": hex(feed), "text": feed.to_string(), "successor": hex(phrase.successor().public()),
                "fingerprint": fingerprint::words(&feed).join(" "), "recovery_box": hex(phrase.recovery_box().public()),
            }))
        }
        "sealed-file" => {
            let file = SealedFile::decode(&given.bytes("bytes")).map_err(|error| word(&error))?;
            let key = file.cost().stretch(given.text("passphrase")).map_err(|error| word(&error))?;
            let content = file.open(given.text("kind"), &key).map_err(|error| word(&error))?;
            Ok(json!({ "content": hex(&*content) }))
        }
        "feed-id" => {
            let feed: FeedId = given.text("text").parse().map_err(|error| word(&error))?;
            Ok(json!({ "feed": hex(feed) }))
        }
        "key" => DeviceId::from_slice(&given.bytes("key")).map(|_| json!({})).map_err(|error| word(&error)),
        "entry-id" => {
            let log = LogId::from_bytes(&given.array("log")).map_err(|error| word(&error))?;
            Ok(json!({ "id": EntryPlace { feed: feed(), log, index: given.uint("index") }.id().to_string() }))
        }
        "swarm" => {
            let blinding = Blinding::new(&given.bytes("secret"), given.uint("period")).map_err(|error| word(&error))?;
            let key = blinding.swarm_key(&feed());
            Ok(json!({ "swarm_key": hex(key), "swarm_id": key.swarm_id().to_string() }))
        }
        "feed-keys" => {
            let keys = FeedKeys::new(&feed());
            Ok(json!({
                "psk": hex(*keys.psk), "hint": hex(*keys.hint), "channel": hex(*keys.channel),
                "public_epoch": hex(*keys.public_epoch),
            }))
        }
        "signature" => {
            let key = DeviceId::from_slice(&given.bytes("key")).map_err(|error| word(&error))?;
            let signature = Signature::new(given.array("signature"));
            verify(&key, given.text("type"), &feed(), &given.bytes("payload"), &signature)
                .map(|()| json!({}))
                .map_err(|error| word(&error))
        }
        "swarm-signature" => {
            let key = SwarmKey::from_bytes(given.array("swarm_key")).map_err(|error| word(&error))?;
            let signature = Signature::new(given.array("signature"));
            blind::verify(&key, given.text("type"), &given.bytes("payload"), &signature)
                .map(|()| json!({}))
                .map_err(|error| word(&error))
        }
        "hkdf" => {
            assert_eq!(given.uint("length"), 72, "the length that is tried here");
            let parts = given.byte_list("parts");
            let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            let okm = kdf::derive::<72>(&given.bytes("ikm"), given.text("label"), &parts);
            Ok(json!({ "okm": hex(*okm) }))
        }
        "secret-box" => secretbox::open(&given.array("key"), &given.array("nonce"), &given.bytes("sealed"))
            .map(|plain| json!({ "plaintext": hex(&*plain) }))
            .map_err(|error| word(&error)),
        other => panic!("no vector of kind {other} belongs here"),
    }
}

fn story(
    name: &'static str,
    story: &'static str,
    kind: &'static str,
    spec: &'static [&'static str],
    given: Json,
    accepted: bool,
) -> Story {
    Story { name, story, kind, spec, given, accepted }
}

fn stories() -> Vec<Story> {
    let mut all = phrases_and_names();
    all.extend(keys());
    all.extend(sealed_files());
    all.extend(swarms_and_boxes());
    all.extend(signatures());
    all
}

fn phrases_and_names() -> Vec<Story> {
    let feed = identity().feed_id();
    let text = feed.to_string();
    let mistyped = text.replacen(&text[20..21], if &text[20..21] == "q" { "p" } else { "q" }, 1);
    let phrase = |name, what, text: &str, ok| {
        story(name, what, "identity", &["ID-2", "ID-11", "ID-15"], json!({ "phrase": text }), ok)
    };
    let named = |name, what, text: &str, ok| story(name, what, "feed-id", &["ID-3"], json!({ "text": text }), ok);
    let device = IdentityKey::from_seed(&[5; 32]).feed_id();
    let log = hex([device.as_bytes().as_slice(), &[1, 2, 3, 4, 5, 6, 7, 8]].concat());
    let entry = |name, what, index: u64| {
        story(name, what, "entry-id", &["ID-5", "ID-6"], json!({ "feed": hex(feed), "log": log, "index": index }), true)
    };
    vec![
        phrase(
            "a-published-phrase",
            "The BIP-39 test phrase of 32 bytes 0x7f and the keys that follow from it.",
            PHRASE,
            true,
        ),
        phrase("a-word-that-is-not-in-the-list", "legals for legal.", &PHRASE.replacen("legal", "legals", 1), false),
        phrase(
            "two-words-exchanged",
            "The checksum notices it.",
            &PHRASE.replacen("legal winner", "winner legal", 1),
            false,
        ),
        phrase(
            "twelve-words",
            "A phrase of another length, valid elsewhere.",
            "legal winner thank year wave sausage worth useful legal winner thank yellow",
            false,
        ),
        named("a-feed-id", "As it is shown to people.", &text, true),
        named("a-feed-id-in-capitals", "The same, as it may come out of a QR code.", &text.to_uppercase(), true),
        named("a-mistyped-feed-id", "One character is another one; the checksum says so.", &mistyped, false),
        named("a-feed-id-cut-short", "The last characters are missing.", &text[..50], false),
        named(
            "a-feed-id-of-another-kind",
            "A Bitcoin address is no feed id.",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
            false,
        ),
        entry("the-first-entry", "Its id follows from feed, log and index.", 0),
        entry("an-entry-far-along", "An index that needs more than four bytes.", 1 << 40),
    ]
}

/// A file of secrets under "correct horse", of the least cost that there is.
fn sealed_files() -> Vec<Story> {
    let cost = PassphraseCost::new(8, 1, 1, [3; 16]).expect("a cost within its bounds");
    let key = cost.stretch("correct horse").expect("a passphrase");
    let bytes = SealedFile::seal("device", b"secret", cost, &key, [4; 24]).encode();
    let sealed = |name, what, bytes: &[u8], kind: &str, passphrase: &str, ok| {
        let given = json!({ "bytes": hex(bytes), "kind": kind, "passphrase": passphrase });
        story(name, what, "sealed-file", &["SEAL-1", "SEAL-2", "SEAL-3", "SEAL-4"], given, ok)
    };
    let costing = |name: &[u8], value: u64| {
        let value_of = bencode::decode(&bytes, 4_096).expect("canonical");
        value_of.as_dict().expect("a dictionary").clone().with(name.to_vec(), value).encode()
    };
    let (memory, passes) = (costing(b"m", 1 << 30), costing(b"p", 1 << 30));
    let mut altered = bytes.clone();
    *altered.last_mut().expect("not empty") = b'x';
    vec![
        sealed("a-sealed-file", "It opens under its passphrase.", &bytes, "device", "correct horse", true),
        sealed("a-sealed-file-under-another-passphrase", "It does not.", &bytes, "device", "wrong horse", false),
        sealed("a-sealed-file-of-another-kind", "A device is no identity.", &bytes, "identity", "correct horse", false),
        sealed("a-sealed-file-that-takes-all-memory", "A terabyte.", &memory, "device", "correct horse", false),
        sealed("a-sealed-file-that-takes-for-ever", "A billion passes.", &passes, "device", "correct horse", false),
        sealed("a-sealed-file-cut-short", "No dictionary.", &altered, "device", "correct horse", false),
    ]
}

fn keys() -> Vec<Story> {
    let key = |name, what, bytes: &str, ok| story(name, what, "key", &["ID-1"], json!({ "key": bytes }), ok);
    vec![
        key(
            "an-ordinary-key",
            "The base point of the curve.",
            "5866666666666666666666666666666666666666666666666666666666666666",
            true,
        ),
        key(
            "the-identity-element",
            "Anything verifies under it.",
            "0100000000000000000000000000000000000000000000000000000000000000",
            false,
        ),
        key(
            "a-key-of-order-four",
            "A point of small order.",
            "0000000000000000000000000000000000000000000000000000000000000000",
            false,
        ),
        key(
            "a-key-of-order-two",
            "Another one.",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            false,
        ),
        key(
            "a-key-of-order-eight",
            "And another.",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            false,
        ),
        key(
            "a-second-encoding",
            "The identity element with y = p + 1.",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            false,
        ),
        key(
            "no-point",
            "No point of the curve has y = 2.",
            "0200000000000000000000000000000000000000000000000000000000000000",
            false,
        ),
        key("a-key-cut-short", "31 bytes.", "58666666666666666666666666666666666666666666666666666666666666", false),
        key("a-key-with-torsion", "The base point and a point of order eight added up.", &mixed_key(), false),
    ]
}

/// The base point with a torsion component.
fn mixed_key() -> String {
    use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
    hex((ED25519_BASEPOINT_POINT + EIGHT_TORSION[1]).compress().as_bytes())
}

fn swarms_and_boxes() -> Vec<Story> {
    let feed = hex(identity().feed_id());
    let swarm = |name, what, secret: &[u8], period: u64, ok| {
        let given = json!({ "feed": feed, "secret": hex(secret), "period": period });
        story(name, what, "swarm", &["ID-8", "ID-9"], given, ok)
    };
    let (key, nonce) = ([1; 32], [2; 24]);
    let sealed = secretbox::seal(&key, &nonce, b"nobody else reads this");
    let mut flipped = sealed.clone();
    flipped[20] ^= 1;
    let boxed = |name, what, sealed: &[u8], ok| {
        let given = json!({ "key": hex(key), "nonce": hex(nonce), "sealed": hex(sealed) });
        story(name, what, "secret-box", &["ID-14"], given, ok)
    };
    let derived = json!({ "ikm": hex([9; 32]), "label": "entry", "parts": ["aa", "bbcc"], "length": 72 });
    vec![
        swarm("the-swarm-of-version-1", "No secret and period 0: what trackers see today.", b"", 0, true),
        swarm("a-swarm-with-a-secret", "With a swarm secret, in a later period.", b"a secret", 20_000, true),
        swarm("a-swarm-secret-too-long", "256 bytes do not fit the length byte.", &[0; 256], 0, false),
        boxed("a-box-that-opens", "XSalsa20-Poly1305: tag, then ciphertext.", &sealed, true),
        boxed("a-box-with-one-bit-flipped", "It stays shut.", &flipped, false),
        boxed("a-box-shorter-than-its-tag", "It stays shut.", &sealed[..15], false),
        story(
            "keys-of-a-feed",
            "What everyone has who knows the feed id.",
            "feed-keys",
            &["ID-12"],
            json!({ "feed": feed }),
            true,
        ),
        story("a-derived-key", "HKDF-SHA-256 with salt and info as written.", "hkdf", &["ID-4"], derived, true),
    ]
}

fn signatures() -> Vec<Story> {
    let identity = identity();
    let feed = identity.feed_id();
    let other = IdentityKey::from_seed(&[6; 32]).feed_id();
    let (payload, good) = (b"d1:ni1ee", identity.sign("manifest", b"d1:ni1ee"));
    let signed = |name, what, record_type: &str, feed: &FeedId, key: &[u8], payload: &[u8], signature: &[u8], ok| {
        let given = json!({
            "type": record_type, "feed": hex(feed), "key": hex(key), "payload": hex(payload), "signature": hex(signature)
        });
        story(name, what, "signature", &["ID-7"], given, ok)
    };
    let key = feed.as_bytes();
    let mut flipped = good.to_bytes();
    flipped[40] ^= 1;
    // s and s + ℓ give the same point; only the smaller is a signature.
    let mut malleable = good.to_bytes();
    add_group_order(&mut malleable[32..]);
    let weak = unhex("0100000000000000000000000000000000000000000000000000000000000000");
    let weak_signature = [weak.clone(), vec![0; 32]].concat();
    let owner = identity.swarm_signer(&Blinding::VERSION_1);
    let blinded = |name, what, payload: &[u8], ok| {
        let signature = owner.sign("certificate", b"d1:ei1ee");
        let given = json!({
            "type": "certificate", "swarm_key": hex(owner.key()), "payload": hex(payload),
            "signature": hex(signature.as_bytes())
        });
        story(name, what, "swarm-signature", &["ID-10"], given, ok)
    };
    vec![
        signed(
            "a-signed-record",
            "Type, feed and bytes as received are signed.",
            "manifest",
            &feed,
            key,
            payload,
            good.as_bytes(),
            true,
        ),
        signed(
            "signed-as-another-type",
            "A manifest's signature is none of a roster.",
            "roster",
            &feed,
            key,
            payload,
            good.as_bytes(),
            false,
        ),
        signed(
            "signed-for-another-feed",
            "Nor of another feed.",
            "manifest",
            &other,
            key,
            payload,
            good.as_bytes(),
            false,
        ),
        signed(
            "signed-by-somebody-else",
            "Nor another key's.",
            "manifest",
            &feed,
            other.as_bytes(),
            payload,
            good.as_bytes(),
            false,
        ),
        signed(
            "signed-bytes-changed",
            "Nor of other bytes.",
            "manifest",
            &feed,
            key,
            b"d1:ni2ee",
            good.as_bytes(),
            false,
        ),
        signed("a-signature-with-one-bit-flipped", "One bit of s.", "manifest", &feed, key, payload, &flipped, false),
        signed(
            "a-signature-written-otherwise",
            "s plus the group's order: refused, or one record had many digests.",
            "manifest",
            &feed,
            key,
            payload,
            &malleable,
            false,
        ),
        signed(
            "a-signature-under-a-weak-key",
            "It would verify for any bytes.",
            "manifest",
            &feed,
            &weak,
            payload,
            &weak_signature,
            false,
        ),
        blinded(
            "signed-under-the-swarm-key",
            "By the owner, with the blinded secret; an ordinary signature to others.",
            b"d1:ei1ee",
            true,
        ),
        blinded("other-bytes-under-the-swarm-key", "Not what the owner signed.", b"d1:ei2ee", false),
    ]
}

/// Adds ℓ to a little-endian number of 32 bytes.
fn add_group_order(number: &mut [u8]) {
    let order = unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut carry = 0;
    for (byte, other) in number.iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(other) + carry;
        [*byte, _] = sum.to_le_bytes();
        carry = sum >> 8;
    }
}
