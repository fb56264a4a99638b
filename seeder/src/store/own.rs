//! What the device that writes here notes about its own feed: which log it appends to, and its clock.

use peerfeed_protocol::feed::Head;
use peerfeed_protocol::ids::{FeedId, Incarnation, LogId};
use redb::{ReadableTable, TableDefinition};

use super::error::{StorageError, WriteError};
use super::txn::{View, WriteTxn};
use super::{feeds, logs};

/// feed -> (log of this device, last clock used)
pub(super) const OWN: TableDefinition<'_, u32, (&[u8; 40], u64)> = TableDefinition::new("own log");

/// Where the device appends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnLog {
    /// The log of this device that takes its next entry.
    pub log: LogId,
    /// The hybrid logical clock of the last entry written.
    pub clock: u64,
}

pub(super) fn get(view: &impl View, feed: FeedId) -> Result<Option<OwnLog>, StorageError> {
    let Some(feed) = feeds::number(view, feed)? else { return Ok(None) };
    Ok(view.table(OWN)?.get(feed)?.map(|row| {
        let (log, clock) = row.value();
        OwnLog { log: LogId::from_stored(log), clock }
    }))
}

impl WriteTxn {
    /// Leaves the log that this device appends to when others hold more of it, or something else: the data folder is a
    /// restored backup or a copy, and appending would fork the log. `fresh` is random and names the log that is begun
    /// instead. Gives whether it was left. To be called with every head of an own feed before it is put. spec: STORE-16
    pub fn leave_log_unless_newest(&mut self, seen: &Head, fresh: Incarnation) -> Result<bool, WriteError> {
        let feed = *seen.feed();
        let Some(own) = get(self, feed)?.filter(|own| own.log == *seen.log()) else { return Ok(false) };
        let newest = logs::row(self, feed, own.log)?
            .is_some_and(|row| row.size > seen.size() || (row.size == seen.size() && row.root == *seen.root()));
        if !newest {
            let log = LogId { incarnation: fresh, ..own.log };
            self.put_own_log(feed, &OwnLog { log, ..own })?;
        }
        Ok(!newest)
    }

    /// Notes where the device appends from now on, and its clock.
    pub fn put_own_log(&mut self, feed: FeedId, own: &OwnLog) -> Result<(), WriteError> {
        let number = self.feed_number(feed)?;
        self.change(OWN)?.insert(number, (&own.log.to_bytes(), own.clock))?;
        Ok(())
    }
}

pub(super) fn remove(txn: &mut WriteTxn, feed: u32) -> Result<(), StorageError> {
    txn.change(OWN)?.remove(feed)?;
    Ok(())
}
