//! The nodes of a log's tree that are known: of entries held, and those learnt from proofs.

use std::cell::RefCell;

use peerfeed_protocol::merkle::{Hash, NodePos, Nodes, leaf_hash};
use redb::{ReadableTable, TableDefinition};

use super::entries::ENTRIES;
use super::error::StorageError;
use super::txn::{View, WriteTxn};

/// (log, level, index) -> hash. Leaves of entries that are held are not here: their header is hashed instead.
pub(super) const NODES: TableDefinition<'_, (u32, u8, u64), &[u8; 32]> = TableDefinition::new("nodes");

/// The nodes of one log, in one view. A failure of the disk looks like a missing node; [`LogNodes::failure`] tells.
pub struct LogNodes<'a, V> {
    view: &'a V,
    log: u32,
    failure: RefCell<Option<StorageError>>,
}

impl<'a, V: View> LogNodes<'a, V> {
    pub(super) fn new(view: &'a V, log: u32) -> Self {
        Self { view, log, failure: RefCell::new(None) }
    }

    /// The failure, if a node could not be read rather than being absent.
    pub fn failure(&self) -> Option<StorageError> {
        self.failure.borrow_mut().take()
    }

    fn read(&self, pos: NodePos) -> Result<Option<Hash>, StorageError> {
        if let Some(hash) = self.view.table(NODES)?.get((self.log, pos.level, pos.index))? {
            return Ok(Some(Hash::new(*hash.value())));
        }
        if pos.level > 0 {
            return Ok(None);
        }
        Ok(self.view.table(ENTRIES)?.get((self.log, pos.index))?.map(|row| leaf_hash(row.value().2)))
    }
}

impl<V: View> Nodes for LogNodes<'_, V> {
    fn node(&self, pos: NodePos) -> Option<Hash> {
        self.read(pos).unwrap_or_else(|error| {
            self.failure.borrow_mut().get_or_insert(error);
            None
        })
    }
}

/// Keeps nodes that were proven to belong to the log. Leaves in `entries_held` are left out.
pub(super) fn put(
    txn: &mut WriteTxn,
    log: u32,
    nodes: &[(NodePos, Hash)],
    entries_held: &std::ops::Range<u64>,
) -> Result<(), StorageError> {
    let mut table = txn.change(NODES)?;
    for (pos, hash) in nodes {
        if pos.level > 0 || !entries_held.contains(&pos.index) {
            table.insert((log, pos.level, pos.index), hash.as_bytes())?;
        }
    }
    // Leaves that were learnt from a proof before their entry came.
    table.retain_in((log, 0, entries_held.start)..(log, 0, entries_held.end), |_, _| false)?;
    Ok(())
}

pub(super) fn remove_all(txn: &mut WriteTxn, log: u32) -> Result<(), StorageError> {
    txn.change(NODES)?.retain_in((log, 0, 0)..=(log, u8::MAX, u64::MAX), |_, _| false)?;
    Ok(())
}
