//! Entries: headers by log and index, bodies by order of arrival.

use std::ops::Range;

use bytes::Bytes;
use peerfeed_protocol::ids::{FeedId, LogId};
use peerfeed_protocol::merkle::{Hash, NodePos};
use redb::{ReadableTable, TableDefinition};

use super::error::{StorageError, WriteError};
use super::limits::ENTRY_OVERHEAD_BYTES;
use super::logs::LogRow;
use super::meta::{Counter, take_numbers};
use super::txn::{View, WriteTxn};
use super::usage::{self, Change};
use super::{blobs, feeds, held, logs, nodes, timeline};

/// (log, index) -> (number of the body or 0 for none, first seen in unix ms, header)
pub(super) const ENTRIES: TableDefinition<'_, (u32, u64), (u64, u64, &[u8])> = TableDefinition::new("entries");
/// number, ascending by arrival -> body as it travels
pub(super) const BODIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("bodies");

const NO_BODY: u64 = 0;

/// An entry as it is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    /// Position in its log.
    pub index: u64,
    /// The leaf header, as signed.
    pub header: Bytes,
    /// The body, as it travels; none if it is not or no longer held.
    pub body: Option<Bytes>,
    /// When it was first seen here, unix milliseconds.
    pub seen_ms: u64,
}

/// One entry of a range to put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// The leaf header, canonical, as proven.
    pub header: Bytes,
    /// The body, whose digest was compared with the header's; none if whoever sent it no longer holds it.
    pub body: Option<Bytes>,
}

/// A range of entries that was proven against a head which is held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewEntries {
    /// Index of the first.
    pub first: u64,
    /// The entries, in order.
    pub entries: Vec<NewEntry>,
    /// The tree nodes that the proof taught.
    pub nodes: Vec<(NodePos, Hash)>,
}

impl NewEntries {
    /// The indices that it covers.
    pub fn range(&self) -> Range<u64> {
        self.first..self.first.saturating_add(self.entries.len() as u64)
    }
}

pub(super) fn one(view: &impl View, log: u32, index: u64) -> Result<Option<StoredEntry>, StorageError> {
    let row = view.table(ENTRIES)?.get((log, index))?.map(|row| {
        let (body, seen_ms, header) = row.value();
        (body, seen_ms, Bytes::copy_from_slice(header))
    });
    let Some((body, seen_ms, header)) = row else { return Ok(None) };
    Ok(Some(StoredEntry { index, header, body: self::body(view, body)?, seen_ms }))
}

fn body(view: &impl View, number: u64) -> Result<Option<Bytes>, StorageError> {
    if number == NO_BODY {
        return Ok(None);
    }
    Ok(view.table(BODIES)?.get(number)?.map(|body| Bytes::copy_from_slice(body.value())))
}

/// The entries of `range` from its first on, without a gap, until one is missing or `max_bytes` are reached; at least one
/// if the first is there.
pub(super) fn range(
    view: &impl View,
    log: u32,
    range: Range<u64>,
    max_bytes: usize,
) -> Result<Vec<StoredEntry>, StorageError> {
    let mut found = Vec::new();
    let mut budget = Budget::new(max_bytes);
    let (entries, bodies) = (view.table(ENTRIES)?, view.table(BODIES)?);
    for (row, due) in entries.range((log, range.start)..(log, range.end))?.zip(range) {
        let entry = stored(row?, &bodies)?;
        if entry.index != due || !budget.takes(&entry) {
            break;
        }
        found.push(entry);
    }
    Ok(found)
}

/// As [`range`], but from the last entry of `range` down; returned in ascending order.
pub(super) fn newest(
    view: &impl View,
    log: u32,
    range: Range<u64>,
    max_bytes: usize,
) -> Result<Vec<StoredEntry>, StorageError> {
    let mut found = Vec::new();
    let mut budget = Budget::new(max_bytes);
    let (entries, bodies) = (view.table(ENTRIES)?, view.table(BODIES)?);
    for (row, due) in entries.range((log, range.start)..(log, range.end))?.rev().zip(range.rev()) {
        let entry = stored(row?, &bodies)?;
        if entry.index != due || !budget.takes(&entry) {
            break;
        }
        found.push(entry);
    }
    found.reverse();
    Ok(found)
}

type EntryRow<'a> = (redb::AccessGuard<'a, (u32, u64)>, redb::AccessGuard<'a, (u64, u64, &'static [u8])>);

fn stored(
    (key, value): EntryRow<'_>,
    bodies: &impl ReadableTable<u64, &'static [u8]>,
) -> Result<StoredEntry, StorageError> {
    let (number, seen_ms, header) = value.value();
    let body =
        if number == NO_BODY { None } else { bodies.get(number)?.map(|body| Bytes::copy_from_slice(body.value())) };
    Ok(StoredEntry { index: key.value().1, header: Bytes::copy_from_slice(header), body, seen_ms })
}

/// Room in an answer.
struct Budget {
    left: usize,
    first: bool,
}

impl Budget {
    fn new(left: usize) -> Self {
        Self { left, first: true }
    }

    fn takes(&mut self, entry: &StoredEntry) -> bool {
        // What surrounds an entry in a frame: two lengths and a flag.
        let bytes = entry.header.len() + entry.body.as_ref().map_or(0, Bytes::len) + 8;
        let takes = self.first || bytes <= self.left;
        self.first = false;
        self.left = self.left.saturating_sub(bytes);
        takes
    }
}

impl WriteTxn {
    /// Keeps a proven range of entries with its tree nodes; entries that are held already stay as they are.
    ///
    /// `now_ms` (unix milliseconds) is noted as when they were first seen. Blobs that the headers refer to become known.
    /// An entry without a body is kept for its place in the tree, but counts as not held until its body comes.
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
        let refers = missing
            .iter()
            .filter(|missing| !missing.header_held)
            .map(|missing| blobs::of_header(&missing.entry.header))
            .collect::<Result<Vec<_>, _>>()?;

        self.insert(row.number, &missing, now_ms)?;
        for blob in refers.into_iter().flatten() {
            blobs::refer(self, feed_number, blob)?;
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
    fn missing<'n>(&self, log: u32, new: &'n NewEntries) -> Result<Vec<Missing<'n>>, StorageError> {
        let table = self.table(ENTRIES)?;
        let mut missing = Vec::new();
        for (index, entry) in new.range().zip(&new.entries) {
            let held = table.get((log, index))?.map(|row| (row.value().0 != NO_BODY, row.value().1));
            match held {
                Some((true, _)) => {}
                Some((false, _)) if entry.body.is_none() => {}
                Some((false, seen_ms)) => {
                    missing.push(Missing { index, entry, header_held: true, seen_ms: Some(seen_ms) });
                }
                None => missing.push(Missing { index, entry, header_held: false, seen_ms: None }),
            }
        }
        Ok(missing)
    }

    fn insert(&mut self, log: u32, missing: &[Missing<'_>], now_ms: u64) -> Result<(), StorageError> {
        let with_body = missing.iter().filter(|missing| missing.entry.body.is_some()).count() as u64;
        let mut number = if with_body > 0 { take_numbers(self, Counter::Arrival, with_body)? } else { NO_BODY };
        let first = number;
        let mut bodies = self.change(BODIES)?;
        for body in missing.iter().filter_map(|missing| missing.entry.body.as_ref()) {
            bodies.insert(number, body.as_ref())?;
            number += 1;
        }
        drop(bodies);
        number = first;
        let mut entries = self.change(ENTRIES)?;
        for missing in missing {
            let body = if missing.entry.body.is_some() {
                number += 1;
                number - 1
            } else {
                NO_BODY
            };
            let seen_ms = missing.seen_ms.unwrap_or(now_ms);
            entries.insert((log, missing.index), (body, seen_ms, missing.entry.header.as_ref()))?;
        }
        Ok(())
    }
}

struct Missing<'n> {
    index: u64,
    entry: &'n NewEntry,
    header_held: bool,
    seen_ms: Option<u64>,
}

impl Missing<'_> {
    fn bytes(&self) -> u64 {
        let header = if self.header_held { 0 } else { self.entry.header.len() as u64 + ENTRY_OVERHEAD_BYTES };
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
    {
        let (entries, blobs) = (txn.table(ENTRIES)?, txn.table(blobs::BLOBS)?);
        'entries: for entry in entries.range((row.number, row.complete)..(row.number, end))? {
            for blob in blobs::of_header(entry?.1.value().2)? {
                if !blobs::is_complete(&blobs, blob)? {
                    break 'entries;
                }
            }
            row.complete += 1;
        }
    }
    if row.complete > before {
        logs::put_row(txn, feed, &row)?;
    }
    Ok(())
}

/// Frees all entries of a log.
pub(super) fn remove_all(txn: &mut WriteTxn, log: u32) -> Result<(), StorageError> {
    let mut numbers = Vec::new();
    txn.change(ENTRIES)?.retain_in((log, 0)..=(log, u64::MAX), |_, (number, _, _)| {
        numbers.push(number);
        false
    })?;
    let mut bodies = txn.change(BODIES)?;
    for number in numbers {
        bodies.remove(number)?;
    }
    Ok(())
}
