//! Reads from the store what the engine is told of feeds.

use peerfeed_protocol::ids::FeedId;
use tokio::sync::mpsc;

use crate::store::{Reading, StorageError, Store};
use crate::swarm::Snapshot;

/// Feeds that were read from the store.
pub(super) enum Loaded {
    /// One feed, or its absence.
    One(FeedId, Option<Box<Snapshot>>),
    /// All there are, and the codes that were given away.
    All(Vec<Snapshot>, Vec<FeedId>),
    /// The store could not be read.
    Nothing,
}

/// Reads one feed, or all, away from the engine's task, and reports what there is.
pub(super) fn load(store: Store, feed: Option<FeedId>, loaded: mpsc::UnboundedSender<Loaded>) {
    tokio::task::spawn_blocking(move || {
        let read = match feed {
            Some(feed) => read_one(&store, feed),
            None => read_all(&store),
        };
        let read = read.unwrap_or_else(|error| {
            tracing::error!(%error, "feeds could not be read");
            Loaded::Nothing
        });
        // The engine's task may be gone: nobody waits then.
        let _ = loaded.send(read);
    });
}

/// Reads all feeds.
pub(super) fn read_all(store: &Store) -> Result<Loaded, StorageError> {
    let txn = store.read()?;
    let snapshots = txn.feeds()?.into_iter().map(|(feed, row)| Snapshot::read(&txn, feed, row));
    let codes = txn.hold_codes()?.into_iter().map(|(code, _)| code).collect();
    Ok(Loaded::All(snapshots.collect::<Result<_, _>>()?, codes))
}

fn read_one(store: &Store, feed: FeedId) -> Result<Loaded, StorageError> {
    let txn = store.read()?;
    let snapshot = match txn.feed(feed)? {
        Some(row) => Some(Box::new(Snapshot::read(&txn, feed, row)?)),
        None => None,
    };
    Ok(Loaded::One(feed, snapshot))
}
