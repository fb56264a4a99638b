//! Appending entries to the device's log, within one job of the store.

use std::sync::Arc;

use bytes::Bytes;
use peerfeed_protocol::bencode::Dict;
use peerfeed_protocol::crypto::Entropy;
use peerfeed_protocol::feed::{
    self, Body, Clock, Content, Control, EpochSecret, EpochStart, GrantRows, Granted, LeafHeader, LogWriter, Post,
    Profile, ReadKey, Stamp, random_epoch_id,
};
use peerfeed_protocol::ids::{EntryPlace, Incarnation, LogId};
use peerfeed_protocol::merkle::Frontier;

use super::keys::Keys;
use super::{Audience, Author, AuthorError, now_ms, system_entropy};
use crate::reader;
use crate::store::{NewEntries, NewEntry, OwnLog, Reading, WriteError, WriteTxn};

/// Something to append.
#[derive(Clone)]
pub(super) enum Item {
    /// The beginning of the first epoch for friends, unless there is one.
    BeginFriends,
    /// Sealed content.
    Sealed(Content, Audience),
}

impl Item {
    pub(super) fn post(post: Post, audience: Audience) -> Self {
        Self::Sealed(Content::Post(post), audience)
    }

    pub(super) fn profile(profile: Profile, audience: Audience) -> Self {
        Self::Sealed(Content::Profile(profile), audience)
    }

    fn is_for_friends(&self) -> bool {
        matches!(self, Self::BeginFriends | Self::Sealed(_, Audience::Friends))
    }
}

impl Author {
    /// Appends all items and returns the place of the last when they are synced to disk.
    pub(super) fn append(&self, items: Vec<Item>) -> Result<Option<EntryPlace>, AuthorError> {
        let mut entropy = system_entropy()?;
        let (keys, now) = (Arc::clone(&self.keys), now_ms());
        let place = self.store.write_blocking(move |txn| append(txn, &keys, &mut entropy, now, &items))?;
        self.index()?;
        Ok(place)
    }

    /// Shows what was just appended in the own timeline.
    pub(super) fn index(&self) -> Result<(), AuthorError> {
        Ok(reader::index_pending_blocking(&self.store)?)
    }
}

/// Appends all items with one head over them. Gives the place of the last, if any came to be.
pub(super) fn append(
    txn: &mut WriteTxn,
    keys: &Keys,
    entropy: &mut Entropy,
    now_ms: u64,
    items: &[Item],
) -> Result<Option<EntryPlace>, WriteError> {
    let (mut own, mut log) = open_log(txn, keys, entropy)?;
    let mut clock = Clock::new();
    if let Ok(last) = Stamp::from_number(i64::try_from(own.clock).unwrap_or(i64::MAX)) {
        clock.observe(last, now_ms);
    }
    let first = log.size();
    let mut new = Vec::new();
    for item in items {
        if item.is_for_friends() && own.friends_epoch.is_none() {
            new.push(begin_friends(txn, keys, &mut own, &mut log, now_ms, entropy)?);
        }
        if let Item::Sealed(content, audience) = item {
            let epoch = read_key(txn, keys, &own, *audience)?;
            let stamp = clock.tick(now_ms);
            own.clock = stamp.number().unsigned_abs();
            let body = Body { stamp, critical: false, content: content.clone(), unknown: Dict::new() };
            new.push(log.append(&body, &epoch, now_ms / 1_000, entropy).map_err(refused)?);
        }
    }
    let place = new.last().map(|entry| entry.place);
    if let Some(head) = log.head(&keys.device).filter(|_| !new.is_empty()) {
        txn.put_head(&head)?;
        txn.put_entries(keys.feed, own.log, &to_store(first, new), now_ms)?;
    }
    txn.put_own_log(keys.feed, &own)?;
    Ok(place)
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
    let (clock, friends_epoch) = own.map_or((0, None), |own| (own.clock, own.friends_epoch));
    let writer = LogWriter::new(keys.feed, log, Frontier::new(), 0);
    Ok((OwnLog { log, clock, friends_epoch }, writer))
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

/// The control entry that begins the first epoch for friends. Its secret is kept by the same job.
fn begin_friends(
    txn: &mut WriteTxn,
    keys: &Keys,
    own: &mut OwnLog,
    log: &mut LogWriter,
    now_ms: u64,
    entropy: &mut Entropy,
) -> Result<feed::NewEntry, WriteError> {
    let (epoch, secret) = (random_epoch_id(entropy), EpochSecret::random(entropy));
    let grants = GrantRows::padded(Vec::new(), entropy).map_err(refused)?;
    let start = EpochStart { epoch, earlier: Vec::new(), grants, unknown: Dict::new() };
    txn.put_epoch(keys.feed, epoch, &Granted::Secret(secret))?;
    own.friends_epoch = Some(epoch);
    log.append_control(&Control::Epoch(start), now_ms / 1_000).map_err(refused)
}

fn read_key(txn: &WriteTxn, keys: &Keys, own: &OwnLog, audience: Audience) -> Result<ReadKey, WriteError> {
    let epoch = match audience {
        Audience::Public => return Ok(EpochSecret::public(&keys.feed).read_key(&keys.feed)),
        Audience::Friends => own.friends_epoch,
    };
    let keyring = txn.keyring(keys.feed)?;
    let known = epoch.and_then(|epoch| keyring.epoch(&epoch).cloned());
    known.map(|known| known.read.clone()).ok_or_else(|| refused(AuthorError::FriendsEpoch))
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

fn refused(error: impl std::error::Error + Send + Sync + 'static) -> WriteError {
    WriteError::Refused(Box::new(error))
}
