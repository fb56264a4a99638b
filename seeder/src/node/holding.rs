//! Feeds that are brought by codes: noted in the store, then known to the engine. spec: HOLD-5

use std::time::{SystemTime, UNIX_EPOCH};

use peerfeed_protocol::peer::message::RejectCode;
use tokio::sync::mpsc;

use super::handle::WeakNode;
use crate::net::Wish;
use crate::store::HoldOutcome;

/// Answers wishes until the node ends.
pub(super) async fn run(node: WeakNode, mut wishes: mpsc::Receiver<Wish>) {
    while let Some(Wish { code, feed, answer }) = wishes.recv().await {
        let Some(node) = node.node() else { return };
        let outcome = node.store().write(move |txn| txn.hold_by_code(code, feed, unix_s())).await;
        let granted = match outcome {
            Ok(HoldOutcome::Known) => Ok(()),
            Ok(HoldOutcome::Held) => {
                tracing::info!("a feed is held that was brought by a code");
                // Who is told so may connect for the feed at once.
                node.reload().await;
                Ok(())
            }
            Ok(HoldOutcome::Ended) => Err(RejectCode::NotAdmitted),
            Ok(HoldOutcome::Full) => Err(RejectCode::OverLimit),
            Err(error) => {
                tracing::error!(%error, "a feed that was brought by a code could not be noted");
                Err(RejectCode::Busy)
            }
        };
        // Who asked may be gone.
        let _ = answer.send(granted);
    }
}

fn unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
