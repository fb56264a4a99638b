//! Feeds of any size, made in memory and put into stores without a command or a commit for each post.

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use bytes::Bytes;
use peerfeed::store::{FeedRow, NewEntries, NewEntry, Options, Roles, SeederHint, Store, WriteError};
use peerfeed_protocol::crypto::{BoxKey, DeviceKey, Entropy, IdentityKey};
use peerfeed_protocol::feed::{
    Body, Clock, Device, EpochSecret, Head, LogWriter, ManifestContent, Post, Records, RosterContent, SeederAddress,
    successor_digest,
};
use peerfeed_protocol::ids::{FeedId, Incarnation, LogId};
use peerfeed_protocol::merkle::Frontier;

/// Entries that are stored in one transaction.
const BATCH: usize = 4_096;

/// A feed of public posts, as long as it is needed.
pub struct MadeFeed {
    records: Records,
    device: DeviceKey,
    log: LogWriter,
    id: LogId,
    clock: Clock,
    entropy: Entropy,
}

/// Posts that were appended together, with one head over all.
#[derive(Clone)]
pub struct Posts {
    feed: FeedId,
    log: LogId,
    head: Head,
    parts: Arc<Vec<NewEntries>>,
}

impl MadeFeed {
    /// A feed without posts that lists these seeders. All its keys follow from the number.
    pub fn new(number: u64, seeders: Vec<SeederAddress>) -> Result<Self> {
        let mut seed = [7; 32];
        seed[..8].copy_from_slice(&number.to_be_bytes());
        let mut entropy = Entropy::from_seed(seed);
        let identity = IdentityKey::from_seed(&entropy.bytes());
        let device = DeviceKey::from_seed(&entropy.bytes());
        let listed = Device::new(device.id(), BoxKey::from_bytes(entropy.bytes()).public());
        let roster = RosterContent::first(listed).sign(&identity)?;
        let mut manifest = ManifestContent::first(roster.digest(), successor_digest(&entropy.bytes()));
        manifest.seeders = seeders;
        let records = Records::new(manifest.sign(&identity)?, roster)?;
        let id = LogId { device: device.id(), incarnation: Incarnation::new(entropy.bytes()) };
        let log = LogWriter::new(identity.feed_id(), id, Frontier::new(), 0);
        Ok(Self { records, device, log, id, clock: Clock::new(), entropy })
    }

    /// Its name.
    pub fn feed(&self) -> FeedId {
        *self.records.manifest().feed()
    }

    /// Posts that it has by now.
    pub fn size(&self) -> u64 {
        self.log.size()
    }

    /// Appends so many posts.
    pub fn post(&mut self, count: usize) -> Result<Posts> {
        let key = EpochSecret::public(&self.feed()).read_key(&self.feed());
        let now_ms = now_ms();
        let mut parts = Vec::new();
        let mut left = count;
        while left > 0 {
            let mut part = NewEntries { first: self.log.size(), ..NewEntries::default() };
            for _ in 0..left.min(BATCH) {
                let text = format!("post number {}, as short as most are", self.log.size());
                let body = Body::post(self.clock.tick(now_ms), Post { text, ..Post::default() });
                let entry = self.log.append(&body, &key, now_ms / 1_000, &mut self.entropy)?;
                part.nodes.extend(entry.nodes);
                let header = Bytes::copy_from_slice(entry.header.bytes());
                part.entries.push(NewEntry { header, body: Some(entry.body.into()) });
            }
            left -= part.entries.len();
            parts.push(part);
        }
        let head = self.log.head(&self.device).context("a feed without posts has no head")?;
        Ok(Posts { feed: self.feed(), log: self.id, head, parts: Arc::new(parts) })
    }

    /// What a store notes of the feed before it holds anything of its log: what it is for, and where it is found.
    pub fn note(&self, roles: Roles, seeders: Vec<SeederHint>) -> Noted {
        let row = FeedRow { roles, seeders, ..FeedRow::default() };
        Noted { feed: self.feed(), row, records: self.records.clone() }
    }
}

/// A feed as a store is told of it.
#[derive(Clone)]
pub struct Noted {
    feed: FeedId,
    row: FeedRow,
    records: Records,
}

/// Puts feeds, and what was posted in them, into the store of a data folder that no program has open.
pub fn put(data: &Path, noted: &[Noted], posted: &[Posts]) -> Result<()> {
    let store = Store::open(data, &Options::default())?;
    let noted = noted.to_vec();
    store.write_blocking(move |txn| {
        noted.iter().try_for_each(|noted| {
            txn.put_feed(noted.feed, &noted.row)?;
            txn.put_records(&noted.records)
        })
    })?;
    let now_ms = now_ms();
    // Many short ones together, a long one in parts.
    let mut batch = Vec::new();
    let mut entries = 0;
    for posts in posted {
        for part in 0..posts.parts.len() {
            entries += posts.parts[part].entries.len();
            batch.push((posts.clone(), part));
            if entries >= BATCH {
                put_batch(&store, std::mem::take(&mut batch), now_ms)?;
                entries = 0;
            }
        }
    }
    put_batch(&store, batch, now_ms)?;
    store.close();
    Ok(())
}

fn put_batch(store: &Store, batch: Vec<(Posts, usize)>, now_ms: u64) -> Result<(), WriteError> {
    store.write_blocking(move |txn| {
        batch.iter().try_for_each(|(posts, part)| {
            txn.put_head(&posts.head)?;
            txn.put_entries(posts.feed, posts.log, &posts.parts[*part], now_ms)
        })
    })
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
