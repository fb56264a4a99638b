//! Letters and mailboxes against those who lie: replayed, altered and misdirected packets, floods.

use bytes::Bytes;
use peerfeed::author::{self, Author, News};
use peerfeed::store::{FeedRow, Keeping, MailBox, Options, Reading, Store, WriteError};
use peerfeed::swarm::{Outcome, Prepared, Write};
use peerfeed_protocol::crypto::{BoxKey, DeviceKey, Entropy, IdentityKey};
use peerfeed_protocol::feed::{Device, ManifestContent, Records, RosterContent};
use peerfeed_protocol::ids::{DeviceId, FeedId, Incarnation};
use peerfeed_protocol::limits::{MAIL_BY_WORK, MAIL_PER_TOKEN, PACKET_BYTES, PACKET_SECONDS_MAX};
use peerfeed_protocol::mailbox::{Cursor, Token, TokenKind, find_work};
use peerfeed_protocol::peer::message::{Admission, MailWanted, RejectCode};

struct Person {
    _folder: tempfile::TempDir,
    store: Store,
    author: Author,
}

impl Person {
    fn new(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &Options::default()).unwrap();
        let author = author::init(&store, Some(name), &[]).unwrap().author;
        Self { _folder: folder, store, author }
    }

    fn feed(&self) -> FeedId {
        self.author.feed()
    }

    /// Knows another feed, as if it had been fetched.
    fn knows(&self, other: &Self) {
        let (feed, txn) = (other.feed(), other.store.read().unwrap());
        let (records, prekeys) = (txn.records(feed).unwrap().unwrap(), txn.prekeys(feed).unwrap());
        assert_eq!(prekeys.len(), 1, "published by init");
        self.store
            .write_blocking(move |txn| {
                let mut row = FeedRow::default();
                row.roles.follow = true;
                txn.put_feed(feed, &row)?;
                txn.put_records(&records)?;
                Ok::<_, WriteError>(txn.put_prekey(feed, prekeys[0].0, (1, 1), prekeys[0].1)?)
            })
            .unwrap();
    }

    /// The packets on their way, oldest first.
    fn packets(&self) -> Vec<Bytes> {
        assert!(self.author.write_letters().unwrap().is_empty());
        let outbox = self.store.read().unwrap().outbox().unwrap();
        outbox.into_iter().map(|letter| letter.packet.into()).collect()
    }

    fn reads(&self, packets: &[Bytes]) -> Vec<News> {
        self.author.read_packets(packets, "a mailbox", Cursor { mailbox: [1; 8], number: 1 }).unwrap()
    }

    fn is_friend_of(&self, other: &Self) -> bool {
        self.author.friend(other.feed()).unwrap().is_some()
    }
}

#[test]
fn both_become_friends_in_one_exchange_and_a_replayed_letter_changes_nothing() {
    let (ann, ben) = (Person::new("Ann"), Person::new("Ben"));
    ben.knows(&ann);
    let invitation = ann.author.invitation(u64::MAX).unwrap();
    ben.author.ask(ann.feed(), Some(invitation)).unwrap();
    let request = ben.packets();
    assert_eq!(request.len(), 1);
    assert_eq!(ann.reads(&request), [News::Friends(ben.feed())]);
    assert!(ann.is_friend_of(&ben), "and Ben has no friend yet");
    assert!(!ben.is_friend_of(&ann));
    let answer = ann.packets();
    assert_eq!(ben.reads(&answer), [News::Friends(ann.feed())]);
    assert!(ben.is_friend_of(&ann));

    assert!(ann.reads(&request).is_empty(), "read before");
    ann.author.remove(ben.feed()).unwrap();
    assert!(ann.reads(&request).is_empty());
    assert!(!ann.is_friend_of(&ben), "an old letter brings nobody back");
}

#[test]
fn altered_misdirected_and_own_letters_change_nothing() {
    let (ann, ben, eve) = (Person::new("Ann"), Person::new("Ben"), Person::new("Eve"));
    ben.knows(&ann);
    ben.author.ask(ann.feed(), None).unwrap();
    let request = ben.packets().remove(0);
    for at in [0, 1, 33, 40, 100, 150, 2_000, 3_999] {
        let mut altered = request.to_vec();
        altered[at] ^= 1;
        assert!(ann.reads(&[altered.into()]).is_empty(), "byte {at}");
    }
    assert!(ann.reads(&[request.slice(1..), Bytes::new(), vec![0; 70_000].into()]).is_empty());
    assert!(eve.reads(std::slice::from_ref(&request)).is_empty(), "for Ann alone");
    assert!(ben.reads(std::slice::from_ref(&request)).is_empty());
    // Who answers what nobody asked makes no friend.
    eve.knows(&ann);
    eve.author.ask(ann.feed(), None).unwrap();
    assert_eq!(ann.reads(&eve.packets()), [News::Asked(eve.feed())]);
    assert!(ann.author.accept_request(eve.feed(), false).unwrap());
    let acceptance = ann.packets();
    eve.author.take_back_asking(ann.feed(), None).unwrap();
    assert!(eve.reads(&acceptance).is_empty());
    assert!(!eve.is_friend_of(&ann));
    assert_eq!(ann.reads(&[request]), [News::Asked(ben.feed())], "the true one is still good");
}

#[test]
fn an_invitation_makes_one_friend_whoever_else_brings_it() {
    let (ann, ben, eve) = (Person::new("Ann"), Person::new("Ben"), Person::new("Eve"));
    let invitation = ann.author.invitation(u64::MAX).unwrap();
    for person in [&ben, &eve] {
        person.knows(&ann);
        person.author.ask(ann.feed(), Some(invitation.clone())).unwrap();
    }
    assert_eq!(ann.reads(&ben.packets()), [News::Friends(ben.feed())]);
    assert_eq!(ann.reads(&eve.packets()), [News::Asked(eve.feed())], "two seeders let it in once each");
    // An invitation of Ben's is none of Ann's.
    let foreign = ben.author.invitation(u64::MAX).unwrap();
    let zoe = Person::new("Zoe");
    zoe.knows(&ann);
    zoe.author.ask(ann.feed(), Some(foreign)).unwrap();
    assert_eq!(ann.reads(&zoe.packets()), [News::Asked(zoe.feed())]);
}

/// What becomes of a packet that somebody brings to the mailbox of a person's feed, at this time in unix seconds.
fn bring(person: &Person, packet: &[u8], admission: Admission, now_s: u64) -> Result<bool, RejectCode> {
    let write = Write::Packet { feed: person.feed(), packet: Bytes::copy_from_slice(packet), admission };
    let prepared = Prepared::new(write, Incarnation::new([7; 8]));
    match person.store.write_blocking(move |txn| prepared.run(txn, now_s * 1_000)).unwrap() {
        Outcome::Kept(new) => Ok(new),
        Outcome::Refused(code) => Err(code),
        other => panic!("{other:?}"),
    }
}

fn ask_for_mail(person: &Person, wanted: MailWanted, now_s: u64) -> Vec<Bytes> {
    let device = person.author.device();
    let prepared = Prepared::new(Write::Mail { feed: person.feed(), device, wanted }, Incarnation::new([7; 8]));
    match person.store.write_blocking(move |txn| prepared.run(txn, now_s * 1_000)).unwrap() {
        Outcome::Mail(answer) => answer.packets,
        other => panic!("{other:?}"),
    }
}

fn token(person: &Person, seed: u8, kind: TokenKind, expiry: u64) -> Admission {
    let invitation = person.author.invitation(expiry).unwrap();
    if kind == TokenKind::Invitation {
        return Admission::Token(Box::new(invitation));
    }
    // A contact's token is given in a letter.
    let other = Person::new(&format!("contact {seed}"));
    other.knows(person);
    other.author.ask(person.feed(), Some(invitation)).unwrap();
    person.reads(&other.packets());
    person.author.write_letters().unwrap();
    let contact = person.store.read().unwrap().contact(other.feed()).unwrap().unwrap();
    Admission::Token(Box::new(contact.issued.unwrap()))
}

fn packet(number: usize) -> Vec<u8> {
    let mut packet = vec![0; PACKET_BYTES[0]];
    packet[..8].copy_from_slice(&number.to_be_bytes());
    packet
}

#[test]
fn a_flood_fills_one_box_and_no_other() {
    let ann = Person::new("Ann");
    let stranger = |number: usize| {
        let work = find_work(&ann.feed(), &packet(number));
        bring(&ann, &packet(number), Admission::Work(work), 100)
    };
    let room = usize::try_from(MAIL_BY_WORK.0).unwrap();
    assert_eq!(stranger(0), Ok(true));
    // The work for the others is taken as done.
    let feed = ann.feed();
    ann.store
        .write_blocking(move |txn| {
            for number in 1..room {
                let kept = txn.keep_packet(feed, MailBox::Strangers, &packet(number), 100, [7; 8])?;
                assert_eq!(kept, Keeping::Kept);
            }
            Ok::<_, WriteError>(())
        })
        .unwrap();
    assert_eq!(stranger(room), Err(RejectCode::OverLimit), "the strangers' box is full");
    assert_eq!(stranger(0), Ok(false), "one that is there is confirmed again");
    let ben = token(&ann, 1, TokenKind::Contact, u64::MAX);
    let per_token = usize::try_from(MAIL_PER_TOKEN.0).unwrap();
    for number in 1_000..1_000 + per_token {
        assert_eq!(bring(&ann, &packet(number), ben.clone(), 100), Ok(true));
    }
    assert_eq!(bring(&ann, &packet(5_000), ben, 100), Err(RejectCode::OverLimit), "one contact has so much room");
    let cleo = token(&ann, 2, TokenKind::Contact, u64::MAX);
    assert_eq!(bring(&ann, &packet(5_000), cleo, 100), Ok(true));
    let invitation = token(&ann, 0, TokenKind::Invitation, u64::MAX);
    assert_eq!(bring(&ann, &packet(6_000), invitation.clone(), 100), Ok(true));
    assert_eq!(bring(&ann, &packet(6_001), invitation, 100), Err(RejectCode::NotAdmitted), "once ever");
}

#[test]
fn who_has_neither_token_nor_work_is_not_let_in() {
    let (ann, ben) = (Person::new("Ann"), Person::new("Ben"));
    let work = find_work(&ann.feed(), &packet(1));
    assert_eq!(bring(&ann, &packet(2), Admission::Work(work), 100), Err(RejectCode::NotAdmitted), "for another packet");
    assert_eq!(bring(&ben, &packet(1), Admission::Work(work), 100), Err(RejectCode::NotAdmitted), "for another feed");
    let large = vec![1; PACKET_BYTES[1]];
    let paid = Admission::Work(find_work(&ann.feed(), &large));
    assert_eq!(bring(&ann, &large, paid, 100), Err(RejectCode::NotAdmitted), "strangers write short letters");
    let foreign = token(&ben, 0, TokenKind::Invitation, u64::MAX);
    assert_eq!(bring(&ann, &packet(1), foreign, 100), Err(RejectCode::NotAdmitted));
    let short = token(&ann, 0, TokenKind::Invitation, 101);
    assert_eq!(bring(&ann, &packet(1), short.clone(), 101), Err(RejectCode::NotAdmitted), "its time is over");
    assert_eq!(bring(&ann, &packet(1), short, 100), Ok(true));
    let stranger = peerfeed_protocol::crypto::DeviceKey::from_seed(&[9; 32]);
    let mut entropy = Entropy::from_seed([1; 32]);
    let made_up = Token::issue(&stranger, &ann.feed(), TokenKind::Contact, u64::MAX, &mut entropy);
    let made_up = Admission::Token(Box::new(made_up));
    assert_eq!(bring(&ann, &packet(3), made_up, 100), Err(RejectCode::NotAdmitted));
}

#[test]
fn a_packet_goes_when_it_was_fetched_or_after_thirty_days_and_a_revoked_token_is_no_good() {
    let ann = Person::new("Ann");
    let ben = token(&ann, 1, TokenKind::Contact, u64::MAX);
    for number in 1..=3 {
        assert_eq!(bring(&ann, &packet(number), ben.clone(), 100), Ok(true));
    }
    let waiting = ask_for_mail(&ann, MailWanted::default(), 100);
    assert_eq!(waiting.len(), 3);
    let name = ann.store.read().unwrap().mail_page(ann.feed(), 0).unwrap().unwrap().cursor.mailbox;
    let after = |number, mailbox| MailWanted { after: Some(Cursor { mailbox, number }), revoked: Vec::new() };
    assert_eq!(ask_for_mail(&ann, after(2, [0; 8]), 100).len(), 3, "a cursor of another mailbox is none");
    assert_eq!(ask_for_mail(&ann, after(2, name), 100), [Bytes::from(packet(3))]);
    assert_eq!(ask_for_mail(&ann, MailWanted::default(), 100), [Bytes::from(packet(3))], "the others are gone");
    let last = 100 + PACKET_SECONDS_MAX;
    assert_eq!(ask_for_mail(&ann, MailWanted::default(), last - 1).len(), 1);
    ann.store.write_blocking(move |txn| txn.drop_all_old_packets(last)).unwrap();
    assert!(ask_for_mail(&ann, MailWanted::default(), 100).is_empty());
    let Admission::Token(revoked) = &ben else { panic!("it is a token") };
    ask_for_mail(&ann, MailWanted { after: None, revoked: vec![revoked.hash()] }, 100);
    assert_eq!(bring(&ann, &packet(4), ben, 100), Err(RejectCode::NotAdmitted));
}

/// A store that keeps a mailbox for a feed with these devices.
fn mailbox_of(devices: &[DeviceKey]) -> (tempfile::TempDir, Store, FeedId) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &Options::default()).unwrap();
    let identity = IdentityKey::from_seed(&[1; 32]);
    let listed = |key: &DeviceKey| Device::new(key.id(), BoxKey::from_bytes([3; 32]).public());
    let mut roster = RosterContent::first(listed(&devices[0]));
    roster.devices = devices.iter().map(listed).collect();
    roster.devices.sort_by_key(|device| device.id);
    let roster = roster.sign(&identity).unwrap();
    let manifest = ManifestContent::first(roster.digest(), [4; 32]).sign(&identity).unwrap();
    let (records, feed) = (Records::new(manifest, roster).unwrap(), identity.feed_id());
    store
        .write_blocking(move |txn| {
            let mut row = FeedRow::default();
            row.roles.seed = true;
            txn.put_feed(feed, &row)?;
            txn.put_records(&records)
        })
        .unwrap();
    (folder, store, feed)
}

#[test]
fn a_packet_stays_until_every_device_has_it_or_for_thirty_days() {
    let devices = [DeviceKey::from_seed(&[21; 32]), DeviceKey::from_seed(&[22; 32])];
    let (_folder, store, feed) = mailbox_of(&devices);
    let [phone, laptop] = devices.map(|device| device.id());
    let keep = |number: usize, now_s: u64| {
        let job = move |txn: &mut peerfeed::store::WriteTxn| {
            txn.keep_packet(feed, MailBox::Strangers, &packet(number), now_s, [7; 8])
        };
        assert_eq!(store.write_blocking(job).unwrap(), Keeping::Kept);
    };
    let ask = |device: DeviceId, after: Option<Cursor>, now_s: u64| {
        let wanted = MailWanted { after, revoked: Vec::new() };
        let prepared = Prepared::new(Write::Mail { feed, device, wanted }, Incarnation::new([7; 8]));
        match store.write_blocking(move |txn| prepared.run(txn, now_s * 1_000)).unwrap() {
            Outcome::Mail(answer) => answer,
            other => panic!("{other:?}"),
        }
    };
    let kept = || store.read().unwrap().mail_page(feed, 0).unwrap().unwrap().packets.len();
    keep(1, 100);
    keep(2, 200);
    let first = ask(phone, None, 300);
    assert_eq!(first.packets.len(), 2);
    // The phone has both; the laptop was away.
    assert!(ask(phone, Some(first.cursor), 300).packets.is_empty());
    assert_eq!(kept(), 2);
    let one = Cursor { number: 1, ..first.cursor };
    assert_eq!(ask(laptop, Some(one), 400).packets, [Bytes::from(packet(2))]);
    assert_eq!(kept(), 1, "both have the first");
    ask(laptop, Some(first.cursor), 400);
    assert_eq!(kept(), 0);
    // One that the laptop never fetches goes after thirty days.
    keep(3, 500);
    let third = ask(phone, Some(first.cursor), 500);
    ask(phone, Some(third.cursor), 500);
    assert_eq!(kept(), 1);
    store.write_blocking(move |txn| txn.drop_all_old_packets(500 + PACKET_SECONDS_MAX)).unwrap();
    assert_eq!(kept(), 0);
}
