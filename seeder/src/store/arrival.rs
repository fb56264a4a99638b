//! Entries that arrive: kept with all that follows from their headers, in one go.

use std::ops::Range;

use peerfeed_protocol::feed::{BlobRef, LeafHeader};
use peerfeed_protocol::ids::{FeedId, LogId};
use redb::ReadableTable;

use super::entries::{BODIES, ENTRIES, NO_BODY, NewEntries, NewEntry};
use super::error::{StorageError, WriteError};
use super::limits::ENTRY_OVERHEAD_BYTES;
use super::logs::LogRow;
use super::meta::{Counter, take_numbers};
use super::txn::{View, WriteTxn};
use super::usage::{self, Change};
use super::{blobs, feeds, grants, held, logs, nodes, timeline};

impl WriteTxn {
    /// Keeps a proven range of entries with its tree nodes; entries that are held already stay as they are.
    ///
    /// `now_ms` (unix milliseconds) is noted as when they were first seen. Blobs that the headers refer to become known.
    /// An entry without a body is kept for its place in the tree, but counts as not held until its body comes.
    /// spec: STORE-8
    pub fn put_entries(&mut self, feed: FeedId, log: LogId, new: &NewEntries, now_ms: u64) -> Result<(), WriteError> {
        let feed_number = self.feed_number(feed)?;
        let row = self.log(feed, log)?;
        let range = new.range();
        if range.end > row.size {
            return Err(WriteError::Outside);
        }
        let missing = self.missing(row.number, new)?;
        let more_bytes = missing.iter().map(Missing::bytes).sum();
        usage::check(self, feed, more_bytes)?;

        self.insert(row.number, &missing, now_ms)?;
        for missing in &missing {
            self.follow_header(feed_number, row.number, missing)?;
        }
        usage::charge(self, feed_number, Change::entries(more_bytes))?;
        usage::charge_total(self, Change::entries(more_bytes))?;
        self.count_written(more_bytes);
        nodes::put(self, row.number, &new.nodes, &range)?;
        for run in runs(new) {
            held::add(self, row.number, run)?;
        }
        if feeds::row(self, feed)?.is_some_and(|feed| feed.roles.reads()) {
            timeline::await_entries(self, feed_number, row.number, missing.iter().map(|missing| missing.index))?;
        }
        advance_complete(self, feed_number, row)
    }

    /// What of the range has to be written.
    fn missing<'n>(&self, log: u32, new: &'n NewEntries) -> Result<Vec<Missing<'n>>, WriteError> {
        let table = self.table(ENTRIES)?;
        let mut missing = Vec::new();
        for (index, entry) in new.range().zip(&new.entries) {
            let held = table.get((log, index))?.map(|row| (row.value().0 != NO_BODY, row.value().1));
            let header_seen_ms = match held {
                Some((true, _)) => continue,
                Some((false, _)) if entry.body.is_none() => continue,
                Some((false, seen_ms)) => Some(seen_ms),
                None => None,
            };
            let header = LeafHeader::decode(&entry.header).map_err(|_| WriteError::Header)?;
            missing.push(Missing { index, entry, header, header_seen_ms });
        }
        Ok(missing)
    }

    fn insert(&mut self, log: u32, missing: &[Missing<'_>], now_ms: u64) -> Result<(), StorageError> {
        let with_body = missing.iter().filter(|missing| missing.entry.body.is_some()).count() as u64;
        let first = if with_body > 0 { take_numbers(self, Counter::Arrival, with_body)? } else { NO_BODY };
        let mut bodies = self.change(BODIES)?;
        for (number, body) in (first..).zip(missing.iter().filter_map(|missing| missing.entry.body.as_ref())) {
            bodies.insert(number, body.as_ref())?;
        }
        drop(bodies);
        let mut numbers = first..;
        let mut entries = self.change(ENTRIES)?;
        for missing in missing {
            let number = missing.entry.body.as_ref().and_then(|_| numbers.next()).unwrap_or(NO_BODY);
            let seen_ms = missing.header_seen_ms.unwrap_or(now_ms);
            entries.insert((log, missing.index), (number, seen_ms, missing.entry.header.as_ref()))?;
        }
        Ok(())
    }

    /// Notes what an entry refers to and grants.
    fn follow_header(&mut self, feed: u32, log: u32, missing: &Missing<'_>) -> Result<(), WriteError> {
        if missing.header_seen_ms.is_none() {
            for blob in missing.header.blobs() {
                blobs::refer(self, feed, *blob)?;
            }
        }
        grants::note(self, feed, log, &missing.header, missing.entry)?;
        Ok(())
    }
}

/// An entry that is to be written, or whose body is.
struct Missing<'n> {
    index: u64,
    entry: &'n NewEntry,
    header: LeafHeader,
    /// When its header came, if that is held already.
    header_seen_ms: Option<u64>,
}

impl Missing<'_> {
    fn bytes(&self) -> u64 {
        let header = match self.header_seen_ms {
            Some(_) => 0,
            None => self.entry.header.len() as u64 + ENTRY_OVERHEAD_BYTES,
        };
        header + self.entry.body.as_ref().map_or(0, |body| body.len() as u64)
    }
}

/// The runs of entries that come with their bodies.
fn runs(new: &NewEntries) -> Vec<Range<u64>> {
    let mut runs: Vec<Range<u64>> = Vec::new();
    for (index, _) in new.range().zip(&new.entries).filter(|(_, entry)| entry.body.is_some()) {
        match runs.last_mut() {
            Some(run) if run.end == index => run.end += 1,
            _ => runs.push(index..index + 1),
        }
    }
    runs
}

/// Moves a log's mark of "held with all blobs" on as far as it goes.
pub(super) fn advance_complete(txn: &mut WriteTxn, feed: u32, mut row: LogRow) -> Result<(), WriteError> {
    let Some(end) = held::end_of_range(txn, row.number, row.complete)? else { return Ok(()) };
    let before = row.complete;
    row.complete = complete_up_to(txn, &row, end)?;
    if row.complete > before {
        logs::put_row(txn, feed, &row)?;
    }
    Ok(())
}

fn complete_up_to(txn: &WriteTxn, row: &LogRow, end: u64) -> Result<u64, WriteError> {
    let (entries, blobs) = (txn.table(ENTRIES)?, txn.table(blobs::BLOBS)?);
    let mut complete = row.complete;
    for entry in entries.range((row.number, row.complete)..(row.number, end))? {
        let named: Vec<BlobRef> = blobs::of_header(entry?.1.value().2)?;
        for blob in named {
            if !blobs::is_complete(&blobs, blob)? {
                return Ok(complete);
            }
        }
        complete += 1;
    }
    Ok(complete)
}
