//! Vectors of mailboxes: packets, tokens, work.

use peerfeed_protocol::bencode::{Dict, Value};
use peerfeed_protocol::crypto::kdf::derive;
use peerfeed_protocol::crypto::{BoxKey, DeviceKey, IdentityKey, SignedBytes, secretbox};
use peerfeed_protocol::feed::{Device, ManifestContent, Records, Roster, RosterContent};
use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::mailbox::{
    Letter, LetterError, LetterKind, Packet, PacketError, Prekey, Token, TokenError, TokenKind, Work, find_work, seal,
};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::feed::Kind;
use crate::feed::actors::{NOW, device, entropy, feed, flipped, roster};
use crate::vector::{self, Given, Outcome, Story, hex, word};

#[test]
fn mailboxes_are_what_the_vectors_say() {
    vector::bless("mailbox", &stories(), run);
    vector::check("mailbox", run);
}

fn run(given: &Given<'_>) -> Outcome {
    match given.kind {
        "packet" => packet(given),
        "token" => token(given),
        "work" => work(given),
        other => panic!("no vector of kind {other} belongs here"),
    }
}

fn given_feed(given: &Given<'_>) -> FeedId {
    FeedId::from_bytes(given.array("feed")).expect("a feed id")
}

fn packet(given: &Given<'_>) -> Outcome {
    let packet = Packet::decode(&given.bytes("packet")).map_err(|error| word(&error))?;
    let secrets: Vec<_> =
        given.byte_list("prekey_secrets").into_iter().map(|bytes| bytes.try_into().expect("32 bytes")).collect();
    let prekeys: Vec<BoxKey> = secrets.into_iter().map(BoxKey::from_bytes).collect();
    let opened = packet.open(&given_feed(given), &prekeys).map_err(|error| match error {
        PacketError::Letter(LetterError::Field(error)) => word(&error.problem),
        PacketError::Letter(error) => word(&error),
        error => word(&error),
    })?;
    let letter = &opened.letter;
    let kind = match letter.kind {
        LetterKind::Request => "request",
        LetterKind::Accept => "accept",
        LetterKind::Refuse => "refuse",
        LetterKind::Other => "other",
    };
    let prekeys: Vec<_> = letter.prekeys.iter().map(|prekey| json!([hex(prekey.device), hex(prekey.key)])).collect();
    let hash = |token: &Option<Token>| token.as_ref().map(|token| hex(token.hash().0));
    Ok(json!({
        "type": kind, "sender": hex(letter.feed()), "device": hex(letter.device), "name": letter.name,
        "token": hash(&letter.token), "invitation": hash(&letter.invitation), "prekeys": prekeys,
        "written": letter.written_s, "opened_by": hex(opened.prekey),
    }))
}

fn token(given: &Given<'_>) -> Outcome {
    let roster = Roster::decode(&given_feed(given), &given.bytes("roster")).map_err(|error| word(&error))?;
    let token = Token::from_slice(&given.bytes("token")).map_err(|error| word(&error))?;
    token.check(&roster, given.uint("now")).map_err(|error: TokenError| word(&error))?;
    Ok(json!({
        "kind": u8::from(token.kind() == TokenKind::Invitation), "expiry": token.expiry(), "hash": hex(token.hash().0),
    }))
}

fn work(given: &Given<'_>) -> Outcome {
    let work = Work(given.uint("work"));
    let suffices = work.suffices(&given_feed(given), &given.bytes("packet"));
    if suffices { Ok(json!({})) } else { Err("too-little".to_owned()) }
}

fn stories() -> Vec<Story> {
    [packets(), letters(), tokens(), works()].into_iter().flatten().collect()
}

/// Who writes to the feed of the other chapters.
fn sender() -> IdentityKey {
    IdentityKey::from_seed(&[51; 32])
}

fn sender_device() -> DeviceKey {
    DeviceKey::from_seed(&[52; 32])
}

fn sender_records() -> Records {
    let device = Device::new(sender_device().id(), BoxKey::from_bytes([53; 32]).public());
    let roster = RosterContent::first(device).sign(&sender()).expect("a roster");
    Records::new(ManifestContent::first(roster.digest(), [54; 32]).sign(&sender()).expect("a manifest"), roster)
        .expect("they belong together")
}

fn prekey(number: u8) -> BoxKey {
    BoxKey::from_bytes([60 + number; 32])
}

fn invitation() -> Token {
    Token::issue(&device(), &feed(), TokenKind::Invitation, NOW + 86_400, &mut entropy())
}

fn contact() -> Token {
    let mut entropy = entropy();
    Token::issue(&sender_device(), &sender().feed_id(), TokenKind::Contact, NOW + 86_400, &mut entropy)
}

fn request() -> Letter {
    Letter {
        kind: LetterKind::Request,
        records: sender_records(),
        device: sender_device().id(),
        name: Some("Ben".to_owned()),
        token: Some(contact()),
        invitation: Some(invitation()),
        prekeys: vec![Prekey { device: sender_device().id(), key: prekey(9).public() }],
        written_s: NOW,
    }
}

fn sealed(letter: &Letter, devices: u8) -> Packet {
    let prekeys: Vec<_> = (0..devices).map(|number| prekey(number).public()).collect();
    seal(letter, &sender_device(), &feed(), &prekeys, &mut entropy()).expect("a packet")
}

fn packets() -> Vec<Story> {
    let kind = Kind { kind: "packet", spec: &["MAIL-3", "MAIL-4", "MAIL-5", "MAIL-6", "MAIL-7", "MAIL-8"] };
    let good = sealed(&request(), 3);
    let bytes = good.as_bytes();
    let given = |bytes: &[u8], prekeys: &[u8]| {
        let secrets: Vec<_> = prekeys.iter().map(|number| hex(*prekey(*number).to_bytes())).collect();
        json!({ "feed": hex(feed()), "packet": hex(bytes), "prekey_secrets": secrets })
    };
    let changed = |name: &str, value: Json| {
        let mut given = given(bytes, &[1]);
        given[name] = value;
        given
    };
    let head = 34 + 4 * 56;
    let bare = Letter { name: None, token: None, invitation: None, prekeys: Vec::new(), ..request() };
    let many = Letter { prekeys: vec![request().prekeys[0]; 64], ..request() };
    let cut = |at: usize, byte: u8| {
        let mut bytes = bytes.to_vec();
        bytes[at] = byte;
        bytes
    };
    vec![
        kind.accepted("a-request", "For three devices; the second one opens it.", given(bytes, &[7, 1])),
        kind.accepted("a-request-for-one-device", "One slot.", given(sealed(&bare, 1).as_bytes(), &[0])),
        kind.accepted("a-request-from-64-devices", "It takes the second length.", {
            given(sealed(&many, 2).as_bytes(), &[0])
        }),
        kind.accepted("an-acceptance", "The two are friends.", {
            given(sealed(&Letter { kind: LetterKind::Accept, invitation: None, ..request() }, 1).as_bytes(), &[0])
        }),
        kind.accepted("a-refusal", "They will not be.", {
            given(sealed(&Letter { kind: LetterKind::Refuse, ..bare.clone() }, 1).as_bytes(), &[0])
        }),
        kind.accepted("a-letter-of-a-later-type", "Read, and passed over.", {
            given(sealed(&Letter { kind: LetterKind::Other, ..bare.clone() }, 1).as_bytes(), &[0])
        }),
        kind.refused("a-packet-for-others", "None of its slots is for this prekey.", given(bytes, &[3])),
        kind.refused("a-packet-in-another-mailbox", "The feed is part of every key.", {
            changed("feed", json!(hex(sender().feed_id())))
        }),
        kind.refused("a-packet-one-byte-short", "No packet has 3,999 bytes.", given(&bytes[1..], &[1])),
        kind.refused("a-packet-of-version-2", "Not known.", given(&cut(0, 2), &[1])),
        kind.refused("a-packet-with-three-slots", "No power of two.", given(&cut(33, 3), &[1])),
        kind.refused("a-packet-with-128-slots", "More than devices.", given(&cut(33, 128), &[1])),
        kind.refused("a-packet-with-another-ephemeral-key", "All follows from it.", given(&flipped(bytes, 9), &[1])),
        kind.refused("a-packet-with-another-commitment", "The key is another one.", {
            given(&flipped(bytes, head + 1), &[1])
        }),
        kind.refused("a-packet-with-one-bit-of-its-padding-flipped", "It does not open.", {
            given(&flipped(bytes, 3_990), &[1])
        }),
        kind.refused("a-packet-with-slots-exchanged", "They are sorted.", {
            let mut bytes = bytes.to_vec();
            bytes[34..34 + 112].rotate_left(56);
            given(&bytes, &[1])
        }),
    ]
}

fn tokens() -> Vec<Story> {
    let kind = Kind { kind: "token", spec: &["MAIL-10", "MAIL-11"] };
    let given = |token: &[u8], now: u64| json!({ "feed": hex(feed()), "roster": hex(roster().bytes()), "token": hex(token), "now": now });
    let good = invitation();
    let good = good.as_bytes();
    let mut entropy = entropy();
    let contact_token = Token::issue(&device(), &feed(), TokenKind::Contact, u64::MAX, &mut entropy);
    let foreign = Token::issue(&device(), &sender().feed_id(), TokenKind::Contact, u64::MAX, &mut entropy);
    let mut later = *good;
    later[20] ^= 1;
    vec![
        kind.accepted("an-invitation", "Good for another day.", given(good, NOW)),
        kind.accepted("a-contacts-token", "Good for ever.", given(contact_token.as_bytes(), NOW)),
        kind.refused("an-expired-invitation", "Its time is over.", given(good, NOW + 86_400)),
        kind.refused("an-invitation-made-to-last-longer", "The time is signed.", given(&later, NOW)),
        kind.refused("a-token-of-another-kind", "There are two.", given(&[&[2], &good[1..]].concat(), NOW)),
        kind.refused("a-token-turned-into-a-contacts", "So is the kind.", given(&[&[0], &good[1..]].concat(), NOW)),
        kind.refused("a-token-for-another-feed", "So is the feed.", given(foreign.as_bytes(), NOW)),
        kind.refused("a-token-of-a-stranger", "The roster does not list its device.", {
            given(contact().as_bytes(), NOW)
        }),
        kind.refused("a-token-cut-short", "A token has 121 bytes.", given(&good[..120], NOW)),
    ]
}

fn works() -> Vec<Story> {
    let kind = Kind { kind: "work", spec: &["MAIL-12"] };
    let packet = sealed(&request(), 1);
    let done = find_work(&feed(), packet.as_bytes());
    let given = |feed: FeedId, work: u64| json!({ "feed": hex(feed), "packet": hex(packet.as_bytes()), "work": work });
    vec![
        kind.accepted("work-that-suffices", "Twenty zero bits.", given(feed(), done.0)),
        kind.refused("work-for-another-feed", "The feed is part of it.", given(sender().feed_id(), done.0)),
        kind.refused("too-little-work", "The number before.", given(feed(), done.0 - 1)),
    ]
}

/// A packet whose letter is whatever `letter` makes for its head: sealed by the rules of MAIL-3 to MAIL-5, written once more.
fn sealed_by_hand(letter: impl FnOnce(&[u8; 32]) -> Vec<u8>) -> Vec<u8> {
    let (ephemeral, key, prekey) = (BoxKey::from_bytes([70; 32]), [71; 32], prekey(0).public());
    let shared = ephemeral.agree(&prekey).expect("a proper key");
    let public = ephemeral.public();
    let feed = feed();
    let parts: [&[u8]; 3] = [feed.as_bytes(), public.as_bytes(), prekey.as_bytes()];
    let slot = derive::<40>(&*shared, "mailbox-slot", &parts);
    let slot_key = slot[8..].try_into().expect("32 of 40 bytes");
    let mut bytes =
        [&[1][..], public.as_bytes(), &[1], &slot[..8], &secretbox::seal(slot_key, &[0; 24], &key)].concat();
    let head: [u8; 32] = Sha256::digest(&bytes).into();
    let keys = derive::<64>(&key, "mailbox-packet", &[feed.as_bytes(), &head]);
    bytes.extend_from_slice(&keys[32..]);
    let letter = letter(&head);
    let mut plain = u32::try_from(letter.len()).expect("short").to_be_bytes().to_vec();
    plain.extend_from_slice(&letter);
    plain.resize(4_000 - bytes.len() - 16, 0);
    bytes.extend_from_slice(&secretbox::seal(keys[..32].try_into().expect("32 of 64 bytes"), &[0; 24], &plain));
    bytes
}

/// The fields of a good letter, to be broken one by one.
fn fields(head: &[u8; 32]) -> Dict<'static> {
    let records = sender_records();
    Dict::new()
        .with(b"d", sender_device().id())
        .with(b"f", sender().feed_id())
        .with(b"h", *head)
        .with(b"m", records.manifest().bytes().to_vec())
        .with(b"p", Vec::<Value<'static>>::new())
        .with(b"r", records.roster().bytes().to_vec())
        .with(b"t", "request")
        .with(b"v", 1)
        .with(b"w", NOW)
}

fn signed(record: &Dict<'_>, device: &DeviceKey, to: FeedId) -> Vec<u8> {
    let record = record.encode();
    SignedBytes::join(&device.sign("letter", &to, &record), &record)
}

fn letters() -> Vec<Story> {
    let kind = Kind { kind: "packet", spec: &["MAIL-7", "MAIL-9"] };
    let given = |packet: Vec<u8>| json!({ "feed": hex(feed()), "packet": hex(packet), "prekey_secrets": [hex(*prekey(0).to_bytes())] });
    let with = |key: &'static [u8], value: Value<'static>| {
        given(sealed_by_hand(|head| signed(&fields(head).with(key, value), &sender_device(), feed())))
    };
    let stranger = DeviceKey::from_seed(&[99; 32]);
    vec![
        kind.accepted("a-letter-with-a-key-of-a-later-version", "Unknown keys are passed over.", {
            with(b"z", Value::from(1))
        }),
        kind.refused("a-letter-taken-out-of-another-packet", "It names the head that it was written for.", {
            with(b"h", Value::from([0; 32]))
        }),
        kind.refused("a-letter-sent-on-to-somebody-else", "The signature is for another recipient.", {
            given(sealed_by_hand(|head| signed(&fields(head), &sender_device(), sender().feed_id())))
        }),
        kind.refused("a-letter-in-anothers-name", "Signed by a stranger.", {
            given(sealed_by_hand(|head| signed(&fields(head), &stranger, feed())))
        }),
        kind.refused("a-letter-of-a-device-that-is-not-listed", "The roster does not know it.", {
            let letter = |head: &[u8; 32]| signed(&fields(head).with(b"d", stranger.id()), &stranger, feed());
            given(sealed_by_hand(letter))
        }),
        kind.refused("a-letter-with-anothers-records", "Manifest and roster are not of the feed it names.", {
            with(b"f", Value::from(feed()))
        }),
        kind.refused(
            "a-letter-with-a-name-of-101-bytes",
            "Names have at most 100.",
            with(b"n", Value::from(vec![b'n'; 101])),
        ),
        kind.refused("a-letter-with-a-short-token", "A token has 121 bytes.", with(b"k", Value::from(vec![0; 120]))),
        kind.refused("a-letter-with-65-prekeys", "A feed has at most 64 devices.", {
            let pair = || Value::from(vec![Value::from(sender_device().id()), Value::from([9; 32])]);
            with(b"p", Value::from((0..65).map(|_| pair()).collect::<Vec<_>>()))
        }),
        kind.refused("a-letter-followed-by-something", "All behind the letter is zero.", {
            let packet = sealed_by_hand(|head| {
                let mut letter = signed(&fields(head), &sender_device(), feed());
                letter.push(0);
                letter
            });
            given(packet)
        }),
    ]
}
