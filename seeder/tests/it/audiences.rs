//! Lists and messages: who reads what, and what a blind holder of the feed sees of it.

use std::collections::BTreeSet;

use peerfeed::author::{Audience, AuthorError, Draft, LIST_NAME_BYTES_MAX, Letter};
use peerfeed::reader::{self, Query};
use peerfeed::store::Reading;
use peerfeed_protocol::crypto::{BoxKey, DeviceKey};
use peerfeed_protocol::feed::{Class, Control, Device, Granted, LeafHeader};
use peerfeed_protocol::ids::EpochId;

use crate::friends::Person;

fn family() -> Audience {
    Audience::List("family".to_owned())
}

impl Person {
    fn writes(&self, to: &Self, text: &str) {
        let letter = Letter { to: to.feed(), text: text.to_owned(), files: Vec::new() };
        self.author.message(&letter, &mut |_| {}).unwrap();
    }

    fn puts_on_list(&self, list: &str, people: &[&Self]) {
        let feeds: Vec<_> = people.iter().map(|person| person.feed()).collect();
        self.author.put_on_list(list, &feeds, false).unwrap();
    }

    /// For whom the own entries are, newest first.
    fn audiences(&self) -> Vec<Option<Audience>> {
        let query = Query { feed: Some(self.feed()), limit: 1_000, ..Query::default() };
        reader::timeline(&self.store, &query).unwrap().entries.into_iter().map(|entry| entry.to).collect()
    }

    /// What everybody who holds the feed sees of its control entries.
    /// The control records of the own feed, but for those that keep the private state.
    fn control(&self) -> Vec<Control> {
        let control = |header: &LeafHeader, body: &[u8]| {
            let control = matches!(header.class(), Class::Control).then(|| Control::decode(body).unwrap());
            control.filter(|control| !matches!(control, Control::Private(_)))
        };
        self.entries_of(control)
    }

    fn entries_of<T>(&self, pick: impl Fn(&LeafHeader, &[u8]) -> Option<T>) -> Vec<T> {
        let txn = self.store.read().unwrap();
        let mut found = Vec::new();
        for log in txn.logs(self.feed()).unwrap() {
            for entry in txn.entries(&log, 0..log.size, usize::MAX).unwrap() {
                found.extend(pick(&LeafHeader::decode(&entry.header).unwrap(), &entry.body.unwrap()));
            }
        }
        found
    }
}

#[test]
fn what_is_for_a_list_is_read_by_those_on_it_and_by_nobody_else() {
    let (ann, ben, cleo) = (Person::new(), Person::new(), Person::new());
    ann.accepts(&ben, false);
    ann.accepts(&cleo, false);
    ann.puts_on_list("family", &[&ben]);
    ann.posts_to(family(), "Sunday at ours?");
    ann.posts("hello, all");
    assert_eq!(ben.fetches_and_reads(&ann), ["Sunday at ours?", "hello, all"]);
    assert_eq!(cleo.fetches_and_reads(&ann), ["-", "hello, all"]);
    assert_eq!(ann.audiences(), [Some(Audience::Friends), Some(family())]);
    // Who comes later reads what was there.
    ann.puts_on_list("FAMILY", &[&cleo]);
    assert_eq!(cleo.fetches_and_reads(&ann), ["Sunday at ours?", "hello, all"]);
    assert_eq!(ann.author.lists().unwrap().len(), 1, "a list is found in any case of letters");
}

#[test]
fn who_is_taken_off_a_list_reads_nothing_newer_on_it_and_all_the_rest() {
    let (ann, ben, cleo) = (Person::new(), Person::new(), Person::new());
    ann.accepts(&ben, false);
    ann.accepts(&cleo, false);
    ann.puts_on_list("family", &[&ben, &cleo]);
    ann.posts_to(family(), "both");
    let begun = ann.control().len();
    ann.author.take_off_list("family", &[cleo.feed()]).unwrap();
    ann.posts_to(family(), "without Cleo");
    assert_eq!(ann.control().len(), begun + 1, "an epoch of the list alone");
    ann.posts("friends still");
    assert_eq!(ben.fetches_and_reads(&ann), ["both", "without Cleo", "friends still"]);
    assert_eq!(cleo.fetches_and_reads(&ann), ["both", "-", "friends still"]);
    assert_eq!(ann.audiences()[1..], [Some(family()), Some(family())], "of the earlier epoch, too");
}

#[test]
fn who_is_no_friend_any_more_is_on_no_list_and_each_of_them_begins_an_epoch() {
    let (ann, ben, cleo) = (Person::new(), Person::new(), Person::new());
    ann.accepts(&ben, false);
    ann.accepts(&cleo, false);
    ann.puts_on_list("family", &[&ben, &cleo]);
    ann.puts_on_list("chess", &[&ben, &cleo]);
    ann.posts_to(family(), "one");
    ann.posts_to(Audience::List("chess".into()), "two");
    ann.writes(&ben, "three");
    let begun = ann.control().len();
    ann.author.remove(ben.feed()).unwrap();
    assert!(ann.author.lists().unwrap().iter().all(|list| list.members.len() == 1));
    ann.posts_to(family(), "four");
    ann.posts_to(Audience::List("chess".into()), "five");
    ann.posts("six");
    assert_eq!(ann.control().len(), begun + 3);
    assert_eq!(ben.fetches_and_reads(&ann), ["one", "two", "three", "-", "-", "-"]);
    assert_eq!(cleo.fetches_and_reads(&ann), ["one", "two", "-", "four", "five", "six"]);
    let letter = Letter { to: ben.feed(), text: "x".into(), files: Vec::new() };
    assert!(matches!(ann.author.message(&letter, &mut |_| {}), Err(AuthorError::NoFriend(_))));
}

#[test]
fn a_message_is_read_by_one_friend_and_both_see_for_whom_it_is() {
    let (ann, ben, cleo) = (Person::new(), Person::new(), Person::new());
    for (one, other) in [(&ann, &ben), (&ann, &cleo), (&ben, &ann)] {
        one.accepts(other, false);
    }
    ann.writes(&ben, "only for you");
    ann.writes(&cleo, "not for Ben");
    ben.writes(&ann, "thank you");
    assert_eq!(ben.fetches_and_reads(&ann), ["only for you", "-"]);
    assert_eq!(cleo.fetches_and_reads(&ann), ["-", "not for Ben"]);
    ann.fetches(&ben);
    let between = Query { between: Some([ann.feed(), ben.feed()]), limit: 9, ..Query::default() };
    for person in [&ann, &ben] {
        let mut thread = reader::timeline(&person.store, &between).unwrap().entries;
        thread.sort_by_key(|entry| entry.text.clone());
        let thread: Vec<_> = thread.iter().map(|entry| (entry.kind.as_str(), entry.text.as_str(), &entry.to)).collect();
        let to = |person: &Person| Some(Audience::One(person.feed()));
        assert_eq!(thread, [("message", "only for you", &to(&ben)), ("message", "thank you", &to(&ann))]);
    }
    ann.writes(&ben, "again");
    assert_eq!(ben.fetches_and_reads(&ann), ["only for you", "-", "again"], "one epoch for one person");
}

#[test]
fn no_holder_learns_a_list_its_members_or_which_entries_share_an_audience() {
    let (ann, ben, cleo) = (Person::new(), Person::new(), Person::new());
    ann.accepts(&ben, false);
    ann.accepts(&cleo, false);
    ann.puts_on_list("grandparents", &[&ben, &cleo]);
    for _ in 0..3 {
        ann.posts_to(Audience::List("grandparents".into()), "same text");
        ann.posts("same text");
        ann.writes(&ben, "same text");
    }
    // One person, two and all friends begin alike.
    let rows = |control: &Control| match control {
        Control::Epoch(start) => Some(start.grants.iter().len()),
        _ => None,
    };
    assert_eq!(ann.control().iter().filter_map(rows).collect::<Vec<_>>(), [8, 8, 8]);
    let keys = ann.entries_of(|header, _| match header.class() {
        Class::Sealed { hint, commitment } => Some((hint, commitment)),
        _ => None,
    });
    assert_eq!(keys.len(), 9);
    assert_eq!(keys.iter().map(|(hint, _)| hint).collect::<BTreeSet<_>>().len(), 9, "hints are for places");
    assert_eq!(keys.iter().map(|(_, commitment)| commitment).collect::<BTreeSet<_>>().len(), 9);
    let lengths = ann.entries_of(|header, body| matches!(header.class(), Class::Sealed { .. }).then_some(body.len()));
    assert!(lengths.iter().all(|length| *length == 250), "{lengths:?}");
    let secrets = [b"grandparents".to_vec(), ben.feed().as_bytes().to_vec(), cleo.feed().as_bytes().to_vec()];
    let told = ann.entries_of(|header, body| Some([header.bytes(), body].concat()));
    for secret in secrets {
        assert!(told.iter().all(|bytes| !bytes.windows(secret.len()).any(|window| window == secret)));
    }
}

#[test]
fn a_friend_from_now_on_learns_the_name_and_nothing_older() {
    let (ann, ben) = (Person::called(Some("Ann")), Person::new());
    ann.posts("old");
    ann.accepts(&ben, true);
    ann.posts("new");
    assert_eq!(ben.fetches_and_reads(&ann).iter().filter(|text| *text == "-").count(), 2, "the old post and name");
    assert_eq!(ben.store.read().unwrap().profile_name(ann.feed()).unwrap().as_deref(), Some("Ann"));
    let before = ann.entries();
    ann.author.remove(ben.feed()).unwrap();
    ann.posts("newest");
    assert_eq!(ann.entries(), before + 2, "who knows the name is not told it again");
}

#[test]
fn a_device_of_ones_own_reads_every_audience_and_a_revoked_one_nothing_newer() {
    let (ann, ben, phone) = (Person::new(), Person::new(), BoxKey::from_bytes([77; 32]));
    ann.accepts(&ben, false);
    ann.puts_on_list("family", &[&ben]);
    ann.posts_to(family(), "one");
    ann.writes(&ben, "two");
    let new = Device::new(DeviceKey::from_seed(&[78; 32]).id(), phone.public());
    ann.lists(|devices| {
        devices.push(new.clone());
        devices.sort_by_key(|device| device.id);
    });
    assert!(ann.author.settle().unwrap());
    let granted = || {
        let own = ann.store.read().unwrap().records(ann.feed()).unwrap().unwrap();
        let own = own.roster().device(&ann.author.device()).unwrap().box_key;
        let mut epochs = BTreeSet::<EpochId>::new();
        for control in ann.control() {
            let (epoch, rows) = match control {
                Control::Epoch(start) => (start.epoch, start.grants),
                Control::Grants(grants) => (grants.epoch, grants.grants),
                Control::Prekey(_) | Control::Private(_) | Control::Unknown { .. } => continue,
            };
            if let Some(Granted::Secret(_)) = rows.granted_to(&phone, &own, &ann.feed(), &epoch) {
                epochs.insert(epoch);
            }
        }
        epochs.len()
    };
    assert_eq!(granted(), 3, "friends, the list, and the one person");
    ann.lists(|devices| {
        let stolen = devices.iter_mut().find(|device| device.id == new.id).unwrap();
        stolen.ends = Some(Vec::new());
    });
    ann.posts("three");
    ann.posts_to(family(), "four");
    assert_eq!(granted(), 3, "the epochs that began are not for it");
    assert_eq!(ben.fetches_and_reads(&ann), ["one", "two", "three", "four"]);
}

#[test]
fn a_list_that_cannot_be_is_refused_and_nothing_changes() {
    let (ann, ben) = (Person::new(), Person::new());
    let put = |name: &str| ann.author.put_on_list(name, &[ben.feed()], false);
    assert!(matches!(put("family"), Err(AuthorError::NoFriend(_))));
    assert!(ann.author.lists().unwrap().is_empty());
    ann.accepts(&ben, false);
    for name in
        ["", "  ", "Public", "friends", "feed1x", "two\nlines", "\u{202e}evil", &"x".repeat(LIST_NAME_BYTES_MAX + 1)]
    {
        assert!(matches!(put(name), Err(AuthorError::ListName)), "{name:?}");
    }
    let before = ann.entries();
    let draft = Draft { text: "x".into(), audience: family(), ..Draft::default() };
    assert!(matches!(ann.author.post(&draft, &mut |_| {}), Err(AuthorError::NoSuchList(_))));
    put("family").unwrap();
    ann.author.take_off_list("family", &[ben.feed()]).unwrap();
    assert!(matches!(ann.author.post(&draft, &mut |_| {}), Err(AuthorError::EmptyList(_))));
    assert!(matches!(ann.author.take_off_list("family", &[ben.feed()]), Err(AuthorError::NotOnList(_))));
    assert_eq!(ann.entries(), before);
    ann.author.forget_list("Family").unwrap();
    assert!(matches!(ann.author.forget_list("family"), Err(AuthorError::NoSuchList(_))));
}
