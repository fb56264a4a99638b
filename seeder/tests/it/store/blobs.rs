//! Chunks, what they are charged to and when they go.

use std::path::Path;
use std::time::{Duration, Instant};

use peerfeed::reader::{self, FileError, FileWriter};
use peerfeed::store::{Options, Quota, Reading, Store, WriteError};
use peerfeed_protocol::crypto::Entropy;
use peerfeed_protocol::merkle::range_proof;

use super::{holding, open, put};
use crate::party::PATIENCE;
use crate::sample::{NOW_MS, SampleBlob, SampleLog, seeded};

#[test]
fn chunks_come_in_any_order_and_complete_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let sample = SampleBlob::new(3, 40 * 63_984 + 5);
    let mut log = SampleLog::with_posts(1, 2, 2);
    log.post("with a file", vec![sample.attachment.clone()]);
    log.post("after it", Vec::new());
    let store = holding(folder.path(), &log, &[0..4]);
    let (feed, blob) = (log.feed, sample.blob);
    let complete = || store.read().unwrap().log_row(log.feed, log.log).unwrap().unwrap().complete;
    assert_eq!(complete(), 2, "the third entry waits for its file");
    for group in [2, 0, 0, 1] {
        let new = sample.groups(group..group + 1);
        store.write_blocking(move |txn| txn.put_chunks(feed, blob, &new)).unwrap();
        let txn = store.read().unwrap();
        let row = txn.blob(feed, blob).unwrap().unwrap();
        assert!(row.holds_group(group));
        assert_eq!(row.is_complete(), group == 1);
        // What is held can be proven to others, in whole groups and in single chunks.
        let nodes = txn.blob_nodes(&row);
        let count = sample.chunks.len() as u64;
        let (from, to) = (u64::from(group) * 16, (u64::from(group) * 16 + 16).min(count));
        for (from, to) in [(from, to), (from + 3, from + 4)] {
            let proof = range_proof(&nodes, from, to, count).unwrap();
            let leaves: Vec<_> =
                (from..to).map(|index| sample.nodes[&peerfeed_protocol::merkle::NodePos::leaf(index)]).collect();
            proof.verify(from, &leaves, count, &blob.root.into()).unwrap();
        }
    }
    assert_eq!(complete(), 4);
    let txn = store.read().unwrap();
    let row = txn.blob(feed, blob).unwrap().unwrap();
    assert_eq!(txn.chunks(&row, 0..row.blob.size.chunks()).unwrap(), sample.chunks);
    assert_eq!(txn.blob_by_root(feed, blob.root).unwrap().unwrap(), row);
    assert_eq!(txn.usage(feed).unwrap().chunk_bytes, blob.size.bytes());
}

#[test]
fn chunks_of_wrong_length_place_or_blob_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (sample, other) = (SampleBlob::new(3, 20 * 63_984), SampleBlob::new(4, 100));
    let mut log = SampleLog::new(1, 2);
    log.post("file", vec![sample.attachment.clone()]);
    let store = holding(folder.path(), &log, &[0..1]);
    let (feed, blob) = (log.feed, sample.blob);
    let refused = |blob, new: peerfeed::store::NewChunks| {
        store.write_blocking(move |txn| txn.put_chunks(feed, blob, &new)).expect_err("it is wrong")
    };
    let mut shifted = sample.groups(0..1);
    shifted.first = 3;
    assert!(matches!(refused(blob, shifted), WriteError::Outside));
    let mut short = sample.groups(0..1);
    short.chunks.pop();
    assert!(matches!(refused(blob, short), WriteError::Outside));
    let mut longer = sample.groups(1..2);
    longer.chunks.push(longer.chunks[0].clone());
    assert!(matches!(refused(blob, longer), WriteError::Outside));
    let mut cut = sample.groups(0..1);
    cut.chunks[4].truncate(100);
    assert!(matches!(refused(blob, cut), WriteError::Outside));
    assert!(matches!(refused(other.blob, other.all()), WriteError::UnknownBlob));
    assert_eq!(store.read().unwrap().total_usage().unwrap().chunk_bytes, 0);
}

#[test]
fn a_feed_that_does_not_refer_to_a_blob_learns_nothing_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let sample = SampleBlob::new(3, 1_000);
    let mut log = SampleLog::new(1, 2);
    log.post("file", vec![sample.attachment.clone()]);
    let store = holding(folder.path(), &log, &[0..1]);
    let other = SampleLog::with_posts(5, 6, 1);
    put(&store, &other, &[0..1]);
    let txn = store.read().unwrap();
    assert!(txn.blob(log.feed, sample.blob).unwrap().is_some());
    assert!(txn.blob(other.feed, sample.blob).unwrap().is_none());
    assert!(txn.blob_by_root(other.feed, sample.blob.root).unwrap().is_none());
}

#[test]
fn removal_frees_what_nobody_else_refers_to() {
    let folder = tempfile::tempdir().unwrap();
    let (shared, alone) = (SampleBlob::new(3, 20 * 63_984), SampleBlob::new(4, 70_000));
    let mut one = SampleLog::new(1, 2);
    one.post("both", vec![shared.attachment.clone(), alone.attachment.clone()]);
    let mut other = SampleLog::new(5, 6);
    other.post("shared", vec![shared.attachment.clone()]);
    let store = holding(folder.path(), &one, &[0..1]);
    for sample in [&shared, &alone] {
        let (feed, blob, new) = (one.feed, sample.blob, sample.all());
        store.write_blocking(move |txn| txn.put_chunks(feed, blob, &new)).unwrap();
    }
    put(&store, &other, &[0..1]);
    reader::index_pending_blocking(&store).unwrap();
    let (first, second) = (one.feed, other.feed);
    {
        let txn = store.read().unwrap();
        assert_eq!(txn.usage(second).unwrap().chunk_bytes, shared.blob.size.bytes(), "it is charged what it shares");
        assert_eq!(txn.total_usage().unwrap().chunk_bytes, shared.blob.size.bytes() + alone.blob.size.bytes());
        assert!(txn.log_row(second, other.log).unwrap().unwrap().complete == 1);
    }
    store.write_blocking(move |txn| txn.remove_feed(first)).unwrap();
    {
        let txn = store.read().unwrap();
        assert!(txn.feed(first).unwrap().is_none());
        assert_eq!(txn.total_usage().unwrap().chunk_bytes, shared.blob.size.bytes());
        let row = txn.blob(second, shared.blob).unwrap().unwrap();
        assert_eq!(txn.chunks(&row, 0..row.blob.size.chunks()).unwrap(), shared.chunks);
        assert_eq!(txn.timeline(None, None, 10).unwrap().len(), 1);
        assert_eq!(txn.entry_by_id(one.entries[0].place.id()).unwrap(), None);
    }
    store.write_blocking(move |txn| txn.remove_feed(second)).unwrap();
    assert_eq!(store.read().unwrap().total_usage().unwrap().bytes(), 0);
    store.close();
    // The chunks are freed by and by, also after opening again.
    let began = Instant::now();
    while rows_left(folder.path()) != ["numbers"] {
        assert!(began.elapsed() < PATIENCE, "{:?} stay", rows_left(folder.path()));
        let store = open(folder.path());
        std::thread::sleep(Duration::from_millis(20));
        store.close();
    }
}

#[test]
fn a_snapshot_shows_chunks_that_were_freed_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let samples = [SampleBlob::new(3, 40 * 63_984), SampleBlob::new(4, 40 * 63_984)];
    let store = open(folder.path());
    let put_all = |seed: u8, sample: &SampleBlob| {
        let mut log = SampleLog::new(seed, 2);
        log.post("file", vec![sample.attachment.clone()]);
        put(&store, &log, &[0..1]);
        let (feed, blob, new) = (log.feed, sample.blob, sample.all());
        store.write_blocking(move |txn| txn.put_chunks(feed, blob, &new)).unwrap();
        feed
    };
    let bytes = || std::fs::metadata(folder.path().join("chunks")).unwrap().len();
    let first = put_all(1, &samples[0]);
    let (before, snapshot) = (bytes(), store.read().unwrap());
    let row = snapshot.blob(first, samples[0].blob).unwrap().unwrap();
    store.write_blocking(move |txn| txn.remove_feed(first)).unwrap();
    let began = Instant::now();
    while !store.read().unwrap().chunks(&row, 0..1).unwrap().is_empty() {
        assert!(began.elapsed() < PATIENCE, "its chunks stay");
        std::thread::sleep(Duration::from_millis(1));
    }
    let second = put_all(5, &samples[1]);
    assert!(
        snapshot.chunks(&row, 0..row.blob.size.chunks()).unwrap() == samples[0].chunks,
        "it reads what it began with"
    );
    assert!(bytes() > before);
    drop(snapshot);
    store.write_blocking(move |txn| txn.remove_feed(second)).unwrap();
    store.close();
    let began = Instant::now();
    while bytes() > 0 {
        assert!(began.elapsed() < PATIENCE, "{} bytes stay", bytes());
        let store = open(folder.path());
        std::thread::sleep(Duration::from_millis(20));
        store.close();
    }
}

/// The tables that have rows.
fn rows_left(folder: &Path) -> Vec<String> {
    use redb::{ReadableDatabase, ReadableTableMetadata, TableHandle};
    let db = redb::Database::open(folder.join("store.redb")).unwrap();
    let txn = db.begin_read().unwrap();
    let mut names = Vec::new();
    for table in txn.list_tables().unwrap() {
        let name = table.name().to_owned();
        if txn.open_untyped_table(table).unwrap().len().unwrap() > 0 && name != "usage" {
            names.push(name);
        }
    }
    names
}

#[test]
fn a_full_quota_refuses_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let sample = SampleBlob::new(3, 20 * 63_984);
    let mut log = SampleLog::new(1, 2);
    log.post("file", vec![sample.attachment.clone()]);
    for _ in 0..50 {
        log.post("text", Vec::new());
    }
    let store = open(folder.path());
    let (feed, id, head, range, quota) = (log.feed, log.log, log.head(51), log.range(0..51, 51), 60_000);
    store
        .write_blocking(move |txn| {
            txn.put_feed(feed, &seeded(Some(quota)))?;
            txn.put_head(&head)?;
            txn.put_entries(feed, id, &range, NOW_MS)
        })
        .unwrap();
    let before = store.read().unwrap().usage(feed).unwrap();
    let (blob, new) = (sample.blob, sample.groups(0..1));
    let error = store.write_blocking(move |txn| txn.put_chunks(feed, blob, &new)).expect_err("a group is 1 MB");
    let due = Quota::Feed { bytes: 60_000 };
    assert!(matches!(error, WriteError::FileTooLarge { quota, .. } if quota == due), "{error}");
    let txn = store.read().unwrap();
    assert_eq!(txn.usage(feed).unwrap(), before);
    assert_eq!(txn.blob(feed, blob).unwrap().unwrap().held_bytes, 0);
    drop(txn);

    let mut row = seeded(None);
    row.quota_bytes = Some(before.bytes());
    log.post("one too many", Vec::new());
    let (head, range) = (log.head(52), log.range(51..52, 52));
    let error = store
        .write_blocking(move |txn| {
            txn.put_feed(feed, &row)?;
            txn.put_head(&head)?;
            txn.put_entries(feed, id, &range, NOW_MS)
        })
        .expect_err("not a byte is left");
    assert!(matches!(error, WriteError::Full(_)), "{error}");
    let txn = store.read().unwrap();
    assert_eq!(txn.log_row(feed, id).unwrap().unwrap().size, 51, "the head of the refused job is not there");
    assert_eq!(txn.feed(feed).unwrap().unwrap().quota_bytes, Some(60_000));
}

#[test]
fn the_quota_over_all_feeds_holds_too() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { total_quota_bytes: Some(2_000), ..Options::default() };
    let store = Store::open(folder.path(), &options).unwrap();
    let log = SampleLog::with_posts(1, 2, 10);
    let (feed, id, head, range) = (log.feed, log.log, log.head(10), log.range(0..10, 10));
    let result = store.write_blocking(move |txn| {
        txn.put_feed(feed, &seeded(None))?;
        txn.put_head(&head)?;
        txn.put_entries(feed, id, &range, NOW_MS)
    });
    assert!(matches!(result, Err(WriteError::Full(Quota::Total { bytes: 2_000 }))), "{result:?}");
}

#[test]
fn a_file_is_written_as_its_chunks_come_and_leaves_nothing_when_they_do_not() {
    let (folder, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sample = SampleBlob::new(3, 40 * 63_984 + 5);
    let mut log = SampleLog::new(1, 2);
    log.post("with a file", vec![sample.attachment.clone()]);
    let store = holding(folder.path(), &log, &[0..1]);
    let names = || std::fs::read_dir(out.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    let writer = || FileWriter::create(log.feed, sample.attachment.clone(), out.path()).unwrap();
    let (mut whole, mut broken_off) = (writer(), writer());
    for group in [2, 0, 1] {
        let (feed, blob, new) = (log.feed, sample.blob, sample.groups(group..group + 1));
        store.write_blocking(move |txn| txn.put_chunks(feed, blob, &new)).unwrap();
        whole.write_held(&store, &mut |_| {}).unwrap();
        if group == 2 {
            broken_off.write_held(&store, &mut |_| {}).unwrap();
        }
    }
    assert!(matches!(broken_off.finish(out.path()), Err(FileError::NotHeld { .. })));
    let path = whole.finish(out.path()).unwrap();
    let mut plain = vec![0; 40 * 63_984 + 5];
    Entropy::from_seed([3; 32]).fill(&mut plain);
    assert!(std::fs::read(&path).unwrap() == plain);
    assert_eq!(names(), ["file 3.bin"]);
}
