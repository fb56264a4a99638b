//! Carries out what the engine wants stored.

use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use peerfeed_protocol::ids::{FeedId, Incarnation, LogId};
use tokio::sync::mpsc;

use crate::net::Clock;
use crate::store::{NewChunks, NewEntries, NewEntry, Reading, Store, StoredBy, WriteError, WriteTxn};
use crate::swarm::{JobId, Outcome, Write};

/// Bytes of payload that are written in one transaction.
const BATCH_BYTES: u64 = 24 << 20;

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
            Write::StoredBy { feed, witness, stored } => {
                let word = StoredBy {
                    seeder: *witness,
                    entries: stored.entries,
                    complete: stored.with_blobs,
                    said_s: now_ms / 1_000,
                };
                txn.put_stored_by(*feed, stored.log, &word)?;
            }
            Write::Fork(evidence) => txn.put_fork(evidence)?,
        }
        Ok(Outcome::Done { complete: Vec::new() })
    }
}

/// Takes writes in their order, many in a transaction, and reports what came of each, until the sender is gone.
pub async fn run(
    store: Store,
    mut writes: mpsc::UnboundedReceiver<(JobId, Write)>,
    done: mpsc::UnboundedSender<(JobId, Outcome)>,
    clock: Clock,
) {
    let mut next = None;
    loop {
        let Some(first) = (match next.take() {
            Some(first) => Some(first),
            None => writes.recv().await,
        }) else {
            return;
        };
        let mut bytes = 0;
        let (mut jobs, mut batch) = (Vec::new(), Vec::new());
        let mut taken = Some(first);
        while let Some((job, write)) = taken {
            bytes += write.payload_bytes();
            jobs.push(job);
            batch.push(Prepared::new(write, fresh_incarnation()));
            taken = if bytes < BATCH_BYTES { writes.try_recv().ok() } else { None };
        }
        let batch = Arc::new(batch);
        let outcomes = match commit(&store, &batch, clock.unix_ms()).await {
            Ok(outcomes) => outcomes,
            // One of them fails: each by itself, so that the others are kept.
            Err(_) if batch.len() > 1 => one_by_one(&store, &batch, clock.unix_ms()).await,
            Err(error) => vec![failed(&error)],
        };
        for outcome in jobs.into_iter().zip(outcomes) {
            if done.send(outcome).is_err() {
                return;
            }
        }
    }
}

/// Random; were the system to refuse randomness, a log of zeros would be begun, which no other device has either.
fn fresh_incarnation() -> Incarnation {
    let mut bytes = [0; 8];
    if let Err(error) = getrandom::fill(&mut bytes) {
        tracing::error!(%error, "the system gives no randomness");
    }
    Incarnation::new(bytes)
}

async fn commit(store: &Store, batch: &Arc<Vec<Prepared>>, now_ms: u64) -> Result<Vec<Outcome>, WriteError> {
    let batch = Arc::clone(batch);
    store.write(move |txn| batch.iter().map(|write| write.run(txn, now_ms)).collect()).await
}

async fn one_by_one(store: &Store, batch: &Arc<Vec<Prepared>>, now_ms: u64) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(batch.len());
    for at in 0..batch.len() {
        let batch = Arc::clone(batch);
        let outcome = store.write(move |txn| batch[at].run(txn, now_ms)).await;
        outcomes.push(outcome.unwrap_or_else(|error| failed(&error)));
    }
    outcomes
}

/// The error with its causes, in one line.
fn failed(error: &WriteError) -> Outcome {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    Outcome::Failed(line)
}

fn complete(txn: &WriteTxn, feed: FeedId) -> Result<Vec<(LogId, u64)>, WriteError> {
    Ok(txn.logs(feed)?.into_iter().map(|log| (log.log, log.complete)).collect())
}

fn new_entry(entry: &peerfeed_protocol::peer::VerifiedEntry) -> NewEntry {
    NewEntry { header: Bytes::copy_from_slice(entry.header.bytes()), body: entry.body.clone() }
}
