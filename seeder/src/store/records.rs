//! A feed's manifest and roster, as the bytes that were signed.

use bytes::Bytes;
use peerfeed_protocol::feed::Records;
use peerfeed_protocol::ids::FeedId;
use redb::{ReadableTable, TableDefinition};

use super::error::{StorageError, WriteError};
use super::txn::{View, WriteTxn};
use super::{feeds, members};

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

/// Both records, read back; none before they were put.
pub(super) fn both(view: &impl View, feed: FeedId) -> Result<Option<Records>, StorageError> {
    let (Some(manifest), Some(roster)) = (manifest(view, feed)?, roster(view, feed)?) else { return Ok(None) };
    Records::decode(&feed, &manifest, &roster).map(Some).map_err(|_| StorageError::row("records"))
}

fn record(view: &impl View, feed: FeedId, kind: u8) -> Result<Option<Bytes>, StorageError> {
    let Some(number) = feeds::number(view, feed)? else { return Ok(None) };
    Ok(view.table(RECORDS)?.get((number, kind))?.map(|record| Bytes::copy_from_slice(record.value())))
}

impl WriteTxn {
    /// Keeps a manifest and its roster in place of those held; the caller has judged that they replace them.
    pub fn put_records(&mut self, records: &Records) -> Result<(), WriteError> {
        let feed = *records.manifest().feed();
        let number = self.feed_number(feed)?;
        if roster(self, feed)?.as_deref() != Some(records.roster().bytes()) {
            members::roster_changed(self, feed)?;
        }
        let mut table = self.change(RECORDS)?;
        table.insert((number, MANIFEST), records.manifest().bytes())?;
        table.insert((number, ROSTER), records.roster().bytes())?;
        Ok(())
    }
}

pub(super) fn remove_all(txn: &mut WriteTxn, feed: u32) -> Result<(), StorageError> {
    let mut records = txn.change(RECORDS)?;
    records.remove((feed, MANIFEST))?;
    records.remove((feed, ROSTER))?;
    Ok(())
}
