//! What a person reads: `read`.

use std::collections::HashSet;

use peerfeed_protocol::ids::{EntryId, EntryPlace, FeedId};
use tokio::sync::broadcast::error::RecvError;

use super::Service;
use super::names::Names;
use super::publishing::blocking;
use crate::api::{Attachment, Entry, Failure, Replies, Reply};
use crate::reader::{self, EntryState, Query, ReadEntry};
use crate::store::{Audience, Reading, StorageError, Store};

/// Entries that one `read` shows at most.
const LIMIT_MAX: u64 = 100_000;

/// Which entries are wanted.
pub(super) struct Filter {
    pub(super) name: Option<String>,
    /// The conversation with this person alone.
    pub(super) with: Option<String>,
    pub(super) limit: u64,
    pub(super) channel: Option<String>,
    pub(super) containing: Option<String>,
    pub(super) since_ms: Option<u64>,
    /// Those that no key here opens, too.
    pub(super) sealed: bool,
}

impl Service {
    pub(super) async fn read(&self, filter: &Filter, follow: bool, replies: &Replies) -> Result<(), Failure> {
        let names = Names::load(self)?;
        let feed = filter.name.as_deref().map(|name| names.find(name)).transpose()?;
        let between = match &filter.with {
            Some(name) => Some([self.author().await?.feed(), names.find(name)?]),
            None => None,
        };
        if !names.feeds().any(|(_, row)| row.roles.reads()) {
            return Err(Failure::no("there is nothing to read here: you follow nobody and have no feed of your own")
                .hint("`peerfeed add LINK` follows a friend, `peerfeed init` makes a feed"));
        }
        self.open_keys()?;
        // Before the timeline is read, so that nothing falls between.
        let news = self.node().subscribe();
        self.index().await?;
        let query = Query {
            feed,
            between,
            channel: filter.channel.clone(),
            containing: filter.containing.clone(),
            since_ms: filter.since_ms,
            opened: !filter.sealed,
            limit: usize::try_from(filter.limit.min(LIMIT_MAX)).expect("the limit fits"),
        };
        let store = self.store().clone();
        let (page, passed_over) = blocking({
            let query = query.clone();
            move || timeline(&store, &query)
        })
        .await?;
        let mut shown = HashSet::new();
        // Newest last, where the eye is.
        for (entry, held) in page.into_iter().rev() {
            shown.insert(entry.id);
            replies.send(Reply::Entry(told(&names, &entry, &held))).await;
        }
        // Of what is sealed nobody can tell whether it is of a channel, or says what is looked for.
        let narrowed = query.channel.is_some() || query.containing.is_some() || query.between.is_some();
        if passed_over > 0 && !narrowed {
            replies.note(sealed_note(passed_over)).await;
        }
        if !follow {
            if shown.is_empty() && (passed_over == 0 || narrowed) {
                let none = if narrowed { "nothing that fits is here" } else { "nothing to show" };
                replies.note(format!("{none}: `peerfeed fetch` gets what is new")).await;
            }
            return Ok(());
        }
        self.follow(&query, news, shown, replies).await
    }

    async fn follow(
        &self,
        query: &Query,
        mut news: tokio::sync::broadcast::Receiver<crate::node::NewEntry>,
        mut shown: HashSet<EntryId>,
        replies: &Replies,
    ) -> Result<(), Failure> {
        let single = query.feed.is_some() || query.between.is_some();
        loop {
            let place = match news.recv().await {
                Ok(new) => EntryPlace { feed: new.feed, log: new.log, index: new.index },
                // So many came that some notices are lost: they are in the timeline, for the next `read`.
                Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => return Ok(()),
            };
            if query.feed.is_some_and(|feed| feed != place.feed) {
                continue;
            }
            self.index().await?;
            let store = self.store().clone();
            let Some((entry, held)) = blocking(move || arrived(&store, place, single)).await? else { continue };
            let recent = query.since_ms.is_none_or(|since_ms| entry.time_ms >= since_ms);
            if query.wants(&entry) && recent && shown.insert(entry.id) {
                let names = Names::load(self)?;
                replies.send(Reply::Entry(told(&names, &entry, &held))).await;
            }
        }
    }
}

fn sealed_note(count: u64) -> String {
    let (entries, are, them) = if count == 1 { ("entry", "is", "it") } else { ("entries", "are", "them") };
    format!(
        "{count} {entries} {are} for others, or the key is still to come: `peerfeed read --sealed` shows {them}, too"
    )
}

/// An entry, and for each of its files whether it is here.
type WithFiles = (ReadEntry, Vec<bool>);

/// What fits, newest first, and how many entries between were passed over.
fn timeline(store: &Store, query: &Query) -> Result<(Vec<WithFiles>, u64), StorageError> {
    let found = reader::timeline(store, query)?;
    let txn = store.read()?;
    let entries: Result<_, _> = found.entries.into_iter().map(|entry| with_files(&txn, entry)).collect();
    Ok((entries?, found.passed_over))
}

/// An entry that just came, if it is one that is shown; of a muted feed only where a single feed was asked for.
fn arrived(store: &Store, place: EntryPlace, single: bool) -> Result<Option<WithFiles>, StorageError> {
    let txn = store.read()?;
    let muted = txn.feed(place.feed)?.is_none_or(|row| row.muted && !single || !row.roles.reads());
    if muted || txn.entry_by_id(place.id())?.is_none() {
        return Ok(None);
    }
    reader::read_entry(&txn, place)?.map(|entry| with_files(&txn, entry)).transpose()
}

fn with_files(txn: &crate::store::ReadTxn, entry: ReadEntry) -> Result<WithFiles, StorageError> {
    let mut held = Vec::new();
    for file in &entry.attachments {
        let row = match file.blob() {
            Ok(blob) => txn.blob(entry.place.feed, blob)?,
            Err(_) => None,
        };
        held.push(row.is_some_and(|row| row.is_complete()));
    }
    Ok((entry, held))
}

fn told(names: &Names, entry: &ReadEntry, held: &[bool]) -> Entry {
    let (kind, text) = match entry.state {
        EntryState::Open => (entry.kind.clone(), Some(entry.text.clone())),
        EntryState::Sealed => ("sealed".into(), None),
        EntryState::BodyMissing => ("missing".into(), None),
        EntryState::Damaged => ("damaged".into(), None),
        EntryState::Unknown => (entry.kind.clone(), None),
    };
    let attachments = entry.attachments.iter().zip(held).map(|(file, held)| Attachment {
        name: file.name.clone(),
        media_type: file.media_type.clone(),
        size_bytes: file.size_bytes,
        held: *held,
    });
    Entry {
        id: entry.id.to_string(),
        feed: entry.place.feed.to_string(),
        author: author(entry.place.feed, entry),
        time: time(entry.time_ms),
        to: entry.to.as_ref().map(audience),
        to_name: match &entry.to {
            Some(Audience::One(to)) if !names.row(*to).is_some_and(|row| row.roles.own) => Some(names.shown(*to)),
            _ => None,
        },
        kind,
        text,
        channel: entry.channel.clone(),
        attachments: attachments.collect(),
    }
}

fn audience(audience: &Audience) -> String {
    match audience {
        Audience::Public => "public".into(),
        Audience::Friends => "friends".into(),
        Audience::List(name) => name.clone(),
        Audience::One(feed) => feed.to_string(),
    }
}

fn author(feed: FeedId, entry: &ReadEntry) -> String {
    entry.petname.clone().or_else(|| entry.author.clone()).unwrap_or_else(|| super::names::short(feed))
}

/// RFC 3339, UTC, to the second.
pub(super) fn time(unix_ms: u64) -> String {
    let seconds = i64::try_from(unix_ms / 1000).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
