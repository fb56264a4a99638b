//! A file and the torrent of it.

use std::fs;
use std::path::Path;

use sha1::{Digest as _, Sha1};

const PIECE_BYTES: usize = 64 << 10;
/// Its name in every folder.
const NAME: &str = "payload.bin";

/// Some bytes that a torrent describes.
pub(crate) struct Payload {
    bytes: Vec<u8>,
    /// The torrent's `info`, bencoded.
    info: Vec<u8>,
}

impl Payload {
    /// Three megabytes and a bit: 49 pieces, the last one short.
    pub(crate) fn new() -> Self {
        let bytes: Vec<u8> = (0..(3 << 20) + 1000_usize).map(|n| (n * n / 251 % 256).to_le_bytes()[0]).collect();
        let pieces: Vec<u8> = bytes.chunks(PIECE_BYTES).flat_map(Sha1::digest).collect();
        let numbers = format!(
            "d6:lengthi{}e4:name{}:{NAME}12:piece lengthi{PIECE_BYTES}e6:pieces{}:",
            bytes.len(),
            NAME.len(),
            pieces.len()
        );
        // Private: announced to its tracker and nowhere else.
        let info = [numbers.as_bytes(), &pieces, b"7:privatei1ee"].concat();
        Self { bytes, info }
    }

    /// The name of its swarm.
    pub(crate) fn info_hash(&self) -> [u8; 20] {
        Sha1::digest(&self.info).into()
    }

    /// Writes its torrent, which knows this one tracker.
    pub(crate) fn write_torrent(&self, tracker: &str, to: &Path) {
        let head = format!("d8:announce{}:{tracker}4:info", tracker.len());
        fs::write(to, [head.as_bytes(), &self.info, b"e"].concat()).unwrap();
    }

    /// Puts the file itself into a folder.
    pub(crate) fn write_into(&self, folder: &Path) {
        fs::write(folder.join(NAME), &self.bytes).unwrap();
    }

    /// Whether the whole file is in a folder.
    pub(crate) fn is_in(&self, folder: &Path) -> bool {
        fs::read(folder.join(NAME)).is_ok_and(|bytes| bytes == self.bytes)
    }
}
