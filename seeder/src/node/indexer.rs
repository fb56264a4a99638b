//! Entries that have been stored: first made readable, then told to who listens.

use tokio::sync::{broadcast, mpsc};

use super::NewEntry;
use crate::store::Store;

/// Entries told of at once.
const AT_ONCE: usize = 4_096;

/// Runs until the sender is gone.
pub(super) async fn run(
    store: Store,
    mut come: mpsc::UnboundedReceiver<NewEntry>,
    entries: broadcast::Sender<NewEntry>,
) {
    let mut batch = Vec::new();
    while come.recv_many(&mut batch, AT_ONCE).await > 0 {
        if let Err(error) = crate::reader::index_pending(&store).await {
            tracing::error!(%error, "new entries could not be put into the timeline");
        }
        for entry in batch.drain(..) {
            // Nobody may be listening.
            let _ = entries.send(entry);
        }
    }
}
