//! Which entries of a log are held: few ranges, however large the log.

use std::ops::Range;

use redb::{ReadableTable, TableDefinition};

use super::error::StorageError;
use super::txn::{View, WriteTxn};

/// (log, first index) -> index after the last
pub(super) const HELD: TableDefinition<'_, (u32, u64), u64> = TableDefinition::new("held");

/// The held ranges, ascending, none touching the next.
pub(super) fn ranges(view: &impl View, log: u32) -> Result<Vec<Range<u64>>, StorageError> {
    let mut ranges = Vec::new();
    for row in view.table(HELD)?.range((log, 0)..=(log, u64::MAX))? {
        let (key, to) = row?;
        ranges.push(key.value().1..to.value());
    }
    Ok(ranges)
}

/// Where the held range that contains `index` ends; none if `index` is not held.
pub(super) fn end_of_range(view: &impl View, log: u32, index: u64) -> Result<Option<u64>, StorageError> {
    let held = view.table(HELD)?;
    let Some(row) = held.range((log, 0)..=(log, index))?.next_back() else { return Ok(None) };
    let to = row?.1.value();
    Ok((to > index).then_some(to))
}

/// Marks a range as held, and joins it with those it overlaps or touches.
pub(super) fn add(txn: &mut WriteTxn, log: u32, range: Range<u64>) -> Result<(), StorageError> {
    if range.is_empty() {
        return Ok(());
    }
    let mut held = txn.change(HELD)?;
    let (mut from, mut to) = (range.start, range.end);
    let mut swallowed = Vec::new();
    for row in held.range((log, 0)..=(log, range.end))?.rev() {
        let (key, end) = row?;
        let (start, end) = (key.value().1, end.value());
        if end < range.start {
            break;
        }
        swallowed.push(start);
        from = from.min(start);
        to = to.max(end);
    }
    for start in swallowed {
        held.remove((log, start))?;
    }
    held.insert((log, from), to)?;
    Ok(())
}

pub(super) fn remove_all(txn: &mut WriteTxn, log: u32) -> Result<(), StorageError> {
    txn.change(HELD)?.retain_in((log, 0)..=(log, u64::MAX), |_, _| false)?;
    Ok(())
}
