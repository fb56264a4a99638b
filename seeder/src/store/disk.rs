//! The database's file: pages of chunks go to the disk past the system's cache, gathered and in long runs.
//!
//! A chunk is written once. Through the system's cache a gigabyte of them costs seconds of copying and pushes out what
//! other programs keep there. So pages that hold a chunk wait, and a sync writes them side by side with `O_DIRECT`; they
//! stay readable until the next ones are written, since a chunk that has just come is what others ask for. All other
//! pages are small and written again and again: they take the common way. Where the file system knows no direct
//! writing, so do all.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, IoSlice};
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use nix::errno::Errno;
use nix::sys::uio::pwritev;
use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

use super::limits::GATHERED_BYTES_MAX;

/// What direct writing asks of addresses, offsets and lengths, whatever the disk; redb's pages are multiples of it.
const ALIGNMENT: usize = 4_096;

/// Pages from here on are gathered: a chunk takes 64 KiB, everything else of the store less.
const GATHERED_FROM_BYTES: usize = 64 << 10;

/// Pages in one call: what a vectored write takes.
const PAGES_PER_WRITE_MAX: usize = 256;

/// Syncs in a row that find nothing gathered, after which the memory is given back; a transaction takes two.
const IDLE_SYNCS: u32 = 16;

/// A file that gathers large pages.
///
/// Whoever changes the pages holds `writing` first, so that they can be read while the disk takes them.
#[derive(Debug)]
pub(super) struct Disk {
    file: FileBackend,
    direct: Option<File>,
    refused: AtomicBool,
    writing: Mutex<()>,
    pages: RwLock<Pages>,
}

/// Nobody else changes the pages meanwhile.
type Writing<'a> = MutexGuard<'a, ()>;

/// What waits to be written, and what was written last.
#[derive(Debug, Default)]
struct Pages {
    waiting: Batch,
    written: Batch,
    /// Syncs in a row that found nothing to write.
    idle_syncs: u32,
}

/// Pages one behind the other at an aligned address.
#[derive(Debug, Default)]
struct Batch {
    memory: Vec<u8>,
    aligned_from: usize,
    used: usize,
    /// Offset in the file of each page -> its place among them.
    index: BTreeMap<u64, Slot>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    start: usize,
    bytes: usize,
}

impl Disk {
    /// The database in `file`; `direct` is the same file, opened for direct writing, where that is possible.
    pub(super) fn new(file: File, direct: Option<File>) -> Result<Self, redb::DatabaseError> {
        Ok(Self {
            file: FileBackend::new(file)?,
            direct,
            refused: AtomicBool::new(false),
            writing: Mutex::default(),
            pages: RwLock::default(),
        })
    }

    /// Where large pages can be written directly, if they can.
    fn direct(&self) -> Option<&File> {
        self.direct.as_ref().filter(|_| !self.refused.load(Ordering::Relaxed))
    }

    fn writing(&self) -> Writing<'_> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pages(&self) -> RwLockReadGuard<'_, Pages> {
        self.pages.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, _: &Writing<'_>) -> RwLockWriteGuard<'_, Pages> {
        self.pages.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes all that waits, in the order of the file, neighbours in one call.
    fn write_gathered(&self, writing: &Writing<'_>) -> io::Result<()> {
        let pages = self.pages();
        if pages.waiting.index.is_empty() {
            return Ok(());
        }
        let due: Vec<(u64, Slot)> = pages.waiting.index.iter().map(|(offset, slot)| (*offset, *slot)).collect();
        for run in due.chunk_by(|(offset, slot), (next, _)| offset + slot.bytes as u64 == *next) {
            for part in run.chunks(PAGES_PER_WRITE_MAX) {
                self.write_run(part, &pages.waiting)?;
            }
        }
        drop(pages);
        self.change(writing).turn();
        Ok(())
    }

    fn write_run(&self, run: &[(u64, Slot)], batch: &Batch) -> io::Result<()> {
        let mut written = 0;
        if let Some(direct) = self.direct() {
            let slices: Vec<IoSlice<'_>> = run.iter().map(|(_, slot)| IoSlice::new(batch.get(*slot))).collect();
            let at = i64::try_from(run[0].0).map_err(io::Error::other)?;
            match pwritev(direct, &slices, at) {
                Ok(bytes) => written = bytes,
                // The file system opens files for direct writing, but does not write so.
                Err(Errno::EINVAL | Errno::EOPNOTSUPP) => self.refused.store(true, Ordering::Relaxed),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // What a direct write left, if anything, goes the common way, which tells what is wrong.
        let mut end = 0;
        for (offset, slot) in run {
            end += slot.bytes;
            if end > written {
                self.file.write(*offset, batch.get(*slot))?;
            }
        }
        Ok(())
    }
}

impl Pages {
    /// Gives the memory back once nothing large has come for a while.
    fn note_sync(&mut self) {
        self.idle_syncs = if self.waiting.index.is_empty() { self.idle_syncs + 1 } else { 0 };
        if self.idle_syncs >= IDLE_SYNCS {
            *self = Self::default();
        }
    }

    /// What waited is written: it takes the place of what was written before.
    fn turn(&mut self) {
        std::mem::swap(&mut self.waiting, &mut self.written);
        self.waiting.clear();
    }

    /// A whole range, if it is here.
    fn get(&self, offset: u64, bytes: usize) -> Option<&[u8]> {
        self.waiting.find(offset, bytes).or_else(|| self.written.find(offset, bytes))
    }
}

impl Batch {
    fn get(&self, slot: Slot) -> &[u8] {
        let start = self.aligned_from + slot.start;
        &self.memory[start..start + slot.bytes]
    }

    /// The page that holds a whole range.
    fn find(&self, offset: u64, bytes: usize) -> Option<&[u8]> {
        let (start, slot) = self.index.range(..=offset).next_back()?;
        let from = usize::try_from(offset - start).ok()?;
        self.get(*slot).get(from..from.checked_add(bytes)?)
    }

    /// The last page that shares something with a range.
    fn overlapping(&self, offset: u64, bytes: usize) -> Option<u64> {
        let end = offset.saturating_add(bytes as u64);
        let (start, slot) = self.index.range(..end).next_back()?;
        (start + slot.bytes as u64 > offset).then_some(*start)
    }

    fn forget(&mut self, offset: u64, bytes: usize) {
        while let Some(start) = self.overlapping(offset, bytes) {
            self.index.remove(&start);
        }
    }

    fn fits(&self, bytes: usize) -> bool {
        self.used + bytes <= GATHERED_BYTES_MAX
    }

    fn push(&mut self, offset: u64, page: &[u8]) {
        if self.memory.is_empty() {
            self.memory = vec![0; GATHERED_BYTES_MAX + ALIGNMENT];
            self.aligned_from = self.memory.as_ptr().align_offset(ALIGNMENT);
        }
        let slot = Slot { start: self.used, bytes: page.len() };
        let start = self.aligned_from + slot.start;
        self.memory[start..start + slot.bytes].copy_from_slice(page);
        self.used += slot.bytes;
        self.index.insert(offset, slot);
    }

    fn clear(&mut self) {
        self.used = 0;
        self.index.clear();
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let pages = self.pages();
        if let Some(page) = pages.get(offset, out.len()) {
            out.copy_from_slice(page);
            return Ok(());
        }
        let is_waiting = pages.waiting.overlapping(offset, out.len()).is_some();
        drop(pages);
        if is_waiting {
            self.write_gathered(&self.writing())?;
        }
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let writing = self.writing();
        self.write_gathered(&writing)?;
        self.change(&writing).written.clear();
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        let writing = self.writing();
        self.change(&writing).note_sync();
        self.write_gathered(&writing)?;
        drop(writing);
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let gathers = self.direct().is_some()
            && (GATHERED_FROM_BYTES..=GATHERED_BYTES_MAX).contains(&data.len())
            && data.len().is_multiple_of(ALIGNMENT)
            && offset.is_multiple_of(ALIGNMENT as u64);
        let writing = self.writing();
        let is_in_the_way = {
            let before = &self.pages().waiting;
            before.overlapping(offset, data.len()).is_some() || gathers && !before.fits(data.len())
        };
        if is_in_the_way {
            self.write_gathered(&writing)?;
        }
        let mut pages = self.change(&writing);
        pages.written.forget(offset, data.len());
        if gathers {
            pages.waiting.push(offset, data);
            return Ok(());
        }
        drop(pages);
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        let written = self.write_gathered(&self.writing());
        self.file.close().and(written)
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileExt, OpenOptionsExt};

    use nix::fcntl::OFlag;
    use proptest::prelude::*;

    use super::*;

    const PAGE: usize = 4_096;
    const FILE_PAGES: usize = 96;

    #[derive(Clone, Debug)]
    enum Step {
        Write { page: usize, pages: usize, byte: u8 },
        Read { page: usize, pages: usize },
        Sync,
    }

    /// Small pages and large ones, at places where they meet.
    fn step() -> impl Strategy<Value = Step> {
        let place = (0..FILE_PAGES - 32, prop::sample::select(vec![1, 2, 16, 32]));
        prop_oneof![
            5 => (place.clone(), any::<u8>()).prop_map(|((page, pages), byte)| Step::Write { page, pages, byte }),
            3 => place.prop_map(|(page, pages)| Step::Read { page, pages }),
            1 => Just(Step::Sync),
        ]
    }

    /// A file of zeros, and the disk over it.
    fn disk(folder: &std::path::Path, directly: bool) -> (File, Disk) {
        let path = folder.join("file");
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(true);
        let file = options.open(&path).unwrap();
        file.set_len((FILE_PAGES * PAGE) as u64).unwrap();
        // On a file system that cannot write directly both ways are the same.
        let direct = || File::options().write(true).custom_flags(OFlag::O_DIRECT.bits()).open(&path).ok();
        let disk = Disk::new(options.truncate(false).open(&path).unwrap(), directly.then(direct).flatten()).unwrap();
        (file, disk)
    }

    fn run(steps: &[Step], directly: bool) {
        let folder = tempfile::tempdir().unwrap();
        let (file, disk) = disk(folder.path(), directly);
        let mut model = vec![0; FILE_PAGES * PAGE];
        for step in steps {
            match *step {
                Step::Write { page, pages, byte } => {
                    let range = page * PAGE..(page + pages) * PAGE;
                    model[range.clone()].fill(byte);
                    disk.write(range.start as u64, &model[range]).unwrap();
                }
                Step::Read { page, pages } => {
                    let mut read = vec![0; pages * PAGE];
                    disk.read((page * PAGE) as u64, &mut read).unwrap();
                    assert!(read == model[page * PAGE..(page + pages) * PAGE]);
                }
                Step::Sync => disk.sync_data().unwrap(),
            }
        }
        disk.sync_data().unwrap();
        let mut held = vec![0; model.len()];
        file.read_exact_at(&mut held, 0).unwrap();
        assert!(held == model, "what was synced is in the file");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_read_and_what_a_sync_leaves_is_what_was_written_last(
            steps in prop::collection::vec(step(), 1..60),
            directly: bool,
        ) {
            run(&steps, directly);
        }
    }

    #[test]
    fn memory_is_given_back_when_nothing_large_comes() {
        let folder = tempfile::tempdir().unwrap();
        let (_file, disk) = disk(folder.path(), true);
        disk.write(0, &vec![7; 64 << 10]).unwrap();
        if disk.direct().is_none() {
            return;
        }
        disk.sync_data().unwrap();
        assert!(!disk.pages().written.memory.is_empty(), "the next transaction needs it");
        for _ in 0..IDLE_SYNCS {
            disk.sync_data().unwrap();
        }
        assert!(disk.pages().written.memory.is_empty());
    }
}
