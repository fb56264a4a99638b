//! Who may read what is for friends: accepted, removed, accepted from now on, with new devices and old ones.

use std::path::Path;

use bytes::Bytes;
use peerfeed::author::{self, Accepted, Audience, Author, AuthorError, Draft};
use peerfeed::reader::{self, EntryState, Query};
use peerfeed::store::{AudienceName, Member, MemberDevice, Options, Reading, Reads, Store};
use peerfeed_protocol::crypto::{BoxKey, DeviceKey, IdentityKey, Phrase};
use peerfeed_protocol::feed::{Control, Device, Granted, ManifestContent, Records, RosterContent};
use peerfeed_protocol::ids::FeedId;

use crate::author::hold_blind;

/// A person with a store of their own.
pub(super) struct Person {
    _folder: tempfile::TempDir,
    pub(super) store: Store,
    pub(super) author: Author,
    pub(super) phrase: Phrase,
}

impl Person {
    pub(super) fn new() -> Self {
        Self::called(None)
    }

    pub(super) fn called(name: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let made = author::init(&store, name, &[]).unwrap();
        Self { _folder: folder, store, author: made.author, phrase: made.phrase }
    }

    pub(super) fn feed(&self) -> FeedId {
        self.author.feed()
    }

    pub(super) fn posts(&self, text: &str) {
        self.posts_to(Audience::Friends, text);
    }

    pub(super) fn posts_to(&self, audience: Audience, text: &str) {
        let draft = Draft { text: text.to_owned(), audience, ..Draft::default() };
        self.author.post(&draft, &mut |_| {}).unwrap();
    }

    /// Gets all that another one has published, as from a seeder that knows nothing.
    pub(super) fn fetches(&self, other: &Self) {
        hold_blind(&other.store, &self.store, other.feed());
        reader::index_pending_blocking(&self.store).unwrap();
    }

    /// Follows another one and makes them a friend.
    pub(super) fn accepts(&self, other: &Self, from_now: bool) {
        self.fetches(other);
        assert!(matches!(self.author.accept(other.feed(), from_now), Ok(Accepted::Now(_))));
    }

    /// The texts of another one's posts that can be read here, in the order of the log; `-` stands for one that cannot.
    pub(super) fn reads(&self, other: &Self) -> Vec<String> {
        let query = Query { feed: Some(other.feed()), limit: 1_000, ..Query::default() };
        let mut entries = reader::timeline(&self.store, &query).unwrap().entries;
        entries.sort_by_key(|entry| entry.place.index);
        let text = |entry: reader::ReadEntry| match entry.state {
            EntryState::Open => entry.text,
            EntryState::Sealed => "-".to_owned(),
            other => panic!("{other:?}"),
        };
        entries.into_iter().map(text).collect()
    }

    /// What this person could read of another one's feed after fetching it.
    pub(super) fn fetches_and_reads(&self, other: &Self) -> Vec<String> {
        self.fetches(other);
        self.reads(other)
    }

    /// How many entries the own feed has, but for those that keep the private state.
    pub(super) fn entries(&self) -> usize {
        self.bodies().filter(|body| !matches!(Control::decode(body), Ok(Control::Private(_)))).count()
    }

    /// The bodies of the own feed, as stored.
    pub(super) fn bodies(&self) -> impl Iterator<Item = Bytes> {
        let txn = self.store.read().unwrap();
        let mut bodies = Vec::new();
        for log in txn.logs(self.feed()).unwrap() {
            bodies.extend(txn.entries(&log, 0..log.size, usize::MAX).unwrap());
        }
        bodies.into_iter().map(|entry| entry.body.unwrap())
    }

    /// Signs records with these devices after the present ones, as an installation elsewhere would.
    pub(super) fn lists(&self, change: impl Fn(&mut Vec<Device>)) {
        let identity: IdentityKey = self.phrase.identity();
        let held = self.store.read().unwrap().records(self.feed()).unwrap().unwrap();
        let mut roster: RosterContent = held.roster().content().clone();
        roster.number += 1;
        change(&mut roster.devices);
        let roster = roster.sign(&identity).unwrap();
        let mut manifest: ManifestContent = held.manifest().content().clone();
        manifest.number += 1;
        manifest.roster_digest = roster.digest();
        let records = Records::new(manifest.sign(&identity).unwrap(), roster).unwrap();
        self.store.write_blocking(move |txn| txn.put_records(&records)).unwrap();
    }
}

fn open(folder: &Path) -> Store {
    Store::open(folder, &Options::default()).unwrap()
}

#[test]
fn who_follows_a_feed_reads_nothing_for_friends_until_its_owner_accepts() {
    let (ann, ben) = (Person::new(), Person::new());
    ann.posts("for friends");
    assert_eq!(ben.fetches_and_reads(&ann), ["-"]);
    // Ben making Ann his friend gives Ann Ben's posts, and Ben nothing.
    ben.accepts(&ann, false);
    ann.posts("still for friends");
    assert_eq!(ben.fetches_and_reads(&ann), ["-", "-"]);
    ann.accepts(&ben, false);
    assert_eq!(ben.fetches_and_reads(&ann), ["for friends", "still for friends"]);
}

#[test]
fn a_new_friend_reads_everything_by_one_grant_and_nobody_else_does() {
    let (ann, ben, eve) = (Person::new(), Person::new(), Person::new());
    for number in 0..20 {
        ann.posts(&format!("old {number}"));
    }
    let before = ann.entries();
    ann.accepts(&ben, false);
    assert_eq!(ann.entries(), before + 1, "one control entry");
    ann.posts("new");
    assert_eq!(ann.entries(), before + 2, "and nothing more");
    let read = ben.fetches_and_reads(&ann);
    assert_eq!((read.len(), read[0].as_str(), read[20].as_str()), (21, "old 0", "new"));
    assert!(eve.fetches_and_reads(&ann).iter().all(|text| text == "-"));
    assert!(eve.store.read().unwrap().epochs(ann.feed()).unwrap().is_empty());
}

#[test]
fn who_was_removed_keeps_what_was_there_and_reads_nothing_newer() {
    let (ann, ben, cleo) = (Person::new(), Person::new(), Person::new());
    ann.accepts(&ben, false);
    ann.accepts(&cleo, false);
    ann.posts("both");
    assert!(ann.author.remove(ben.feed()).unwrap());
    assert!(!ann.author.remove(ben.feed()).unwrap(), "once is enough");
    let before = ann.entries();
    ann.posts("without Ben");
    ann.posts("without Ben, too");
    assert_eq!(ann.entries(), before + 3, "the first post after it begins an epoch, the second does not");
    assert_eq!(ben.fetches_and_reads(&ann), ["both", "-", "-"]);
    assert_eq!(cleo.fetches_and_reads(&ann), ["both", "without Ben", "without Ben, too"]);
    assert_eq!(ann.author.friends().unwrap().iter().map(|friend| friend.feed).collect::<Vec<_>>(), [cleo.feed()]);
    // Friends again: what was written meanwhile opens, too.
    ann.accepts(&ben, false);
    assert_eq!(ben.fetches_and_reads(&ann), ["both", "without Ben", "without Ben, too"]);
}

#[test]
fn who_is_accepted_from_now_on_reads_nothing_older_through_all_later_epochs() {
    let (ann, ben, cleo, dan) = (Person::new(), Person::new(), Person::new(), Person::new());
    ann.accepts(&ben, false);
    ann.posts("old");
    ann.accepts(&cleo, true);
    ann.posts("new");
    ann.accepts(&dan, false);
    ann.author.remove(dan.feed()).unwrap();
    ann.posts("newer");
    assert_eq!(cleo.fetches_and_reads(&ann), ["-", "new", "newer"]);
    assert_eq!(ben.fetches_and_reads(&ann), ["old", "new", "newer"]);
    let epochs = cleo.store.read().unwrap().epochs(ann.feed()).unwrap();
    assert_eq!(epochs.len(), 2);
    assert!(epochs.iter().all(|(_, key)| matches!(key, Granted::ReadKey(_))), "a secret would open the history");
    // More can be given later, less cannot be taken back.
    assert!(matches!(ann.author.accept(cleo.feed(), true), Ok(Accepted::Before(_))));
    assert!(matches!(ann.author.accept(ben.feed(), true), Ok(Accepted::ReadsMore)));
    assert!(matches!(ann.author.accept(cleo.feed(), false), Ok(Accepted::Now(friend)) if !friend.from_now));
    assert_eq!(cleo.fetches_and_reads(&ann), ["old", "new", "newer"]);
}

#[test]
fn a_newcomer_after_many_removals_reads_all_of_them_by_one_grant() {
    let (ann, ben, newcomer) = (Person::new(), Person::new(), Person::new());
    let mut texts = Vec::new();
    for round in 0..12 {
        ann.accepts(&ben, false);
        ann.posts(&format!("with {round}"));
        ann.author.remove(ben.feed()).unwrap();
        ann.posts(&format!("without {round}"));
        texts.extend([format!("with {round}"), format!("without {round}")]);
    }
    let before = ann.entries();
    ann.accepts(&newcomer, false);
    assert_eq!(ann.entries(), before + 1);
    assert_eq!(newcomer.fetches_and_reads(&ann), texts);
    let epochs = newcomer.store.read().unwrap().epochs(ann.feed()).unwrap();
    assert_eq!(epochs.len(), 13, "twelve removals, thirteen epochs");
}

#[test]
fn a_friend_whose_feed_was_not_fetched_yet_gets_the_key_as_soon_as_it_was() {
    let (ann, ben) = (Person::new(), Person::new());
    ann.posts("hello");
    assert!(matches!(ann.author.accept(ben.feed(), false), Ok(Accepted::Now(friend)) if friend.devices == 0));
    assert!(!ann.author.settle().unwrap());
    ann.fetches(&ben);
    assert!(ann.author.settle().unwrap());
    assert!(!ann.author.settle().unwrap(), "nothing is owed any more");
    assert_eq!(ben.fetches_and_reads(&ann), ["hello"]);
}

#[test]
fn a_friends_new_device_is_granted_and_a_revoked_one_reads_nothing_newer() {
    let (ann, ben, phone) = (Person::new(), Person::new(), BoxKey::from_bytes([77; 32]));
    ann.accepts(&ben, false);
    ann.posts("one");
    let new = Device::new(DeviceKey::from_seed(&[78; 32]).id(), phone.public());
    ben.lists(|devices| devices.push(new.clone()));
    ann.fetches(&ben);
    assert!(ann.author.settle().unwrap());
    let granted_to_phone = || {
        let txn = ann.store.read().unwrap();
        let records = txn.records(ann.feed()).unwrap().unwrap();
        let author = &records.roster().devices()[0].box_key;
        let epoch = txn.audience(&AudienceName::friends()).unwrap().epoch.unwrap();
        let kind = peerfeed_protocol::feed::GrantKind::Secret;
        let key = peerfeed_protocol::feed::GrantKey::agree(&phone, author, &ann.feed(), &epoch, kind).unwrap();
        txn.grants(ann.feed(), *key.tag()).unwrap().len()
    };
    assert_eq!(granted_to_phone(), 1);
    // The phone is stolen.
    ben.lists(|devices| {
        let stolen = devices.iter_mut().find(|device| device.id == new.id).unwrap();
        stolen.ends = Some(Vec::new());
    });
    ann.fetches(&ben);
    ann.posts("two");
    assert_eq!(granted_to_phone(), 0, "the epoch of the second post is not granted to it");
    assert_eq!(ben.fetches_and_reads(&ann), ["one", "two"]);
}

#[test]
fn nobody_is_a_friend_of_oneself() {
    let ann = Person::new();
    assert!(matches!(ann.author.accept(ann.feed(), false), Err(AuthorError::Oneself)));
    assert!(ann.author.friends().unwrap().is_empty());
}

#[test]
fn an_epoch_for_a_thousand_friends_with_two_devices_takes_less_than_200_kib() {
    let (ann, ben) = (Person::new(), Person::new());
    ann.accepts(&ben, false);
    let devices = (0..2_000_u32).map(|number| {
        let mut seed = [5; 32];
        seed[..4].copy_from_slice(&number.to_be_bytes());
        let id = ben.author.device();
        MemberDevice { id, box_key: BoxKey::from_bytes(seed).public() }
    });
    let devices: Vec<_> = devices.collect();
    ann.store
        .write_blocking(move |txn| {
            for (number, pair) in devices.chunks(2).enumerate() {
                let mut seed = [6; 32];
                seed[..8].copy_from_slice(&number.to_be_bytes());
                let feed = IdentityKey::from_seed(&seed).feed_id();
                let member = Member { since_s: 1, reads: Reads::Everything, devices: pair.to_vec() };
                txn.put_member(feed, &AudienceName::friends(), &member)?;
            }
            Ok(())
        })
        .unwrap();
    let bytes = || ann.store.read().unwrap().usage(ann.feed()).unwrap().bytes();
    ann.author.remove(ben.feed()).unwrap();
    let before = bytes();
    ann.posts("without Ben");
    let added = bytes() - before;
    assert!((112_000..200 << 10).contains(&added), "{added}");
}
