//! How much of the content a peer holds.

use std::collections::{BTreeSet, HashMap};

use peerfeed::swarm::{self, Command, Outcome, Ranges, Read, Said, Write};
use peerfeed_protocol::feed::BlobRef;
use peerfeed_protocol::ids::BlobRoot;
use peerfeed_protocol::limits::CHUNK_GROUP;
use peerfeed_protocol::peer::message::{BlobHeld, HeldRange, State};

use super::content::Content;

/// In place of a store: sets of what was written.
#[derive(Debug, Default)]
pub struct Shelf {
    records: bool,
    /// Entries of the newest head.
    pub size: u64,
    /// Entries held.
    pub held: Ranges,
    groups: HashMap<BlobRef, BTreeSet<u32>>,
    /// Everything, as the author.
    whole: bool,
}

impl Shelf {
    /// The author's.
    pub fn whole(content: &Content) -> Self {
        let size = content.size();
        Self { records: true, size, held: std::iter::once(0..size).collect(), groups: HashMap::new(), whole: true }
    }

    /// Whether all entries and files of the content up to its present size are held.
    pub fn is_complete(&self, content: &Content) -> bool {
        let has_blobs = || self.whole || content.blobs().iter().all(|blob| self.has_blob(blob));
        self.size == content.size() && self.has_all() && has_blobs()
    }

    fn has_all(&self) -> bool {
        self.held.contains(&(0..self.size))
    }

    fn has_blob(&self, blob: &BlobRef) -> bool {
        self.groups.get(blob).is_some_and(|held| held.len() as u64 == BlobHeld::groups_in(blob.size.bytes()))
    }

    /// Takes over what was fetched.
    pub fn write(&mut self, write: &Write) -> Outcome {
        match write {
            Write::Records(_) => self.records = true,
            Write::Head(head) => self.size = self.size.max(head.size()),
            Write::Entries { entries, .. } => self.held.insert(entries.from()..entries.to()),
            Write::Chunks { blob, chunks, .. } => {
                self.groups.entry(*blob).or_default().insert(chunks.from() / CHUNK_GROUP);
            }
            Write::StoredBy { .. } | Write::Fork(_) | Write::Packet { .. } | Write::Mail { .. } => {}
        }
        Outcome::Done { complete: Vec::new() }
    }

    /// What is said to peers.
    pub fn answer(&self, content: &Content, read: &Read) -> Said {
        let txn = content.at(self.size);
        match read {
            Read::State { to, .. } if !self.records => {
                vec![(to.connection, Command::State(to.channel, State::default()))]
            }
            Read::State { to, feed, known, newest } => {
                let newest = newest.filter(|_| self.has_all());
                let read = Read::State { to: *to, feed: *feed, known: known.clone(), newest };
                let mut said = swarm::answer(txn, &read);
                for (_, command) in &mut said {
                    if let Command::State(_, state) = command {
                        self.own_up(content, state);
                    }
                }
                said
            }
            Read::Entries { wanted, .. } if !self.held.contains(&(wanted.from..wanted.to)) => swarm::decline(read),
            Read::Chunks { wanted, .. } => {
                let blob = BlobRef { root: wanted.root, size: wanted.size };
                let group = wanted.from / CHUNK_GROUP;
                let held = self.whole || self.groups.get(&blob).is_some_and(|held| held.contains(&group));
                if held { swarm::answer(content.at(content.size()), read) } else { swarm::decline(read) }
            }
            Read::Blobs { to, roots, .. } if !self.whole => {
                let blobs = roots.iter().map(|root| self.blob_held(*root)).collect();
                vec![(to.connection, Command::TellBlobs(to.channel, blobs))]
            }
            _ => swarm::answer(txn, read),
        }
    }

    /// Tells no head and no entry that is not here.
    fn own_up(&self, content: &Content, state: &mut State) {
        if self.size == 0 {
            state.heads.clear();
        }
        if !self.has_all() || self.size == 0 {
            let ranges = self
                .held
                .iter()
                .filter_map(|range| content.log().map(|log| HeldRange { log, from: range.start, to: range.end }));
            state.held = Some(ranges.collect());
        }
    }

    fn blob_held(&self, root: BlobRoot) -> BlobHeld {
        let Some((blob, held)) = self.groups.iter().find(|(blob, _)| blob.root == root) else {
            return BlobHeld::nothing(root);
        };
        let bytes = blob.size.bytes();
        if self.has_blob(blob) {
            return BlobHeld::complete(root, bytes);
        }
        let groups = usize::try_from(BlobHeld::groups_in(bytes)).expect("a blob has at most 2^20 groups");
        let mut bits = vec![0; groups.div_ceil(8)];
        for group in held {
            bits[(group / 8) as usize] |= 0x80 >> (group % 8);
        }
        BlobHeld { root, bytes, groups: Some(bits.into()) }
    }
}
