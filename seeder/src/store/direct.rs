//! Long runs of bytes, written past the system's cache where the file system can do that.
//!
//! Through the cache a gigabyte costs more than a second of copying, and pushes out what other programs keep there.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::OFlag;

/// What direct writing asks of addresses, offsets and lengths, whatever the disk.
pub(super) const ALIGNMENT: usize = 4_096;

/// Whole pages of fewer bytes go through the cache: a direct write waits for the disk.
const DIRECT_MIN: usize = 1 << 17;

/// A run that is put together in memory and then written at once.
#[derive(Debug, Default)]
pub(crate) struct DirectRun {
    /// The file again, opened for direct writing, once a run was written; or as it is, where that cannot be.
    direct: Option<File>,
    memory: Vec<u8>,
    /// Where the run begins in memory, as far from a page's beginning as it is in the file.
    from: usize,
    offset: u64,
}

impl DirectRun {
    /// Begins a run of at most `length` bytes at this place of the file.
    pub(crate) fn begin(&mut self, offset: u64, length: usize) {
        self.memory.clear();
        self.memory.reserve(length + 2 * ALIGNMENT);
        self.from = self.memory.as_ptr().align_offset(ALIGNMENT) + into_page(offset);
        self.memory.resize(self.from, 0);
        self.offset = offset;
    }

    /// Bytes of the run.
    pub(crate) fn len(&self) -> usize {
        self.memory.len() - self.from
    }

    /// Where the bytes that come next are added, as many as were announced.
    pub(crate) fn end(&mut self) -> &mut Vec<u8> {
        &mut self.memory
    }

    /// Writes the run: whole pages directly, what is left at both ends the common way.
    pub(crate) fn write(&mut self, path: &Path, file: &File) -> io::Result<()> {
        let run = &self.memory[self.from..];
        let head = run.len().min((ALIGNMENT - into_page(self.offset)) % ALIGNMENT);
        let pages = (run.len() - head) / ALIGNMENT * ALIGNMENT;
        if pages < DIRECT_MIN {
            return file.write_all_at(run, self.offset);
        }
        let (head, rest) = run.split_at(head);
        let (pages, tail) = rest.split_at(pages);
        let at = self.offset + head.len() as u64;
        file.write_all_at(head, self.offset)?;
        file.write_all_at(tail, at + pages.len() as u64)?;
        let direct = match self.direct.take() {
            Some(direct) => direct,
            None => OpenOptions::new()
                .write(true)
                .custom_flags(OFlag::O_DIRECT.bits())
                .open(path)
                .or_else(|_| file.try_clone())?,
        };
        match direct.write_all_at(pages, at) {
            // One that opens files for direct writing may still not write so.
            Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
                file.write_all_at(pages, at)?;
                self.direct = Some(file.try_clone()?);
            }
            outcome => {
                outcome?;
                self.direct = Some(direct);
            }
        }
        Ok(())
    }
}

/// Bytes from a page's beginning.
fn into_page(offset: u64) -> usize {
    usize::try_from(offset % ALIGNMENT as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_lie_in_the_file_where_they_belong_however_they_begin_and_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
        let content: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251) as u8).collect();
        let mut run = DirectRun::default();
        let ends = [0, 1, 5_000, 500_000, 1_523_744, 1_523_744 + 4_096, 2_500_608, content.len()];
        let pieces: Vec<_> = ends.windows(2).map(|ends| ends[0]..ends[1]).collect();
        for piece in pieces.into_iter().rev() {
            run.begin(piece.start as u64, piece.len());
            content[piece].chunks(63_984).for_each(|part| run.end().extend_from_slice(part));
            run.write(&path, &file).unwrap();
        }
        assert!(std::fs::read(&path).unwrap() == content);
    }
}
