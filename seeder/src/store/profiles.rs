//! The names that the owners of feeds give themselves.

use peerfeed_protocol::ids::FeedId;
use redb::{ReadableTable, TableDefinition};

use super::error::{StorageError, WriteError};
use super::feeds;
use super::txn::{View, WriteTxn};

/// feed -> (clock of the profile entry, name)
pub(super) const PROFILES: TableDefinition<'_, u32, (u64, &str)> = TableDefinition::new("profiles");

pub(super) fn name(view: &impl View, feed: FeedId) -> Result<Option<String>, StorageError> {
    let Some(feed) = feeds::number(view, feed)? else { return Ok(None) };
    Ok(view.table(PROFILES)?.get(feed)?.map(|row| row.value().1.to_owned()))
}

impl WriteTxn {
    /// Notes the name in a profile entry; the one with the latest clock holds. Of a feed that went away, nothing.
    pub fn put_profile(&mut self, feed: FeedId, clock: u64, name: &str) -> Result<(), WriteError> {
        let Some(feed) = feeds::number(self, feed)? else { return Ok(()) };
        let held = self.table(PROFILES)?.get(feed)?.map(|row| row.value().0);
        if held.is_none_or(|held| held < clock) {
            self.change(PROFILES)?.insert(feed, (clock, name))?;
        }
        Ok(())
    }
}

pub(super) fn remove(txn: &mut WriteTxn, feed: u32) -> Result<(), StorageError> {
    txn.change(PROFILES)?.remove(feed)?;
    Ok(())
}
