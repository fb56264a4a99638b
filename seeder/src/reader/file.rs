//! Writing an attachment to a folder, complete or not at all, while it comes.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use peerfeed_protocol::feed::blob::{BlobOpener, BlobSizeError, CHUNK_PIECE_BYTES, OpenChunkError};
use peerfeed_protocol::feed::{Attachment, BlobRef, file_name};
use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::peer::VerifiedChunks;
use thiserror::Error;

use super::behind::Behind;
use super::unfinished::Unfinished;
use crate::store::limits::GROUP_CHUNKS;
use crate::store::{Reading, StorageError, Store};

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

/// A file on its way from the store into a folder. What is held of it is written, whatever the order in which it comes; it
/// takes its name when it is whole, and when it is dropped before, nothing of it stays.
pub struct FileWriter {
    blob: BlobRef,
    feed: FeedId,
    attachment: Attachment,
    opener: BlobOpener,
    /// Ends before the file does.
    behind: Behind,
    file: Unfinished,
    /// Groups that are written.
    groups: Vec<bool>,
    done_bytes: u64,
}

impl FileWriter {
    /// Begins a file of an entry of `feed` in `folder`, which must exist.
    pub fn create(feed: FeedId, attachment: Attachment, folder: &Path) -> Result<Self, FileError> {
        let blob = attachment.blob()?;
        let groups = blob.size.chunks().div_ceil(GROUP_CHUNKS) as usize;
        let file = Unfinished::create(folder)?;
        let behind = Behind::start(file.path(), file.file()).map_err(|source| file.failed(source))?;
        Ok(Self {
            blob,
            feed,
            opener: attachment.opener()?,
            behind,
            file,
            groups: vec![false; groups],
            done_bytes: 0,
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
        let mut run = self.behind.run().map_err(|source| self.file.failed(source))?;
        run.begin(begin, chunks.len() * CHUNK_PIECE_BYTES);
        for (index, chunk) in self.range(group).zip(chunks) {
            self.opener.open_onto(index, chunk, run.end())?;
        }
        self.done_bytes += run.len() as u64;
        self.behind.write(run).map_err(|source| self.file.failed(source))
    }

    /// Syncs the file and gives it its name: the attachment's, made safe; ` (2)` is added rather than anything overwritten.
    pub fn finish(mut self, folder: &Path) -> Result<PathBuf, FileError> {
        if self.done_bytes != self.attachment.size_bytes || self.groups.contains(&false) {
            let (held_bytes, total_bytes) = (self.done_bytes, self.attachment.size_bytes);
            return Err(FileError::NotHeld { held_bytes, total_bytes });
        }
        let written = self.behind.end().and_then(|()| self.file.file().sync_all());
        written.map_err(|source| self.file.failed(source))?;
        self.file.rename(folder, &file_name(&self.attachment.name))
    }
}

/// Writes a file that is held as a whole. Blocks.
pub fn write_attachment(
    store: &Store,
    feed: FeedId,
    attachment: &Attachment,
    folder: &Path,
    progress: &mut dyn FnMut(FileProgress),
) -> Result<PathBuf, FileError> {
    let mut writer = FileWriter::create(feed, attachment.clone(), folder)?;
    writer.write_held(store, progress)?;
    writer.finish(folder)
}

fn count(chunks: &[Bytes]) -> u32 {
    u32::try_from(chunks.len()).unwrap_or(u32::MAX)
}
