//! A feed's manifest and roster, as the bytes that were signed.

use bytes::Bytes;
use peerfeed_protocol::ids::FeedId;
use redb::{ReadableTable, TableDefinition};

use super::error::{StorageError, WriteError};
use super::feeds;
use super::txn::{View, WriteTxn};

/// (feed, kind) -> signed record
pub(super) const RECORDS: TableDefinition<'_, (u32, u8), &[u8]> = TableDefinition::new("records");

const MANIFEST: u8 = 0;
const ROSTER: u8 = 1;

pub(super) fn manifest(view: &impl View, feed: FeedId) -> Result<Option<Bytes>, StorageError> {
    record(view, feed, MANIFEST)
}

pub(super) fn roster(view: &impl View, feed: FeedId) -> Result<Option<Bytes>, StorageError> {
    record(view, feed, ROSTER)
}

fn record(view: &impl View, feed: FeedId, kind: u8) -> Result<Option<Bytes>, StorageError> {
    let Some(number) = feeds::number(view, feed)? else { return Ok(None) };
    Ok(view.table(RECORDS)?.get((number, kind))?.map(|record| Bytes::copy_from_slice(record.value())))
}

impl WriteTxn {
    /// Keeps a manifest and the roster that it names, both signed records whose signatures, digest and version the
    /// caller has checked.
    pub fn put_records(&mut self, feed: FeedId, manifest: &[u8], roster: &[u8]) -> Result<(), WriteError> {
        let number = self.feed_number(feed)?;
        let mut records = self.change(RECORDS)?;
        records.insert((number, MANIFEST), manifest)?;
        records.insert((number, ROSTER), roster)?;
        Ok(())
    }
}

pub(super) fn remove_all(txn: &mut WriteTxn, feed: u32) -> Result<(), StorageError> {
    let mut records = txn.change(RECORDS)?;
    records.remove((feed, MANIFEST))?;
    records.remove((feed, ROSTER))?;
    Ok(())
}
