//! The store's promises, seen from outside.

#![allow(clippy::single_range_in_vec_init, reason = "what is held is a list of ranges, often of one")]

use std::collections::BTreeSet;
use std::path::Path;

use peerfeed::reader::{self, Query};
use peerfeed::store::{
    FORMAT, HeadPut, NewEntries, OpenError, Options, Quota, Reading, StorageError, Store, StoredBy, StoredGrant,
    WriteError,
};
use peerfeed_protocol::feed::{Control, ForkEvidence, Granted, Head};
use peerfeed_protocol::ids::{EpochId, Incarnation, WitnessKey};
use peerfeed_protocol::merkle::{consistency_proof, range_proof, root_from_nodes, verify_consistency};

use crate::sample::{NOW_MS, SampleBlob, SampleLog, followed, seeded};

fn open(folder: &Path) -> Store {
    Store::open(folder, &Options::default()).unwrap()
}

/// A store that follows the log's feed and holds `ranges` of it.
fn holding(folder: &Path, log: &SampleLog, ranges: &[std::ops::Range<u64>]) -> Store {
    let store = open(folder);
    put(&store, log, ranges);
    store
}

fn put(store: &Store, log: &SampleLog, ranges: &[std::ops::Range<u64>]) {
    let size = log.entries.len();
    let (feed, id, head) = (log.feed, log.log, log.head(size));
    let ranges: Vec<NewEntries> = ranges.iter().map(|range| log.range(range.clone(), size)).collect();
    store
        .write_blocking(move |txn| {
            if txn.feed(feed)?.is_none() {
                txn.put_feed(feed, &followed())?;
            }
            txn.put_head(&head)?;
            for range in &ranges {
                txn.put_entries(feed, id, range, NOW_MS)?;
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn what_was_written_is_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let log = SampleLog::with_posts(1, 2, 20);
    holding(folder.path(), &log, &[0..20]).close();

    let store = open(folder.path());
    let txn = store.read().unwrap();
    let row = txn.log_row(log.feed, log.log).unwrap().unwrap();
    assert_eq!((row.size, row.root, row.complete), (20, log.root(20), 20));
    let entries = txn.entries(&row, 0..20, usize::MAX).unwrap();
    assert_eq!(entries.len(), 20);
    for (entry, original) in entries.iter().zip(&log.entries) {
        assert_eq!(entry.header, original.header.bytes());
        assert_eq!(entry.body.as_deref(), Some(&original.body[..]));
    }
}

#[test]
fn a_store_of_a_newer_version_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).close();
    let path = folder.path().join("store.redb");
    {
        let db = redb::Database::open(&path).unwrap();
        let txn = db.begin_write().unwrap();
        let numbers: redb::TableDefinition<'_, &str, u64> = redb::TableDefinition::new("numbers");
        txn.open_table(numbers).unwrap().insert("format", FORMAT + 1).unwrap();
        txn.commit().unwrap();
    }
    let before = std::fs::read(&path).unwrap();
    let Err(error) = Store::open(folder.path(), &Options::default()) else { panic!("it was opened") };
    assert!(matches!(error, OpenError::Newer { found, known } if found == FORMAT + 1 && known == FORMAT), "{error}");
    assert!(error.to_string().contains("install that version"), "{error}");
    assert!(std::fs::read(&path).unwrap() == before, "the file was changed");
}

#[test]
fn a_file_that_is_no_store_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    std::fs::write(&path, b"somebody's notes, long enough to be taken for a header".repeat(200)).unwrap();
    let before = std::fs::read(&path).unwrap();
    let Err(error) = Store::open(folder.path(), &Options::default()) else { panic!("it was opened") };
    assert!(error.to_string().contains("store.redb"), "{error}");
    assert!(std::fs::read(&path).unwrap() == before, "the file was changed");
}

#[test]
fn the_folder_and_its_files_are_for_their_owner() {
    use std::os::unix::fs::PermissionsExt;
    let outside = tempfile::tempdir().unwrap();
    let folder = outside.path().join("a/data");
    let _store = open(&folder);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for file in ["store.redb", "lock"] {
        assert_eq!(mode(&folder.join(file)), 0o600, "{file}");
    }
}

#[test]
fn a_second_opening_is_told_who_holds_the_folder_until_it_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let Err(error) = Store::open(folder.path(), &Options::default()) else { panic!("it was opened twice") };
    let text = error.to_string();
    assert!(text.contains(&format!("process {}", std::process::id())) && text.contains("--data"), "{text}");
    store.close();
    open(folder.path());
}

#[test]
fn a_job_that_fails_leaves_no_trace_and_harms_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        // All are started before the first is answered, so that they share transactions.
        let mut jobs = tokio::task::JoinSet::new();
        for number in 0..200u32 {
            let store = store.clone();
            jobs.spawn(async move {
                let job = store.write(move |txn| {
                    txn.put_note(&format!("note {number}"), Some(b"x"))?;
                    if number.is_multiple_of(7) { Err(WriteError::Outside) } else { Ok(()) }
                });
                (number, job.await)
            });
        }
        while let Some(done) = jobs.join_next().await {
            let (number, result) = done.unwrap();
            assert_eq!(result.is_err(), number.is_multiple_of(7));
        }
    });
    let txn = store.read().unwrap();
    for number in 0..200u32 {
        let note = txn.note(&format!("note {number}")).unwrap();
        assert_eq!(note.is_some(), !number.is_multiple_of(7), "note {number}");
    }
}

#[test]
fn a_partial_log_proves_what_it_holds_to_others() {
    let folder = tempfile::tempdir().unwrap();
    let log = SampleLog::with_posts(1, 2, 100);
    let store = holding(folder.path(), &log, &[50..100, 10..30]);
    let txn = store.read().unwrap();
    let row = txn.log_row(log.feed, log.log).unwrap().unwrap();
    assert_eq!(txn.held(&row).unwrap(), [10..30, 50..100]);
    assert_eq!(row.complete, 0);
    let nodes = txn.nodes(&row);
    assert_eq!(root_from_nodes(&nodes, 100), Some(log.root(100)));
    for range in [50..100, 99..100, 60..77, 10..30, 11..12] {
        let leaves: Vec<_> = log.entries[range.clone()].iter().map(|entry| entry.header.leaf_hash()).collect();
        let (from, to) = (range.start as u64, range.end as u64);
        let proof = range_proof(&nodes, from, to, 100).unwrap_or_else(|| panic!("{range:?} cannot be proven"));
        proof.verify(from, &leaves, 100, &log.root(100)).unwrap();
    }
    assert!(range_proof(&nodes, 35, 40, 100).is_none(), "what was never seen cannot be proven");
    assert!(nodes.failure().is_none());
}

#[test]
fn reading_stops_at_gaps_and_at_the_budget() {
    let folder = tempfile::tempdir().unwrap();
    let log = SampleLog::with_posts(1, 2, 40);
    let store = holding(folder.path(), &log, &[0..10, 20..40]);
    let txn = store.read().unwrap();
    let row = txn.log_row(log.feed, log.log).unwrap().unwrap();
    let indices =
        |entries: Vec<peerfeed::store::StoredEntry>| entries.iter().map(|entry| entry.index).collect::<Vec<_>>();
    assert_eq!(indices(txn.entries(&row, 5..40, usize::MAX).unwrap()), (5..10).collect::<Vec<_>>());
    assert_eq!(indices(txn.entries(&row, 12..40, usize::MAX).unwrap()), Vec::<u64>::new());
    assert_eq!(indices(txn.newest_entries(&row, 0..40, usize::MAX).unwrap()), (20..40).collect::<Vec<_>>());
    let one = log.entries[20].header.bytes().len() + log.entries[20].body.len();
    assert_eq!(indices(txn.entries(&row, 20..40, 1).unwrap()), [20], "the first always fits");
    assert_eq!(indices(txn.newest_entries(&row, 20..40, 3 * (one + 8)).unwrap()), [37, 38, 39]);
}

#[test]
fn a_log_that_grows_stays_proven_and_consistent() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut log = SampleLog::with_posts(1, 2, 13);
    put(&store, &log, &[0..13]);
    for _ in 0..20 {
        log.post("more", Vec::new());
    }
    put(&store, &log, &[13..33]);
    let txn = store.read().unwrap();
    let row = txn.log_row(log.feed, log.log).unwrap().unwrap();
    assert_eq!(txn.frontier(&row).unwrap().root(), log.root(33));
    let proof = consistency_proof(&txn.nodes(&row), 13, 33).unwrap();
    verify_consistency(13, &log.root(13), 33, &log.root(33), &proof).unwrap();
}

#[test]
fn heads_only_go_forward_and_a_contradiction_ends_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut log = SampleLog::with_posts(1, 2, 8);
    put(&store, &log, &[0..8]);
    let put_head = |head: Head| store.write_blocking(move |txn| txn.put_head(&head));
    assert_eq!(put_head(log.head(5)).unwrap(), HeadPut::Older);
    assert_eq!(put_head(log.head(8)).unwrap(), HeadPut::Older);
    let other = log.contradicting_head(8);
    assert!(matches!(put_head(other.clone()), Err(WriteError::Contradiction)));

    let evidence = ForkEvidence { held: log.head(8), received: other, proof: vec![log.root(3)] };
    let kept = evidence.clone();
    store.write_blocking(move |txn| txn.put_fork(&kept)).unwrap();
    log.post("after the fork", Vec::new());
    assert!(matches!(put_head(log.head(9)), Err(WriteError::Forked)));
    let txn = store.read().unwrap();
    assert_eq!(txn.forks(log.feed).unwrap(), [evidence]);
    let row = txn.log_row(log.feed, log.log).unwrap().unwrap();
    assert_eq!((row.size, row.forked), (8, true));
    assert_eq!(row.verified_head(log.feed).unwrap(), log.head(8));
}

#[test]
fn a_device_has_a_bounded_number_of_logs() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let log = SampleLog::with_posts(1, 2, 1);
    put(&store, &log, &[0..1]);
    let put_another = |number: u8| {
        let head = log.head_of(Incarnation::new([number; 8]), 1);
        store.write_blocking(move |txn| txn.put_head(&head))
    };
    for number in 100..115 {
        put_another(number).unwrap();
    }
    assert!(matches!(put_another(115), Err(WriteError::TooManyLogs)));
    assert!(put_another(100).is_ok(), "those that are there go on");
}

#[test]
fn entries_beyond_the_head_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let log = SampleLog::with_posts(1, 2, 8);
    let store = open(folder.path());
    let (feed, id, head, range) = (log.feed, log.log, log.head(5), log.range(0..8, 8));
    let result = store.write_blocking(move |txn| {
        txn.put_feed(feed, &followed())?;
        txn.put_head(&head)?;
        txn.put_entries(feed, id, &range, NOW_MS)
    });
    assert!(matches!(result, Err(WriteError::Outside)));
    assert!(store.read().unwrap().feed(feed).unwrap().is_none(), "the feed of the failed job is not there either");
}

#[test]
fn a_header_without_its_body_is_kept_but_counts_as_not_held() {
    let folder = tempfile::tempdir().unwrap();
    let log = SampleLog::with_posts(1, 2, 5);
    let store = holding(folder.path(), &log, &[]);
    let mut range = log.range(0..5, 5);
    range.entries[2].body = None;
    let (feed, id) = (log.feed, log.log);
    store.write_blocking(move |txn| txn.put_entries(feed, id, &range, NOW_MS)).unwrap();
    let held = || {
        let txn = store.read().unwrap();
        let row = txn.log_row(feed, id).unwrap().unwrap();
        assert_eq!(root_from_nodes(&txn.nodes(&row), 5), Some(log.root(5)));
        (txn.held(&row).unwrap(), row.complete)
    };
    assert_eq!(held(), (vec![0..2, 3..5], 2));
    let range = log.range(2..3, 5);
    store.write_blocking(move |txn| txn.put_entries(feed, id, &range, NOW_MS)).unwrap();
    assert_eq!(held(), (vec![0..5], 5));
}

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
    let began = std::time::Instant::now();
    while rows_left(folder.path()) != ["numbers"] {
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?} stay", rows_left(folder.path()));
        let store = open(folder.path());
        std::thread::sleep(std::time::Duration::from_millis(20));
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
fn the_chapter_lists_the_tables_that_a_new_store_has() {
    use redb::{ReadableDatabase, TableHandle};
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).close();
    let db = redb::Database::open(folder.path().join("store.redb")).unwrap();
    let txn = db.begin_read().unwrap();
    let made: BTreeSet<String> = txn.list_tables().unwrap().map(|table| table.name().to_owned()).collect();
    let chapter = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/spec/store.md");
    let chapter = std::fs::read_to_string(chapter).unwrap();
    let listed: BTreeSet<String> = chapter
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name.to_owned())
        .collect();
    assert_eq!(made, listed);
}

#[test]
fn grants_are_found_by_their_tag_until_the_feed_goes() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let author = peerfeed::author::init(&store, None, &[]).unwrap().author;
    let feed = author.feed();
    let txn = store.read().unwrap();
    let row = txn.logs(feed).unwrap().remove(0);
    let body = txn.entry(&row, 0).unwrap().unwrap().body.unwrap();
    let Ok(Control::Epoch(start)) = Control::decode(&body) else { panic!("the feed begins with an epoch") };
    for grant in start.grants.iter() {
        let found = txn.grants(feed, *grant.tag()).unwrap();
        assert_eq!(found, [StoredGrant { epoch: start.epoch, author: author.device(), row: grant }]);
    }
    assert!(txn.grants(feed, [0; 8]).unwrap().is_empty());
    store.write_blocking(move |txn| txn.remove_feed(feed)).unwrap();
    for grant in start.grants.iter() {
        assert!(store.read().unwrap().grants(feed, *grant.tag()).unwrap().is_empty());
    }
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
    assert!(matches!(error, WriteError::Full(Quota::Feed { bytes: 60_000 })), "{error}");
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
fn a_nearly_full_disk_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).close();
    let options = Options { disk_reserve_bytes: u64::MAX, ..Options::default() };
    let store = Store::open(folder.path(), &options).unwrap();
    let error = store.write_blocking(|txn| Ok(txn.put_note("a", Some(b"b"))?)).expect_err("there is no room");
    assert!(matches!(error, WriteError::Storage(StorageError::DiskFull)), "{error}");
    assert!(error.to_string().contains("make room"), "{error}");
    assert_eq!(store.read().unwrap().note("a").unwrap(), None);
}

#[test]
fn what_seeders_say_is_kept_by_log_and_seeder() {
    let folder = tempfile::tempdir().unwrap();
    let log = SampleLog::with_posts(1, 2, 3);
    let store = holding(folder.path(), &log, &[0..3]);
    let (feed, id) = (log.feed, log.log);
    let word =
        |seeder, entries| StoredBy { seeder: WitnessKey::from_stored([seeder; 32]), entries, complete: 1, said_s: 9 };
    for (seeder, entries) in [(1, 2), (2, 3), (1, 3)] {
        let word = word(seeder, entries);
        store.write_blocking(move |txn| txn.put_stored_by(feed, id, &word)).unwrap();
    }
    assert_eq!(store.read().unwrap().stored_by(feed, id).unwrap(), [word(1, 3), word(2, 3)]);
}

#[test]
fn a_read_key_never_replaces_the_secret_of_an_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let feed = SampleLog::new(1, 2).feed;
    let secret = peerfeed_protocol::feed::EpochSecret::new([5; 32]);
    let (whole, read) = (Granted::Secret(secret.clone()), Granted::ReadKey(secret.read_key(&feed)));
    let epoch = EpochId::new([3; 16]);
    for granted in [read.clone(), whole.clone(), read] {
        store
            .write_blocking(move |txn| {
                if txn.feed(feed)?.is_none() {
                    txn.put_feed(feed, &followed())?;
                }
                txn.put_epoch(feed, epoch, &granted)
            })
            .unwrap();
    }
    assert_eq!(store.read().unwrap().epochs(feed).unwrap(), [(epoch, whole)]);
}

#[test]
fn the_timeline_is_newest_first_across_feeds_and_touches_muted_ones_only_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (mut one, mut other) = (SampleLog::new(1, 2), SampleLog::new(5, 6));
    for minute in 0..30 {
        let log = if minute % 2 == 0 { &mut one } else { &mut other };
        let channel = (minute % 3 == 0).then_some("birds");
        log.post_at(NOW_MS - (30 - minute) * 60_000, &format!("minute {minute}"), channel, Vec::new());
    }
    let store = holding(folder.path(), &one, &[0..15]);
    put(&store, &other, &[0..15]);
    reader::index_pending_blocking(&store).unwrap();
    let texts = |query: &Query| -> Vec<String> {
        reader::timeline(&store, query).unwrap().into_iter().map(|entry| entry.text).collect()
    };
    let all = Query { feed: None, channel: None, between: None, since_ms: None, limit: 3 };
    assert_eq!(texts(&all), ["minute 29", "minute 28", "minute 27"]);
    assert_eq!(texts(&Query { limit: 1_000, ..all.clone() }).len(), 30);
    assert_eq!(texts(&Query { feed: Some(one.feed), ..all.clone() }), ["minute 28", "minute 26", "minute 24"]);
    assert_eq!(texts(&Query { channel: Some("birds".into()), ..all.clone() }), ["minute 27", "minute 24", "minute 21"]);
    let since = Query { since_ms: Some(NOW_MS - 2 * 60_000), limit: 50, ..all.clone() };
    assert_eq!(texts(&since), ["minute 29", "minute 28"]);
    assert_eq!(texts(&Query { limit: 0, ..all.clone() }), Vec::<String>::new());

    let muted = other.feed;
    store
        .write_blocking(move |txn| {
            let row = txn.feed(muted)?.expect("it is followed");
            txn.put_feed(muted, &peerfeed::store::FeedRow { muted: true, ..row })
        })
        .unwrap();
    assert_eq!(texts(&all), ["minute 28", "minute 26", "minute 24"]);
    assert_eq!(texts(&Query { feed: Some(muted), ..all }), ["minute 29", "minute 27", "minute 25"]);
}

#[test]
fn an_entry_from_the_future_is_shown_last() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = SampleLog::new(1, 2);
    log.post_at(NOW_MS - 5_000, "early", None, Vec::new());
    log.post_at(NOW_MS + 60_000, "a minute ahead", None, Vec::new());
    log.post_at(NOW_MS + 3_600_000, "an hour ahead", None, Vec::new());
    let store = holding(folder.path(), &log, &[0..3]);
    reader::index_pending_blocking(&store).unwrap();
    let query = Query { feed: None, channel: None, between: None, since_ms: None, limit: 10 };
    let entries = reader::timeline(&store, &query).unwrap();
    let texts: Vec<_> = entries.iter().map(|entry| entry.text.as_str()).collect();
    assert_eq!(texts, ["a minute ahead", "early", "an hour ahead"]);
    assert_eq!(entries[0].time_ms, NOW_MS, "its time is when it was seen");
}

#[test]
fn an_entry_is_found_by_the_beginning_of_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let log = SampleLog::with_posts(1, 2, 50);
    let store = holding(folder.path(), &log, &[0..50]);
    reader::index_pending_blocking(&store).unwrap();
    let txn = store.read().unwrap();
    for entry in &log.entries {
        let id = entry.place.id();
        assert_eq!(txn.entry_by_id(id).unwrap(), Some(entry.place));
        let text = id.to_string();
        for length in [4, 9, 16] {
            let found = txn.entries_by_id_prefix(&text[..length], 100).unwrap();
            assert!(found.contains(&entry.place));
            assert!(found.iter().all(|place| place.id().to_string().starts_with(&text[..length])));
        }
    }
    for nothing in ["0", "ü", "aaaaaaaaaaaaaaaaa"] {
        assert_eq!(txn.entries_by_id_prefix(nothing, 100).unwrap(), [], "{nothing}");
    }
}

#[test]
fn a_restored_backup_leaves_its_log_when_others_hold_more_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = SampleLog::with_posts(1, 2, 5);
    let store = holding(folder.path(), &log, &[0..5]);
    let (feed, id) = (log.feed, log.log);
    let own = peerfeed::store::OwnLog { log: id, clock: 1 };
    store.write_blocking(move |txn| txn.put_own_log(feed, &own)).unwrap();
    let fresh = Incarnation::new([9; 8]);
    let left = |head: Head| store.write_blocking(move |txn| txn.leave_log_unless_newest(&head, fresh)).unwrap();
    let current = || store.read().unwrap().own_log(feed).unwrap().unwrap().log;
    assert!(!left(log.head(3)) && !left(log.head(5)));
    assert_eq!(current(), id);
    log.post("written before the backup was restored", Vec::new());
    assert!(left(log.head(6)));
    assert_eq!(current(), peerfeed_protocol::ids::LogId { incarnation: fresh, ..id });
    assert!(!left(log.head(6)), "the new log is not the one that the head is of");
}

#[test]
fn a_feed_that_is_no_longer_read_keeps_its_entries_and_loses_keys_and_timeline() {
    let folder = tempfile::tempdir().unwrap();
    let log = SampleLog::with_posts(1, 2, 5);
    let store = holding(folder.path(), &log, &[0..5]);
    reader::index_pending_blocking(&store).unwrap();
    let feed = log.feed;
    let secret = Granted::Secret(peerfeed_protocol::feed::EpochSecret::new([5; 32]));
    store.write_blocking(move |txn| txn.put_epoch(feed, EpochId::new([3; 16]), &secret)).unwrap();
    store.write_blocking(move |txn| txn.put_feed(feed, &seeded(None))).unwrap();
    let shown = || store.read().unwrap().timeline(None, None, 10).unwrap().len();
    assert_eq!(shown(), 0);
    assert!(store.read().unwrap().epochs(feed).unwrap().is_empty());
    let row = store.read().unwrap().log_row(feed, log.log).unwrap().unwrap();
    assert_eq!(store.read().unwrap().held(&row).unwrap(), [0..5]);
    store.write_blocking(move |txn| txn.put_feed(feed, &followed())).unwrap();
    reader::index_pending_blocking(&store).unwrap();
    assert_eq!(shown(), 5, "followed again, all of it is shown");
}
