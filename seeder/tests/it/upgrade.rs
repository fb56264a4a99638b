//! Data folders of earlier formats.

use std::fs;
use std::path::Path;

use peerfeed::author::{self, Audience, Author, Draft};
use peerfeed::store::{AudienceName, Options, Reading, Store};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableHandle};

fn open(folder: &Path) -> Store {
    Store::open(folder, &Options::default()).unwrap()
}

/// Makes of a store of this version one of format 1, which kept the friends' epoch beside the own log.
fn as_format_1(folder: &Path) {
    let own_1: TableDefinition<'_, u32, (&[u8; 40], u64, &[u8; 16])> = TableDefinition::new("own");
    let own: TableDefinition<'_, u32, (&[u8; 40], u64)> = TableDefinition::new("own log");
    let audiences: TableDefinition<'_, &[u8], (&[u8; 16], u8)> = TableDefinition::new("audiences");
    let numbers: TableDefinition<'_, &str, u64> = TableDefinition::new("numbers");
    let db = Database::open(folder.join("store.redb")).unwrap();
    let txn = db.begin_write().unwrap();
    let epoch = *txn.open_table(audiences).unwrap().get(b"friends".as_slice()).unwrap().unwrap().value().0;
    let rows: Vec<(u32, [u8; 40], u64)> = txn
        .open_table(own)
        .unwrap()
        .iter()
        .unwrap()
        .map(|row| row.map(|(feed, value)| (feed.value(), *value.value().0, value.value().1)).unwrap())
        .collect();
    for (feed, log, clock) in rows {
        txn.open_table(own_1).unwrap().insert(feed, (&log, clock, &epoch)).unwrap();
    }
    txn.delete_table(own).unwrap();
    txn.delete_table(audiences).unwrap();
    for new in ["members", "owed", "earlier epochs"] {
        let handle = txn.list_tables().unwrap().find(|table| table.name() == new).unwrap();
        txn.delete_table(handle).unwrap();
    }
    txn.open_table(numbers).unwrap().insert("format", 1).unwrap();
    txn.commit().unwrap();
}

#[test]
fn a_folder_of_format_1_goes_on_in_its_log_and_its_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let author = author::init(&store, Some("Ann"), &[]).unwrap().author;
    let post = |author: &Author, text: &str| {
        let draft = Draft { text: text.to_owned(), audience: Audience::Friends, ..Draft::default() };
        author.post(&draft, &mut |_| {}).unwrap()
    };
    let first = post(&author, "written by the earlier version");
    let epoch = author.friends_epoch().unwrap();
    drop(author);
    store.close();
    as_format_1(folder.path());

    let store = open(folder.path());
    let author = Author::open(&store).unwrap().unwrap();
    assert_eq!(author.friends_epoch().unwrap(), epoch);
    let next = post(&author, "written by this version");
    assert_eq!((next.log, next.index), (first.log, first.index + 1));
    let audience = store.read().unwrap().audience(&AudienceName::friends()).unwrap();
    assert_eq!((audience.epoch, audience.left), (Some(epoch.0), false));
    drop(author);
    store.close();
    let db = Database::open(folder.path().join("store.redb")).unwrap();
    let txn = db.begin_read().unwrap();
    assert!(!txn.list_tables().unwrap().any(|table| table.name() == "own"), "what the earlier format had is gone");
}

#[test]
fn a_folder_of_format_2_gets_the_tables_for_letters_and_publishes_a_prekey() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let author = author::init(&store, Some("Ann"), &[]).unwrap().author;
    let feed = author.feed();
    drop(author);
    store.close();
    let numbers: TableDefinition<'_, &str, u64> = TableDefinition::new("numbers");
    let db = Database::open(folder.path().join("store.redb")).unwrap();
    let txn = db.begin_write().unwrap();
    for new in ["contacts", "own prekeys", "prekeys", "letters seen", "outbox", "mailboxes", "packets", "tokens ended"]
    {
        let handle = txn.list_tables().unwrap().find(|table| table.name() == new).unwrap();
        txn.delete_table(handle).unwrap();
    }
    txn.open_table(numbers).unwrap().insert("format", 2).unwrap();
    txn.commit().unwrap();
    drop(db);

    let store = open(folder.path());
    let author = Author::open(&store).unwrap().unwrap();
    assert!(author.contacts().unwrap().is_empty());
    assert!(author.renew_prekey().unwrap());
    assert!(!author.renew_prekey().unwrap(), "one is enough for a week");
    assert_eq!(store.read().unwrap().prekeys(feed).unwrap().len(), 1);
}

/// A feed's number, and an epoch.
type Epoch = (u32, &'static [u8; 16]);

/// Makes of a store of this version one of format 3, which kept secrets of epochs open.
fn as_format_3(folder: &Path, feed: u32, (epoch, secret): ([u8; 16], [u8; 32])) {
    let new: TableDefinition<'_, Epoch, (u8, &[u8])> = TableDefinition::new("epoch keys");
    let old: TableDefinition<'_, Epoch, (u8, &[u8; 32])> = TableDefinition::new("epochs");
    let numbers: TableDefinition<'_, &str, u64> = TableDefinition::new("numbers");
    let db = Database::open(folder.join("store.redb")).unwrap();
    let txn = db.begin_write().unwrap();
    txn.delete_table(new).unwrap();
    txn.open_table(old).unwrap().insert((feed, &epoch), (0, &secret)).unwrap();
    txn.open_table(numbers).unwrap().insert("format", 3).unwrap();
    txn.commit().unwrap();
}

#[test]
fn a_folder_of_format_3_has_its_secrets_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let author = author::init(&store, Some("Ann"), &[]).unwrap().author;
    let draft = Draft { text: "from before".to_owned(), audience: Audience::Friends, ..Draft::default() };
    author.post(&draft, &mut |_| {}).unwrap();
    let (epoch, secret) = author.friends_epoch().unwrap();
    let feed = author.feed();
    drop(author);
    store.close();
    as_format_3(folder.path(), 1, (epoch.to_bytes(), *secret.expose()));

    let store = open(folder.path());
    let author = Author::open(&store).unwrap().unwrap();
    assert_eq!(author.friends_epoch().unwrap(), (epoch, secret));
    assert_eq!(store.read().unwrap().epochs(feed).unwrap().len(), 1);
    drop(author);
    store.close();
    let keys: TableDefinition<'_, Epoch, (u8, &[u8])> = TableDefinition::new("epoch keys");
    let db = Database::open(folder.path().join("store.redb")).unwrap();
    let txn = db.begin_read().unwrap();
    let kinds: Vec<u8> = txn.open_table(keys).unwrap().iter().unwrap().map(|row| row.unwrap().1.value().0).collect();
    assert_eq!(kinds, [2], "a whole secret, sealed");
    assert!(!txn.list_tables().unwrap().any(|table| table.name() == "epochs"));
}

/// Makes of a store of this version one of format 4, which kept all chunks in the database.
fn as_format_4(folder: &Path) {
    let chunks: TableDefinition<'_, (u32, u32), &[u8]> = TableDefinition::new("chunks");
    let slots: TableDefinition<'_, (u32, u32), u32> = TableDefinition::new("chunk slots");
    let numbers: TableDefinition<'_, &str, u64> = TableDefinition::new("numbers");
    let file = fs::read(folder.join("chunks")).unwrap();
    let db = Database::open(folder.join("store.redb")).unwrap();
    let txn = db.begin_write().unwrap();
    for row in txn.open_table(slots).unwrap().iter().unwrap() {
        let (key, slot) = row.map(|(key, slot)| (key.value(), slot.value() as usize)).unwrap();
        for (index, chunk) in (key.1 * 16..).zip(file[slot * 1_024_000..][..1_024_000].chunks(64_000)) {
            txn.open_table(chunks).unwrap().insert((key.0, index), chunk).unwrap();
        }
    }
    txn.delete_table(slots).unwrap();
    txn.open_table(numbers).unwrap().insert("format", 4).unwrap();
    txn.commit().unwrap();
    fs::remove_file(folder.join("chunks")).unwrap();
}

#[test]
fn a_folder_of_format_4_keeps_its_chunks_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let film = folder.path().join("film");
    fs::write(&film, vec![7; 5 << 20]).unwrap();
    let data = folder.path().join("data");
    let store = open(&data);
    let author = author::init(&store, Some("Ann"), &[]).unwrap().author;
    let draft = Draft { text: "a film".to_owned(), audience: Audience::Public, files: vec![film], ..Draft::default() };
    author.post(&draft, &mut |_| {}).unwrap();
    let feed = author.feed();
    let read = |store: &Store| {
        let txn = store.read().unwrap();
        let row = txn.blob(feed, txn.blobs(feed).unwrap()[0]).unwrap().unwrap();
        txn.chunks(&row, 0..row.blob.size.chunks()).unwrap()
    };
    let chunks = read(&store);
    assert!(chunks.len() > 64);
    drop(author);
    store.close();
    as_format_4(&data);

    let store = open(&data);
    assert!(read(&store) == chunks, "nothing was moved");
    let posted = folder.path().join("film");
    let author = Author::open(&store).unwrap().unwrap();
    let draft =
        Draft { text: "another".to_owned(), audience: Audience::Public, files: vec![posted], ..Draft::default() };
    author.post(&draft, &mut |_| {}).unwrap();
    assert!(data.join("chunks").exists(), "what is new is in the file");
    assert!(read(&store) == chunks);
}
