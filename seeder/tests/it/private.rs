//! The private state of a feed's owner: kept in the feed, opened by the words, and by nobody else.

use peerfeed::author::{self, JoinOptions, Joined};
use peerfeed::store::{AudienceName, Options, Reading, Store};
use peerfeed_protocol::crypto::OwnerKey;
use peerfeed_protocol::feed::{Control, PrivateNotice};
use tempfile::TempDir;

use crate::author::hold_blind;
use crate::friends::Person;

impl Person {
    fn private(&self) -> Vec<PrivateNotice> {
        let notice = |body: bytes::Bytes| match Control::decode(&body) {
            Ok(Control::Private(notice)) => Some(notice),
            _ => None,
        };
        self.bodies().filter_map(notice).collect()
    }

    /// Comes back on a new machine with the words alone.
    fn recovers(&self) -> (TempDir, Store, Joined) {
        self.joins(&self.store, OwnerKey::Identity(self.phrase.identity()), false)
    }

    /// Comes back from what `held` has of the own feed.
    fn joins(&self, held: &Store, owner: OwnerKey, stolen: bool) -> (TempDir, Store, Joined) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &Options::default()).unwrap();
        hold_blind(held, &store, self.feed());
        let recovery = Some(self.phrase.recovery_box());
        let options = JoinOptions { owner, recovery, exported: None, revoke_others: stolen, cold: true };
        let joined = author::join(&store, options).unwrap();
        (folder, store, joined)
    }
}

#[test]
fn it_is_written_when_it_changed_and_never_else() {
    let (ann, ben) = (Person::called(Some("Ann")), Person::new());
    ann.posts("alone");
    assert_eq!(ann.private().len(), 0, "nobody is followed, and nobody a friend");
    ann.accepts(&ben, false);
    assert_eq!(ann.private().len(), 1);
    ann.posts("one");
    ann.posts("two");
    assert!(!ann.author.settle().unwrap());
    assert_eq!(ann.private().len(), 1, "nothing changed");
    ann.author.remove(ben.feed()).unwrap();
    assert!(ann.author.settle().unwrap());
    assert_eq!(ann.private().len(), 2);
    assert_eq!(ben.fetches_and_reads(&ann), ["alone", "one", "two"], "it is shown to nobody");
    assert_eq!(ann.reads(&ann), ["alone", "one", "two"]);
}

#[test]
fn a_friend_and_the_seeder_cannot_open_it() {
    let (ann, ben) = (Person::new(), Person::new());
    ann.accepts(&ben, false);
    let notice = ann.private().remove(0);
    let records = ann.store.read().unwrap().records(ann.feed()).unwrap().unwrap();
    let author = records.roster().devices()[0].box_key;
    assert!(notice.open(&ben.phrase.recovery_box(), &author, &ann.feed()).is_err());
    let clear = Control::Private(notice.clone()).encode().unwrap();
    assert!(!clear.windows(32).any(|bytes| bytes == ben.feed().as_bytes()), "nobody's name is in it");
    let part = notice.open(&ann.phrase.recovery_box(), &author, &ann.feed()).unwrap();
    assert_eq!(part.state.members[0].feed, ben.feed());
}

#[test]
fn the_newest_one_comes_back_with_the_words() {
    let (ann, ben, cleo) = (Person::new(), Person::new(), Person::new());
    ann.accepts(&ben, false);
    ann.accepts(&cleo, true);
    ann.author.put_on_list("family", &[ben.feed()], false).unwrap();
    ann.author.remove(ben.feed()).unwrap();
    ann.posts("after Ben");
    let (_folder, store, joined) = ann.recovers();
    let restored = joined.restored.unwrap();
    assert_eq!((restored.friends, restored.granted, restored.lists), (vec![cleo.feed()], true, 1));
    assert!(joined.author.friends().unwrap()[0].from_now);
    assert!(joined.author.list("family").unwrap().members.is_empty());
    // Cleo's roster is not here yet: the key is owed.
    assert_eq!(store.read().unwrap().owed().unwrap(), [cleo.feed()]);
    hold_blind(&cleo.store, &store, cleo.feed());
    assert!(joined.author.settle().unwrap());
    assert!(store.read().unwrap().owed().unwrap().is_empty());
}

#[test]
fn who_is_removed_before_the_new_machine_granted_anything_reads_nothing_newer() {
    let (ann, ben) = (Person::new(), Person::new());
    ann.accepts(&ben, false);
    ann.posts("one");
    let before = ann.store.read().unwrap().audience(&AudienceName::friends()).unwrap().epoch;
    let (_folder, store, joined) = ann.recovers();
    joined.author.remove(ben.feed()).unwrap();
    let after = store.read().unwrap().audience(&AudienceName::friends()).unwrap();
    assert!(after.epoch != before && !after.left, "an epoch began that Ben was never granted");
}

#[test]
fn a_thief_makes_nobody_a_friend_of_a_feed_that_is_taken_back() {
    let (ann, thief) = (Person::new(), Person::new());
    // Written with the stolen keys, before the owner takes the feed back.
    ann.author.accept(thief.feed(), false).unwrap();
    ann.author.put_on_list("family", &[thief.feed()], false).unwrap();
    let successor = || OwnerKey::successor(&ann.phrase);
    let (_folder, store, joined) = ann.joins(&ann.store, successor(), true);
    let restored = joined.restored.unwrap();
    assert_eq!((restored.friends, restored.granted), (vec![thief.feed()], false));
    assert!(joined.author.friends().unwrap().is_empty());
    assert!(joined.author.lists().unwrap().is_empty());
    assert!(store.read().unwrap().owed().unwrap().iter().all(|feed| *feed != thief.feed()));
    // Nor later, when the owner comes back once more without a thief.
    let (_folder, _store, again) = ann.joins(&store, successor(), false);
    assert_eq!(again.restored, None, "what a revoked device wrote does not count");
}
