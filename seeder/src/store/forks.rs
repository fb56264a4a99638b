//! Evidence of forked logs: two heads, signed by the same device, that do not fit together.

use bytes::Bytes;
use peerfeed_protocol::ids::{FeedId, LogId};
use redb::{ReadableTable, TableDefinition};

use super::error::{StorageError, WriteError};
use super::logs;
use super::txn::{View, WriteTxn};

/// log -> the two signed heads
pub(super) const FORKS: TableDefinition<'_, u32, (&[u8], &[u8])> = TableDefinition::new("forks");

/// Two signed heads of one log of which at most one can be true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForkEvidence {
    /// The log.
    pub log: LogId,
    /// The head that was held.
    pub held: Bytes,
    /// The head that contradicts it.
    pub other: Bytes,
}

pub(super) fn all(view: &impl View, feed: FeedId) -> Result<Vec<ForkEvidence>, StorageError> {
    let mut found = Vec::new();
    for row in logs::all(view, feed)?.into_iter().filter(|row| row.forked) {
        if let Some(heads) = view.table(FORKS)?.get(row.number)? {
            let (held, other) = heads.value();
            let (held, other) = (Bytes::copy_from_slice(held), Bytes::copy_from_slice(other));
            found.push(ForkEvidence { log: row.log, held, other });
        }
    }
    Ok(found)
}

impl WriteTxn {
    /// Keeps the proof that a log was forked, whose signatures and contradiction the caller has checked. The log takes
    /// no further heads; what is held of it stays. The first evidence is kept, further ones prove nothing more.
    pub fn put_fork(&mut self, feed: FeedId, evidence: &ForkEvidence) -> Result<(), WriteError> {
        let feed_number = self.feed_number(feed)?;
        let mut row = self.log(feed, evidence.log)?;
        if row.forked {
            return Ok(());
        }
        row.forked = true;
        self.change(FORKS)?.insert(row.number, (evidence.held.as_ref(), evidence.other.as_ref()))?;
        logs::put_row(self, feed_number, &row)?;
        Ok(())
    }
}

pub(super) fn remove(txn: &mut WriteTxn, log: u32) -> Result<(), StorageError> {
    txn.change(FORKS)?.remove(log)?;
    Ok(())
}
