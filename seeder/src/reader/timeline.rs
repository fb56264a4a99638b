//! The newest entries of the feeds that are read here.

use std::collections::HashMap;

use peerfeed_protocol::ids::{EntryPlace, FeedId};

use super::entry::{self, EntryState, Opener, ReadEntry};
use crate::store::{Audience, ReadTxn, Reading, StorageError, Store};

/// Entries looked at in one step.
const PAGE_ENTRIES: usize = 64;

/// Sealed entries that are passed over in search of some that open: behind so many there is hardly a key for any.
const PASSED_OVER_MAX: u64 = 10_000;

/// Which entries are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Of this feed alone; otherwise of all that are not muted.
    pub feed: Option<FeedId>,
    /// Of this channel alone.
    pub channel: Option<String>,
    /// Of the conversation of these two alone: messages of each for the other.
    pub between: Option<[FeedId; 2]>,
    /// With this in the text, in the channel or in a file's name, in any case of letters.
    pub containing: Option<String>,
    /// Not written before this, unix milliseconds.
    pub since_ms: Option<u64>,
    /// Only those that a key here opens.
    pub opened: bool,
    /// At most so many.
    pub limit: usize,
}

impl Query {
    /// Whether an entry is of the channel and conversation asked for, and says what is looked for.
    pub fn wants(&self, entry: &ReadEntry) -> bool {
        if self.channel.is_some() && self.channel != entry.channel || self.passes_over(entry) {
            return false;
        }
        if self.containing.as_ref().is_some_and(|text| !contains(entry, &text.to_lowercase())) {
            return false;
        }
        let Some(between) = self.between else { return true };
        let Some(Audience::One(to)) = entry.to else { return false };
        entry.kind == "message"
            && between.contains(&entry.place.feed)
            && between.contains(&to)
            && to != entry.place.feed
    }

    fn passes_over(&self, entry: &ReadEntry) -> bool {
        self.opened && entry.state == EntryState::Sealed
    }
}

fn contains(entry: &ReadEntry, text: &str) -> bool {
    let names = entry.attachments.iter().map(|file| &file.name);
    names.chain([&entry.text]).chain(&entry.channel).any(|said| said.to_lowercase().contains(text))
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    /// Newest first. Those whose clock was ahead when they came are last.
    pub entries: Vec<ReadEntry>,
    /// Entries between them that were passed over, since no key here opens them.
    pub passed_over: u64,
}

/// The entries that fit `query`.
pub fn timeline(store: &Store, query: &Query) -> Result<Timeline, StorageError> {
    let txn = store.read()?;
    let mut feeds = Feeds { txn: &txn, single: query.feed.is_some() || query.between.is_some(), known: HashMap::new() };
    let mut timeline = Timeline::default();
    let found = &mut timeline.entries;
    let mut before = None;
    while found.len() < query.limit && timeline.passed_over < PASSED_OVER_MAX {
        let page = txn.timeline(query.feed, before, PAGE_ENTRIES)?;
        let Some((last, _)) = page.last() else { break };
        before = Some(*last);
        for (_, place) in &page {
            let Some(entry) = feeds.open(*place)? else { continue };
            if query.since_ms.is_some_and(|since_ms| entry.time_ms < since_ms) {
                return Ok(timeline);
            }
            if query.passes_over(&entry) {
                timeline.passed_over += 1;
            } else if query.wants(&entry) {
                found.push(entry);
            }
            if found.len() == query.limit {
                break;
            }
        }
    }
    Ok(timeline)
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
