//! Sealing files into blobs, as a stream: memory stays bounded, however large the file.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use bytes::Bytes;
use peerfeed_protocol::crypto::Entropy;
use peerfeed_protocol::feed::blob::{BlobSealer, BlobSize, CHUNK_TAG_BYTES, SealChunkError};
use peerfeed_protocol::feed::{Attachment, BlobRef};
use peerfeed_protocol::limits::{CHUNK_BYTES, FILE_NAME_BYTES_MAX};
use peerfeed_protocol::merkle::{Frontier, Hash};

use super::media_type::media_type;
use super::{AuthorError, system_entropy};
use crate::store::limits::GROUP_CHUNKS;
use crate::store::{NewChunks, OwnBlob, Store, WriteTxn};

/// Chunks that are stored by one job: 8 MiB. Three such runs are in memory at most: one being sealed, one waiting, one
/// being written.
const RUN_CHUNKS: usize = 8 * GROUP_CHUNKS as usize;

/// How far the sealing of a post's files has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealProgress {
    /// The file that is being sealed.
    pub path: PathBuf,
    /// Bytes of it that are stored, sealed.
    pub done_bytes: u64,
    /// Its size.
    pub total_bytes: u64,
}

/// The files of one post, sealed and stored. Unless they are kept, they are freed again.
pub(super) struct SealedFiles {
    store: Store,
    blobs: Vec<OwnBlob>,
    attachments: Vec<Attachment>,
}

impl SealedFiles {
    /// Seals all files, each under a key of its own. spec: BLOB-1
    pub(super) fn seal(
        store: &Store,
        paths: &[PathBuf],
        progress: &mut dyn FnMut(SealProgress),
    ) -> Result<Self, AuthorError> {
        // All are looked at before the first is sealed: a mistyped name costs no time.
        let opened = paths.iter().map(|path| Opened::open(path)).collect::<Result<Vec<_>, _>>()?;
        let mut sealed = Self { store: store.clone(), blobs: Vec::new(), attachments: Vec::new() };
        for file in opened {
            let blob = store.write_blocking(WriteTxn::begin_own_blob)?;
            sealed.blobs.push(blob.again());
            sealed.attachments.push(seal_file(store, file, &blob, progress)?);
        }
        Ok(sealed)
    }

    pub(super) fn attachments(&self) -> &[Attachment] {
        &self.attachments
    }

    /// An entry refers to them now.
    pub(super) fn keep(mut self) {
        self.blobs.clear();
    }
}

impl Drop for SealedFiles {
    fn drop(&mut self) {
        for blob in std::mem::take(&mut self.blobs) {
            // If this fails, they are freed when the store is next opened.
            let freed = self.store.write_blocking(move |txn| txn.discard_own_blob(&blob));
            if let Err(error) = freed {
                tracing::debug!(%error, "a broken-off blob stays until the store is next opened");
            }
        }
    }
}

struct Opened {
    path: PathBuf,
    file: File,
    size_bytes: u64,
}

impl Opened {
    fn open(path: &Path) -> Result<Self, AuthorError> {
        let failed = |source| AuthorError::File { path: path.to_owned(), source };
        // Looked at before it is opened: opening a pipe would wait for its writer.
        if !std::fs::metadata(path).map_err(failed)?.is_file() {
            return Err(AuthorError::NotAFile(path.to_owned()));
        }
        let file = File::open(path).map_err(failed)?;
        let size_bytes = file.metadata().map_err(failed)?.len();
        BlobSize::of_file(size_bytes).map_err(|source| AuthorError::FileTooLarge { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), file, size_bytes })
    }
}

fn seal_file(
    store: &Store,
    opened: Opened,
    blob: &OwnBlob,
    progress: &mut dyn FnMut(SealProgress),
) -> Result<Attachment, AuthorError> {
    let mut entropy: Entropy = system_entropy()?;
    let Opened { path, file, size_bytes } = opened;
    let sealer = BlobSealer::new(size_bytes, &mut entropy)
        .map_err(|source| AuthorError::FileTooLarge { path: path.clone(), source })?;
    let (key, size) = (sealer.key().clone(), sealer.size());
    let root = thread::scope(|scope| {
        let (runs, ready) = sync_channel(1);
        let sealing = scope.spawn({
            let path = &path;
            // The sender goes with the thread: its end is what ends the loop below.
            move || seal_runs(file, path, sealer, &runs)
        });
        let mut done_bytes = 0;
        for run in ready {
            let (run, blob) = (Arc::new(run), blob.again());
            let piece_bytes: usize = run.chunks.iter().map(|chunk| chunk.len() - CHUNK_TAG_BYTES).sum();
            store.write_blocking(move |txn| txn.put_own_chunks(&blob, &run))?;
            done_bytes = size_bytes.min(done_bytes + piece_bytes as u64);
            progress(SealProgress { path: path.clone(), done_bytes, total_bytes: size_bytes });
        }
        sealing.join().expect("sealing does not panic")
    })?;
    let (named, own) = (BlobRef { root: root.into(), size }, blob.again());
    store.write_blocking(move |txn| txn.finish_own_blob(&own, named))?;
    Ok(Attachment { key, media_type: media_type(&path).to_owned(), name: name(&path), root: root.into(), size_bytes })
}

/// Reads and seals the whole file, and hands on run after run; gives the root.
fn seal_runs(
    mut file: File,
    path: &Path,
    mut sealer: BlobSealer,
    runs: &SyncSender<NewChunks>,
) -> Result<Hash, AuthorError> {
    let mut frontier = Frontier::new();
    let mut run = NewChunks::default();
    while let Some(index) = sealer.next_index() {
        let (chunk, leaf) = seal_next(&mut file, path, &mut sealer)?;
        run.chunks.push(Bytes::from(chunk));
        run.nodes.extend(frontier.append(leaf).expect("a blob has far fewer chunks than a tree leaves"));
        if run.chunks.len() == RUN_CHUNKS || sealer.next_index().is_none() {
            let next = NewChunks { first: index + 1, ..NewChunks::default() };
            if runs.send(std::mem::replace(&mut run, next)).is_err() {
                // Storing failed, and says so itself.
                break;
            }
        }
    }
    if file.read(&mut [0]).map_err(|error| read_failed(path, error))? > 0 {
        return Err(AuthorError::FileChanged(path.to_owned()));
    }
    Ok(frontier.root())
}

fn seal_next(file: &mut File, path: &Path, sealer: &mut BlobSealer) -> Result<(Vec<u8>, Hash), AuthorError> {
    let mut chunk = Vec::with_capacity(CHUNK_BYTES);
    chunk.resize(CHUNK_TAG_BYTES + sealer.next_piece_bytes(), 0);
    file.read_exact(&mut chunk[CHUNK_TAG_BYTES..]).map_err(|error| read_failed(path, error))?;
    match sealer.seal_in_place(&mut chunk) {
        Ok(leaf) => Ok((chunk, leaf)),
        Err(SealChunkError::Done | SealChunkError::PieceLength { .. }) => {
            Err(AuthorError::FileChanged(path.to_owned()))
        }
    }
}

fn read_failed(path: &Path, error: io::Error) -> AuthorError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => AuthorError::FileChanged(path.to_owned()),
        _ => AuthorError::File { path: path.to_owned(), source: error },
    }
}

/// The name that friends see: the last part of the path, without what a name may not have.
fn name(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut name = name.replace(|c: char| c == '/' || c.is_control(), "_");
    while name.len() > FILE_NAME_BYTES_MAX {
        name.pop();
    }
    if name.is_empty() { "file".to_owned() } else { name }
}
