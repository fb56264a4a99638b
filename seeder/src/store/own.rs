//! What the device that writes here notes about its own feed: which log it appends to, and its clock.

use peerfeed_protocol::ids::{EpochId, FeedId, Incarnation};
use redb::{ReadableTable, TableDefinition};

use super::error::{StorageError, WriteError};
use super::feeds;
use super::txn::{View, WriteTxn};

/// feed -> (incarnation of the device's log, last clock used, epoch for friends, zeros for none)
pub(super) const OWN: TableDefinition<'_, u32, (&[u8; 8], u64, &[u8; 16])> = TableDefinition::new("own");

/// Where the device appends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnLog {
    /// Which of the device's logs.
    pub incarnation: Incarnation,
    /// The hybrid logical clock of the last entry written.
    pub clock: u64,
    /// The epoch in which posts for friends are written; none before the first.
    pub friends_epoch: Option<EpochId>,
}

pub(super) fn get(view: &impl View, feed: FeedId) -> Result<Option<OwnLog>, StorageError> {
    let Some(feed) = feeds::number(view, feed)? else { return Ok(None) };
    Ok(view.table(OWN)?.get(feed)?.map(|row| {
        let (incarnation, clock, epoch) = row.value();
        let epoch = EpochId::new(*epoch);
        let friends_epoch = (epoch != EpochId::PUBLIC).then_some(epoch);
        OwnLog { incarnation: Incarnation::new(*incarnation), clock, friends_epoch }
    }))
}

impl WriteTxn {
    /// Notes where the device appends from now on, and its clock.
    pub fn put_own_log(&mut self, feed: FeedId, own: &OwnLog) -> Result<(), WriteError> {
        let number = self.feed_number(feed)?;
        let epoch = own.friends_epoch.unwrap_or(EpochId::PUBLIC);
        self.change(OWN)?.insert(number, (own.incarnation.as_bytes(), own.clock, epoch.as_bytes()))?;
        Ok(())
    }
}

pub(super) fn remove(txn: &mut WriteTxn, feed: u32) -> Result<(), StorageError> {
    txn.change(OWN)?.remove(feed)?;
    Ok(())
}
