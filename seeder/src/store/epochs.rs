//! The secrets of the epochs that this installation can read.

use peerfeed_protocol::feed::{EpochSecret, EpochStart, Granted, Keyring, ReadKey, SEALED_SECRET_BYTES};
use peerfeed_protocol::ids::{EpochId, FeedId};
use redb::{ReadableTable, TableDefinition};

use super::error::{StorageError, WriteError};
use super::txn::{View, WriteTxn};
use super::{feeds, timeline};

/// (feed, epoch) -> (kind, secret)
pub(super) const EPOCHS: TableDefinition<'_, Key, (u8, &[u8; 32])> = TableDefinition::new("epochs");

/// (feed, epoch, earlier epoch) -> the earlier one's secret, sealed under the later one's
pub(super) const EARLIER: TableDefinition<'_, EarlierKey, &[u8; SEALED_SECRET_BYTES]> =
    TableDefinition::new("earlier epochs");

type Key = (u32, &'static [u8; 16]);
type EarlierKey = (u32, &'static [u8; 16], &'static [u8; 16]);

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

/// Notes which epochs a new one takes up, and opens them if its secret is known. spec: EPOCH-6
pub(super) fn note_start(txn: &mut WriteTxn, feed: u32, start: &EpochStart) -> Result<(), WriteError> {
    let mut table = txn.change(EARLIER)?;
    for earlier in &start.earlier {
        table.insert((feed, start.epoch.as_bytes(), earlier.epoch.as_bytes()), &earlier.sealed)?;
    }
    drop(table);
    let known = txn.table(EPOCHS)?.get((feed, start.epoch.as_bytes()))?.map(|row| (row.value().0, *row.value().1));
    let (Some((WHOLE, secret)), Some(id)) = (known, feeds::by_number(txn, feed)?) else { return Ok(()) };
    txn.open_earlier(id, feed, start.epoch, EpochSecret::new(secret))
}

impl WriteTxn {
    /// Keeps an epoch's key, and the secrets of the earlier ones that it opens; a whole secret is never replaced by a mere
    /// read key. Entries that waited for a key are tried again by the next [`crate::reader::index_pending`].
    pub fn put_epoch(&mut self, feed: FeedId, epoch: EpochId, key: &Granted) -> Result<(), WriteError> {
        let number = self.feed_number(feed)?;
        if self.keep_epoch(number, epoch, key)? {
            if let Granted::Secret(secret) = key {
                self.open_earlier(feed, number, epoch, secret.clone())?;
            }
            timeline::retry_sealed(self, number)?;
        }
        Ok(())
    }

    /// Gives whether it told anything new.
    fn keep_epoch(&mut self, feed: u32, epoch: EpochId, key: &Granted) -> Result<bool, StorageError> {
        let held = self.table(EPOCHS)?.get((feed, epoch.as_bytes()))?.map(|row| row.value().0);
        let (kind, secret) = match key {
            Granted::Secret(secret) => (WHOLE, secret.expose()),
            Granted::ReadKey(key) => (READ_ONLY, key.expose()),
        };
        if held.is_some_and(|held| held <= kind) {
            return Ok(false);
        }
        self.change(EPOCHS)?.insert((feed, epoch.as_bytes()), (kind, secret))?;
        Ok(true)
    }

    /// Keeps the secrets that one opens, and those that these open, as far as their epochs' beginnings are here.
    fn open_earlier(&mut self, id: FeedId, feed: u32, epoch: EpochId, secret: EpochSecret) -> Result<(), WriteError> {
        let mut opened = false;
        let mut open = vec![(epoch, secret)];
        while let Some((epoch, secret)) = open.pop() {
            for (earlier, sealed) in earlier_of(self, feed, epoch)? {
                // One that does not open is its author's fault, and no reason to do without the others.
                let Ok(secret) = secret.open_earlier(&id, &earlier, &sealed) else { continue };
                if self.keep_epoch(feed, earlier, &Granted::Secret(secret.clone()))? {
                    opened = true;
                    open.push((earlier, secret));
                }
            }
        }
        if opened {
            timeline::retry_sealed(self, feed)?;
        }
        Ok(())
    }
}

/// The epochs that one takes up, with their secrets sealed under it.
pub(super) fn earlier_of(
    view: &impl View,
    feed: u32,
    epoch: EpochId,
) -> Result<Vec<(EpochId, [u8; SEALED_SECRET_BYTES])>, StorageError> {
    let all = (feed, epoch.as_bytes(), &[0; 16])..=(feed, epoch.as_bytes(), &[0xff; 16]);
    let mut earlier = Vec::new();
    for row in view.table(EARLIER)?.range(all)? {
        let (key, value) = row?;
        earlier.push((EpochId::new(*key.value().2), *value.value()));
    }
    Ok(earlier)
}

/// Forgets which epochs take up which.
pub(super) fn remove_starts(txn: &mut WriteTxn, feed: u32) -> Result<(), StorageError> {
    let all = (feed, &[0; 16], &[0; 16])..=(feed, &[0xff; 16], &[0xff; 16]);
    txn.change(EARLIER)?.retain_in(all, |_, _| false)?;
    Ok(())
}

pub(super) fn remove_all(txn: &mut WriteTxn, feed: u32) -> Result<(), StorageError> {
    txn.change(EPOCHS)?.retain_in((feed, &[0; 16])..=(feed, &[0xff; 16]), |_, _| false)?;
    Ok(())
}
