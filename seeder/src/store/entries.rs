//! Entries: headers by log and index, bodies by order of arrival.

use std::ops::Range;

use bytes::Bytes;
use peerfeed_protocol::merkle::{Hash, NodePos};
use redb::{ReadableTable, TableDefinition};

use super::error::StorageError;
use super::txn::{View, WriteTxn};

/// (log, index) -> (number of the body or 0 for none, first seen in unix ms, header)
pub(super) const ENTRIES: TableDefinition<'_, (u32, u64), (u64, u64, &[u8])> = TableDefinition::new("entries");
/// number, ascending by arrival -> body as it travels
pub(super) const BODIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("bodies");

/// Stands for a body that is not held.
pub(super) const NO_BODY: u64 = 0;

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
