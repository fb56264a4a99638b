//! Checking answers against the root that was asked about. spec: PEER-41, PEER-42

use super::message::{ChunksFrame, ChunksHeader, ChunksWanted, EntriesFrame, HeadPush, RequestId};
use super::verified::{PushedHead, VerifiedChunks, VerifiedEntries, VerifiedEntry};
use super::violation::Violation;
use crate::feed::{LeafHeader, UnverifiedHead};
use crate::merkle::{Hash, RangeProof, leaf_hash};

/// Proves the entries of a frame and checks their bodies.
pub(super) fn entries(frame: EntriesFrame, root: Hash) -> Result<VerifiedEntries, Violation> {
    // The proof first: it costs least and rules out most.
    let leaves: Vec<Hash> = frame.entries.iter().map(|entry| leaf_hash(&entry.header)).collect();
    let nodes = RangeProof::from_hashes(frame.proof)?.verify(frame.from, &leaves, frame.size, &root)?;
    let entries = frame
        .entries
        .into_iter()
        .map(|entry| {
            let header = LeafHeader::decode(&entry.header)?;
            if let Some(body) = &entry.body {
                header.check_body(body)?;
            }
            Ok(VerifiedEntry { header, body: entry.body })
        })
        .collect::<Result<_, Violation>>()?;
    Ok(VerifiedEntries { log: frame.log, from: frame.from, size: frame.size, root, entries, nodes })
}

/// Proves the entry that came with a pushed head, against that head.
pub(super) fn pushed_head(push: HeadPush) -> Result<PushedHead, Violation> {
    let Some(entry) = push.entry else { return Ok(PushedHead { news: push.news, entry: None }) };
    let head = UnverifiedHead::decode(&push.news.record)?;
    let frame = EntriesFrame {
        channel: push.channel,
        request: None,
        last: true,
        log: *head.log(),
        from: head.size() - 1,
        size: head.size(),
        proof: entry.proof,
        entries: vec![entry.bytes],
    };
    Ok(PushedHead { news: push.news, entry: Some(entries(frame, *head.root())?) })
}

/// Hashes the chunks of an answer while they come in, when they are still in the processor's cache.
#[derive(Default)]
pub(super) struct ChunkHasher {
    request: Option<RequestId>,
    leaves: Vec<Hash>,
    hashed_bytes: usize,
}

impl ChunkHasher {
    /// Whether the answer to this request has begun.
    pub(super) fn is_at(&self, request: RequestId) -> bool {
        self.request == Some(request)
    }

    /// Hashes the chunks that are whole in `rest`, the beginning of a CHUNKS frame's rest.
    pub(super) fn advance(&mut self, rest: &[u8], request: RequestId, wanted: &ChunksWanted) {
        let Some((_, first)) = ChunksHeader::peek(rest) else { return };
        if self.request != Some(request) {
            *self = Self { request: Some(request), ..Self::default() };
        }
        while let Some(index) = self.next(wanted)
            && let Some(length) = wanted.size.chunk_bytes(index)
            && let Some(chunk) = rest.get(first + self.hashed_bytes..first + self.hashed_bytes + length)
        {
            self.leaves.push(leaf_hash(chunk));
            self.hashed_bytes += length;
        }
    }

    fn next(&self, wanted: &ChunksWanted) -> Option<u32> {
        let index = wanted.from + u32::try_from(self.leaves.len()).expect("a request has few chunks");
        Some(index).filter(|index| *index < wanted.to)
    }

    /// Hashes what is left of the frame and proves it all.
    pub(super) fn finish(
        &mut self,
        rest: &[u8],
        frame: ChunksFrame,
        wanted: &ChunksWanted,
    ) -> Result<VerifiedChunks, Violation> {
        if frame.payload.len() != wanted.payload_bytes() {
            return Err(Violation::Unasked);
        }
        self.advance(rest, frame.header.request, wanted);
        let leaves = std::mem::take(self).leaves;
        let size = u64::from(wanted.size.chunks());
        let proof = RangeProof::from_hashes(frame.header.proof)?;
        let nodes = proof.verify(u64::from(wanted.from), &leaves, size, &wanted.root.into())?;
        let mut payload = frame.payload;
        let chunks = (wanted.from..wanted.to)
            .filter_map(|index| wanted.size.chunk_bytes(index))
            .map(|length| payload.split_to(length))
            .collect();
        Ok(VerifiedChunks { root: wanted.root, size: wanted.size, from: wanted.from, chunks, nodes })
    }
}
