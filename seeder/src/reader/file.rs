//! Writing an attachment to a folder: under a safe name, complete or not at all, over nothing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use peerfeed_protocol::feed::blob::{BlobOpener, BlobSizeError, OpenChunkError};
use peerfeed_protocol::feed::{Attachment, BlobRef, file_name};
use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::limits::FILE_NAME_BYTES_MAX;
use thiserror::Error;

use crate::store::limits::GROUP_CHUNKS;
use crate::store::{BlobRow, Reading, StorageError, Store};

/// Files of one name that are tried before giving up: `cat (1000).png` is nobody's intention.
const SAME_NAME_MAX: u32 = 1_000;

/// How far the writing has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileProgress {
    /// Bytes of the file that are written.
    pub done_bytes: u64,
    /// Its size.
    pub total_bytes: u64,
}

/// Why a file was not written. What was begun of it is gone.
#[derive(Debug, Error)]
pub enum FileError {
    /// Not all of the blob is here yet: fetch it first.
    #[error("{held_bytes} of {total_bytes} bytes of the file are here: fetch the rest first")]
    NotHeld {
        /// Sealed bytes that are held.
        held_bytes: u64,
        /// Sealed bytes in all.
        total_bytes: u64,
    },
    /// The attachment claims an impossible size: its author's fault.
    #[error("the attachment has an impossible size")]
    Size(#[from] BlobSizeError),
    /// A chunk does not open under the attachment's key: its author's fault.
    #[error("the file does not open under its key")]
    Forged(#[from] OpenChunkError),
    /// The folder or file cannot be written.
    #[error("{path} cannot be written")]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The folder has too many files of this name.
    #[error("{0} has too many files of this name: give another folder with --out")]
    Crowded(PathBuf),
    /// The store cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Writes a file of an entry of `feed` into `folder`, which must exist, and returns its path.
///
/// The name is the attachment's, made safe; ` (2)` is added rather than anything overwritten. Blocks.
pub fn write_attachment(
    store: &Store,
    feed: FeedId,
    attachment: &Attachment,
    folder: &Path,
    progress: &mut dyn FnMut(FileProgress),
) -> Result<PathBuf, FileError> {
    let blob = attachment.blob()?;
    let row = complete_row(store, feed, blob)?;
    let unfinished = Unfinished::create(folder)?;
    unfinished.fill(store, &row, attachment, progress)?;
    unfinished.rename(folder, &file_name(&attachment.name))
}

fn complete_row(store: &Store, feed: FeedId, blob: BlobRef) -> Result<BlobRow, FileError> {
    let total_bytes = blob.size.bytes();
    match store.read()?.blob(feed, blob)? {
        Some(row) if row.is_complete() => Ok(row),
        row => Err(FileError::NotHeld { held_bytes: row.map_or(0, |row| row.held_bytes), total_bytes }),
    }
}

/// A file that is removed unless it is renamed.
struct Unfinished {
    path: PathBuf,
    file: File,
}

impl Unfinished {
    fn create(folder: &Path) -> Result<Self, FileError> {
        for number in 0..SAME_NAME_MAX {
            let path = folder.join(format!(".peerfeed-{}-{number}.part", std::process::id()));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok(Self { path, file }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(FileError::Io { path: folder.to_owned(), source }),
            }
        }
        Err(FileError::Crowded(folder.to_owned()))
    }

    fn fill(
        &self,
        store: &Store,
        row: &BlobRow,
        attachment: &Attachment,
        progress: &mut dyn FnMut(FileProgress),
    ) -> Result<(), FileError> {
        let opener = attachment.opener()?;
        let chunks = row.blob.size.chunks();
        let total_bytes = attachment.size_bytes;
        let mut done_bytes = 0;
        for first in (0..chunks).step_by(GROUP_CHUNKS as usize) {
            let range = first..chunks.min(first.saturating_add(GROUP_CHUNKS));
            done_bytes += self.write_group(store, row, &opener, range)?;
            progress(FileProgress { done_bytes, total_bytes });
        }
        if done_bytes != total_bytes {
            return Err(FileError::NotHeld { held_bytes: done_bytes, total_bytes });
        }
        self.file.sync_all().map_err(|source| self.failed(source))
    }

    fn write_group(
        &self,
        store: &Store,
        row: &BlobRow,
        opener: &BlobOpener,
        range: Range<u32>,
    ) -> Result<u64, FileError> {
        // A snapshot of its own for each group: a long one would keep freed pages from being used again.
        let chunks = store.read()?.chunks(row, range.clone())?;
        let mut bytes = 0;
        for (index, chunk) in range.zip(chunks) {
            let mut chunk = Vec::from(chunk);
            let piece = opener.open_in_place(index, &mut chunk)?;
            (&self.file).write_all(piece).map_err(|source| self.failed(source))?;
            bytes += piece.len() as u64;
        }
        Ok(bytes)
    }

    fn failed(&self, source: io::Error) -> FileError {
        FileError::Io { path: self.path.clone(), source }
    }

    fn rename(self, folder: &Path, name: &str) -> Result<PathBuf, FileError> {
        for number in 1..=SAME_NAME_MAX {
            let path = folder.join(numbered(name, number));
            // An empty file of our own takes the name, so that the renaming replaces nobody's.
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(_) => {
                    fs::rename(&self.path, &path).map_err(|source| FileError::Io { path: path.clone(), source })?;
                    return Ok(path);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(FileError::Io { path, source }),
            }
        }
        Err(FileError::Crowded(folder.to_owned()))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // After the renaming it is not there any more.
        let _ = fs::remove_file(&self.path);
    }
}

/// The name with a number before its ending, none for the first; still within a name's length.
fn numbered(name: &str, number: u32) -> String {
    if number == 1 {
        return name.to_owned();
    }
    let dot = name.rfind('.').filter(|at| *at > 0).unwrap_or(name.len());
    let (stem, ending) = name.split_at(dot);
    let tail = format!(" ({number}){ending}");
    let mut cut = stem.len().min(FILE_NAME_BYTES_MAX.saturating_sub(tail.len()));
    while !stem.is_char_boundary(cut) {
        cut -= 1;
    }
    format!("{}{tail}", &stem[..cut])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_goes_before_the_ending_and_the_name_stays_short_enough() {
        assert_eq!(numbered("cat.png", 1), "cat.png");
        assert_eq!(numbered("cat.png", 2), "cat (2).png");
        assert_eq!(numbered("README", 3), "README (3)");
        let long = format!("{}.jpeg", "ä".repeat(125));
        let safe = numbered(&long, 12);
        assert!(safe.len() <= FILE_NAME_BYTES_MAX && safe.ends_with(" (12).jpeg"), "{safe}");
    }
}
