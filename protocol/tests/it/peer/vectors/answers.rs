//! Answers with entries and chunks, and what may be wrong with them.

use bytes::Bytes;
use peerfeed_protocol::limits::CHUNK_BYTES;
use peerfeed_protocol::merkle::range_proof;
use peerfeed_protocol::peer::RequestId;
use peerfeed_protocol::peer::message::{ChunksHeader, EntriesFrame};
use serde_json::json;

use super::super::sample::{SampleBlob, SampleLog};
use super::{CHANNEL, REQUEST};
use crate::vector::{Story, hex};

pub(super) fn entries_stories() -> Vec<Story> {
    let sample = SampleLog::new(7);
    let frame = |from, to| {
        let answer = sample.answer(from, to, 7, true);
        EntriesFrame {
            channel: CHANNEL,
            request: Some(REQUEST),
            last: true,
            log: sample.log,
            from,
            size: 7,
            proof: answer.proof.hashes().to_vec(),
            entries: answer.entries,
        }
    };
    let story = |name, story, frame: &EntriesFrame, newest_first: bool, accepted| Story {
        name,
        story,
        kind: "peer-entries",
        spec: &["PEER-41"],
        given: json!({
            "feed": hex(sample.feed), "log": hex(sample.log.to_bytes()), "from": 2, "to": 5, "size": 7,
            "root": hex(sample.root(7)), "bytes_max": 100_000, "newest_first": u8::from(newest_first),
            "rest": hex(frame.encode()),
        }),
        accepted,
    };
    let whole = frame(2, 5);
    let changed = |change: fn(&mut EntriesFrame)| {
        let mut frame = frame(2, 5);
        change(&mut frame);
        frame
    };
    let flip = |bytes: &Bytes| -> Bytes {
        let mut bytes = bytes.to_vec();
        bytes[9] ^= 1;
        bytes.into()
    };
    let mut body = whole.clone();
    body.entries[1].body = body.entries[1].body.as_ref().map(flip);
    let mut header = whole.clone();
    header.entries[1].header = flip(&header.entries[1].header);
    vec![
        story("entries", "Entries 2 to 4 of 7 in one part.", &whole, false, true),
        story(
            "entries-newest-part",
            "Newest first: the answer ends early, with the last two.",
            &frame(3, 5),
            true,
            true,
        ),
        story(
            "entries-without-a-body",
            "A body is no longer held: the entry is proven all the same.",
            &changed(|frame| frame.entries[0].body = None),
            false,
            true,
        ),
        story("entries-changed-header", "A bit of a header is flipped: the proof does not fit.", &header, false, false),
        story(
            "entries-changed-body",
            "A bit of a body is flipped: it is not the one that its header names.",
            &body,
            false,
            false,
        ),
        story(
            "entries-proof-too-short",
            "A hash of the proof is missing.",
            &changed(|frame| frame.proof.truncate(1)),
            false,
            false,
        ),
        story(
            "entries-from-the-wrong-end",
            "Oldest first was asked for, the answer begins at the other end.",
            &frame(3, 5),
            false,
            false,
        ),
        story("entries-not-asked-for", "More than was asked for, well proven.", &frame(2, 6), false, false),
        story(
            "entries-unasked-number",
            "An answer to a request that was not made.",
            &changed(|frame| frame.request = Some(RequestId(2))),
            false,
            false,
        ),
        story(
            "entries-range-without-end",
            "The range is complete, yet more is said to follow.",
            &changed(|frame| frame.last = false),
            false,
            false,
        ),
    ]
}

pub(super) fn chunks_stories() -> Vec<Story> {
    let feed = SampleLog::new(0).feed;
    // The last of three chunks, which is short.
    let blob = SampleBlob::new(2 * CHUNK_BYTES + 40);
    let proof = range_proof(&blob.nodes, 2, 3, 3).unwrap();
    let header = ChunksHeader { channel: CHANNEL, request: REQUEST, from: 2, to: 3, proof: proof.hashes().to_vec() };
    let whole = [header.encode(), blob.chunks[2].to_vec()].concat();
    let story = |name, story, rest: &[u8], accepted| Story {
        name,
        story,
        kind: "peer-chunks",
        spec: &["PEER-42"],
        given: json!({
            "feed": hex(feed), "root": hex(blob.root), "bytes": blob.size.bytes(), "from": 2, "to": 3,
            "rest": hex(rest),
        }),
        accepted,
    };
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let other = ChunksHeader { from: 1, to: 2, ..header };
    vec![
        story("chunks", "The last chunk of three, shorter than the others.", &whole, true),
        story("chunks-changed", "The last bit of the chunk is flipped.", &flipped, false),
        story("chunks-too-short", "A byte is missing.", &whole[..whole.len() - 1], false),
        story("chunks-too-long", "A byte is too many.", &[&whole[..], &[0]].concat(), false),
        story(
            "chunks-not-asked-for",
            "Another chunk than the one asked for.",
            &[other.encode(), blob.chunks[2].to_vec()].concat(),
            false,
        ),
    ]
}
