//! Putting entries that came in into the timeline.

use std::collections::HashMap;
use std::sync::Arc;

use peerfeed_protocol::feed::{Body, Class, Content, Control, Granted, Keyring, LeafHeader, ReadError, Shown, Stamp};
use peerfeed_protocol::ids::{BoxPublic, EntryPlace, EpochId, FeedId};

use super::granted::GrantSearch;
use crate::keys::{self, Seal};
use crate::store::{Indexed, ReadTxn, Reading, StorageError, Store, StoredEntry, WriteError, WriteTxn};

/// Entries that are opened for one job: the snapshot stays short, and the job small.
const BATCH_ENTRIES: usize = 500;

/// Puts all entries that came in since the last call into the timeline, and learns keys and names from them. To be called
/// after entries or keys were put; what a crash interrupts, the next call makes up for.
pub async fn index_pending(store: &Store) -> Result<(), WriteError> {
    let _alone = store.indexing().lock().await;
    loop {
        let reading = store.clone();
        // Opening costs some microseconds per entry: too long for the threads that serve connections.
        let found = tokio::task::spawn_blocking(move || open_batch(&reading)).await;
        let outcomes = found.map_err(|_| WriteError::Closed)??;
        if outcomes.is_empty() {
            return Ok(());
        }
        store.write(move |txn| apply(txn, &outcomes)).await?;
    }
}

/// As [`index_pending`], for threads outside of the runtime.
pub fn index_pending_blocking(store: &Store) -> Result<(), WriteError> {
    let _alone = store.indexing().blocking_lock();
    loop {
        let outcomes = open_batch(store)?;
        if outcomes.is_empty() {
            return Ok(());
        }
        store.write_blocking(move |txn| apply(txn, &outcomes))?;
    }
}

/// What an entry means for the timeline.
enum Outcome {
    /// It is shown. One that no key opened counts only if no key came since: else it is looked at again.
    Show(Indexed, usize),
    /// It says how the owner wants to be called.
    Name(EntryPlace, u64, String),
    /// It granted this device the key of an epoch.
    Key(EntryPlace, EpochId, Granted),
    /// It publishes, at this time, the prekey of the log's device.
    Prekey(EntryPlace, u64, BoxPublic),
    /// It says nothing here.
    Nothing(EntryPlace),
}

fn apply(txn: &mut WriteTxn, outcomes: &Arc<[Outcome]>) -> Result<(), WriteError> {
    for outcome in outcomes.iter() {
        match outcome {
            Outcome::Show(indexed, keys) => {
                if !indexed.sealed || txn.epochs(indexed.place.feed)?.len() == *keys {
                    txn.put_indexed(indexed)?;
                }
            }
            Outcome::Name(place, clock, name) => {
                txn.put_profile(place.feed, *clock, name)?;
                txn.pass_over(*place)?;
            }
            Outcome::Key(place, epoch, key) => {
                txn.pass_over(*place)?;
                match txn.put_epoch(place.feed, *epoch, key) {
                    Err(WriteError::UnknownFeed) | Ok(()) => {}
                    Err(error) => return Err(error),
                }
            }
            Outcome::Prekey(place, time_s, key) => {
                txn.pass_over(*place)?;
                txn.put_prekey(place.feed, place.log.device, (*time_s, place.index), *key)?;
            }
            Outcome::Nothing(place) => txn.pass_over(*place)?,
        }
    }
    Ok(())
}

fn open_batch(store: &Store) -> Result<Arc<[Outcome]>, StorageError> {
    if matches!(keys::seal(store.folder()), Ok(Seal::Locked)) {
        // What is granted to this device could not be opened, and would be passed over: all of it waits. spec: STORE-22
        return Ok(Arc::new([]));
    }
    if let Err(error) = keys::open_vault(store) {
        tracing::error!(%error, "the device's key cannot be read: secrets in the store stay sealed");
    }
    let txn = store.read()?;
    let mut keyrings = HashMap::new();
    let mut grants = GrantSearch::new(store.folder().to_owned());
    let mut outcomes = Vec::new();
    for place in txn.awaiting(BATCH_ENTRIES)? {
        let (keyring, keys) = keyring(&txn, &mut keyrings, place.feed)?;
        let row = txn.log_row(place.feed, place.log)?;
        let entry = row.map(|row| txn.entry(&row, place.index)).transpose()?.flatten();
        outcomes.push(match entry {
            Some(entry) => match control_of(&entry) {
                Some((time_s, control)) => read_control(&txn, place, (time_s, control), keyring, &mut grants)?,
                None => outcome(place, &entry, keyring, *keys),
            },
            None => Outcome::Nothing(place),
        });
    }
    Ok(outcomes.into())
}

/// The keys of a feed, and how many of them were in the store.
fn keyring<'k>(
    txn: &ReadTxn,
    keyrings: &'k mut HashMap<FeedId, (Keyring, usize)>,
    feed: FeedId,
) -> Result<&'k mut (Keyring, usize), StorageError> {
    use std::collections::hash_map::Entry;
    Ok(match keyrings.entry(feed) {
        Entry::Occupied(held) => held.into_mut(),
        Entry::Vacant(room) => room.insert((txn.keyring(feed)?, txn.epochs(feed)?.len())),
    })
}

fn outcome(place: EntryPlace, entry: &StoredEntry, keyring: &Keyring, keys: usize) -> Outcome {
    let Ok(header) = LeafHeader::decode(&entry.header) else { return Outcome::Nothing(place) };
    // Until it is opened, an entry is shown at the coarse time of its header.
    let coarse = coarse_stamp(&header);
    let show = |stamp, sealed| {
        let clock = clock(Shown::of(stamp, entry.seen_ms));
        Outcome::Show(Indexed { place, clock, sealed }, keys)
    };
    match (header.class(), &entry.body) {
        (Class::Control, _) => Outcome::Nothing(place),
        (Class::Other(_), _) => show(coarse, false),
        (Class::Sealed { .. }, None) => show(coarse, true),
        (Class::Sealed { .. }, Some(body)) => match keyring.open(&place, &header, body) {
            Err(ReadError::NoKey) => show(coarse, true),
            Err(ReadError::Open(_)) => show(coarse, false),
            Ok((_, content)) => match Body::decode(&content) {
                Ok(Body { stamp, content: Content::Profile(profile), .. }) => {
                    Outcome::Name(place, clock(Shown::of(stamp, entry.seen_ms)), profile.name)
                }
                Ok(body) => show(body.stamp, false),
                Err(_) => show(coarse, false),
            },
        },
    }
}

/// When a control entry was written, and what it says; none for entries of other classes, and for what its author made wrong.
fn control_of(entry: &StoredEntry) -> Option<(u64, Control)> {
    let header = LeafHeader::decode(&entry.header).ok()?;
    let body = entry.body.as_ref().filter(|_| matches!(header.class(), Class::Control))?;
    Some((header.time(), Control::decode(body).ok()?))
}

/// A control entry may grant this device the key of an epoch. spec: EPOCH-15
fn read_control(
    txn: &ReadTxn,
    place: EntryPlace,
    (time_s, control): (u64, Control),
    keyring: &mut Keyring,
    grants: &mut GrantSearch,
) -> Result<Outcome, StorageError> {
    let (epoch, rows) = match control {
        Control::Epoch(start) => (start.epoch, start.grants),
        Control::Grants(grants) => (grants.epoch, grants.grants),
        Control::Prekey(notice) => return Ok(Outcome::Prekey(place, time_s, notice.key)),
        Control::Private(_) | Control::Unknown { .. } => return Ok(Outcome::Nothing(place)),
    };
    if keyring.epoch(&epoch).is_some_and(|known| known.secret.is_some()) {
        return Ok(Outcome::Nothing(place));
    }
    Ok(match grants.find(txn, &place, &epoch, &rows)? {
        Some(granted) if keyring.add_granted(epoch, granted.clone()) => Outcome::Key(place, epoch, granted),
        _ => Outcome::Nothing(place),
    })
}

/// The header's time as a moment of the hybrid clock; the first of all when there is none such.
pub(super) fn coarse_stamp(header: &LeafHeader) -> Stamp {
    let number = i64::try_from(header.time()).ok().and_then(|time_s| time_s.checked_mul(1_000 << 16));
    Stamp::from_number(number.unwrap_or(i64::MAX).max(1)).expect("it is above zero")
}

/// A place in the order of display as the store sorts it.
fn clock(shown: Shown) -> u64 {
    const NOT_LAST: u64 = 1 << 63;
    match shown {
        Shown::Last(stamp) => stamp.number().unsigned_abs(),
        Shown::At(stamp) => stamp.number().unsigned_abs() | NOT_LAST,
    }
}
