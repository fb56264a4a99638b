//! What the engine wants stored, carried out within a transaction of the store.

use bytes::Bytes;
use peerfeed_protocol::ids::{FeedId, Incarnation, LogId};

use super::job::{Outcome, Write};
use super::keeper;
use crate::store::{NewChunks, NewEntries, NewEntry, Reading, StoredBy, WriteError, WriteTxn};

/// A write that is ready for the store: conversions are done once, though a job may run several times.
pub struct Prepared {
    write: Write,
    fresh: Incarnation,
    entries: Option<NewEntries>,
    chunks: Option<NewChunks>,
}

impl Prepared {
    /// Makes a write ready; `fresh` is the random name of a log that may have to be begun.
    pub fn new(write: Write, fresh: Incarnation) -> Self {
        let (mut entries, mut chunks) = (None, None);
        match &write {
            Write::Entries { entries: proven, .. } => {
                entries = Some(NewEntries {
                    first: proven.from(),
                    entries: proven.entries().iter().map(new_entry).collect(),
                    nodes: proven.nodes().iter().collect(),
                });
            }
            Write::Chunks { chunks: proven, .. } => {
                chunks = Some(NewChunks {
                    first: proven.from(),
                    chunks: proven.chunks().to_vec(),
                    nodes: proven.nodes().iter().collect(),
                });
            }
            _ => {}
        }
        Self { write, fresh, entries, chunks }
    }

    /// Does it within a transaction.
    pub fn run(&self, txn: &mut WriteTxn, now_ms: u64) -> Result<Outcome, WriteError> {
        match &self.write {
            Write::Records(records) => txn.put_records(records)?,
            Write::Head(head) => {
                // A backup that was restored here goes on in a new log, not in one that others know to be longer.
                if txn.feed(*head.feed())?.is_some_and(|feed| feed.roles.own) {
                    txn.leave_log_unless_newest(head, self.fresh)?;
                }
                txn.put_head(head)?;
            }
            Write::Entries { feed, entries } => {
                txn.put_entries(*feed, entries.log(), self.entries.as_ref().expect("made ready"), now_ms)?;
                return Ok(Outcome::Done { complete: complete(txn, *feed)? });
            }
            Write::Chunks { feed, blob, .. } => {
                txn.put_chunks(*feed, *blob, self.chunks.as_ref().expect("made ready"))?;
                let whole = txn.blob(*feed, *blob)?.is_some_and(|row| row.is_complete());
                return Ok(Outcome::Done { complete: if whole { complete(txn, *feed)? } else { Vec::new() } });
            }
            Write::StoredBy { feed, witness, stored, met } => {
                let word = StoredBy {
                    seeder: *witness,
                    entries: stored.entries,
                    complete: stored.with_blobs,
                    said_s: now_ms / 1_000,
                };
                txn.put_stored_by(*feed, stored.log, &word)?;
                if let Some(address) = met {
                    txn.put_seeder_met(*feed, *witness, address, word.said_s)?;
                }
            }
            Write::Fork(evidence) => txn.put_fork(evidence)?,
            Write::Packet { feed, packet, admission } => {
                return keeper::keep(txn, *feed, packet, admission, now_ms / 1_000, self.fresh.to_bytes());
            }
            Write::Mail { feed, device, wanted } => return keeper::read(txn, *feed, *device, wanted, now_ms / 1_000),
        }
        Ok(Outcome::Done { complete: Vec::new() })
    }
}

fn complete(txn: &WriteTxn, feed: FeedId) -> Result<Vec<(LogId, u64)>, WriteError> {
    Ok(txn.logs(feed)?.into_iter().map(|log| (log.log, log.complete)).collect())
}

fn new_entry(entry: &peerfeed_protocol::peer::VerifiedEntry) -> NewEntry {
    NewEntry { header: Bytes::copy_from_slice(entry.header.bytes()), body: entry.body.clone() }
}
