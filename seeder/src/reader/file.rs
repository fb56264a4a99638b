//! Writing an attachment to a folder, complete or not at all, while it comes.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;

use bytes::Bytes;
use peerfeed_protocol::feed::blob::{BlobOpener, BlobSizeError, CHUNK_PIECE_BYTES, OpenChunkError};
use peerfeed_protocol::feed::{Attachment, BlobRef, file_name};
use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::limits::CHUNK_BYTES;
use peerfeed_protocol::peer::VerifiedChunks;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::unfinished::Unfinished;
use crate::store::limits::GROUP_CHUNKS;
use crate::store::{DirectRun, Reading, StorageError, Store};

/// Bytes read at once of what was written before its turn.
const READ_BYTES: usize = 1 << 18;

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

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenFile {
    /// Where it is.
    pub path: PathBuf,
    /// Of its content.
    pub sha256: [u8; 32],
}

/// A file on its way from the store into a folder. What is held of it is written, whatever the order in which it comes; it
/// takes its name when it is whole, and when it is dropped before, nothing of it stays.
pub struct FileWriter {
    blob: BlobRef,
    feed: FeedId,
    attachment: Attachment,
    opener: BlobOpener,
    file: Unfinished,
    /// Groups that are written.
    groups: Vec<bool>,
    done_bytes: u64,
    /// Over the first so many bytes.
    hash: Sha256,
    hashed_bytes: u64,
    /// Where chunks are opened.
    opened: Vec<u8>,
    /// Where a group is put together.
    run: DirectRun,
}

impl FileWriter {
    /// Begins a file of an entry of `feed` in `folder`, which must exist.
    pub fn create(feed: FeedId, attachment: Attachment, folder: &Path) -> Result<Self, FileError> {
        let blob = attachment.blob()?;
        let groups = blob.size.chunks().div_ceil(GROUP_CHUNKS) as usize;
        Ok(Self {
            blob,
            feed,
            opener: attachment.opener()?,
            file: Unfinished::create(folder)?,
            groups: vec![false; groups],
            done_bytes: 0,
            hash: Sha256::new(),
            hashed_bytes: 0,
            opened: Vec::with_capacity(CHUNK_BYTES),
            run: DirectRun::default(),
            attachment,
        })
    }

    /// Writes a group that has just come, before it is in the store. Blocks.
    pub fn write_fresh(&mut self, fresh: &VerifiedChunks) -> Result<(), FileError> {
        let group = fresh.from() / GROUP_CHUNKS;
        let is_whole = (fresh.root(), fresh.size()) == (self.blob.root, self.blob.size)
            && self.range(group) == (fresh.from()..fresh.from().saturating_add(count(fresh.chunks())));
        if !is_whole || self.groups.get(group as usize) != Some(&false) {
            return Ok(());
        }
        self.groups[group as usize] = true;
        self.write_group(group, fresh.chunks())
    }

    /// Writes what is held by now and was not written before. Blocks.
    pub fn write_held(&mut self, store: &Store, progress: &mut dyn FnMut(FileProgress)) -> Result<(), FileError> {
        let Some(row) = store.read()?.blob(self.feed, self.blob)? else { return Ok(()) };
        for group in (0..).take(self.groups.len()) {
            if row.holds_group(group) && !std::mem::replace(&mut self.groups[group as usize], true) {
                // A snapshot of its own for each group: a long one would keep freed pages from being used again.
                let chunks = store.read()?.chunks(&row, self.range(group))?;
                self.write_group(group, &chunks)?;
                progress(FileProgress { done_bytes: self.done_bytes, total_bytes: self.attachment.size_bytes });
            }
        }
        Ok(())
    }

    /// The chunks of a group.
    fn range(&self, group: u32) -> Range<u32> {
        let first = group.saturating_mul(GROUP_CHUNKS);
        first..self.blob.size.chunks().min(first.saturating_add(GROUP_CHUNKS))
    }

    fn write_group(&mut self, group: u32, chunks: &[Bytes]) -> Result<(), FileError> {
        let begin = u64::from(self.range(group).start) * CHUNK_PIECE_BYTES as u64;
        self.run.begin(begin, chunks.len() * CHUNK_PIECE_BYTES);
        let mut end = begin;
        for (index, chunk) in self.range(group).zip(chunks) {
            self.opened.clear();
            self.opened.extend_from_slice(chunk);
            let piece = self.opener.open_in_place(index, &mut self.opened)?;
            self.run.push(piece);
            if end == self.hashed_bytes {
                self.hash.update(piece);
                self.hashed_bytes += piece.len() as u64;
            }
            end += piece.len() as u64;
        }
        self.run.write(self.file.path(), self.file.file()).map_err(|source| self.file.failed(source))?;
        self.done_bytes += end - begin;
        Ok(())
    }

    /// Syncs the file and gives it its name: the attachment's, made safe; ` (2)` is added rather than anything overwritten.
    pub fn finish(mut self, folder: &Path) -> Result<WrittenFile, FileError> {
        if self.done_bytes != self.attachment.size_bytes || self.groups.contains(&false) {
            let (held_bytes, total_bytes) = (self.done_bytes, self.attachment.size_bytes);
            return Err(FileError::NotHeld { held_bytes, total_bytes });
        }
        let (file, hash, from) = (self.file.file(), &mut self.hash, self.hashed_bytes);
        // The disk needs a while: time to hash what did not come in its turn.
        let (synced, hashed) = thread::scope(|scope| {
            let syncing = scope.spawn(|| file.sync_all());
            let hashed = hash_rest(file, from, hash);
            (syncing.join(), hashed)
        });
        synced
            .unwrap_or_else(|_| Err(io::Error::other("the file was not synced")))
            .and(hashed)
            .map_err(|source| self.file.failed(source))?;
        let path = self.file.rename(folder, &file_name(&self.attachment.name))?;
        Ok(WrittenFile { path, sha256: self.hash.finalize().into() })
    }
}

/// Writes a file that is held as a whole. Blocks.
pub fn write_attachment(
    store: &Store,
    feed: FeedId,
    attachment: &Attachment,
    folder: &Path,
    progress: &mut dyn FnMut(FileProgress),
) -> Result<WrittenFile, FileError> {
    let mut writer = FileWriter::create(feed, attachment.clone(), folder)?;
    writer.write_held(store, progress)?;
    writer.finish(folder)
}

fn count(chunks: &[Bytes]) -> u32 {
    u32::try_from(chunks.len()).unwrap_or(u32::MAX)
}

fn hash_rest(file: &File, from: u64, hash: &mut Sha256) -> io::Result<()> {
    let (mut at, mut buffer) = (from, vec![0; READ_BYTES]);
    loop {
        match file.read_at(&mut buffer, at)? {
            0 => return Ok(()),
            count => {
                hash.update(&buffer[..count]);
                at += count as u64;
            }
        }
    }
}
