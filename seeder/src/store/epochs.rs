//! The secrets of the epochs that this installation can read, sealed under the device's key where there is one.
//! spec: STORE-34

use peerfeed_protocol::feed::{EpochSecret, EpochStart, Granted, Keyring, ReadKey, SEALED_SECRET_BYTES};
use peerfeed_protocol::ids::{EpochId, FeedId};
use redb::{ReadableTable, TableDefinition};

use super::error::{StorageError, WriteError};
use super::txn::{View, WriteTxn};
use super::{feeds, timeline};

/// (feed, epoch) -> (kind, secret or what it is sealed in)
pub(super) const EPOCHS: TableDefinition<'_, Key, (u8, &[u8])> = TableDefinition::new("epoch keys");

/// (feed, epoch, earlier epoch) -> the earlier one's secret, sealed under the later one's
pub(super) const EARLIER: TableDefinition<'_, EarlierKey, &[u8; SEALED_SECRET_BYTES]> =
    TableDefinition::new("earlier epochs");

type Key = (u32, &'static [u8; 16]);
type EarlierKey = (u32, &'static [u8; 16], &'static [u8; 16]);

const WHOLE: u8 = 0;
const READ_ONLY: u8 = 1;
/// Added to the kind of a sealed one.
const SEALED: u8 = 2;

pub(super) fn all(view: &impl View, feed: FeedId) -> Result<Vec<(EpochId, Granted)>, StorageError> {
    let Some(feed) = feeds::number(view, feed)? else { return Ok(Vec::new()) };
    let mut epochs = Vec::new();
    for row in view.table(EPOCHS)?.range((feed, &[0; 16])..=(feed, &[0xff; 16]))? {
        let (key, value) = row?;
        let epoch = EpochId::new(*key.value().1);
        if let Some(granted) = opened(view, (feed, epoch), value.value())? {
            epochs.push((epoch, granted));
        }
    }
    Ok(epochs)
}

/// Whether the feed has any key, be it sealed and closed to this process.
pub(super) fn any(view: &impl View, feed: FeedId) -> Result<bool, StorageError> {
    let Some(feed) = feeds::number(view, feed)? else { return Ok(false) };
    Ok(view.table(EPOCHS)?.range((feed, &[0; 16])..=(feed, &[0xff; 16]))?.next().transpose()?.is_some())
}

/// The key in a row; none if it is sealed and cannot be opened now.
fn opened(
    view: &impl View,
    (feed, epoch): (u32, EpochId),
    (kind, held): (u8, &[u8]),
) -> Result<Option<Granted>, StorageError> {
    let damaged = || StorageError::row("epoch keys");
    let secret = if kind & SEALED == 0 {
        *<&[u8; 32]>::try_from(held).map_err(|_| damaged())?
    } else {
        let place = place(feed, &epoch, kind & !SEALED);
        let Some(secret) = view.vault().open(&place.each_ref().map(Vec::as_slice), held) else { return Ok(None) };
        *secret
    };
    match kind & !SEALED {
        WHOLE => Ok(Some(Granted::Secret(EpochSecret::new(secret)))),
        READ_ONLY => Ok(Some(Granted::ReadKey(ReadKey::new(secret)))),
        _ => Err(damaged()),
    }
}

/// What a sealed secret is bound to.
fn place(feed: u32, epoch: &EpochId, kind: u8) -> [Vec<u8>; 3] {
    [feed.to_be_bytes().to_vec(), epoch.as_bytes().to_vec(), vec![kind]]
}

/// The key of one epoch, if it is here and open.
fn one(view: &impl View, feed: u32, epoch: EpochId) -> Result<Option<Granted>, StorageError> {
    match view.table(EPOCHS)?.get((feed, epoch.as_bytes()))? {
        Some(row) => opened(view, (feed, epoch), row.value()),
        None => Ok(None),
    }
}

/// Seals what was put before there was a key to seal it under.
pub(super) fn seal_all(txn: &mut WriteTxn) -> Result<(), StorageError> {
    let mut open = Vec::new();
    for row in txn.table(EPOCHS)?.iter()? {
        let (key, value) = row?;
        let ((feed, epoch), epoch_row) = (key.value(), value.value());
        if epoch_row.0 & SEALED == 0 {
            let epoch = EpochId::new(*epoch);
            open.extend(opened(txn, (feed, epoch), epoch_row)?.map(|granted| (feed, epoch, granted)));
        }
    }
    open.iter().try_for_each(|(feed, epoch, granted)| txn.write_epoch(*feed, *epoch, granted))
}

/// Whether anything lies open that could be sealed.
pub(super) fn any_open(view: &impl View) -> Result<bool, StorageError> {
    for row in view.table(EPOCHS)?.iter()? {
        if row?.1.value().0 & SEALED == 0 {
            return Ok(true);
        }
    }
    Ok(false)
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
    let known = one(txn, feed, start.epoch)?;
    let (Some(Granted::Secret(secret)), Some(id)) = (known, feeds::by_number(txn, feed)?) else { return Ok(()) };
    txn.open_earlier(id, feed, start.epoch, secret)
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
        // One that was sealed under a key that is gone is worth nothing.
        match (one(self, feed, epoch)?, key) {
            (Some(Granted::Secret(_)), _) | (Some(Granted::ReadKey(_)), Granted::ReadKey(_)) => Ok(false),
            _ => self.write_epoch(feed, epoch, key).map(|()| true),
        }
    }

    /// Writes a row, sealed if there is a key.
    fn write_epoch(&mut self, feed: u32, epoch: EpochId, key: &Granted) -> Result<(), StorageError> {
        let (kind, secret) = match key {
            Granted::Secret(secret) => (WHOLE, secret.expose()),
            Granted::ReadKey(key) => (READ_ONLY, key.expose()),
        };
        let sealed = self.vault().seal(&place(feed, &epoch, kind).each_ref().map(Vec::as_slice), secret);
        let row = match &sealed {
            Some(sealed) => (kind | SEALED, sealed.as_slice()),
            None => (kind, secret.as_slice()),
        };
        self.change(EPOCHS)?.insert((feed, epoch.as_bytes()), row)?;
        Ok(())
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

#[cfg(test)]
mod tests {
    use peerfeed_protocol::crypto::IdentityKey;
    use zeroize::Zeroizing;

    use super::super::{FeedRow, Options, Reading, Store};
    use super::*;

    const SECRET: [u8; 32] = *b"a secret that is found in a file";

    fn open(folder: &std::path::Path) -> Store {
        Store::open(folder, &Options::default()).unwrap()
    }

    fn key(byte: u8) -> Zeroizing<[u8; 32]> {
        Zeroizing::new([byte; 32])
    }

    fn feed() -> FeedId {
        IdentityKey::from_seed(&[1; 32]).feed_id()
    }

    fn put(store: &Store, epoch: u8, granted: Granted) {
        let job = move |txn: &mut WriteTxn| {
            if txn.feed(feed())?.is_none() {
                txn.put_feed(feed(), &FeedRow::default())?;
            }
            txn.put_epoch(feed(), EpochId::new([epoch; 16]), &granted)
        };
        store.write_blocking(job).unwrap();
    }

    fn whole(secret: [u8; 32]) -> Granted {
        Granted::Secret(EpochSecret::new(secret))
    }

    fn epochs(store: &Store) -> Vec<(EpochId, Granted)> {
        store.read().unwrap().epochs(feed()).unwrap()
    }

    fn is_on_disk(folder: &std::path::Path) -> bool {
        let file = std::fs::read(folder.join("store.redb")).unwrap();
        file.windows(SECRET.len()).any(|part| part == SECRET)
    }

    #[test]
    fn a_secret_is_sealed_as_soon_as_there_is_a_key_and_opens_under_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        store.open_vault(key(1));
        put(&store, 1, whole(SECRET));
        assert_eq!(epochs(&store), [(EpochId::new([1; 16]), whole(SECRET))]);
        store.close();
        assert!(!is_on_disk(folder.path()));

        let store = open(folder.path());
        let txn = store.read().unwrap();
        assert!(epochs(&store).is_empty() && txn.has_epochs(feed()).unwrap(), "there, and closed");
        drop(txn);
        store.open_vault(key(2));
        assert!(epochs(&store).is_empty(), "another key");
        store.open_vault(key(1));
        assert_eq!(epochs(&store).len(), 1);
        store.close_vault();
        assert!(epochs(&store).is_empty());
    }

    #[test]
    fn what_lies_open_is_sealed_when_a_key_comes() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        put(&store, 1, whole(SECRET));
        assert_eq!(epochs(&store).len(), 1, "without an identity there is nothing to seal it under");
        store.open_vault(key(1));
        store.seal_epochs().unwrap();
        assert_eq!(epochs(&store), [(EpochId::new([1; 16]), whole(SECRET))]);
        store.close_vault();
        assert!(epochs(&store).is_empty());
    }

    #[test]
    fn a_whole_secret_takes_the_place_of_a_read_key_and_of_what_opens_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        store.open_vault(key(1));
        put(&store, 1, Granted::ReadKey(ReadKey::new([5; 32])));
        put(&store, 1, whole([6; 32]));
        put(&store, 1, Granted::ReadKey(ReadKey::new([7; 32])));
        assert_eq!(epochs(&store), [(EpochId::new([1; 16]), whole([6; 32]))]);
        store.open_vault(key(2));
        put(&store, 1, whole([8; 32]));
        assert_eq!(epochs(&store), [(EpochId::new([1; 16]), whole([8; 32]))]);
    }
}
