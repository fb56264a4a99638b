//! Views of the store: a snapshot to read, and the transaction that the writer's jobs share.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use redb::{Key, ReadTransaction, ReadableDatabase, ReadableTable, Table, TableDefinition, Value, WriteTransaction};

use super::chunk_file::{ChunkFile, Taken};
use super::error::StorageError;
use super::slots::Era;
use super::vault::Vault;

/// Anything that tables can be read from; the nouns' functions are written over it once.
pub trait View {
    /// A table of this view.
    fn table<K: Key + 'static, V: Value + 'static>(
        &self,
        definition: TableDefinition<'_, K, V>,
    ) -> Result<impl ReadableTable<K, V>, StorageError>;

    /// What secrets are sealed under.
    fn vault(&self) -> &Vault;

    /// Chunks out of the slot of a group.
    fn slot(&self, slot: u32, chunks: Range<u32>) -> Result<Bytes, StorageError>;
}

/// A consistent snapshot: what was committed when it began.
///
/// Short-lived by intention: as long as one lives, no page that it sees is used again, and the file grows.
pub struct ReadTxn {
    txn: ReadTransaction,
    around: Around,
    /// Keeps the slots that it sees from being used again.
    _era: Era,
}

/// What views need beside the database.
#[derive(Clone)]
pub(super) struct Around {
    pub(super) vault: Arc<Vault>,
    pub(super) chunks: Arc<ChunkFile>,
}

impl ReadTxn {
    /// A snapshot that begins now.
    pub(super) fn begin(db: &impl ReadableDatabase, around: &Around) -> Result<Self, StorageError> {
        let era = around.chunks.era();
        Ok(Self { txn: db.begin_read()?, around: around.clone(), _era: era })
    }
}

impl View for ReadTxn {
    fn table<K: Key + 'static, V: Value + 'static>(
        &self,
        definition: TableDefinition<'_, K, V>,
    ) -> Result<impl ReadableTable<K, V>, StorageError> {
        Ok(self.txn.open_table(definition)?)
    }

    fn vault(&self) -> &Vault {
        &self.around.vault
    }

    fn slot(&self, slot: u32, chunks: Range<u32>) -> Result<Bytes, StorageError> {
        self.around.chunks.read(slot, chunks)
    }
}

/// The transaction that a job of the writer works in. It sees what it has written itself.
///
/// Others see its work after the commit, all of it or nothing.
pub struct WriteTxn {
    txn: WriteTransaction,
    around: Around,
    taken: Taken,
    freed: Vec<u32>,
    total_quota_bytes: Option<u64>,
    written_bytes: u64,
    changes: u64,
}

impl WriteTxn {
    pub(super) fn new(txn: WriteTransaction, around: &Around, total_quota_bytes: Option<u64>) -> Self {
        let taken = Taken::new(Arc::clone(&around.chunks));
        let around = around.clone();
        Self { txn, around, taken, freed: Vec::new(), total_quota_bytes, written_bytes: 0, changes: 0 }
    }

    /// Writes a whole group to the file of chunks; its slot is kept by the commit of a row that refers to it.
    pub(super) fn put_group(&mut self, chunks: &[Bytes]) -> Result<u32, StorageError> {
        self.changes += 1;
        self.taken.put(chunks)
    }

    /// Frees slots that no row refers to any more.
    pub(super) fn free_slots(&mut self, slots: Vec<u32>) {
        self.freed.extend(slots);
    }

    /// A table to change. Every change of the store passes here, so a job that failed before its first needs no undoing.
    pub(super) fn change<K: Key + 'static, V: Value + 'static>(
        &mut self,
        definition: TableDefinition<'_, K, V>,
    ) -> Result<Table<'_, K, V>, StorageError> {
        self.changes += 1;
        Ok(self.txn.open_table(definition)?)
    }

    /// Drops a table of an earlier format.
    pub(super) fn drop_table<K: Key + 'static, V: Value + 'static>(
        &mut self,
        definition: TableDefinition<'_, K, V>,
    ) -> Result<(), StorageError> {
        self.changes += 1;
        self.txn.delete_table(definition)?;
        Ok(())
    }

    /// Counts payload towards the size of the batch.
    pub(super) fn count_written(&mut self, bytes: u64) {
        self.written_bytes += bytes;
    }

    pub(super) fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    pub(super) fn total_quota_bytes(&self) -> Option<u64> {
        self.total_quota_bytes
    }

    /// Syncs all to the disk: first what the rows refer to, then the rows. spec: STORE-36
    pub(super) fn commit(self) -> Result<(), StorageError> {
        self.taken.sync()?;
        self.txn.commit()?;
        self.taken.keep(self.freed);
        Ok(())
    }

    /// Gives all up.
    pub(super) fn abort(self) -> Result<(), StorageError> {
        Ok(self.txn.abort()?)
    }
}

impl View for WriteTxn {
    fn table<K: Key + 'static, V: Value + 'static>(
        &self,
        definition: TableDefinition<'_, K, V>,
    ) -> Result<impl ReadableTable<K, V>, StorageError> {
        Ok(self.txn.open_table(definition)?)
    }

    fn vault(&self) -> &Vault {
        &self.around.vault
    }

    fn slot(&self, slot: u32, chunks: Range<u32>) -> Result<Bytes, StorageError> {
        self.around.chunks.read(slot, chunks)
    }
}
