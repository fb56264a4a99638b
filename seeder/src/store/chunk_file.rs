//! The file of chunks: whole groups, one behind the other, in slots of equal size. spec: STORE-36
//!
//! A group is written once and past the system's cache, where the file system can do that; a slot fills whole pages. A whole
//! group is read past it, too, until it is asked for again.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use peerfeed_protocol::limits::CHUNK_BYTES;
use rustix::buffer::spare_capacity;

use super::direct::{ALIGNMENT, DirectRun};
use super::direct_reads::DirectReads;
use super::error::StorageError;
use super::limits::GROUP_CHUNKS;
use super::slots::{Era, Eras, Slots};

/// Bytes of a slot: a group, 250 pages.
const SLOT_BYTES: usize = GROUP_CHUNKS as usize * CHUNK_BYTES;

const _: () = assert!(SLOT_BYTES.is_multiple_of(ALIGNMENT));

/// The file, made when the first group comes.
#[derive(Debug)]
pub(super) struct ChunkFile {
    path: PathBuf,
    file: OnceLock<File>,
    direct: DirectReads,
    eras: Eras,
    writing: Mutex<Writing>,
}

/// What it takes to write.
#[derive(Debug, Default)]
struct Writing {
    slots: Slots,
    group: DirectRun,
}

/// Slots that a transaction has taken: free again if it is given up.
#[derive(Debug)]
pub(super) struct Taken {
    file: Arc<ChunkFile>,
    slots: Vec<u32>,
}

impl ChunkFile {
    /// The file in a data folder, which may not be there yet.
    pub(super) fn within(folder: &Path) -> Self {
        Self {
            path: folder.join("chunks"),
            file: OnceLock::new(),
            direct: DirectReads::default(),
            eras: Eras::default(),
            writing: Mutex::default(),
        }
    }

    /// Learns which slots are in use, and gives back to the disk what is behind them.
    pub(super) fn use_all_but(&self, used: &BTreeSet<u32>) -> Result<(), StorageError> {
        let slots = Slots::except(used);
        let due = offset(slots.end());
        match self.path.metadata() {
            Ok(metadata) if metadata.len() > due => self.file()?.set_len(due)?,
            Ok(metadata) if metadata.len() < due => return Err(damaged()),
            Err(error) if error.kind() == io::ErrorKind::NotFound && used.is_empty() => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(damaged()),
            outcome => {
                outcome?;
            }
        }
        self.writing().slots = slots;
        Ok(())
    }

    /// To be held by a snapshot, and taken before it is.
    pub(super) fn era(&self) -> Era {
        self.eras.current()
    }

    /// Some chunks of the group in a slot, each of full size.
    pub(super) fn read(&self, slot: u32, chunks: Range<u32>) -> Result<Bytes, StorageError> {
        let file = self.file()?;
        let due = chunks.len() * CHUNK_BYTES;
        if due == SLOT_BYTES
            && let Some(group) = self.direct.read(&self.path, slot, offset(slot), SLOT_BYTES)
        {
            return Ok(group);
        }
        let mut read = Vec::with_capacity(due);
        let at = offset(slot) + u64::from(chunks.start) * CHUNK_BYTES as u64;
        while read.len() < due {
            let from = at + read.len() as u64;
            match rustix::io::pread(file, spare_capacity(&mut read), from) {
                Ok(0) => return Err(damaged()),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(io::Error::from(error).into()),
            }
        }
        read.truncate(due);
        Ok(read.into())
    }

    /// Makes what was written last, and is about to be referred to.
    fn sync(&self) -> Result<(), StorageError> {
        Ok(self.file()?.sync_data()?)
    }

    /// The file, opened or made.
    fn file(&self) -> Result<&File, StorageError> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        let new = !self.path.exists();
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&self.path)?;
        // Who fetches a file fetches it from the beginning on. A hint: without it all works as well.
        posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_SEQUENTIAL).ok();
        if new && let Some(folder) = self.path.parent() {
            // The file's name is as lasting as its content.
            File::open(folder)?.sync_all()?;
        }
        Ok(self.file.get_or_init(|| file))
    }

    fn writing(&self) -> MutexGuard<'_, Writing> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Nothing yet.
    pub(super) fn new(file: Arc<ChunkFile>) -> Self {
        Self { file, slots: Vec::new() }
    }

    /// Puts a whole group into a free slot.
    pub(super) fn put(&mut self, chunks: &[Bytes]) -> Result<u32, StorageError> {
        let file = self.file.file()?;
        let mut writing = self.file.writing();
        let writing = &mut *writing;
        let slot = writing.slots.take().ok_or(StorageError::DiskFull)?;
        self.slots.push(slot);
        writing.group.begin(offset(slot), SLOT_BYTES);
        for chunk in chunks {
            writing.group.end().extend_from_slice(chunk);
        }
        writing.group.write(&self.file.path, file)?;
        Ok(slot)
    }

    /// Syncs what was put: before the transaction is committed that refers to it.
    pub(super) fn sync(&self) -> Result<(), StorageError> {
        if self.slots.is_empty() { Ok(()) } else { self.file.sync() }
    }

    /// The transaction is committed: what was put stays, and what it gave up is free when no snapshot shows it any more.
    pub(super) fn keep(mut self, freed: Vec<u32>) {
        self.slots.clear();
        self.file.writing().slots.rest(&self.file.eras, freed);
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.file.writing().slots.give_back(std::mem::take(&mut self.slots));
    }
}

/// Whether chunks fill a slot.
pub(super) fn fills(chunks: &[Bytes]) -> bool {
    chunks.len() == GROUP_CHUNKS as usize && chunks.iter().all(|chunk| chunk.len() == CHUNK_BYTES)
}

/// Where a slot begins.
fn offset(slot: u32) -> u64 {
    u64::from(slot) * SLOT_BYTES as u64
}

fn damaged() -> StorageError {
    StorageError::Damaged("the file `chunks` beside it is missing or shorter than it was".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(byte: u8) -> Vec<Bytes> {
        (0..16).map(|at| Bytes::from(vec![byte ^ at; CHUNK_BYTES])).collect()
    }

    fn put(file: &Arc<ChunkFile>, byte: u8) -> (Taken, u32) {
        let mut taken = Taken::new(Arc::clone(file));
        let slot = taken.put(&group(byte)).unwrap();
        (taken, slot)
    }

    #[test]
    fn what_was_put_is_read_and_what_came_to_nothing_makes_room() {
        let folder = tempfile::tempdir().unwrap();
        let file = Arc::new(ChunkFile::within(folder.path()));
        file.use_all_but(&BTreeSet::new()).unwrap();
        assert!(!file.path.exists(), "nothing has come");
        let (kept, first) = put(&file, 0x10);
        kept.sync().unwrap();
        kept.keep(Vec::new());
        let (given_up, second) = put(&file, 0x20);
        drop(given_up);
        let (_taken, again) = put(&file, 0x30);
        assert_eq!((first, second, again), (0, 1, 1));
        for _way in ["past the cache", "through it"] {
            assert_eq!(file.read(first, 0..16).unwrap(), group(0x10).concat());
        }
        assert_eq!(file.read(again, 3..5).unwrap(), group(0x30)[3..5].concat());
    }

    #[test]
    fn what_is_behind_the_last_slot_in_use_goes_back_to_the_disk_and_what_is_missing_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = Arc::new(ChunkFile::within(folder.path()));
        (0..3).for_each(|byte| put(&file, byte).0.keep(Vec::new()));
        let open = |used: &[u32]| {
            let file = Arc::new(ChunkFile::within(folder.path()));
            file.use_all_but(&used.iter().copied().collect()).map(|()| file)
        };
        let file = open(&[1]).unwrap();
        assert_eq!(file.path.metadata().unwrap().len(), 2 * SLOT_BYTES as u64);
        assert_eq!(file.read(1, 0..1).unwrap(), group(1)[0]);
        assert_eq!(put(&file, 9).1, 0);
        assert!(matches!(open(&[1, 2]), Err(StorageError::Damaged(_))));
    }
}
