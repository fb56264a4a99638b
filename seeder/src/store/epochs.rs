//! The secrets of the epochs that this installation can read.

use peerfeed_protocol::feed::{EpochSecret, Granted, Keyring, ReadKey};
use peerfeed_protocol::ids::{EpochId, FeedId};
use redb::{ReadableTable, TableDefinition};

use super::error::{StorageError, WriteError};
use super::txn::{View, WriteTxn};
use super::{feeds, timeline};

/// (feed, epoch) -> (kind, secret)
pub(super) const EPOCHS: TableDefinition<'_, Key, (u8, &[u8; 32])> = TableDefinition::new("epochs");

type Key = (u32, &'static [u8; 16]);

const WHOLE: u8 = 0;
const READ_ONLY: u8 = 1;

pub(super) fn all(view: &impl View, feed: FeedId) -> Result<Vec<(EpochId, Granted)>, StorageError> {
    let Some(feed) = feeds::number(view, feed)? else { return Ok(Vec::new()) };
    let mut epochs = Vec::new();
    for row in view.table(EPOCHS)?.range((feed, &[0; 16])..=(feed, &[0xff; 16]))? {
        let (key, value) = row?;
        let (kind, secret) = value.value();
        let key_of_epoch = match kind {
            WHOLE => Granted::Secret(EpochSecret::new(*secret)),
            READ_ONLY => Granted::ReadKey(ReadKey::new(*secret)),
            _ => return Err(StorageError::row("epochs")),
        };
        epochs.push((EpochId::new(*key.value().1), key_of_epoch));
    }
    Ok(epochs)
}

/// The keys that open the feed's entries; the public epoch's always among them.
pub(super) fn keyring(view: &impl View, feed: FeedId) -> Result<Keyring, StorageError> {
    let mut keyring = Keyring::new(feed);
    for (epoch, granted) in all(view, feed)? {
        keyring.add_granted(epoch, granted);
    }
    Ok(keyring)
}

impl WriteTxn {
    /// Keeps an epoch's key; a whole secret is never replaced by a mere read key. Entries that waited for a key are
    /// tried again by the next [`crate::reader::index_pending`].
    pub fn put_epoch(&mut self, feed: FeedId, epoch: EpochId, key: &Granted) -> Result<(), WriteError> {
        let number = self.feed_number(feed)?;
        let held = self.table(EPOCHS)?.get((number, epoch.as_bytes()))?.map(|row| row.value().0);
        let (kind, secret) = match key {
            Granted::Secret(secret) => (WHOLE, secret.expose()),
            Granted::ReadKey(key) => (READ_ONLY, key.expose()),
        };
        if held.is_some_and(|held| held <= kind) {
            return Ok(());
        }
        self.change(EPOCHS)?.insert((number, epoch.as_bytes()), (kind, secret))?;
        timeline::retry_sealed(self, number)?;
        Ok(())
    }
}

pub(super) fn remove_all(txn: &mut WriteTxn, feed: u32) -> Result<(), StorageError> {
    txn.change(EPOCHS)?.retain_in((feed, &[0; 16])..=(feed, &[0xff; 16]), |_, _| false)?;
    Ok(())
}
