//! Heads and entries.

use peerfeed::store::{HeadPut, Reading, StoredBy, WriteError};
use peerfeed_protocol::feed::{ForkEvidence, Head};
use peerfeed_protocol::ids::{Incarnation, WitnessKey};
use peerfeed_protocol::merkle::{consistency_proof, range_proof, root_from_nodes, verify_consistency};

use super::{holding, open, put};
use crate::sample::{NOW_MS, SampleLog, followed};

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
    // Whoever is forgotten takes their word along: 16 that nobody listed are remembered.
    for seeder in 1..=18 {
        let (word, witness) = (word(seeder, 3), WitnessKey::from_stored([seeder; 32]));
        store
            .write_blocking(move |txn| {
                txn.put_stored_by(feed, id, &word)?;
                txn.put_seeder_met(feed, witness, "a:1", u64::from(seeder))
            })
            .unwrap();
    }
    let held: Vec<StoredBy> = (3..=18).map(|seeder| word(seeder, 3)).collect();
    assert_eq!(store.read().unwrap().stored_by(feed, id).unwrap(), held);
}
