//! What is published, in each state that it had.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use peerfeed::author::{self, Audience, Author, Draft};
use peerfeed::store::{Options, ReadTxn, Reading, Store};
use peerfeed::swarm::Snapshot;
use peerfeed_protocol::feed::BlobRef;
use peerfeed_protocol::ids::{FeedId, LogId};

/// One author's feed in a real store. A peer that knows the log at some size answers from what the store held then.
pub struct Content {
    folder: tempfile::TempDir,
    store: Store,
    author: Author,
    log: Option<LogId>,
    states: BTreeMap<u64, ReadTxn>,
    blobs: Vec<BlobRef>,
}

impl Content {
    /// A feed without posts.
    pub fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let store = Store::open(folder.path(), &Options::default())?;
        let author = author::init(&store, None, &[])?.author;
        let mut content = Self { folder, store, author, log: None, states: BTreeMap::new(), blobs: Vec::new() };
        content.remember()?;
        Ok(content)
    }

    /// Publishes a post with a file of so many bytes, or none; the size of the log by then.
    pub fn post(&mut self, text: &str, file_bytes: usize) -> Result<u64> {
        let path = self.folder.path().join("file.bin");
        let pattern: Vec<u8> = (0..file_bytes).map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()[2]).collect();
        std::fs::write(&path, pattern)?;
        let files = if file_bytes > 0 { vec![path] } else { Vec::new() };
        let draft = Draft { text: text.to_owned(), audience: Audience::Public, files, ..Draft::default() };
        self.author.post(&draft, &mut |_| {})?;
        self.remember()
    }

    fn remember(&mut self) -> Result<u64> {
        let txn = self.store.read()?;
        let rows = txn.logs(self.feed())?;
        let size = rows.first().map_or(0, |row| row.size);
        self.log = rows.first().map(|row| row.log);
        self.blobs = txn.blobs(self.feed())?;
        self.states.insert(size, txn);
        Ok(size)
    }

    /// The feed.
    pub fn feed(&self) -> FeedId {
        self.author.feed()
    }

    /// Its log, once there is a post.
    pub fn log(&self) -> Option<LogId> {
        self.log
    }

    /// The files of all posts by now.
    pub fn blobs(&self) -> &[BlobRef] {
        &self.blobs
    }

    /// Entries by now.
    pub fn size(&self) -> u64 {
        self.states.keys().next_back().copied().unwrap_or_default()
    }

    /// What the store held when the log had this size, or the next smaller one that is known.
    pub fn at(&self, size: u64) -> &ReadTxn {
        let state = self.states.range(..=size).next_back().or_else(|| self.states.iter().next());
        state.expect("the first state is remembered at once").1
    }

    /// What the author's own engine is told of it.
    pub fn snapshot(&self) -> Result<Snapshot> {
        let txn = self.at(self.size());
        let row = txn.feed(self.feed())?.context("the author's feed is in its store")?;
        Ok(Snapshot::read(txn, self.feed(), row)?)
    }
}
