//! Logs and blobs as a peer would deliver them: signed, and proven piece by piece.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use peerfeed::store::{FeedRow, NewChunks, NewEntries, NewEntry, Roles};
use peerfeed_protocol::crypto::{DeviceKey, Entropy, IdentityKey};
use peerfeed_protocol::feed::blob::{BlobKey, BlobSealer};
use peerfeed_protocol::feed::{self, Attachment, BlobRef, Body, Clock, EpochSecret, Head, LogWriter, Post, ReadKey};
use peerfeed_protocol::ids::{FeedId, Incarnation, LogId};
use peerfeed_protocol::merkle::{Frontier, Hash, NodePos, range_proof};

pub(crate) const NOW_MS: u64 = 1_800_000_000_000;

/// A log of public posts, with everything that its author knows of it.
pub(crate) struct SampleLog {
    pub(crate) feed: FeedId,
    pub(crate) log: LogId,
    pub(crate) entries: Vec<feed::NewEntry>,
    pub(crate) nodes: BTreeMap<NodePos, Hash>,
    device: DeviceKey,
    roots: Vec<Hash>,
    writer: LogWriter,
    epoch: ReadKey,
    clock: Clock,
    entropy: Entropy,
}

impl SampleLog {
    /// An empty log of the feed and device that follow from two numbers.
    pub(crate) fn new(feed: u8, device: u8) -> Self {
        let feed = IdentityKey::from_seed(&[feed; 32]).feed_id();
        let device = DeviceKey::from_seed(&[device; 32]);
        let log = LogId { device: device.id(), incarnation: Incarnation::new([7; 8]) };
        Self {
            feed,
            log,
            entries: Vec::new(),
            nodes: BTreeMap::new(),
            writer: LogWriter::new(feed, log, Frontier::new(), 0),
            epoch: EpochSecret::public(&feed).read_key(&feed),
            clock: Clock::new(),
            entropy: Entropy::from_seed([device.id().to_bytes()[0]; 32]),
            roots: vec![Frontier::new().root()],
            device,
        }
    }

    /// As [`Self::new`], with posts of short texts.
    pub(crate) fn with_posts(feed: u8, device: u8, count: u64) -> Self {
        let mut log = Self::new(feed, device);
        for number in 0..count {
            log.post(&format!("post {number}"), Vec::new());
        }
        log
    }

    pub(crate) fn post(&mut self, text: &str, attachments: Vec<Attachment>) {
        self.post_at(NOW_MS, text, None, attachments);
    }

    pub(crate) fn post_at(&mut self, at_ms: u64, text: &str, channel: Option<&str>, attachments: Vec<Attachment>) {
        let post = Post { text: text.to_owned(), channel: channel.map(str::to_owned), attachments };
        let body = Body::post(self.clock.tick(at_ms), post);
        let entry = self.writer.append(&body, &self.epoch, at_ms / 1_000, &mut self.entropy).unwrap();
        self.nodes.extend(entry.nodes.iter().copied());
        self.entries.push(entry);
        self.roots.push(self.writer.frontier().root());
    }

    /// The head over the first `size` entries.
    pub(crate) fn head(&self, size: usize) -> Head {
        Head::sign(&self.feed, &self.log, size as u64, &self.roots[size], &self.device)
    }

    /// A head of another log of the same device.
    pub(crate) fn head_of(&self, incarnation: Incarnation, size: usize) -> Head {
        let log = LogId { incarnation, ..self.log };
        Head::sign(&self.feed, &log, size as u64, &self.roots[size], &self.device)
    }

    /// A head of the same size over something else.
    pub(crate) fn contradicting_head(&self, size: usize) -> Head {
        Head::sign(&self.feed, &self.log, size as u64, &Hash::new([9; 32]), &self.device)
    }

    pub(crate) fn root(&self, size: usize) -> Hash {
        self.roots[size]
    }

    /// A range as a peer delivers it: with the nodes that its proof against the head of `size` teaches, and no others.
    pub(crate) fn range(&self, range: Range<u64>, size: usize) -> NewEntries {
        let at = |index: u64| &self.entries[usize::try_from(index).unwrap()];
        let leaves: Vec<_> = range.clone().map(|index| at(index).header.leaf_hash()).collect();
        let proof = range_proof(&self.nodes, range.start, range.end, size as u64).unwrap();
        let learnt = proof.verify(range.start, &leaves, size as u64, &self.roots[size]).unwrap();
        let entry = |index| NewEntry {
            header: Bytes::copy_from_slice(at(index).header.bytes()),
            body: Some(Bytes::from(at(index).body.clone())),
        };
        NewEntries { first: range.start, entries: range.map(entry).collect(), nodes: learnt.iter().collect() }
    }
}

/// A sealed file.
pub(crate) struct SampleBlob {
    pub(crate) blob: BlobRef,
    pub(crate) attachment: Attachment,
    pub(crate) chunks: Vec<Bytes>,
    pub(crate) nodes: BTreeMap<NodePos, Hash>,
}

impl SampleBlob {
    /// A file of so many bytes, different for each `seed`.
    pub(crate) fn new(seed: u8, bytes: usize) -> Self {
        let mut plain = vec![0; bytes];
        Entropy::from_seed([seed; 32]).fill(&mut plain);
        let mut sealer = BlobSealer::with_key(bytes as u64, BlobKey::new([seed; 32])).unwrap();
        let (mut chunks, mut nodes, mut frontier) = (Vec::new(), BTreeMap::new(), Frontier::new());
        let mut rest = &plain[..];
        while sealer.next_index().is_some() {
            let (piece, after) = rest.split_at(sealer.next_piece_bytes());
            rest = after;
            let (chunk, leaf) = sealer.seal(piece).unwrap();
            nodes.extend(frontier.append(leaf).unwrap());
            chunks.push(Bytes::from(chunk));
        }
        let attachment = Attachment {
            key: sealer.key().clone(),
            media_type: "application/octet-stream".to_owned(),
            name: format!("file {seed}.bin"),
            root: frontier.root().into(),
            size_bytes: bytes as u64,
        };
        Self { blob: attachment.blob().unwrap(), attachment, chunks, nodes }
    }

    /// Whole groups as a peer delivers them, with the nodes that their proof teaches.
    pub(crate) fn groups(&self, groups: Range<u32>) -> NewChunks {
        let count = u32::try_from(self.chunks.len()).unwrap();
        let range = groups.start * 16..(groups.end * 16).min(count);
        let chunks = self.chunks[range.start as usize..range.end as usize].to_vec();
        let leaves: Vec<_> = range.clone().map(|index| self.nodes[&NodePos::leaf(index.into())]).collect();
        let (from, to) = (range.start.into(), range.end.into());
        let proof = range_proof(&self.nodes, from, to, count.into()).unwrap();
        let learnt = proof.verify(from, &leaves, count.into(), &self.blob.root.into()).unwrap();
        NewChunks { first: range.start, chunks, nodes: learnt.iter().collect() }
    }

    pub(crate) fn all(&self) -> NewChunks {
        self.groups(0..u32::try_from(self.chunks.len().div_ceil(16)).unwrap())
    }
}

pub(crate) fn followed() -> FeedRow {
    FeedRow { roles: Roles { own: false, follow: true, seed: false }, ..FeedRow::default() }
}

pub(crate) fn seeded(quota_bytes: Option<u64>) -> FeedRow {
    FeedRow { roles: Roles { own: false, follow: false, seed: true }, quota_bytes, ..FeedRow::default() }
}
