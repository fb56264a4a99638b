//! The store's promises, seen from outside.

#![allow(clippy::single_range_in_vec_init, reason = "what is held is a list of ranges, often of one")]

mod blobs;
mod logs;
mod opening;
mod reading;

use std::path::Path;

use peerfeed::store::{NewEntries, Options, Reading, Store};

use crate::sample::{NOW_MS, SampleLog, followed};

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
