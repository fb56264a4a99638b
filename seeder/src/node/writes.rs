//! Carries out what the engine wants stored.

use std::error::Error;
use std::sync::Arc;

use peerfeed_protocol::ids::Incarnation;
use tokio::sync::mpsc;

use crate::net::Clock;
use crate::store::{Store, WriteError};
use crate::swarm::{JobId, Outcome, Prepared, Write};

/// Bytes of payload that are written in one transaction.
const BATCH_BYTES: u64 = 24 << 20;

/// Takes writes in their order, many in a transaction, and reports what came of each, until the sender is gone.
pub(super) async fn run(
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
    Outcome::Failed { reason: line, trouble: error.into() }
}
