//! Views of the store: a snapshot to read, and the transaction that the writer's jobs share.

use redb::{Key, ReadTransaction, ReadableTable, Table, TableDefinition, Value, WriteTransaction};

use std::sync::Arc;

use super::error::StorageError;
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
}

/// A consistent snapshot: what was committed when it began.
///
/// Short-lived by intention: as long as one lives, no page that it sees is used again, and the file grows.
pub struct ReadTxn(ReadTransaction, Arc<Vault>);

impl ReadTxn {
    pub(super) fn new(txn: ReadTransaction, vault: Arc<Vault>) -> Self {
        Self(txn, vault)
    }
}

impl View for ReadTxn {
    fn table<K: Key + 'static, V: Value + 'static>(
        &self,
        definition: TableDefinition<'_, K, V>,
    ) -> Result<impl ReadableTable<K, V>, StorageError> {
        Ok(self.0.open_table(definition)?)
    }

    fn vault(&self) -> &Vault {
        &self.1
    }
}

/// The transaction that a job of the writer works in. It sees what it has written itself.
///
/// Others see its work after the commit, all of it or nothing.
pub struct WriteTxn {
    txn: WriteTransaction,
    vault: Arc<Vault>,
    total_quota_bytes: Option<u64>,
    written_bytes: u64,
    changes: u64,
}

impl WriteTxn {
    pub(super) fn new(txn: WriteTransaction, vault: Arc<Vault>, total_quota_bytes: Option<u64>) -> Self {
        Self { txn, vault, total_quota_bytes, written_bytes: 0, changes: 0 }
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

    pub(super) fn into_inner(self) -> WriteTransaction {
        self.txn
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
        &self.vault
    }
}
