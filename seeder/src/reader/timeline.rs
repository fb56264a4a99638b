//! The newest entries of the feeds that are read here.

use std::collections::HashMap;

use peerfeed_protocol::ids::{EntryPlace, FeedId};

use super::entry::{self, Opener, ReadEntry};
use crate::store::{Audience, ReadTxn, Reading, StorageError, Store};

/// Entries looked at in one step.
const PAGE_ENTRIES: usize = 64;

/// Which entries are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Of this feed alone; otherwise of all that are not muted.
    pub feed: Option<FeedId>,
    /// Of this channel alone.
    pub channel: Option<String>,
    /// Of the conversation of these two alone: messages of each for the other.
    pub between: Option<[FeedId; 2]>,
    /// Not written before this, unix milliseconds.
    pub since_ms: Option<u64>,
    /// At most so many.
    pub limit: usize,
}

impl Query {
    /// Whether an entry is of the channel and conversation asked for.
    pub fn wants(&self, entry: &ReadEntry) -> bool {
        if self.channel.is_some() && self.channel != entry.channel {
            return false;
        }
        let Some(between) = self.between else { return true };
        let Some(Audience::One(to)) = entry.to else { return false };
        entry.kind == "message"
            && between.contains(&entry.place.feed)
            && between.contains(&to)
            && to != entry.place.feed
    }
}

/// The entries that fit `query`, newest first. Those whose clock was ahead when they came are last.
pub fn timeline(store: &Store, query: &Query) -> Result<Vec<ReadEntry>, StorageError> {
    let txn = store.read()?;
    let mut feeds = Feeds { txn: &txn, single: query.feed.is_some() || query.between.is_some(), known: HashMap::new() };
    let mut found = Vec::new();
    let mut before = None;
    while found.len() < query.limit {
        let page = txn.timeline(query.feed, before, PAGE_ENTRIES.min(query.limit).max(1))?;
        let Some((last, _)) = page.last() else { break };
        before = Some(*last);
        for (_, place) in &page {
            let Some(entry) = feeds.open(*place)? else { continue };
            if query.since_ms.is_some_and(|since_ms| entry.time_ms < since_ms) {
                return Ok(found);
            }
            if query.wants(&entry) {
                found.push(entry);
            }
            if found.len() == query.limit {
                break;
            }
        }
    }
    Ok(found)
}

/// The feeds met so far: whether they are shown, and their keys.
struct Feeds<'t> {
    txn: &'t ReadTxn,
    single: bool,
    known: HashMap<FeedId, Option<Opener>>,
}

impl Feeds<'_> {
    /// Opens an entry; none if its feed is muted.
    fn open(&mut self, place: EntryPlace) -> Result<Option<ReadEntry>, StorageError> {
        if !self.known.contains_key(&place.feed) {
            let muted = self.txn.feed(place.feed)?.is_none_or(|row| row.muted && !self.single);
            let opener = if muted { None } else { Some(Opener::new(self.txn, place.feed)?) };
            self.known.insert(place.feed, opener);
        }
        let Some(Some(opener)) = self.known.get(&place.feed) else { return Ok(None) };
        let Some(row) = self.txn.log_row(place.feed, place.log)? else { return Ok(None) };
        let stored = self.txn.entry(&row, place.index)?;
        stored.map(|stored| entry::open(self.txn, opener, place, &stored)).transpose()
    }
}
