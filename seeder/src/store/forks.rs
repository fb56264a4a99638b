//! Evidence of forked logs: two heads, signed by the same device, that do not fit together.

use peerfeed_protocol::feed::{ForkEvidence, Head};
use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::merkle::Hash;
use redb::{ReadableTable, TableDefinition};

use super::error::{StorageError, WriteError};
use super::logs;
use super::txn::{View, WriteTxn};

/// log -> the two signed heads, and the hashes of the proof that they do not fit together
pub(super) const FORKS: TableDefinition<'_, u32, Row<'_>> = TableDefinition::new("forks");

type Row<'a> = (&'a [u8], &'a [u8], &'a [u8]);

pub(super) fn all(view: &impl View, feed: FeedId) -> Result<Vec<ForkEvidence>, StorageError> {
    let mut found = Vec::new();
    let read = |bytes: &[u8]| Head::from_stored(&feed, bytes).map_err(|_| StorageError::row("forks"));
    for row in logs::all(view, feed)?.into_iter().filter(|row| row.forked) {
        if let Some(evidence) = view.table(FORKS)?.get(row.number)? {
            let (held, received, proof) = evidence.value();
            let proof = proof.as_chunks::<32>().0.iter().map(|hash| Hash::new(*hash)).collect();
            found.push(ForkEvidence { held: read(held)?, received: read(received)?, proof });
        }
    }
    Ok(found)
}

impl WriteTxn {
    /// Keeps the proof that a log was forked. The log takes no further heads; what is held of it stays. The first
    /// evidence is kept, further ones prove nothing more. spec: STORE-17
    pub fn put_fork(&mut self, evidence: &ForkEvidence) -> Result<(), WriteError> {
        let feed = *evidence.held.feed();
        let feed_number = self.feed_number(feed)?;
        let mut row = self.log(feed, *evidence.held.log())?;
        if row.forked {
            return Ok(());
        }
        row.forked = true;
        let proof = evidence.proof.iter().map(|hash| hash.to_bytes()).collect::<Vec<_>>().concat();
        let value = (evidence.held.bytes(), evidence.received.bytes(), proof.as_slice());
        self.change(FORKS)?.insert(row.number, value)?;
        logs::put_row(self, feed_number, &row)?;
        Ok(())
    }
}

pub(super) fn remove(txn: &mut WriteTxn, log: u32) -> Result<(), StorageError> {
    txn.change(FORKS)?.remove(log)?;
    Ok(())
}
