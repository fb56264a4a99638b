//! Appending entries to the device's log, within one job of the store.

use std::sync::Arc;

use bytes::Bytes;
use peerfeed_protocol::bencode::Dict;
use peerfeed_protocol::crypto::Entropy;
use peerfeed_protocol::feed::{
    self, Body, Clock, Content, Control, LeafHeader, LogWriter, Message, Post, Profile, Stamp,
};
use peerfeed_protocol::ids::{EntryPlace, Incarnation, LogId};
use peerfeed_protocol::merkle::Frontier;

use super::{Audience, Author, AuthorError, now_ms, system_entropy};
use crate::keys::Keys;
use crate::reader;
use crate::store::{NewEntries, NewEntry, OwnLog, Reading, WriteError, WriteTxn};

/// Something to append.
#[derive(Clone)]
pub(super) enum Item {
    /// The beginning of an epoch for friends, unless there is one in which something may be sealed.
    FriendsEpoch,
    /// Sealed content.
    Sealed(Content, Audience),
}

impl Item {
    pub(super) fn post(post: Post, audience: Audience) -> Self {
        Self::Sealed(Content::Post(post), audience)
    }

    pub(super) fn message(message: Message) -> Self {
        let audience = Audience::One(message.to);
        Self::Sealed(Content::Message(message), audience)
    }

    pub(super) fn profile(profile: Profile, audience: Audience) -> Self {
        Self::Sealed(Content::Profile(profile), audience)
    }
}

impl Author {
    /// Appends all items, and before them the grants that are owed; the place of the last entry when they are synced to
    /// disk.
    pub(super) fn append(&self, items: Vec<Item>) -> Result<Option<EntryPlace>, AuthorError> {
        self.write(move |page| {
            page.renew_prekey()?;
            page.pay_owed()?;
            items.iter().try_for_each(|item| page.item(item))
        })
    }

    /// Has `work` append entries with one head over them; the place of the last entry when they are synced to disk.
    pub(super) fn write(
        &self,
        work: impl Fn(&mut Page<'_>) -> Result<(), WriteError> + Send + 'static,
    ) -> Result<Option<EntryPlace>, AuthorError> {
        let mut entropy = system_entropy()?;
        let (keys, now) = (Arc::clone(&self.keys), now_ms());
        let place = self.store.write_blocking(move |txn| {
            let mut page = Page::open(txn, &keys, &mut entropy, now)?;
            work(&mut page)?;
            page.close()
        })?;
        self.index()?;
        Ok(place)
    }

    /// Shows what was just appended in the own timeline.
    pub(super) fn index(&self) -> Result<(), AuthorError> {
        Ok(reader::index_pending_blocking(&self.store)?)
    }
}

/// Entries that are being appended to the device's log, in one job of the store.
pub(super) struct Page<'t> {
    pub(super) txn: &'t mut WriteTxn,
    pub(super) keys: &'t Keys,
    pub(super) entropy: &'t mut Entropy,
    pub(super) now_ms: u64,
    own: OwnLog,
    log: LogWriter,
    first: u64,
    clock: Clock,
    new: Vec<feed::NewEntry>,
}

impl<'t> Page<'t> {
    /// Opens the device's log at its end.
    pub(super) fn open(
        txn: &'t mut WriteTxn,
        keys: &'t Keys,
        entropy: &'t mut Entropy,
        now_ms: u64,
    ) -> Result<Self, WriteError> {
        let (own, log) = open_log(txn, keys, entropy)?;
        let mut clock = Clock::new();
        if let Ok(last) = Stamp::from_number(i64::try_from(own.clock).unwrap_or(i64::MAX)) {
            clock.observe(last, now_ms);
        }
        let first = log.size();
        Ok(Self { txn, keys, entropy, now_ms, own, log, first, clock, new: Vec::new() })
    }

    /// The time at which it is written, unix milliseconds.
    pub(super) fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// The next moment of this device.
    pub(super) fn tick(&mut self) -> Stamp {
        let stamp = self.clock.tick(self.now_ms);
        self.own.clock = stamp.number().unsigned_abs();
        stamp
    }

    /// Takes note of a moment in the own feed.
    pub(super) fn observe(&mut self, stamp: Stamp) {
        self.clock.observe(stamp, self.now_ms);
    }

    /// Appends an item.
    pub(super) fn item(&mut self, item: &Item) -> Result<(), WriteError> {
        let feed = self.keys.feed;
        match item {
            Item::FriendsEpoch => self.epoch_of(&Audience::Friends).map(drop),
            Item::Sealed(content, audience) => {
                let secret = self.epoch_of(audience)?;
                let stamp = self.tick();
                let body = Body { stamp, critical: false, content: content.clone(), unknown: Dict::new() };
                let key = secret.read_key(&feed);
                let entry = self.log.append(&body, &key, self.now_ms / 1_000, self.entropy).map_err(refused)?;
                self.new.push(entry);
                Ok(())
            }
        }
    }

    /// Appends a control record.
    pub(super) fn control(&mut self, control: &Control) -> Result<(), WriteError> {
        self.new.push(self.log.append_control(control, self.now_ms / 1_000).map_err(refused)?);
        Ok(())
    }

    /// Signs and stores all that was appended, and behind it the private state if it changed. Gives the place of the last entry, if any came to be.
    pub(super) fn close(mut self) -> Result<Option<EntryPlace>, WriteError> {
        let place = self.new.last().map(|entry| entry.place);
        self.keep_private()?;
        let place = place.or(self.new.last().map(|entry| entry.place));
        if let Some(head) = self.log.head(&self.keys.device).filter(|_| !self.new.is_empty()) {
            self.txn.put_head(&head)?;
            self.txn.put_entries(self.keys.feed, self.own.log, &to_store(self.first, self.new), self.now_ms)?;
        }
        self.txn.put_own_log(self.keys.feed, &self.own)?;
        Ok(place)
    }
}

/// The device's log at its end. A new one is begun when there is none, when the last was found forked, or when not enough
/// of it is held to go on.
fn open_log(txn: &WriteTxn, keys: &Keys, entropy: &mut Entropy) -> Result<(OwnLog, LogWriter), WriteError> {
    let own = txn.own_log(keys.feed)?;
    if let Some(own) = own
        && let Some(writer) = at_end(txn, keys, own.log)?
    {
        return Ok((own, writer));
    }
    let log = LogId { device: keys.device.id(), incarnation: Incarnation::new(entropy.bytes()) };
    let writer = LogWriter::new(keys.feed, log, Frontier::new(), 0);
    Ok((OwnLog { log, clock: own.map_or(0, |own| own.clock) }, writer))
}

fn at_end(txn: &WriteTxn, keys: &Keys, log: LogId) -> Result<Option<LogWriter>, WriteError> {
    let Some(row) = txn.log_row(keys.feed, log)? else {
        return Ok(Some(LogWriter::new(keys.feed, log, Frontier::new(), 0)));
    };
    if row.forked {
        return Ok(None);
    }
    let last = txn.entry(&row, row.size - 1)?.and_then(|entry| LeafHeader::decode(&entry.header).ok());
    let (Some(last), Some(frontier)) = (last, txn.frontier(&row)) else { return Ok(None) };
    Ok(Some(LogWriter::new(keys.feed, log, frontier, last.time())))
}

fn to_store(first: u64, new: Vec<feed::NewEntry>) -> NewEntries {
    let mut nodes = Vec::new();
    let entries = new.into_iter().map(|entry| {
        nodes.extend(entry.nodes);
        NewEntry { header: Bytes::copy_from_slice(entry.header.bytes()), body: Some(Bytes::from(entry.body)) }
    });
    let entries = entries.collect();
    NewEntries { first, entries, nodes }
}

pub(super) fn refused(error: impl std::error::Error + Send + Sync + 'static) -> WriteError {
    WriteError::Refused(Box::new(error))
}
