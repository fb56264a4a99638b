//! What holds for every record: no changed byte is taken, and what is not understood is kept.

use peerfeed_protocol::bencode::{Dict, Value};
use peerfeed_protocol::feed::{
    Body, Content, EpochSecret, Head, HeadDecision, Keyring, LeafHeader, Link, LogWriter, Manifest, Post, ReadError,
    Roster, Stamp, UnverifiedHead, file_name, shown, shown_in_line,
};
use peerfeed_protocol::ids::EpochId;
use peerfeed_protocol::merkle::Frontier;
use proptest::prelude::*;

use super::actors::{
    NOW, device, entropy, feed, fields, friends_epoch, identity, log, manifest, roster, signed, signed_by,
};
use super::entries::{place, post};
use super::logs::Tree;

#[test]
fn no_byte_of_a_signed_record_can_be_changed() {
    let head = Tree::of(&[b"one"]).head(1);
    let verified =
        |bytes: &[u8]| UnverifiedHead::decode(bytes).is_ok_and(|head| head.verify(&feed(), &roster()).is_ok());
    no_byte_can_be_changed(manifest().bytes(), |bytes| Manifest::decode(&feed(), bytes).is_ok());
    no_byte_can_be_changed(roster().bytes(), |bytes| Roster::decode(&feed(), bytes).is_ok());
    no_byte_can_be_changed(head.bytes(), verified);
}

fn no_byte_can_be_changed(record: &[u8], is_taken: impl Fn(&[u8]) -> bool) {
    assert!(is_taken(record));
    for at in 0..record.len() {
        for mask in [0x01, 0x80, 0xff] {
            let mut changed = record.to_vec();
            changed[at] ^= mask;
            assert!(!is_taken(&changed), "byte {at} xor {mask:#x}");
        }
    }
    assert!(!is_taken(&record[..record.len() - 1]) && !is_taken(&[record, b"e"].concat()));
}

#[test]
fn no_byte_of_a_stored_body_can_be_changed() {
    let mut writer = LogWriter::new(feed(), log(), Frontier::new(), 0);
    let key = friends_epoch().1.read_key(&feed());
    let entry = writer.append(&post("hello"), &key, NOW, &mut entropy()).unwrap();
    for at in 0..entry.body.len() {
        let mut changed = entry.body.clone();
        changed[at] ^= 1;
        assert!(entry.header.check_body(&changed).is_err(), "byte {at}");
    }
}

#[test]
fn who_lacks_an_entrys_epoch_cannot_read_it() {
    let (id, secret) = friends_epoch();
    let mut writer = LogWriter::new(feed(), log(), Frontier::new(), 0);
    let entry = writer.append(&post("for friends"), &secret.read_key(&feed()), NOW, &mut entropy()).unwrap();
    let mut keyring = Keyring::new(feed());
    assert_eq!(keyring.open(&entry.place, &entry.header, &entry.body), Err(ReadError::NoKey));
    keyring.add_secret(EpochId::new([50; 16]), EpochSecret::new([51; 32]));
    assert_eq!(keyring.open(&entry.place, &entry.header, &entry.body), Err(ReadError::NoKey));
    keyring.add_secret(id, secret);
    assert_eq!(keyring.open(&entry.place, &entry.header, &entry.body).map(|(epoch, _)| epoch), Ok(id));
    assert_eq!(keyring.open(&place(1), &entry.header, &entry.body), Err(ReadError::NoKey), "at another place");
}

#[test]
fn a_friend_reads_all_history_from_the_newest_epoch() {
    use peerfeed_protocol::feed::{EarlierEpoch, EpochStart, GrantRows};
    let epochs: Vec<_> = (0..5u8).map(|n| (EpochId::new([n + 1; 16]), EpochSecret::new([n + 100; 32]))).collect();
    let starts: Vec<_> = (1..5)
        .map(|n| {
            let ((id, secret), (earlier, before)) = (&epochs[n], &epochs[n - 1]);
            EpochStart {
                epoch: *id,
                earlier: vec![EarlierEpoch { epoch: *earlier, sealed: secret.seal_earlier(&feed(), earlier, before) }],
                grants: GrantRows::padded(Vec::new(), &mut entropy()).unwrap(),
                unknown: Dict::new(),
            }
        })
        .collect();
    let mut keyring = Keyring::new(feed());
    keyring.add_secret(epochs[4].0, epochs[4].1.clone());
    let learnt: Vec<_> = starts.iter().rev().flat_map(|start| keyring.learn(start).unwrap()).collect();
    assert_eq!(learnt, [4, 3, 2, 1].map(|n| EpochId::new([n; 16])));
    assert_eq!(keyring.epoch(&epochs[0].0).and_then(|known| known.secret.clone()), Some(epochs[0].1.clone()));

    let mut later = Keyring::new(feed());
    later.add_secret(epochs[1].0, epochs[1].1.clone());
    assert_eq!(later.learn(&starts[3]), Ok(Vec::new()), "an earlier epoch gives no later one");
}

#[test]
fn who_was_granted_the_read_key_alone_gets_no_history() {
    use peerfeed_protocol::feed::Granted;
    let (id, secret) = friends_epoch();
    let mut keyring = Keyring::new(feed());
    assert!(keyring.add_granted(id, Granted::ReadKey(secret.read_key(&feed()))));
    assert!(keyring.epoch(&id).is_some_and(|known| known.secret.is_none()));
    assert!(keyring.add_secret(id, secret), "the secret may come later");
    assert!(keyring.epoch(&id).is_some_and(|known| known.secret.is_some()));
    assert!(!keyring.add_secret(id, EpochSecret::new([60; 32])), "another secret for a known epoch is passed over");
}

/// Any value that bencode can hold, three levels deep.
fn value() -> impl Strategy<Value = Value<'static>> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Value::from),
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 12, 4, |inner| proptest::collection::vec(inner, 0..4).prop_map(Value::from))
}

/// Keys that no format uses: those in use have one letter.
fn unknown() -> impl Strategy<Value = Dict<'static>> {
    let key = "[a-z]{2,6}".prop_map(|key: String| std::borrow::Cow::Owned(key.into_bytes()));
    proptest::collection::vec((key, value()), 0..4).prop_map(|entries| entries.into_iter().collect())
}

fn joined(dict: Dict<'static>, unknown: &Dict<'static>) -> Dict<'static> {
    unknown.iter().fold(dict, |dict, (key, value)| dict.with(key.to_vec(), value.clone()))
}

proptest! {
    #[test]
    fn unknown_keys_survive_every_record(unknown in unknown()) {
        let record = signed("manifest", &joined(fields(manifest().bytes()), &unknown));
        if let Ok(manifest) = Manifest::decode(&feed(), &record) {
            prop_assert_eq!(manifest.bytes(), &record[..]);
            let again = manifest.content().sign(&identity()).unwrap();
            prop_assert_eq!(again.bytes(), &record[..]);
        } else {
            prop_assert!(record.len() > 900);
        }
        let record = signed("roster", &joined(fields(roster().bytes()), &unknown));
        let roster = Roster::decode(&feed(), &record).unwrap();
        let again = roster.content().clone().sign(&identity()).unwrap();
        prop_assert_eq!(again.bytes(), &record[..]);

        let head = joined(fields(Tree::of(&[b"one"]).head(1).bytes()), &unknown);
        let record = signed_by(&device(), "head", &head);
        if let Ok(head) = UnverifiedHead::decode(&record) {
            let head = head.verify(&feed(), &roster).unwrap();
            prop_assert_eq!(head.bytes(), &record[..]);
        } else {
            prop_assert!(record.len() > 512);
        }
    }

    #[test]
    fn a_post_is_read_as_it_was_written(
        text in "\\PC{0,200}", channel in proptest::option::of("[a-z ]{1,64}"), number in 1..i64::MAX, unknown in unknown(),
    ) {
        let stamp = Stamp::from_number(number).unwrap();
        let post = Post { text, channel, attachments: Vec::new() };
        let body = Body { unknown, ..Body::post(stamp, post) };
        let bytes = body.encode().unwrap();
        prop_assert_eq!(Body::decode(&bytes).unwrap(), body);
    }

    #[test]
    fn no_bytes_at_all_make_any_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Manifest::decode(&feed(), &bytes);
        let _ = Roster::decode(&feed(), &bytes);
        let _ = UnverifiedHead::decode(&bytes);
        let _ = LeafHeader::decode(&bytes);
        let _ = Body::decode(&bytes);
        let _ = peerfeed_protocol::feed::Control::decode(&bytes);
        let _ = peerfeed_protocol::feed::GrantRows::decode(&bytes);
        let _ = String::from_utf8_lossy(&bytes).parse::<Link>();
    }

    #[test]
    fn no_dictionary_at_all_makes_any_reader_panic(dict in proptest::collection::vec(("[a-z]", value()), 0..12)) {
        let dict: Dict<'static> = dict.into_iter().map(|(key, value)| (key.into_bytes().into(), value)).collect();
        let dict = dict.with(b"v", 1);
        let bytes = dict.encode();
        let _ = Manifest::decode(&feed(), &signed("manifest", &dict));
        let _ = Roster::decode(&feed(), &signed("roster", &dict));
        let _ = UnverifiedHead::decode(&signed("head", &dict));
        let _ = LeafHeader::decode(&bytes);
        for name in ["post", "message", "profile", "epoch", "grants", "other"] {
            let bytes = dict.clone().with(b"t", name).with(b"w", 1).with(b"c", 0).encode();
            let body = Body::decode(&bytes);
            let kept = body.as_ref().is_ok_and(|body| matches!(body.content, Content::Unknown { .. }));
            if kept {
                prop_assert_eq!(&**body.unwrap().encode().unwrap(), &bytes[..]);
            }
            let _ = peerfeed_protocol::feed::Control::decode(&bytes);
        }
    }

    #[test]
    fn a_strangers_name_is_always_a_plain_name(name in "(\\PC|[./\\\\: \u{202e}\u{0}-\u{1f}]){0,300}") {
        let safe = file_name(&name);
        prop_assert!((1..=255).contains(&safe.len()));
        prop_assert!(!safe.starts_with('.') && !safe.ends_with(['.', ' ']), "{:?}", safe);
        prop_assert!(!safe.contains(|c: char| c.is_control() || "/\\:".contains(c)), "{:?}", safe);
        prop_assert_eq!(file_name(&safe), safe.clone(), "a safe name stays as it is");
    }

    #[test]
    fn nothing_shown_controls_a_terminal(text in "(\\PC|[\u{0}-\u{9f}\u{2000}-\u{206f}]){0,100}") {
        prop_assert!(!shown_in_line(&text).contains(char::is_control));
        prop_assert!(!shown(&text).contains(|c: char| c.is_control() && c != '\n' && c != '\t'));
    }

    #[test]
    fn heads_are_judged_alike_however_the_log_grew(old in 1usize..40, more in 0usize..40) {
        let leaves: Vec<[u8; 1]> = (0..80u8).map(|leaf| [leaf]).collect();
        let leaves: Vec<&[u8]> = leaves.iter().map(|leaf| &leaf[..]).collect();
        let tree = Tree::of(&leaves[..old + more]);
        let (old, new) = (old as u64, (old + more) as u64);
        let received = |head: &Head| UnverifiedHead::decode(head.bytes()).unwrap();
        let proof = tree.proof(old, new);
        let (held, next) = (tree.head(old), tree.head(new));
        let decision = HeadDecision::judge(&feed(), &roster(), Some(&held), received(&next), Some(&proof));
        let due = if more == 0 { HeadDecision::Known } else { HeadDecision::Accept(next.clone()) };
        prop_assert_eq!(decision, due);
        let decision = HeadDecision::judge(&feed(), &roster(), Some(&next), received(&held), None);
        prop_assert_eq!(decision, if more == 0 { HeadDecision::Known } else { HeadDecision::Older });
    }
}
