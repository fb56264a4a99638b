//! Reads for peers: what they asked for, and what they are told unasked.

use tokio::sync::mpsc;

use crate::store::Store;
use crate::swarm::{self, ConnectionId, Read, Said};

/// What was read for peers, ready to be handed on.
pub(super) struct Served {
    /// For a request: who made it, and how many bytes its answer might have had.
    pub request: Option<(ConnectionId, usize)>,
    pub said: Said,
}

/// What peers are told of a read; where the store cannot be read, that there is nothing.
pub(super) fn read_and_say(store: &Store, read: &Read) -> Said {
    match store.read() {
        Ok(txn) => swarm::answer(&txn, read),
        Err(error) => {
            tracing::error!(%error, "the store could not be read");
            swarm::decline(read)
        }
    }
}

/// Starts the thread that reads what peers are told unasked, in its order.
pub(super) fn start_teller(store: Store, served: mpsc::UnboundedSender<Served>) -> mpsc::UnboundedSender<Read> {
    let (tells, mut told) = mpsc::unbounded_channel::<Read>();
    tokio::task::spawn_blocking(move || {
        while let Some(read) = told.blocking_recv() {
            let said = read_and_say(&store, &read);
            if served.send(Served { request: None, said }).is_err() {
                return;
            }
        }
    });
    tells
}
