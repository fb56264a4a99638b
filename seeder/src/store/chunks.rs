//! Chunks of blobs, in groups of sixteen with the hashes that prove them. Whole groups are in a file of their own.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;

use bytes::Bytes;
use peerfeed_protocol::feed::BlobRef;
use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::limits::CHUNK_BYTES;
use peerfeed_protocol::merkle::{Hash, NodePos, Nodes, leaf_hash, node_hash};
use redb::{ReadableTable, TableDefinition};

use super::blobs::{self, BlobRow};
use super::chunk_file;
use super::error::{StorageError, WriteError};
use super::limits::GROUP_CHUNKS;
use super::txn::{View, WriteTxn};
use super::usage::{self, Change};

/// (blob, index) -> sealed chunk, of groups that do not fill a slot: those at a blob's end, and those of a store of format 4.
/// 64,000 bytes and their row fill sixteen pages, and nearly no room is lost.
pub(super) const CHUNKS: TableDefinition<'_, (u32, u32), &[u8]> = TableDefinition::new("chunks");
/// (blob, group) -> slot in the file of chunks
pub(super) const SLOTS: TableDefinition<'_, (u32, u32), u32> = TableDefinition::new("chunk slots");
/// (blob, group) -> the leaf hashes of the group's chunks, joined
pub(super) const LEAVES: TableDefinition<'_, (u32, u32), &[u8]> = TableDefinition::new("chunk leaves");
/// (blob, level, index) -> hash: the nodes above the groups, and below only those of groups that are not held
pub(super) const BLOB_NODES: TableDefinition<'_, (u32, u8, u32), &[u8; 32]> = TableDefinition::new("blob nodes");

/// Level of the node over a whole group.
const GROUP_LEVEL: u8 = 4;
const _: () = assert!(1 << GROUP_LEVEL == GROUP_CHUNKS);

/// A proven run of chunks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewChunks {
    /// Index of the first: a multiple of 16.
    pub first: u32,
    /// Whole groups of 16 chunks; only the blob's end may be shorter.
    pub chunks: Vec<Bytes>,
    /// The tree nodes that the proof taught, leaves included.
    pub nodes: Vec<(NodePos, Hash)>,
}

/// The chunks of `range` from its first on, until one is missing.
pub(super) fn range(view: &impl View, blob: u32, range: Range<u32>) -> Result<Vec<Bytes>, StorageError> {
    let mut chunks = Vec::with_capacity(range.len().min(GROUP_CHUNKS as usize));
    let (slots, table) = (view.table(SLOTS)?, view.table(CHUNKS)?);
    let mut next = range.start;
    while next < range.end {
        let group = next / GROUP_CHUNKS;
        let end = range.end.min((group + 1).saturating_mul(GROUP_CHUNKS));
        if let Some(slot) = slots.get((blob, group))? {
            let first = group * GROUP_CHUNKS;
            let mut read = view.slot(slot.value(), next - first..end - first)?;
            chunks.extend((next..end).map(|_| read.split_to(CHUNK_BYTES)));
            next = end;
        }
        for (row, due) in table.range((blob, next)..(blob, end))?.zip(next..end) {
            let (key, chunk) = row?;
            if key.value().1 != due {
                break;
            }
            chunks.push(Bytes::copy_from_slice(chunk.value()));
            next += 1;
        }
        if next < end {
            break;
        }
    }
    Ok(chunks)
}

/// The slots of all groups.
pub(super) fn slots(view: &impl View) -> Result<BTreeSet<u32>, StorageError> {
    let mut slots = BTreeSet::new();
    for row in view.table(SLOTS)?.iter()? {
        if !slots.insert(row?.1.value()) {
            return Err(StorageError::row("chunk slots"));
        }
    }
    Ok(slots)
}

impl WriteTxn {
    /// Keeps a proven run of chunks of a blob that the feed refers to; groups held already stay as they are.
    /// A file that does not fit whole is not begun.
    pub fn put_chunks(&mut self, feed: FeedId, blob: BlobRef, new: &NewChunks) -> Result<(), WriteError> {
        let row = blobs::of_feed(self, feed, blob)?.ok_or(WriteError::UnknownBlob)?;
        fits(blob, new)?;
        let groups: Vec<_> = groups(new).filter(|(group, _)| !row.holds_group(*group)).collect();
        let more_bytes: u64 = groups.iter().flat_map(|(_, chunks)| chunks.iter()).map(|chunk| chunk.len() as u64).sum();
        if more_bytes == 0 {
            return Ok(());
        }
        usage::check_file(self, feed, blob, blob.size.bytes() - row.held_bytes)?;
        self.insert_groups(row.number, &groups, new)?;
        for (group, _) in groups {
            blobs::mark_group(self, row.number, group)?;
        }
        let held_bytes = row.held_bytes + more_bytes;
        blobs::put(self, row.number, blob, held_bytes)?;
        for feed in blobs::referring(self, row.number)? {
            usage::charge(self, feed, Change::chunks(more_bytes))?;
        }
        usage::charge_total(self, Change::chunks(more_bytes))?;
        if held_bytes == blob.size.bytes() {
            blobs::completed(self, row.number)?;
        }
        Ok(())
    }

    fn insert_groups(&mut self, blob: u32, groups: &[(u32, &[Bytes])], new: &NewChunks) -> Result<(), WriteError> {
        for (group, chunks) in groups {
            if chunk_file::fills(chunks) {
                let slot = self.put_group(chunks)?;
                self.change(SLOTS)?.insert((blob, *group), slot)?;
            } else {
                let mut table = self.change(CHUNKS)?;
                for (index, chunk) in (group * GROUP_CHUNKS..).zip(*chunks) {
                    table.insert((blob, index), chunk.as_ref())?;
                }
            }
            self.count_written(chunks.iter().map(|chunk| chunk.len() as u64).sum());
        }
        let leaves = leaf_hashes(new);
        let mut table = self.change(LEAVES)?;
        for (group, chunks) in groups {
            let from = (group * GROUP_CHUNKS - new.first) as usize;
            table.insert((blob, *group), leaves[from..from + chunks.len()].concat().as_slice())?;
        }
        drop(table);
        let mut table = self.change(BLOB_NODES)?;
        let put = u64::from(new.first)..u64::from(new.first) + new.chunks.len() as u64;
        for (pos, hash) in &new.nodes {
            let inside = put.contains(&(pos.index << pos.level));
            if pos.level >= GROUP_LEVEL || !inside {
                let index = u32::try_from(pos.index).map_err(|_| WriteError::Outside)?;
                table.insert((blob, pos.level, index), hash.as_bytes())?;
            }
        }
        Ok(())
    }
}

/// The leaf hashes of a run: learnt ones, and computed where the proof left one out.
fn leaf_hashes(new: &NewChunks) -> Vec<[u8; 32]> {
    let mut leaves = vec![None; new.chunks.len()];
    for (pos, hash) in new.nodes.iter().filter(|(pos, _)| pos.level == 0) {
        let at = pos.index.checked_sub(u64::from(new.first)).and_then(|at| usize::try_from(at).ok());
        if let Some(leaf) = at.and_then(|at| leaves.get_mut(at)) {
            *leaf = Some(hash.to_bytes());
        }
    }
    leaves.iter().zip(&new.chunks).map(|(leaf, chunk)| leaf.unwrap_or_else(|| leaf_hash(chunk).to_bytes())).collect()
}

/// The run's groups with their chunks.
fn groups(new: &NewChunks) -> impl Iterator<Item = (u32, &[Bytes])> {
    (new.first / GROUP_CHUNKS..).zip(new.chunks.chunks(GROUP_CHUNKS as usize))
}

/// Whether a run consists of whole groups of the blob, each chunk of its due length.
fn fits(blob: BlobRef, new: &NewChunks) -> Result<(), WriteError> {
    let chunk_bytes = CHUNK_BYTES as u64;
    let count = blob.size.bytes().div_ceil(chunk_bytes);
    let end = u64::from(new.first) + new.chunks.len() as u64;
    let whole = new.first.is_multiple_of(GROUP_CHUNKS)
        && (end == count || new.chunks.len().is_multiple_of(GROUP_CHUNKS as usize));
    let due = |index: u64| blob.size.bytes().saturating_sub(index * chunk_bytes).min(chunk_bytes);
    let lengths = (u64::from(new.first)..end).zip(&new.chunks).all(|(index, chunk)| chunk.len() as u64 == due(index));
    if whole && end <= count && lengths { Ok(()) } else { Err(WriteError::Outside) }
}

/// Keeps a run of groups of which none is held.
pub(super) fn insert_run(txn: &mut WriteTxn, blob: u32, new: &NewChunks) -> Result<(), WriteError> {
    let groups: Vec<_> = groups(new).collect();
    txn.insert_groups(blob, &groups, new)?;
    for (group, _) in groups {
        blobs::mark_group(txn, blob, group)?;
    }
    Ok(())
}

/// Removes what proves the chunks of a blob.
pub(super) fn remove_proofs(txn: &mut WriteTxn, blob: u32) -> Result<(), StorageError> {
    txn.change(LEAVES)?.retain_in((blob, 0)..=(blob, u32::MAX), |_, _| false)?;
    txn.change(BLOB_NODES)?.retain_in((blob, 0, 0)..=(blob, u8::MAX, u32::MAX), |_, _| false)?;
    Ok(())
}

/// The known nodes of a blob's tree, in one view. A failure of the disk looks like a missing node;
/// [`BlobNodes::failure`] tells.
pub struct BlobNodes<'a, V> {
    view: &'a V,
    blob: u32,
    /// The group read last: proofs ask for several nodes of one.
    group: RefCell<Option<(u32, Vec<Hash>)>>,
    failure: RefCell<Option<StorageError>>,
}

impl<'a, V: View> BlobNodes<'a, V> {
    pub(super) fn new(view: &'a V, blob: &BlobRow) -> Self {
        Self { view, blob: blob.number, group: RefCell::new(None), failure: RefCell::new(None) }
    }

    /// The failure, if a node could not be read rather than being absent.
    pub fn failure(&self) -> Option<StorageError> {
        self.failure.borrow_mut().take()
    }

    fn read(&self, pos: NodePos) -> Result<Option<Hash>, StorageError> {
        let Ok(index) = u32::try_from(pos.index) else { return Ok(None) };
        if let Some(hash) = self.view.table(BLOB_NODES)?.get((self.blob, pos.level, index))? {
            return Ok(Some(Hash::new(*hash.value())));
        }
        if pos.level > GROUP_LEVEL {
            return Ok(None);
        }
        let first = index << pos.level;
        self.load_group(first / GROUP_CHUNKS)?;
        let from = (first % GROUP_CHUNKS) as usize;
        let group = self.group.borrow();
        let leaves = group.as_ref().and_then(|(_, leaves)| leaves.get(from..from + (1 << pos.level)));
        Ok(leaves.map(perfect_root))
    }

    fn load_group(&self, group: u32) -> Result<(), StorageError> {
        if self.group.borrow().as_ref().is_some_and(|(loaded, _)| *loaded == group) {
            return Ok(());
        }
        let leaves = self
            .view
            .table(LEAVES)?
            .get((self.blob, group))?
            .map(|joined| joined.value().as_chunks::<32>().0.iter().map(|leaf| Hash::new(*leaf)).collect());
        *self.group.borrow_mut() = Some((group, leaves.unwrap_or_default()));
        Ok(())
    }
}

/// The root of a perfect tree; `leaves` is a power of two of them.
fn perfect_root(leaves: &[Hash]) -> Hash {
    if let [leaf] = leaves {
        return *leaf;
    }
    let (left, right) = leaves.split_at(leaves.len() / 2);
    node_hash(&perfect_root(left), &perfect_root(right))
}

impl<V: View> Nodes for BlobNodes<'_, V> {
    fn node(&self, pos: NodePos) -> Option<Hash> {
        self.read(pos).unwrap_or_else(|error| {
            self.failure.borrow_mut().get_or_insert(error);
            None
        })
    }
}
