//! Whole slots, read past the system's cache the first time.
//!
//! What one peer asks for is mostly not asked for again soon; through a cold cache a gigabyte costs a second of processor time
//! more, and pushes out what other programs keep there. What is asked for again goes through the cache, which then serves
//! the crowd.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use nix::fcntl::OFlag;

use super::direct::ALIGNMENT;

/// Slots of which it is remembered whether they were read: 4 GiB of them, one behind the other.
const REMEMBERED: u32 = 4_096;

/// The way past the cache.
#[derive(Debug, Default)]
pub(super) struct DirectReads {
    /// The file as opened for it; nothing where it cannot be.
    file: OnceLock<Option<File>>,
    /// By the slot's number modulo their count: which slot was read last, plus one.
    lately: OnceLock<Box<[AtomicU32]>>,
}

impl DirectReads {
    /// The whole slot, `length` bytes at `offset` of the file at `path`; none if it is to be read through the cache, since it
    /// was read lately or cannot be read otherwise.
    pub(super) fn read(&self, path: &Path, slot: u32, offset: u64, length: usize) -> Option<Bytes> {
        if self.was_read_lately(slot) {
            return None;
        }
        let open = || OpenOptions::new().read(true).custom_flags(OFlag::O_DIRECT.bits()).open(path).ok();
        let file = self.file.get_or_init(open).as_ref()?;
        let mut memory = vec![0; length + ALIGNMENT];
        let from = memory.as_ptr().align_offset(ALIGNMENT);
        // Whatever is wrong shows again, and is told, when it is read through the cache.
        file.read_exact_at(&mut memory[from..from + length], offset).ok()?;
        Some(Bytes::from(memory).slice(from..from + length))
    }

    /// Whether a slot was read lately; from now on it was.
    fn was_read_lately(&self, slot: u32) -> bool {
        let lately = self.lately.get_or_init(|| (0..REMEMBERED).map(|_| AtomicU32::new(0)).collect());
        let mark = slot.wrapping_add(1);
        lately[(slot % REMEMBERED) as usize].swap(mark, Ordering::Relaxed) == mark
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_read_past_the_cache_until_it_is_asked_for_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chunks");
        let content: Vec<u8> = (0..251).cycle().take(5 * ALIGNMENT).collect();
        std::fs::write(&path, &content).unwrap();
        let reads = DirectReads::default();
        let length = 2 * ALIGNMENT;
        let first = reads.read(&path, 1, length as u64, length);
        let can = OpenOptions::new().read(true).custom_flags(OFlag::O_DIRECT.bits()).open(&path).is_ok();
        assert_eq!(first.as_deref(), can.then_some(&content[length..2 * length]), "none where the disk cannot do it");
        assert_eq!(reads.read(&path, 1, length as u64, length), None, "again");
        assert_eq!(reads.read(&path, 2, 2 * length as u64, length), None, "the file ends within it");
        assert!(!reads.was_read_lately(1 + REMEMBERED) && !reads.was_read_lately(1), "others have come since");
    }
}
