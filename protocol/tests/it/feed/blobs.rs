//! Vectors of blobs.

use peerfeed_protocol::crypto::secretbox;
use peerfeed_protocol::feed::blob::{BlobKey, BlobOpener, BlobSealer, BlobSize, padded_bytes};
use peerfeed_protocol::merkle::{Frontier, Hash, leaf_hash};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use super::Kind;
use super::actors::flipped;
use crate::vector::{Given, Outcome, Story, hex, word};

const KEY: [u8; 32] = [20; 32];

pub(super) fn blob(given: &Given<'_>) -> Outcome {
    let size = BlobSize::new(given.uint("bytes")).map_err(|error| word(&error))?;
    let opener = BlobOpener::new(BlobKey::new(given.array("key")), given.uint("size")).map_err(|error| word(&error))?;
    if opener.size() != size {
        return Err("other-size".to_owned());
    }
    let chunks = given.byte_list("chunks");
    if root(&chunks) != Hash::new(given.array("root")) {
        return Err("other-root".to_owned());
    }
    let mut file = Vec::new();
    for index in 0..size.chunks() {
        let chunk = chunks.get(index as usize).ok_or("missing-chunk")?;
        file.extend(opener.open(index, chunk).map_err(|error| word(&error))?);
    }
    Ok(json!({ "sha256": hex(Sha256::digest(&file)) }))
}

pub(super) fn size(given: &Given<'_>) -> Outcome {
    let size = match given.optional("file") {
        Some(_) => BlobSize::of_file(given.uint("file")),
        None => BlobSize::new(given.uint("bytes")),
    }
    .map_err(|error| word(&error))?;
    Ok(json!({
        "bytes": size.bytes(), "chunks": size.chunks(), "padded": size.padded_bytes(),
        "last_chunk": size.chunk_bytes(size.chunks() - 1),
    }))
}

fn root(chunks: &[Vec<u8>]) -> Hash {
    let mut tree = Frontier::new();
    for chunk in chunks {
        tree.append(leaf_hash(chunk)).expect("a small tree");
    }
    tree.root()
}

pub(super) fn seal(file: &[u8]) -> Vec<Vec<u8>> {
    let mut sealer = BlobSealer::with_key(file.len() as u64, BlobKey::new(KEY)).expect("a small file");
    let mut chunks = Vec::new();
    let mut rest = file;
    while sealer.next_index().is_some() {
        let (piece, left) = rest.split_at(sealer.next_piece_bytes());
        chunks.push(sealer.seal(piece).expect("the piece that is due").0);
        rest = left;
    }
    chunks
}

fn given(file_bytes: usize, chunks: &[Vec<u8>]) -> Json {
    json!({
        "key": hex(KEY), "size": file_bytes, "bytes": chunks.iter().map(Vec::len).sum::<usize>(),
        "root": hex(root(chunks)), "chunks": chunks.iter().map(hex).collect::<Vec<_>>(),
    })
}

pub(super) fn stories() -> Vec<Story> {
    [blobs(), sizes()].into_iter().flatten().collect()
}

fn blobs() -> Vec<Story> {
    let kind = Kind { kind: "blob", spec: &["BLOB-1", "BLOB-2", "BLOB-3", "BLOB-5", "BLOB-6", "BLOB-7"] };
    let file = b"a small file, padded from 39 to 40 byte";
    let chunks = seal(file);
    let by_hand = |plain: &[u8], last: u8| {
        let mut nonce = [0; 24];
        nonce[8] = last;
        vec![secretbox::seal(&KEY, &nonce, plain)]
    };
    let mut padded = file.to_vec();
    padded.resize(40, 0);
    let mut loaded = padded.clone();
    loaded[39] = 1;
    let two: Vec<u8> = (0..64_000u32).map(|at| (at % 251) as u8).collect();
    vec![
        kind.accepted("a-small-blob", "One chunk with one byte of padding.", given(file.len(), &chunks)),
        kind.accepted("an-empty-file", "One chunk with one byte of padding and nothing else.", given(0, &seal(b""))),
        kind.accepted("a-blob-of-two-chunks", "64,000 bytes, padded to 65,536.", given(two.len(), &seal(&two))),
        kind.refused("a-chunk-with-one-bit-flipped", "The tree has another root.", {
            let mut given = given(file.len(), &chunks);
            given["chunks"][0] = json!(hex(flipped(&chunks[0], 20)));
            given
        }),
        kind.refused(
            "a-chunk-sealed-wrongly",
            "The root fits, the box does not open.",
            given(file.len(), &[flipped(&chunks[0], 20)]),
        ),
        kind.refused(
            "a-last-chunk-sealed-as-another",
            "The nonce says that more follows.",
            given(file.len(), &by_hand(&padded, 0)),
        ),
        kind.refused(
            "padding-that-is-not-zero",
            "Padding must not carry anything.",
            given(file.len(), &by_hand(&loaded, 1)),
        ),
        kind.refused("a-blob-for-a-file-of-another-size", "41 bytes are padded to 44.", given(41, &chunks)),
    ]
}

fn sizes() -> Vec<Story> {
    let kind = Kind { kind: "blob-size", spec: &["BLOB-2", "BLOB-4", "BLOB-5"] };
    vec![
        kind.accepted("the-size-of-a-gibibyte", "16,781 full chunks and a part.", json!({ "file": 1u64 << 30 })),
        kind.accepted(
            "the-size-of-one-piece",
            "63,984 bytes are padded to 65,536, so two chunks.",
            json!({ "file": 63_984 }),
        ),
        kind.accepted("the-smallest-blob", "A tag and one byte.", json!({ "bytes": 17 })),
        kind.refused("a-blob-of-no-bytes", "There is always one chunk.", json!({ "bytes": 0 })),
        kind.refused("a-blob-whose-last-chunk-is-a-tag", "Every chunk holds something.", json!({ "bytes": 64_016 })),
        kind.refused(
            "a-blob-of-too-many-chunks",
            "2^24 chunks and one more.",
            json!({ "bytes": (1u64 << 24) * 64_000 + 17 }),
        ),
        kind.refused("a-file-larger-than-any-blob", "Over 2^24 chunks.", json!({ "file": 1u64 << 62 })),
    ]
}

#[test]
fn a_sealer_takes_exactly_the_file() {
    let mut sealer = BlobSealer::with_key(64_000, BlobKey::new(KEY)).unwrap();
    assert!(sealer.seal(&[0; 10]).is_err(), "a short piece is refused");
    assert_eq!(sealer.next_piece_bytes(), 63_984);
    assert!(sealer.seal(&vec![0; 63_984]).is_ok());
    assert_eq!((sealer.next_index(), sealer.next_piece_bytes()), (Some(1), 16));
    assert!(sealer.seal(&[0; 16]).is_ok());
    assert_eq!((sealer.next_index(), sealer.next_piece_bytes()), (None, 0));
    assert!(sealer.seal(&[]).is_err(), "there is no third chunk");
}

#[test]
fn a_file_can_end_chunks_before_its_blob() {
    // Padding of a large file can fill chunks of its own: they hold nothing of the file and still open.
    let bytes = 9_000_001;
    let chunks = seal(&vec![7; bytes]);
    let opener = BlobOpener::new(BlobKey::new(KEY), bytes as u64).unwrap();
    assert!(padded_bytes(bytes as u64).unwrap() - bytes as u64 > 64_000, "there is such a chunk");
    let sizes: Vec<_> = (0..).zip(&chunks).map(|(at, chunk)| opener.open(at, chunk).unwrap().len()).collect();
    assert_eq!(sizes.iter().sum::<usize>(), bytes);
    assert_eq!(sizes.last(), Some(&0));
}

#[test]
fn chunks_open_only_at_their_own_place() {
    let chunks = seal(&vec![7; 200_000]);
    let opener = BlobOpener::new(BlobKey::new(KEY), 200_000).unwrap();
    for (at, chunk) in (0..).zip(&chunks) {
        assert!(opener.open(at, chunk).is_ok());
        assert!(opener.open(at + 1, chunk).is_err());
    }
}
