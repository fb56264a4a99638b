//! What the engine is told of a feed at the start and after local changes, read from the store.

use std::ops::Range;

use peerfeed_protocol::announce::TrackerUrl;
use peerfeed_protocol::feed::{BlobRef, Head, Records};
use peerfeed_protocol::ids::{FeedId, WitnessKey};
use peerfeed_protocol::peer::message::Stored;

use crate::store::{FeedRow, ReadTxn, Reading, Roles, SeederHint, StorageError};

/// What the store holds of a feed, as the engine is told at the start and after each local change.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The feed.
    pub feed: FeedId,
    /// What is done with it here.
    pub roles: Roles,
    /// What may be sent of it, bytes per second.
    pub up: Option<u64>,
    /// What may be fetched of it, bytes per second.
    pub down: Option<u64>,
    /// Its manifest and roster.
    pub records: Option<Records>,
    /// Seeders from links and from the person here.
    pub seeders: Vec<SeederHint>,
    /// Trackers from links and from the person here.
    pub trackers: Vec<TrackerUrl>,
    /// Its logs.
    pub logs: Vec<LogSnapshot>,
    /// The blobs that its entries refer to, and the groups held of each.
    pub blobs: Vec<(BlobRef, HeldGroups)>,
    /// What seeders said that they have synced.
    pub stored: Vec<(WitnessKey, Stored)>,
    /// Seeders that were met before and that nobody named.
    pub met: Vec<(WitnessKey, String)>,
}

impl Snapshot {
    /// A feed of which nothing is held and nothing more is known.
    pub fn new(feed: FeedId, roles: Roles) -> Self {
        Self {
            feed,
            roles,
            up: None,
            down: None,
            records: None,
            seeders: Vec::new(),
            trackers: Vec::new(),
            logs: Vec::new(),
            blobs: Vec::new(),
            stored: Vec::new(),
            met: Vec::new(),
        }
    }

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

/// A log in a snapshot.
#[derive(Clone, Debug)]
pub struct LogSnapshot {
    /// Its newest head.
    pub head: Head,
    /// Entries held.
    pub held: Vec<Range<u64>>,
    /// Entries held with all of their blobs, from the first on.
    pub complete: u64,
    /// Whether it contradicts itself.
    pub forked: bool,
}

/// Groups of a blob that are held.
#[derive(Clone, Debug)]
pub enum HeldGroups {
    /// All of them.
    All,
    /// One bit per group, the first in the highest bit of the first byte; bits that are missing are 0.
    Some(Vec<u8>),
}

impl HeldGroups {
    /// Whether a group is held.
    pub fn has(&self, group: u32) -> bool {
        match self {
            Self::All => true,
            Self::Some(bits) => bits.get((group / 8) as usize).is_some_and(|byte| byte & (0x80 >> (group % 8)) != 0),
        }
    }
}
