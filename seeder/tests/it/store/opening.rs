//! The folder, its file and its transactions.

use std::collections::BTreeSet;
use std::path::Path;

use peerfeed::store::{FORMAT, OpenError, Options, Reading, StorageError, Store, WriteError};

use super::{holding, open};
use crate::sample::SampleLog;

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
    // The longer one could be taken for a store's header by its length.
    for notes in ["somebody's notes".to_owned(), "somebody's notes, and more of them".repeat(300)] {
        std::fs::write(&path, &notes).unwrap();
        let Err(error) = Store::open(folder.path(), &Options::default()) else { panic!("it was opened") };
        assert!(error.to_string().contains("store.redb"), "{error}");
        assert!(std::fs::read(&path).unwrap() == notes.as_bytes(), "the file was changed");
    }
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
