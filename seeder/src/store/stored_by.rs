//! What each seeder says it has synced to disk.

use peerfeed_protocol::ids::{FeedId, LogId, WitnessKey};
use redb::{ReadableTable, TableDefinition};

use super::error::{StorageError, WriteError};
use super::logs;
use super::txn::{View, WriteTxn};

/// (log, witness) -> (entries, entries with blobs, unix seconds)
pub(super) const STORED_BY: TableDefinition<'_, (u32, &[u8; 32]), (u64, u64, u64)> = TableDefinition::new("stored by");

/// A seeder's word about one log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredBy {
    /// The seeder.
    pub seeder: WitnessKey,
    /// It has synced the entries below this index.
    pub entries: u64,
    /// It has synced the entries below this index with all of their blobs.
    pub complete: u64,
    /// When it said so, unix seconds.
    pub said_s: u64,
}

pub(super) fn all(view: &impl View, feed: FeedId, log: LogId) -> Result<Vec<StoredBy>, StorageError> {
    let Some(log) = logs::row(view, feed, log)? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for row in view.table(STORED_BY)?.range((log.number, &[0; 32])..=(log.number, &[0xff; 32]))? {
        let (key, value) = row?;
        let (entries, complete, said_s) = value.value();
        found.push(StoredBy { seeder: WitnessKey::from_stored(*key.value().1), entries, complete, said_s });
    }
    Ok(found)
}

impl WriteTxn {
    /// Notes what a seeder that proved its witness key says about a log; the newest word holds.
    pub fn put_stored_by(&mut self, feed: FeedId, log: LogId, word: &StoredBy) -> Result<(), WriteError> {
        let log = self.log(feed, log)?;
        let value = (word.entries, word.complete, word.said_s);
        self.change(STORED_BY)?.insert((log.number, word.seeder.as_bytes()), value)?;
        Ok(())
    }
}

/// Forgets what a seeder said about all logs of a feed.
pub(super) fn forget(txn: &mut WriteTxn, feed: FeedId, seeder: &WitnessKey) -> Result<(), StorageError> {
    for log in logs::all(txn, feed)? {
        txn.change(STORED_BY)?.remove((log.number, seeder.as_bytes()))?;
    }
    Ok(())
}

pub(super) fn remove_all(txn: &mut WriteTxn, log: u32) -> Result<(), StorageError> {
    txn.change(STORED_BY)?.retain_in((log, &[0; 32])..=(log, &[0xff; 32]), |_, _| false)?;
    Ok(())
}
