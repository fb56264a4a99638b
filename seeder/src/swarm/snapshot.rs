//! What the engine is told of a feed at the start and after local changes, read from the store.

use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::peer::message::Stored;

use super::feed::{HeldGroups, LogSnapshot, Snapshot};
use crate::store::{FeedRow, ReadTxn, Reading, StorageError};

impl Snapshot {
    /// Reads all that the store holds of a feed.
    pub fn read(txn: &ReadTxn, feed: FeedId, row: FeedRow) -> Result<Self, StorageError> {
        let mut logs = Vec::new();
        let mut stored = Vec::new();
        for log in txn.logs(feed)? {
            logs.push(LogSnapshot {
                head: log.verified_head(feed)?,
                held: txn.held(&log)?,
                complete: log.complete,
                forked: log.forked,
            });
            for word in txn.stored_by(feed, log.log)? {
                let told = Stored { log: log.log, entries: word.entries, with_blobs: word.complete };
                stored.push((word.seeder, told));
            }
        }
        let mut blobs = Vec::new();
        for blob in txn.blobs(feed)? {
            let held = match txn.blob(feed, blob)? {
                Some(row) if row.is_complete() => HeldGroups::All,
                Some(row) => HeldGroups::Some(row.held_groups),
                None => HeldGroups::Some(Vec::new()),
            };
            blobs.push((blob, held));
        }
        Ok(Self {
            feed,
            roles: row.roles,
            records: txn.records(feed)?,
            up: row.up,
            down: row.down,
            seeders: row.seeders,
            // What was stored was read as an address before; what a later version stored may be of another kind.
            trackers: row.trackers.iter().filter_map(|url| url.parse().ok()).collect(),
            logs,
            blobs,
            stored,
            met: txn.seeders_met(feed)?,
        })
    }
}
