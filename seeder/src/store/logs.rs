//! The logs of each feed: newest head and size.

use bytes::Bytes;
use peerfeed_protocol::feed::Head;
use peerfeed_protocol::ids::{FeedId, Incarnation, LogId};
use peerfeed_protocol::limits::LOGS_PER_DEVICE_MAX;
use peerfeed_protocol::merkle::Hash;
use redb::{ReadableTable, TableDefinition};

use super::error::{StorageError, WriteError};
use super::feeds;
use super::meta::{Counter, take_number};
use super::txn::{View, WriteTxn};

/// (log, size, root, entries from 0 whose blobs are complete, forked, signed head)
type Row<'a> = (u32, u64, &'a [u8; 32], u64, bool, &'a [u8]);

/// (feed, log id) -> row
pub(super) const LOGS: TableDefinition<'_, (u32, &[u8; 40]), Row<'_>> = TableDefinition::new("logs");
/// log -> (feed, log id)
pub(super) const LOG_NUMBERS: TableDefinition<'_, u32, (u32, &[u8; 40])> = TableDefinition::new("log numbers");

/// A log as far as its newest head describes it; entries may be held in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRow {
    /// Its name within the feed.
    pub log: LogId,
    /// Entries that the newest head covers.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
    /// The newest head, signed, as received.
    pub head: Bytes,
    /// Whether two heads were seen that contradict each other.
    pub forked: bool,
    /// Entries from the first one on that are held together with all the blobs they refer to.
    pub complete: u64,
    pub(super) number: u32,
}

impl LogRow {
    /// The newest head, as the type that says that it was verified: it was, before it was put.
    pub fn verified_head(&self, feed: FeedId) -> Result<Head, StorageError> {
        Head::from_stored(&feed, &self.head).map_err(|_| StorageError::row("logs"))
    }
}

/// What a put head changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadPut {
    /// It is the newest now.
    Advanced,
    /// One at least as new was held.
    Older,
}

pub(super) fn all(view: &impl View, feed: FeedId) -> Result<Vec<LogRow>, StorageError> {
    match feeds::number(view, feed)? {
        Some(number) => of_feed(view, number),
        None => Ok(Vec::new()),
    }
}

pub(super) fn of_feed(view: &impl View, feed: u32) -> Result<Vec<LogRow>, StorageError> {
    let mut rows = Vec::new();
    for row in view.table(LOGS)?.range((feed, &[0; 40])..=(feed, &[0xff; 40]))? {
        let (key, value) = row?;
        rows.push(log_row(key.value().1, value.value()));
    }
    Ok(rows)
}

pub(super) fn row(view: &impl View, feed: FeedId, log: LogId) -> Result<Option<LogRow>, StorageError> {
    let Some(feed) = feeds::number(view, feed)? else { return Ok(None) };
    let id = log.to_bytes();
    Ok(view.table(LOGS)?.get((feed, &id))?.map(|value| log_row(&id, value.value())))
}

pub(super) fn by_number(view: &impl View, number: u32) -> Result<Option<(FeedId, LogId)>, StorageError> {
    let Some((feed, id)) = view.table(LOG_NUMBERS)?.get(number)?.map(|value| {
        let (feed, id) = value.value();
        (feed, LogId::from_stored(id))
    }) else {
        return Ok(None);
    };
    Ok(feeds::by_number(view, feed)?.map(|feed| (feed, id)))
}

fn log_row(id: &[u8; 40], (number, size, root, complete, forked, head): Row<'_>) -> LogRow {
    LogRow {
        log: LogId::from_stored(id),
        size,
        root: Hash::new(*root),
        head: Bytes::copy_from_slice(head),
        forked,
        complete,
        number,
    }
}

impl WriteTxn {
    /// Takes over a head as the newest of its log, which comes into being with its first one. The caller has checked that
    /// it continues the one held.
    ///
    /// A device has at most 16 logs ([`WriteError::TooManyLogs`], spec: STORE-18).
    /// The same size with another root is [`WriteError::Contradiction`]; a forked log takes none
    /// ([`WriteError::Forked`]).
    pub fn put_head(&mut self, head: &Head) -> Result<HeadPut, WriteError> {
        let feed = self.feed_number(*head.feed())?;
        let newest = row(self, *head.feed(), *head.log())?;
        match &newest {
            Some(newest) if newest.forked => return Err(WriteError::Forked),
            Some(newest) if newest.size == head.size() && newest.root != *head.root() => {
                return Err(WriteError::Contradiction);
            }
            Some(newest) if newest.size >= head.size() => return Ok(HeadPut::Older),
            _ => {}
        }
        let (number, complete) = match newest {
            Some(newest) => (newest.number, newest.complete),
            None => (self.new_log(feed, *head.log())?, 0),
        };
        let row = LogRow {
            log: *head.log(),
            size: head.size(),
            root: *head.root(),
            head: Bytes::copy_from_slice(head.bytes()),
            forked: false,
            complete,
            number,
        };
        put_row(self, feed, &row)?;
        Ok(HeadPut::Advanced)
    }

    fn new_log(&mut self, feed: u32, log: LogId) -> Result<u32, WriteError> {
        if of_device(self, feed, log)? >= LOGS_PER_DEVICE_MAX {
            return Err(WriteError::TooManyLogs);
        }
        let number = take_number(self, Counter::Log)?;
        self.change(LOG_NUMBERS)?.insert(number, (feed, &log.to_bytes()))?;
        Ok(number)
    }

    /// The row of a log that must be here.
    pub(super) fn log(&self, feed: FeedId, log: LogId) -> Result<LogRow, WriteError> {
        row(self, feed, log)?.ok_or(WriteError::UnknownLog)
    }
}

/// How many logs the device of `log` has.
fn of_device(view: &impl View, feed: u32, log: LogId) -> Result<usize, StorageError> {
    let bound = |byte| LogId { incarnation: Incarnation::new([byte; 8]), ..log }.to_bytes();
    Ok(view.table(LOGS)?.range((feed, &bound(0))..=(feed, &bound(0xff)))?.count())
}

pub(super) fn put_row(txn: &mut WriteTxn, feed: u32, row: &LogRow) -> Result<(), StorageError> {
    let value = (row.number, row.size, row.root.as_bytes(), row.complete, row.forked, row.head.as_ref());
    txn.change(LOGS)?.insert((feed, &row.log.to_bytes()), value)?;
    Ok(())
}

pub(super) fn remove(txn: &mut WriteTxn, feed: u32, row: &LogRow) -> Result<(), StorageError> {
    txn.change(LOGS)?.remove((feed, &row.log.to_bytes()))?;
    txn.change(LOG_NUMBERS)?.remove(row.number)?;
    Ok(())
}
