//! Writing to one's own feed and reading it again.

use std::fs;
use std::path::{Path, PathBuf};

use peerfeed::author::{self, Audience, Author, AuthorError, Draft};
use peerfeed::keys::KeyError;
use peerfeed::reader::{self, EntryState, FileError, Query, ReadEntry};
use peerfeed::store::{NewEntries, NewEntry, Options, Reading, Store};
use peerfeed_protocol::feed::{Granted, SeederAddress};
use peerfeed_protocol::ids::{FeedId, WitnessKey};

use crate::sample::followed;

fn open(folder: &Path) -> Store {
    Store::open(folder, &Options::default()).unwrap()
}

fn everything(store: &Store) -> Vec<ReadEntry> {
    reader::timeline(store, &Query { limit: 1_000, ..Query::default() }).unwrap().entries
}

fn text(text: &str, audience: Audience) -> Draft {
    Draft { text: text.to_owned(), audience, ..Draft::default() }
}

fn post(author: &Author, draft: &Draft) -> peerfeed_protocol::ids::EntryPlace {
    author.post(draft, &mut |_| {}).unwrap()
}

#[test]
fn an_identity_is_made_once_and_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    assert!(Author::open(&store).unwrap().is_none());
    let made = author::init(&store, Some("Ana"), &["udp://127.0.0.1:6969".to_owned()]).unwrap();
    let feed = made.author.feed();
    assert_eq!(made.phrase.identity().feed_id(), feed);
    assert!(matches!(author::init(&store, None, &[]), Err(AuthorError::Exists)));
    drop(made);
    store.close();

    let store = open(folder.path());
    let author = Author::open(&store).unwrap().expect("the identity is there");
    assert_eq!(author.feed(), feed);
    assert_eq!(author.manifest().unwrap().content().trackers, ["udp://127.0.0.1:6969"]);
    let txn = store.read().unwrap();
    assert_eq!(txn.profile_name(feed).unwrap().as_deref(), Some("Ana"));
    assert!(txn.records(feed).unwrap().unwrap().roster().device(&author.device()).is_some());
    for file in ["identity.key", "device.key"] {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(folder.path().join(file)).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
    }
}

#[test]
fn an_init_that_was_broken_off_is_made_again_from_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    author::init(&store, None, &[]).unwrap();
    // As a crash before the last step leaves it.
    fs::remove_file(folder.path().join("identity.key")).unwrap();
    assert!(Author::open(&store).unwrap().is_none());
    let again = author::init(&store, Some("Ana"), &[]).unwrap();
    let feeds: Vec<FeedId> = store.read().unwrap().feeds().unwrap().into_iter().map(|(feed, _)| feed).collect();
    assert_eq!(feeds, [again.author.feed()]);
}

#[test]
fn keys_whose_feed_is_not_in_the_store_are_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    author::init(&store, None, &[]).unwrap();
    store.close();
    fs::remove_file(folder.path().join("store.redb")).unwrap();
    let store = open(folder.path());
    assert!(matches!(Author::open(&store), Err(AuthorError::Keys(KeyError::StoreLost))));
    assert!(matches!(author::init(&store, None, &[]), Err(AuthorError::Exists)), "the identity is not overwritten");
}

#[test]
fn posts_are_read_again_newest_first_and_the_next_comes_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let author = author::init(&store, Some("Ana"), &[]).unwrap().author;
    post(&author, &text("for all", Audience::Public));
    post(&author, &Draft { channel: Some("birds".into()), ..text("for friends", Audience::Friends) });
    drop(author);
    store.close();
    let store = open(folder.path());
    let author = Author::open(&store).unwrap().unwrap();
    let place = post(&author, &text("after the restart", Audience::Friends));
    let entries = everything(&store);
    let texts: Vec<_> = entries.iter().map(|entry| entry.text.as_str()).collect();
    assert_eq!(texts, ["after the restart", "for friends", "for all"]);
    assert_eq!(entries[0].place, place);
    assert!(entries.iter().all(|entry| entry.state == EntryState::Open && entry.author.as_deref() == Some("Ana")));
    assert_eq!(entries[1].channel.as_deref(), Some("birds"));
    let txn = store.read().unwrap();
    assert_eq!(txn.logs(author.feed()).unwrap().len(), 1, "the same log goes on");
    let row = txn.log_row(author.feed(), place.log).unwrap().unwrap();
    row.verified_head(author.feed()).unwrap();
    let roster = txn.records(author.feed()).unwrap().unwrap();
    peerfeed_protocol::feed::UnverifiedHead::decode(&row.head)
        .unwrap()
        .verify(&author.feed(), roster.roster())
        .expect("the head is signed by the device of the roster");
}

/// What a stranger holds of a feed: everything but keys.
pub(crate) fn hold_blind(from: &Store, into: &Store, feed: FeedId) {
    let txn = from.read().unwrap();
    let records = txn.records(feed).unwrap().unwrap();
    for row in txn.logs(feed).unwrap() {
        let head = row.verified_head(feed).unwrap();
        let entries = txn.entries(&row, 0..row.size, usize::MAX).unwrap();
        let new = |entry: peerfeed::store::StoredEntry| NewEntry { header: entry.header, body: entry.body };
        let new = NewEntries { first: 0, entries: entries.into_iter().map(new).collect(), nodes: Vec::new() };
        let (records, log) = (records.clone(), row.log);
        into.write_blocking(move |txn| {
            txn.put_feed(feed, &followed())?;
            txn.put_records(&records)?;
            txn.put_head(&head)?;
            txn.put_entries(feed, log, &new, crate::sample::NOW_MS)
        })
        .unwrap();
    }
}

#[test]
fn who_has_no_key_sees_sealed_entries_until_the_key_comes() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(here.path());
    let author = author::init(&store, Some("Ana"), &[]).unwrap().author;
    post(&author, &text("secret", Audience::Friends));
    post(&author, &text("open", Audience::Public));
    let friend = open(there.path());
    let feed = author.feed();
    hold_blind(&store, &friend, feed);
    reader::index_pending_blocking(&friend).unwrap();
    let states = |entries: &[ReadEntry]| {
        let mut states: Vec<_> = entries.iter().map(|entry| (entry.state, entry.text.clone())).collect();
        states.sort_by_key(|(_, text)| text.clone());
        states
    };
    let sealed = (EntryState::Sealed, String::new());
    let before = states(&everything(&friend));
    // The profile, too, is for friends: nobody can tell it from a post.
    assert_eq!(before, [sealed.clone(), sealed, (EntryState::Open, "open".to_owned())]);
    assert_eq!(friend.read().unwrap().profile_name(feed).unwrap(), None);
    // What is sealed takes no room from what can be read.
    let opened = reader::timeline(&friend, &Query { limit: 3, opened: true, ..Query::default() }).unwrap();
    assert_eq!(states(&opened.entries), [(EntryState::Open, "open".to_owned())]);
    assert_eq!(opened.passed_over, 2);
    let one = reader::timeline(&friend, &Query { limit: 1, opened: true, ..Query::default() }).unwrap();
    assert_eq!(states(&one.entries), [(EntryState::Open, "open".to_owned())]);

    let (epoch, secret) = author.friends_epoch().unwrap();
    friend.write_blocking(move |txn| txn.put_epoch(feed, epoch, &Granted::Secret(secret.clone()))).unwrap();
    reader::index_pending_blocking(&friend).unwrap();
    let after = states(&everything(&friend));
    assert_eq!(after, [(EntryState::Open, "open".to_owned()), (EntryState::Open, "secret".to_owned())]);
    assert_eq!(friend.read().unwrap().profile_name(feed).unwrap().as_deref(), Some("Ana"));
}

fn file(folder: &Path, name: &str, bytes: usize) -> (PathBuf, Vec<u8>) {
    let content: Vec<u8> = (0..=250).cycle().take(bytes).collect();
    let path = folder.join(name);
    fs::write(&path, &content).unwrap();
    (path, content)
}

#[test]
fn attached_files_are_written_out_as_they_were_and_over_nothing() {
    let (folder, files, out) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(folder.path());
    let author = author::init(&store, None, &[]).unwrap().author;
    let (empty, nothing) = file(files.path(), "empty.txt", 0);
    let (small, few) = file(files.path(), "cat.png", 5_000);
    let (large, many) = file(files.path(), "film.mp4", 9_000_001);
    let mut told = Vec::new();
    let draft = Draft { files: vec![empty, small, large.clone()], ..Draft::default() };
    author.post(&draft, &mut |progress| told.push(progress)).unwrap();
    let last = told.last().unwrap();
    assert_eq!((last.path.as_path(), last.done_bytes, last.total_bytes), (large.as_path(), 9_000_001, 9_000_001));

    let entry = everything(&store).remove(0);
    let media: Vec<_> = entry.attachments.iter().map(|file| file.media_type.as_str()).collect();
    assert_eq!(media, ["text/plain", "image/png", "video/mp4"]);
    let write = |at: usize| {
        reader::write_attachment(&store, author.feed(), &entry.attachments[at], out.path(), &mut |_| {}).unwrap()
    };
    for (at, content) in [nothing, few, many].iter().enumerate() {
        assert!(fs::read(write(at)).unwrap() == *content, "file {at}");
    }
    assert_eq!(write(1), out.path().join("cat (2).png"));
    assert_eq!(write(1), out.path().join("cat (3).png"));
    let mut names: Vec<_> =
        fs::read_dir(out.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["cat (2).png", "cat (3).png", "cat.png", "empty.txt", "film.mp4"]);
    let txn = store.read().unwrap();
    let row = txn.log_row(author.feed(), entry.place.log).unwrap().unwrap();
    assert_eq!(row.complete, row.size, "one's own files are all there");
}

#[test]
fn a_file_that_a_stranger_named_stays_in_the_folder() {
    let (folder, files, out) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(folder.path());
    let author = author::init(&store, None, &[]).unwrap().author;
    let (path, content) = file(files.path(), "a", 10);
    post(&author, &Draft { files: vec![path], ..Draft::default() });
    let mut attachment = everything(&store).remove(0).attachments.remove(0);
    for (name, safe) in [("..", "file"), ("../../x", "_.._x"), (".profile", "profile"), ("/etc/passwd", "_etc_passwd")]
    {
        attachment.name = name.to_owned();
        let path = reader::write_attachment(&store, author.feed(), &attachment, out.path(), &mut |_| {}).unwrap();
        assert_eq!(path, out.path().join(safe));
        assert_eq!(fs::read(path).unwrap(), content);
    }
}

#[test]
fn a_file_that_is_not_here_yet_says_how_much_is_missing_and_leaves_nothing() {
    let (here, there, files) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(here.path());
    let author = author::init(&store, None, &[]).unwrap().author;
    let (path, _) = file(files.path(), "a.bin", 100_000);
    post(&author, &Draft { files: vec![path.clone()], audience: Audience::Public, ..Draft::default() });
    let friend = open(there.path());
    hold_blind(&store, &friend, author.feed());
    let attachment = everything(&store).remove(0).attachments.remove(0);
    fs::remove_file(&path).unwrap();
    let result = reader::write_attachment(&friend, author.feed(), &attachment, files.path(), &mut |_| {});
    assert!(matches!(result, Err(FileError::NotHeld { held_bytes: 0, .. })), "{result:?}");
    assert_eq!(fs::read_dir(files.path()).unwrap().count(), 0);
}

#[test]
fn a_post_that_cannot_be_written_changes_nothing() {
    let (folder, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(folder.path());
    let author = author::init(&store, None, &[]).unwrap().author;
    let (good, _) = file(files.path(), "good.bin", 200_000);
    let before = store.read().unwrap().total_usage().unwrap();
    let missing = files.path().join("missing.png");
    let with = |files: Vec<PathBuf>| Draft { files, ..text("x", Audience::Friends) };
    let cases = [
        (Draft::default(), "needs a text or a file"),
        (text(&"x".repeat(50_001), Audience::Friends), "attach it as a file"),
        (Draft { channel: Some("c".repeat(65)), ..text("x", Audience::Friends) }, "channel"),
        (with(vec![good.clone(), missing.clone()]), "missing.png cannot be read"),
        (with(vec![good.clone(), files.path().to_owned()]), "not a regular file"),
        (with(vec![good.clone(); 16]), "at most 15"),
    ];
    for (draft, says) in cases {
        let error = author.post(&draft, &mut |_| {}).expect_err(says);
        assert!(error.to_string().contains(says), "{error}");
    }
    assert_eq!(store.read().unwrap().total_usage().unwrap(), before);
    assert!(everything(&store).is_empty());
}

#[test]
fn a_post_that_fails_after_its_file_was_sealed_frees_the_file() {
    use redb::{ReadableDatabase, ReadableTableMetadata};
    let (folder, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(folder.path());
    let author = author::init(&store, None, &[]).unwrap().author;
    let feed = author.feed();
    store
        .write_blocking(move |txn| {
            let row = txn.feed(feed)?.expect("it was made");
            txn.put_feed(feed, &peerfeed::store::FeedRow { quota_bytes: Some(1), ..row })
        })
        .unwrap();
    let before = store.read().unwrap().total_usage().unwrap();
    let (path, _) = file(files.path(), "a.bin", 2_000_000);
    let error = author.post(&Draft { files: vec![path], ..Draft::default() }, &mut |_| {}).expect_err("no room");
    assert!(error.to_string().contains("quota"), "{error}");
    assert_eq!(store.read().unwrap().total_usage().unwrap(), before);
    drop(author);
    store.close();
    let db = redb::Database::open(folder.path().join("store.redb")).unwrap();
    let blobs: redb::TableDefinition<'_, (&[u8; 32], u64), (u32, u64)> = redb::TableDefinition::new("blobs");
    assert_eq!(db.begin_read().unwrap().open_table(blobs).unwrap().len().unwrap(), 0);
}

#[test]
fn changes_of_seeders_and_trackers_are_signed_and_numbered() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let author = author::init(&store, None, &[]).unwrap().author;
    let witness = |seed| peerfeed_protocol::crypto::WitnessSecret::from_seed(&[seed; 32]).key();
    let seeder = |port: u16, witness: WitnessKey| SeederAddress { address: format!("127.0.0.1:{port}"), witness };
    let manifest = author.add_seeder(seeder(1, witness(1))).unwrap();
    assert_eq!((manifest.number(), manifest.content().seeders.len()), (2, 1));
    let manifest = author.add_seeder(seeder(2, witness(1))).unwrap();
    assert_eq!(manifest.content().seeders, [seeder(2, witness(1))], "the same seeder has moved");
    assert_eq!(author.add_seeder(seeder(2, witness(1))).unwrap().number(), 3, "nothing changed, nothing was signed");
    for number in 3..6 {
        author.add_seeder(seeder(number, witness(u8::try_from(number).unwrap()))).unwrap();
    }
    assert!(matches!(author.add_seeder(seeder(9, witness(9))), Err(AuthorError::TooManySeeders)));
    assert!(author.remove_seeder("127.0.0.1:3").unwrap());
    assert!(!author.remove_seeder("127.0.0.1:3").unwrap());
    author.add_tracker("http://127.0.0.1:1/announce").unwrap();
    assert!(author.remove_tracker("http://127.0.0.1:1/announce").unwrap());
    let records = store.read().unwrap().records(author.feed()).unwrap().unwrap();
    assert_eq!(records.manifest().content().seeders.len(), 3);
}

#[test]
fn two_posts_at_once_are_two_entries() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let author = author::init(&store, None, &[]).unwrap().author;
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let author = author.clone();
            scope.spawn(move || {
                for number in 0..10 {
                    post(&author, &text(&format!("{thread}/{number}"), Audience::Friends));
                }
            });
        }
    });
    let mut texts: Vec<_> = everything(&store).into_iter().map(|entry| entry.text).collect();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), 40);
}
