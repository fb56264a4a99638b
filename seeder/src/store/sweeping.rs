//! Freeing the chunks of blobs that nobody needs any more, a little at a time.
//!
//! What goes is out of sight and out of every account at once; only its room comes back in steps, so that nobody who
//! writes waits for a large removal.

use redb::{ReadableTable, TableDefinition};

use super::blobs::HELD_GROUPS;
use super::chunks::{self, CHUNKS, SLOTS};
use super::error::StorageError;
use super::limits::{SWEPT_CHUNKS_MAX, SWEPT_GROUPS_MAX};
use super::txn::{View, WriteTxn};
use super::usage::{self, Change};

/// blobs whose chunks are to be freed
pub(super) const DOOMED: TableDefinition<'_, u32, ()> = TableDefinition::new("doomed blobs");

/// Gives a blob up. Its row must be gone already.
pub(super) fn doom(txn: &mut WriteTxn, blob: u32, held_bytes: u64) -> Result<(), StorageError> {
    txn.change(DOOMED)?.insert(blob, ())?;
    usage::charge_total(txn, Change::chunks(held_bytes).freed())
}

/// A blob that is to be freed, if there is one.
pub(super) fn next(view: &impl View) -> Result<Option<u32>, StorageError> {
    Ok(view.table(DOOMED)?.first()?.map(|(blob, _)| blob.value()))
}

/// Frees the next part of a blob.
pub(super) fn step(txn: &mut WriteTxn, blob: u32) -> Result<(), StorageError> {
    let mut count = 0;
    let mut last = 0;
    for row in txn.table(CHUNKS)?.range((blob, 0)..=(blob, u32::MAX))?.take(SWEPT_CHUNKS_MAX) {
        last = row?.0.value().1;
        count += 1;
    }
    txn.change(CHUNKS)?.retain_in((blob, 0)..=(blob, last), |_, _| false)?;
    let mut slots = Vec::new();
    let mut last = 0;
    for row in txn.table(SLOTS)?.range((blob, 0)..=(blob, u32::MAX))?.take(SWEPT_GROUPS_MAX) {
        let (key, slot) = row?;
        last = key.value().1;
        slots.push(slot.value());
    }
    txn.change(SLOTS)?.retain_in((blob, 0)..=(blob, last), |_, _| false)?;
    let more = count == SWEPT_CHUNKS_MAX || slots.len() == SWEPT_GROUPS_MAX;
    txn.free_slots(slots);
    if !more {
        chunks::remove_proofs(txn, blob)?;
        txn.change(HELD_GROUPS)?.retain_in((blob, 0)..=(blob, u32::MAX), |_, _| false)?;
        txn.change(DOOMED)?.remove(blob)?;
    }
    Ok(())
}
