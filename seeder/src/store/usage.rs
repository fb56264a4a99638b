//! What each feed takes of the disk, and whether it may take more.

use peerfeed_protocol::feed::BlobRef;
use peerfeed_protocol::ids::FeedId;
use redb::{ReadableTable, TableDefinition};

use super::error::{Quota, StorageError, WriteError};
use super::feeds;
use super::txn::{View, WriteTxn};

/// feed -> (bytes of entries, bytes of chunks); feed 0 stands for the whole store
pub(super) const USAGE: TableDefinition<'_, u32, (u64, u64)> = TableDefinition::new("usage");

const WHOLE_STORE: u32 = 0;

/// Bytes that are held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Headers, bodies and what it takes to find and prove them.
    pub entry_bytes: u64,
    /// Sealed chunks. Those that several feeds refer to count for each of them, and once for the whole store.
    pub chunk_bytes: u64,
}

impl Usage {
    /// Both together.
    pub fn bytes(self) -> u64 {
        self.entry_bytes.saturating_add(self.chunk_bytes)
    }
}

pub(super) fn of_feed(view: &impl View, feed: FeedId) -> Result<Usage, StorageError> {
    match feeds::number(view, feed)? {
        Some(number) => get(view, number),
        None => Ok(Usage::default()),
    }
}

pub(super) fn total(view: &impl View) -> Result<Usage, StorageError> {
    get(view, WHOLE_STORE)
}

fn get(view: &impl View, number: u32) -> Result<Usage, StorageError> {
    Ok(view.table(USAGE)?.get(number)?.map_or_else(Usage::default, |value| {
        let (entry_bytes, chunk_bytes) = value.value();
        Usage { entry_bytes, chunk_bytes }
    }))
}

/// A change to what is held.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Change {
    pub(super) entry_bytes: i64,
    pub(super) chunk_bytes: i64,
}

impl Change {
    /// So many more bytes of entries.
    pub(super) fn entries(bytes: u64) -> Self {
        Self { entry_bytes: signed(bytes), chunk_bytes: 0 }
    }

    /// So many more bytes of chunks.
    pub(super) fn chunks(bytes: u64) -> Self {
        Self { entry_bytes: 0, chunk_bytes: signed(bytes) }
    }

    /// The opposite change.
    pub(super) fn freed(self) -> Self {
        Self { entry_bytes: -self.entry_bytes, chunk_bytes: -self.chunk_bytes }
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Refuses what would take the feed or the whole store over its quota. Changes nothing. spec: STORE-12
pub(super) fn check(txn: &WriteTxn, feed: FeedId, more_bytes: u64) -> Result<(), WriteError> {
    let quota = feeds::row(txn, feed)?.ok_or(WriteError::UnknownFeed)?.quota_bytes;
    if let Some(bytes) = quota
        && of_feed(txn, feed)?.bytes().saturating_add(more_bytes) > bytes
    {
        return Err(WriteError::Full(Quota::Feed { bytes }));
    }
    check_total(txn, more_bytes)
}

/// Refuses a part of a file of which so many bytes are still to come, unless all of them fit: what can never be whole would only
/// take the room of what comes after it. Changes nothing. spec: STORE-12
pub(super) fn check_file(txn: &WriteTxn, feed: FeedId, blob: BlobRef, rest_bytes: u64) -> Result<(), WriteError> {
    check(txn, feed, rest_bytes).map_err(|error| match error {
        WriteError::Full(quota) => WriteError::FileTooLarge { bytes: blob.size.bytes(), quota },
        error => error,
    })
}

/// Refuses what would take the whole store over its quota.
pub(super) fn check_total(txn: &WriteTxn, more_bytes: u64) -> Result<(), WriteError> {
    if let Some(bytes) = txn.total_quota_bytes()
        && total(txn)?.bytes().saturating_add(more_bytes) > bytes
    {
        return Err(WriteError::Full(Quota::Total { bytes }));
    }
    Ok(())
}

/// Charges a feed.
pub(super) fn charge(txn: &mut WriteTxn, feed: u32, change: Change) -> Result<(), StorageError> {
    apply(txn, feed, change)
}

/// Charges the whole store.
pub(super) fn charge_total(txn: &mut WriteTxn, change: Change) -> Result<(), StorageError> {
    apply(txn, WHOLE_STORE, change)
}

fn apply(txn: &mut WriteTxn, number: u32, change: Change) -> Result<(), StorageError> {
    let held = get(txn, number)?;
    let entry_bytes = held.entry_bytes.saturating_add_signed(change.entry_bytes);
    let chunk_bytes = held.chunk_bytes.saturating_add_signed(change.chunk_bytes);
    txn.change(USAGE)?.insert(number, (entry_bytes, chunk_bytes))?;
    Ok(())
}

/// Forgets a feed's row; returns what it was charged.
pub(super) fn remove(txn: &mut WriteTxn, feed: u32) -> Result<Usage, StorageError> {
    let held = get(txn, feed)?;
    txn.change(USAGE)?.remove(feed)?;
    Ok(held)
}
