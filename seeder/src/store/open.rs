//! Opening a data folder: lock, version, sweeping.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use redb::{Database, DatabaseError, Durability, ReadOnlyDatabase, ReadableDatabase};

use super::chunk_file::ChunkFile;
use super::error::{OpenError, StorageError};
use super::limits::{CACHE_BYTES_DEFAULT, DISK_RESERVE_BYTES};
use super::lock::FolderLock;
use super::txn::{Around, ReadTxn, WriteTxn};
use super::writer::{Bounds, Queue};
use super::{Inner, Store, chunks, meta, own_blob, tables, upgrade};

/// How a store is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes of pages kept in memory.
    pub cache_bytes: usize,
    /// Bytes that all feeds together may take; `None` for no bound but the disk.
    pub total_quota_bytes: Option<u64>,
    /// Bytes of the disk that stay free.
    pub disk_reserve_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { cache_bytes: CACHE_BYTES_DEFAULT, total_quota_bytes: None, disk_reserve_bytes: DISK_RESERVE_BYTES }
    }
}

pub(super) fn open(folder: &Path, options: &Options) -> Result<Store, OpenError> {
    let lock = FolderLock::take(folder)?;
    let around = Around { vault: Arc::default(), chunks: Arc::new(ChunkFile::within(folder)) };
    // Looked at before it is opened for writing, which changes the file. After a crash that cannot be done.
    if let Ok(db) = ReadOnlyDatabase::open(folder.join("store.redb")) {
        refuse_newer(&db, &around)?;
    }
    let db = open_database(folder, options)?;
    refuse_newer(&db, &around)?;
    prepare(&db, &around)?;
    around.chunks.use_all_but(&chunks::slots(&ReadTxn::begin(&db, &around)?)?)?;
    let db = Arc::new(db);
    let bounds = Bounds {
        folder: folder.to_owned(),
        total_quota_bytes: options.total_quota_bytes,
        reserve_bytes: options.disk_reserve_bytes,
        around: around.clone(),
    };
    let (queue, writer) = Queue::start(Arc::clone(&db), bounds, lock).map_err(StorageError::from)?;
    let (queue, writer) = (Some(queue), Some(writer));
    Ok(Store {
        inner: Arc::new(Inner {
            queue,
            writer,
            db,
            around,
            folder: folder.to_owned(),
            indexing: tokio::sync::Mutex::new(()),
        }),
    })
}

fn open_database(folder: &Path, options: &Options) -> Result<Database, OpenError> {
    let path = folder.join("store.redb");
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|source| OpenError::Folder { folder: folder.to_owned(), source })?;
    // A file that a crash left empty or half-made is made anew; one that is not a database is somebody's, and stays as it is.
    let new = is_unmade(&file).map_err(StorageError::from)?;
    if new {
        file.set_len(0).map_err(StorageError::from)?;
    }
    let db =
        Database::builder().set_cache_size(options.cache_bytes).create_file(file).map_err(|error| match error {
            DatabaseError::Storage(redb::StorageError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
                OpenError::Foreign(path.clone())
            }
            DatabaseError::DatabaseAlreadyOpen => {
                OpenError::Held { folder: folder.to_owned(), holder: "another program".to_owned() }
            }
            DatabaseError::Storage(error) => StorageError::from(error).into(),
            other => StorageError::from(redb::Error::from(other)).into(),
        })?;
    if new {
        // The file's name is as lasting as its content.
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(StorageError::from)?;
    }
    Ok(db)
}

/// Whether a file has no database in it yet: redb writes the nine bytes that mark one last, when all else is on the disk.
fn is_unmade(file: &File) -> io::Result<bool> {
    let mut mark = [0; 9];
    let held = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX).min(mark.len());
    file.read_exact_at(&mut mark[..held], 0)?;
    Ok(mark == [0; 9])
}

/// Refuses a database of a later format; a new one has none yet.
fn refuse_newer(db: &impl ReadableDatabase, around: &Around) -> Result<(), OpenError> {
    let txn = db.begin_read().map_err(StorageError::from)?;
    let format = match txn.open_table(meta::NUMBERS) {
        Ok(_) => meta::format(&ReadTxn::begin(db, around)?)?,
        Err(redb::TableError::TableDoesNotExist(_)) => None,
        Err(error) => return Err(StorageError::from(error).into()),
    };
    match format {
        Some(found) if found > meta::FORMAT => Err(OpenError::Newer { found, known: meta::FORMAT }),
        _ => Ok(()),
    }
}

/// Makes the tables of a new store, brings an older one to this format, and frees what a broken-off post left.
fn prepare(db: &Database, around: &Around) -> Result<(), StorageError> {
    let mut txn = db.begin_write()?;
    txn.set_durability(Durability::Immediate)?;
    txn.set_quick_repair(true);
    let mut txn = WriteTxn::new(txn, around, None);
    tables::create(&mut txn)?;
    if let Some(format) = meta::format(&txn)? {
        upgrade::from(&mut txn, format)?;
    }
    meta::put_format(&mut txn)?;
    own_blob::forsake_all(&mut txn)?;
    txn.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, content: &[u8]) {
        std::fs::write(folder.join("store.redb"), content).unwrap();
    }

    #[test]
    fn a_store_that_was_killed_while_it_was_made_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let mut half_made = vec![0; 1 << 20];
        // The header is there, its mark is not.
        half_made[64..320].fill(1);
        write(folder.path(), &half_made);
        drop(open(folder.path(), &Options::default()).unwrap());
        drop(open(folder.path(), &Options::default()).unwrap());
    }
}
