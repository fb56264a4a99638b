//! The order in which entries are shown, kept so that a reader touches only what it shows. spec: STORE-15

use peerfeed_protocol::ids::{EntryId, EntryPlace, FeedId};
use redb::{ReadableTable, TableDefinition};

use super::entries::ENTRIES;
use super::error::{StorageError, WriteError};
use super::txn::{View, WriteTxn};
use super::{feeds, logs};

/// (clock, log, index): of all feeds that are read here
pub(super) const TIMELINE: TableDefinition<'_, (u64, u32, u64), ()> = TableDefinition::new("timeline");
/// (feed, clock, log, index): the same by feed
pub(super) const FEED_TIMELINE: TableDefinition<'_, (u32, u64, u32, u64), ()> = TableDefinition::new("feed timeline");
/// entry id -> (log, index)
pub(super) const ENTRY_IDS: TableDefinition<'_, &[u8; 10], (u32, u64)> = TableDefinition::new("entry ids");
/// (feed, log, index) of entries that came in and are not in the timeline yet
pub(super) const AWAITING: TableDefinition<'_, (u32, u32, u64), ()> = TableDefinition::new("awaiting");
/// (feed, log, index) -> clock in the timeline, of entries for which no key was known
pub(super) const SEALED: TableDefinition<'_, (u32, u32, u64), u64> = TableDefinition::new("sealed");

/// An entry's place in the order of display.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimelineKey {
    /// Display clock: unix milliseconds times 65,536 and a counter.
    pub clock: u64,
    log: u32,
    index: u64,
}

/// An entry to be put into the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Indexed {
    /// The entry.
    pub place: EntryPlace,
    /// Its display clock, already clamped; see [`TimelineKey::clock`].
    pub clock: u64,
    /// Whether no key was known for it, so that it is tried again when one comes.
    pub sealed: bool,
}

/// Entries in display order, newest first: those after `before` in that order, at most `limit`.
pub(super) fn page(
    view: &impl View,
    feed: Option<FeedId>,
    before: Option<TimelineKey>,
    limit: usize,
) -> Result<Vec<(TimelineKey, EntryPlace)>, StorageError> {
    let end = before.map_or((u64::MAX, u32::MAX, u64::MAX), |key| (key.clock, key.log, key.index));
    let mut keys = Vec::new();
    if let Some(feed) = feed {
        let Some(feed) = feeds::number(view, feed)? else { return Ok(Vec::new()) };
        let table = view.table(FEED_TIMELINE)?;
        for row in table.range((feed, 0, 0, 0)..(feed, end.0, end.1, end.2))?.rev().take(limit) {
            let (_, clock, log, index) = row?.0.value();
            keys.push(TimelineKey { clock, log, index });
        }
    } else {
        for row in view.table(TIMELINE)?.range((0, 0, 0)..end)?.rev().take(limit) {
            let (clock, log, index) = row?.0.value();
            keys.push(TimelineKey { clock, log, index });
        }
    }
    keys.into_iter().map(|key| Ok((key, place(view, key.log, key.index)?))).collect()
}

fn place(view: &impl View, log: u32, index: u64) -> Result<EntryPlace, StorageError> {
    let (feed, log) = logs::by_number(view, log)?.ok_or_else(|| StorageError::row("log numbers"))?;
    Ok(EntryPlace { feed, log, index })
}

pub(super) fn by_id(view: &impl View, id: EntryId) -> Result<Option<EntryPlace>, StorageError> {
    let found = view.table(ENTRY_IDS)?.get(id.as_bytes())?.map(|row| row.value());
    found.map(|(log, index)| place(view, log, index)).transpose()
}

/// Entries whose name begins with `text`, at most `limit`.
pub(super) fn by_id_prefix(view: &impl View, text: &str, limit: usize) -> Result<Vec<EntryPlace>, StorageError> {
    // The alphabet begins with `a` and ends with `7`, as its digits count.
    let bound = |fill: char| {
        let missing = ENTRY_ID_CHARS.checked_sub(text.chars().count())?;
        let filled: String = text.chars().chain(std::iter::repeat_n(fill, missing)).collect();
        filled.parse::<EntryId>().ok()
    };
    let (Some(low), Some(high)) = (bound('a'), bound('7')) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for row in view.table(ENTRY_IDS)?.range::<&[u8; 10]>(low.as_bytes()..=high.as_bytes())?.take(limit) {
        found.push(row?.1.value());
    }
    found.into_iter().map(|(log, index)| place(view, log, index)).collect()
}

const ENTRY_ID_CHARS: usize = 16;

/// Entries that came in and are not in the timeline yet, at most `limit`.
pub(super) fn awaiting(view: &impl View, limit: usize) -> Result<Vec<EntryPlace>, StorageError> {
    let mut found = Vec::new();
    for row in view.table(AWAITING)?.iter()?.take(limit) {
        let (_, log, index) = row?.0.value();
        found.push((log, index));
    }
    found.into_iter().map(|(log, index)| place(view, log, index)).collect()
}

/// Notes entries that just came in.
pub(super) fn await_entries(
    txn: &mut WriteTxn,
    feed: u32,
    log: u32,
    indices: impl Iterator<Item = u64>,
) -> Result<(), StorageError> {
    let mut awaiting = txn.change(AWAITING)?;
    for index in indices {
        awaiting.insert((feed, log, index), ())?;
    }
    Ok(())
}

/// Notes all entries of a feed that is read from now on.
pub(super) fn await_reading(txn: &mut WriteTxn, feed: u32) -> Result<(), StorageError> {
    for log in logs::of_feed(txn, feed)? {
        let mut indices = Vec::new();
        for row in txn.table(ENTRIES)?.range((log.number, 0)..=(log.number, u64::MAX))? {
            indices.push(row?.0.value().1);
        }
        await_entries(txn, feed, log.number, indices.into_iter())?;
    }
    Ok(())
}

/// Notes the entries of a feed that could not be opened: a key came.
pub(super) fn retry_sealed(txn: &mut WriteTxn, feed: u32) -> Result<(), StorageError> {
    let mut places = Vec::new();
    for row in txn.table(SEALED)?.range((feed, 0, 0)..=(feed, u32::MAX, u64::MAX))? {
        places.push(row?.0.value());
    }
    let mut awaiting = txn.change(AWAITING)?;
    for place in places {
        awaiting.insert(place, ())?;
    }
    Ok(())
}

impl WriteTxn {
    /// Puts an entry into the timeline, or moves it there. An entry whose feed went away meanwhile is passed over.
    pub fn put_indexed(&mut self, indexed: &Indexed) -> Result<(), WriteError> {
        let place = indexed.place;
        let (Some(feed), Some(row)) = (feeds::number(self, place.feed)?, logs::row(self, place.feed, place.log)?)
        else {
            return Ok(());
        };
        let key = (feed, row.number, place.index);
        self.take_out(key)?;
        self.change(TIMELINE)?.insert((indexed.clock, row.number, place.index), ())?;
        self.change(FEED_TIMELINE)?.insert((feed, indexed.clock, row.number, place.index), ())?;
        self.change(ENTRY_IDS)?.insert(place.id().as_bytes(), (row.number, place.index))?;
        if indexed.sealed {
            self.change(SEALED)?.insert(key, indexed.clock)?;
        }
        Ok(())
    }

    /// Takes an entry off the list of those that wait for the timeline, without showing it: a control entry.
    pub fn pass_over(&mut self, place: EntryPlace) -> Result<(), WriteError> {
        let feed = feeds::number(self, place.feed)?;
        let row = logs::row(self, place.feed, place.log)?;
        if let (Some(feed), Some(row)) = (feed, row) {
            self.take_out((feed, row.number, place.index))?;
            self.change(ENTRY_IDS)?.remove(place.id().as_bytes())?;
        }
        Ok(())
    }

    /// Takes an entry off both lists, and out of the timeline if it was shown sealed.
    fn take_out(&mut self, key: (u32, u32, u64)) -> Result<(), StorageError> {
        let (feed, log, index) = key;
        self.change(AWAITING)?.remove(key)?;
        let clock = self.change(SEALED)?.remove(key)?.map(|clock| clock.value());
        if let Some(clock) = clock {
            self.change(TIMELINE)?.remove((clock, log, index))?;
            self.change(FEED_TIMELINE)?.remove((feed, clock, log, index))?;
        }
        Ok(())
    }
}

/// Takes a feed out of the timeline.
pub(super) fn remove_feed(txn: &mut WriteTxn, feed: u32, id: FeedId) -> Result<(), StorageError> {
    let mut shown = Vec::new();
    let all = (feed, 0, 0, 0)..=(feed, u64::MAX, u32::MAX, u64::MAX);
    txn.change(FEED_TIMELINE)?.retain_in(all, |(_, clock, log, index), ()| {
        shown.push((clock, log, index));
        false
    })?;
    let logs: Vec<_> = logs::of_feed(txn, feed)?.into_iter().map(|row| (row.number, row.log)).collect();
    let mut timeline = txn.change(TIMELINE)?;
    for key in &shown {
        timeline.remove(key)?;
    }
    drop(timeline);
    let mut ids = txn.change(ENTRY_IDS)?;
    for (_, number, index) in &shown {
        if let Some((_, log)) = logs.iter().find(|(held, _)| held == number) {
            ids.remove(EntryPlace { feed: id, log: *log, index: *index }.id().as_bytes())?;
        }
    }
    drop(ids);
    let all = (feed, 0, 0)..=(feed, u32::MAX, u64::MAX);
    txn.change(AWAITING)?.retain_in(all.clone(), |_, ()| false)?;
    txn.change(SEALED)?.retain_in(all, |_, _| false)?;
    Ok(())
}
