//! A feed with one log, and somebody who serves it.

use std::collections::BTreeMap;

use bytes::Bytes;
use peerfeed_protocol::crypto::{DeviceKey, IdentityKey};
use peerfeed_protocol::feed::blob::BlobSize;
use peerfeed_protocol::feed::{Class, Head, LeafContent, LeafHeader, Retention};
use peerfeed_protocol::ids::{BlobRoot, FeedId, Incarnation, LogId};
use peerfeed_protocol::limits::{CHUNK_BYTES, FIRST_FLIGHT_BYTES_MAX};
use peerfeed_protocol::merkle::{Frontier, Hash, NodePos, consistency_proof, leaf_hash, range_proof};
use peerfeed_protocol::peer::message::{ChunksWanted, EntriesWanted, EntryBytes, HeadNews, Interest, State};
use peerfeed_protocol::peer::{ChannelId, Connection, EntriesAnswer, Event};
use sha2::{Digest, Sha256};

/// Entries from the end of the log that are really there; of earlier ones there are only hashes.
const HELD: u64 = 200;

/// A log in memory.
pub(crate) struct SampleLog {
    pub(crate) feed: FeedId,
    pub(crate) log: LogId,
    device: DeviceKey,
    nodes: BTreeMap<NodePos, Hash>,
    frontier: Frontier,
    roots: BTreeMap<u64, Hash>,
    entries: BTreeMap<u64, EntryBytes>,
}

impl SampleLog {
    /// A log of `size` short posts.
    pub(crate) fn new(size: u64) -> Self {
        let device = DeviceKey::from_seed(&[2; 32]);
        let mut sample = Self {
            feed: IdentityKey::from_seed(&[1; 32]).feed_id(),
            log: LogId { device: device.id(), incarnation: Incarnation::new([3; 8]) },
            device,
            nodes: BTreeMap::new(),
            frontier: Frontier::new(),
            roots: BTreeMap::new(),
            entries: BTreeMap::new(),
        };
        for index in 0..size {
            if index + HELD < size {
                sample.append_leaf(leaf_hash(&index.to_be_bytes()));
            } else {
                sample.append();
            }
        }
        sample
    }

    /// Appends a short post.
    pub(crate) fn append(&mut self) {
        let index = self.frontier.size();
        let mut body = vec![0; 250];
        body[..8].copy_from_slice(&index.to_be_bytes());
        let header = LeafHeader::encode(&LeafContent {
            class: Class::Sealed { hint: [4; 8], commitment: [5; 32] },
            body_bytes: 250,
            body_digest: Sha256::digest(&body).into(),
            blobs: vec![],
            retention: Retention::Keep,
            time: 1_760_000_000 + index,
        })
        .unwrap();
        let header = Bytes::copy_from_slice(header.bytes());
        self.append_leaf(leaf_hash(&header));
        self.entries.insert(index, EntryBytes { header, body: Some(body.into()) });
    }

    fn append_leaf(&mut self, leaf: Hash) {
        self.nodes.extend(self.frontier.append(leaf).unwrap());
        self.roots.insert(self.frontier.size(), self.frontier.root());
    }

    pub(crate) fn size(&self) -> u64 {
        self.frontier.size()
    }

    pub(crate) fn root(&self, size: u64) -> Hash {
        self.roots[&size]
    }

    /// The signed head of the first `size` entries.
    pub(crate) fn head(&self, size: u64) -> Head {
        Head::sign(&self.feed, &self.log, size, &self.root(size), &self.device)
    }

    /// The head for somebody who knows the first `from` entries.
    pub(crate) fn news(&self, from: u64) -> HeadNews {
        let proof = if from == 0 { vec![] } else { consistency_proof(&self.nodes, from, self.size()).unwrap() };
        HeadNews { record: Bytes::copy_from_slice(self.head(self.size()).bytes()), from, proof }
    }

    pub(crate) fn answer(&self, from: u64, to: u64, size: u64, last: bool) -> EntriesAnswer {
        EntriesAnswer {
            from,
            proof: range_proof(&self.nodes, from, to, size).unwrap(),
            entries: (from..to).map(|index| self.entries[&index].clone()).collect(),
            last,
        }
    }

    pub(crate) fn entry_bytes(&self, index: u64) -> usize {
        self.entries[&index].len()
    }

    pub(crate) fn wanted(&self, from: u64, to: u64) -> EntriesWanted {
        EntriesWanted { log: self.log, from, to, size: self.size(), bytes_max: 1 << 20, newest_first: false }
    }

    /// What is said to somebody with this interest, and then the newest entries in frames: the first one small.
    pub(crate) fn welcome(&self, connection: &mut Connection, channel: ChannelId, interest: &Interest) {
        let known = interest.heads.iter().find(|(log, _)| *log == self.log).map_or(0, |(_, size)| *size);
        let newest = interest.newest.map_or(0, |newest| u64::from(newest.entries)).min(self.size() - known);
        let state = State { heads: vec![self.news(known)], newest_follow: newest > 0, ..State::default() };
        connection.send_state(channel, state).unwrap();
        let (start, mut end) = (self.size() - newest, self.size());
        let mut room = FIRST_FLIGHT_BYTES_MAX;
        while end > start {
            let mut from = end;
            let mut bytes = 0;
            while from > start && bytes + self.entry_bytes(from - 1) <= room {
                from -= 1;
                bytes += self.entry_bytes(from);
            }
            let answer = self.answer(from, end, self.size(), from == start);
            connection.send_newest(channel, self.log, self.size(), answer).unwrap();
            (end, room) = (from, 200_000);
        }
    }

    /// Answers what a peer asks of this feed; other events come back.
    pub(crate) fn serve(&self, connection: &mut Connection, event: Event) -> Option<Event> {
        match event {
            Event::FirstMessage(_) => connection.admit(&self.feed).unwrap(),
            Event::OpenRequested { channel, swarm, interest } => {
                assert_eq!(swarm, self.feed.swarm_id());
                connection.accept(channel, &self.feed, Interest::default()).unwrap();
                self.welcome(connection, channel, &interest);
            }
            Event::EntriesWanted { channel, request, wanted } => {
                let answer = self.answer(wanted.from, wanted.to, wanted.size, true);
                connection.answer_entries(channel, request, answer).unwrap();
            }
            event => return Some(event),
        }
        None
    }
}

/// A blob in memory; what is in it does not matter here.
pub(crate) struct SampleBlob {
    pub(crate) root: BlobRoot,
    pub(crate) size: BlobSize,
    pub(crate) chunks: Vec<Bytes>,
    pub(crate) nodes: BTreeMap<NodePos, Hash>,
}

impl SampleBlob {
    pub(crate) fn new(bytes: usize) -> Self {
        let content: Bytes = (0..bytes).map(|at| (at % 251 + at / 64_000).to_le_bytes()[0]).collect();
        let chunks: Vec<_> = (0..bytes.div_ceil(CHUNK_BYTES))
            .map(|index| content.slice(index * CHUNK_BYTES..bytes.min((index + 1) * CHUNK_BYTES)))
            .collect();
        let (mut frontier, mut nodes) = (Frontier::new(), BTreeMap::new());
        for chunk in &chunks {
            nodes.extend(frontier.append(leaf_hash(chunk)).unwrap());
        }
        Self { root: frontier.root().into(), size: BlobSize::new(bytes as u64).unwrap(), chunks, nodes }
    }

    pub(crate) fn wanted(&self, from: u32, to: u32) -> ChunksWanted {
        ChunksWanted { root: self.root, size: self.size, from, to }
    }

    pub(crate) fn serve(&self, connection: &mut Connection, event: Event) -> Option<Event> {
        let Event::ChunksWanted { channel, request, wanted } = event else { return Some(event) };
        let range = wanted.from as usize..wanted.to as usize;
        let proof = range_proof(&self.nodes, wanted.from.into(), wanted.to.into(), self.chunks.len() as u64).unwrap();
        connection.answer_chunks(channel, request, proof, self.chunks[range].to_vec()).unwrap();
        None
    }
}
