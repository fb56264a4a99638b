//! The blobs that entries refer to: how much of each is held, and which feeds refer to it.

use bytes::Bytes;
use peerfeed_protocol::feed::blob::BlobSize;
use peerfeed_protocol::feed::{BlobRef, LeafHeader};
use peerfeed_protocol::ids::{BlobRoot, FeedId};
use redb::{ReadableTable, TableDefinition};

use super::error::{StorageError, WriteError};
use super::limits::BITMAP_GROUPS;
use super::meta::{Counter, take_number};
use super::txn::{View, WriteTxn};
use super::usage::{self, Change};
use super::{arrival, chunks, feeds, logs, own_blob, sweeping};

type Key = (&'static [u8; 32], u64);

/// (root, sealed bytes) -> (small number, bytes held). Keyed by both, so that an entry which names somebody else's root
/// with a wrong size harms only itself.
pub(super) const BLOBS: TableDefinition<'_, Key, (u32, u64)> = TableDefinition::new("blobs");
/// (blob, feed) -> entries of the feed that refer to it
pub(super) const REFERENCES: TableDefinition<'_, (u32, u32), u64> = TableDefinition::new("blob references");
/// (feed, blob) -> (root, sealed bytes)
pub(super) const FEED_BLOBS: TableDefinition<'_, (u32, u32), (&[u8; 32], u64)> = TableDefinition::new("feed blobs");
/// (blob, page) -> one bit per group of chunks, the first in the highest bit
pub(super) const HELD_GROUPS: TableDefinition<'_, (u32, u32), &[u8]> = TableDefinition::new("held groups");

/// How much of a blob is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobRow {
    /// Its name and size.
    pub blob: BlobRef,
    /// Sealed bytes that are held.
    pub held_bytes: u64,
    /// One bit per group of 16 chunks, the first in the highest bit of the first byte; bits that are missing at the end
    /// are 0.
    pub held_groups: Vec<u8>,
    pub(super) number: u32,
}

impl BlobRow {
    /// Whether all of it is held.
    pub fn is_complete(&self) -> bool {
        self.held_bytes == self.blob.size.bytes()
    }

    /// Whether the chunks from `16 · group` on are held.
    pub fn holds_group(&self, group: u32) -> bool {
        let byte = self.held_groups.get((group / 8) as usize);
        byte.is_some_and(|byte| byte & (0x80 >> (group % 8)) != 0)
    }
}

/// The blobs that a header refers to.
pub(super) fn of_header(header: &[u8]) -> Result<Vec<BlobRef>, WriteError> {
    Ok(LeafHeader::decode(header).map_err(|_| WriteError::Header)?.content().blobs.clone())
}

/// What is held of a blob, if a feed here refers to it.
pub(super) fn row(view: &impl View, blob: BlobRef) -> Result<Option<BlobRow>, StorageError> {
    let key = (blob.root.as_bytes(), blob.size.bytes());
    let Some((number, held_bytes)) = view.table(BLOBS)?.get(key)?.map(|row| row.value()) else { return Ok(None) };
    let mut held_groups = Vec::new();
    for page in view.table(HELD_GROUPS)?.range((number, 0)..=(number, u32::MAX))? {
        let (key, bits) = page?;
        held_groups.resize(key.value().1 as usize * PAGE_BYTES, 0);
        held_groups.extend_from_slice(bits.value());
    }
    Ok(Some(BlobRow { blob, held_bytes, held_groups, number }))
}

/// As [`row`], but only if this feed refers to it: who asks for a blob names a feed, and learns nothing of others.
/// spec: STORE-10
pub(super) fn of_feed(view: &impl View, feed: FeedId, blob: BlobRef) -> Result<Option<BlobRow>, StorageError> {
    let Some(feed) = feeds::number(view, feed)? else { return Ok(None) };
    let Some(row) = row(view, blob)? else { return Ok(None) };
    Ok(view.table(REFERENCES)?.get((row.number, feed))?.is_some().then_some(row))
}

/// A blob of this feed by its root alone.
pub(super) fn by_root(view: &impl View, feed: FeedId, root: BlobRoot) -> Result<Option<BlobRow>, StorageError> {
    let sizes = view
        .table(BLOBS)?
        .range((root.as_bytes(), 0)..=(root.as_bytes(), u64::MAX))?
        .map(|row| Ok(row?.0.value().1))
        .collect::<Result<Vec<u64>, StorageError>>()?;
    for bytes in sizes {
        if let Some(row) = of_feed(view, feed, BlobRef { root, size: size(bytes)? })? {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

/// All blobs that the entries held of a feed refer to.
pub(super) fn all(view: &impl View, feed: FeedId) -> Result<Vec<BlobRef>, StorageError> {
    let Some(feed) = feeds::number(view, feed)? else { return Ok(Vec::new()) };
    let mut blobs = Vec::new();
    for row in view.table(FEED_BLOBS)?.range((feed, 0)..=(feed, u32::MAX))? {
        let value = row?.1;
        let (root, bytes) = value.value();
        blobs.push(BlobRef { root: BlobRoot::new(*root), size: size(bytes)? });
    }
    Ok(blobs)
}

fn size(bytes: u64) -> Result<BlobSize, StorageError> {
    BlobSize::new(bytes).map_err(|_| StorageError::row("blobs"))
}

/// Whether all of a blob is held, in an opened table.
pub(super) fn is_complete(blobs: &impl ReadableTable<Key, (u32, u64)>, blob: BlobRef) -> Result<bool, StorageError> {
    let row = blobs.get((blob.root.as_bytes(), blob.size.bytes()))?;
    Ok(row.is_some_and(|row| row.value().1 == blob.size.bytes()))
}

/// Notes that an entry of the feed refers to the blob, which becomes known by it.
pub(super) fn refer(txn: &mut WriteTxn, feed: u32, blob: BlobRef) -> Result<(), WriteError> {
    let key = (blob.root.as_bytes(), blob.size.bytes());
    let row = txn.table(BLOBS)?.get(key)?.map(|row| row.value());
    let (number, held_bytes) = match row {
        Some(row) => row,
        None => (insert(txn, blob, 0)?, 0),
    };
    own_blob::referred(txn, number)?;
    let count = txn.table(REFERENCES)?.get((number, feed))?.map_or(0, |count| count.value());
    txn.change(REFERENCES)?.insert((number, feed), count + 1)?;
    if count == 0 {
        txn.change(FEED_BLOBS)?.insert((feed, number), key)?;
        usage::charge(txn, feed, Change::chunks(held_bytes))?;
    }
    Ok(())
}

fn insert(txn: &mut WriteTxn, blob: BlobRef, held_bytes: u64) -> Result<u32, StorageError> {
    let number = take_number(txn, Counter::Blob)?;
    put(txn, number, blob, held_bytes)?;
    Ok(number)
}

/// Writes a blob's row.
pub(super) fn put(txn: &mut WriteTxn, number: u32, blob: BlobRef, held_bytes: u64) -> Result<(), StorageError> {
    txn.change(BLOBS)?.insert((blob.root.as_bytes(), blob.size.bytes()), (number, held_bytes))?;
    Ok(())
}

/// The feeds that refer to a blob.
pub(super) fn referring(view: &impl View, blob: u32) -> Result<Vec<u32>, StorageError> {
    let mut feeds = Vec::new();
    for row in view.table(REFERENCES)?.range((blob, 0)..=(blob, u32::MAX))? {
        feeds.push(row?.0.value().1);
    }
    Ok(feeds)
}

/// Tells every log whose mark of completeness may have waited for this blob.
pub(super) fn completed(txn: &mut WriteTxn, blob: u32) -> Result<(), WriteError> {
    for feed in referring(txn, blob)? {
        for log in logs::of_feed(txn, feed)? {
            arrival::advance_complete(txn, feed, log)?;
        }
    }
    Ok(())
}

const PAGE_BYTES: usize = (BITMAP_GROUPS / 8) as usize;

/// Marks a group as held; false if it was already.
pub(super) fn mark_group(txn: &mut WriteTxn, blob: u32, group: u32) -> Result<bool, StorageError> {
    let (page, bit) = (group / BITMAP_GROUPS, group % BITMAP_GROUPS);
    let (byte, mask) = ((bit / 8) as usize, 0x80u8 >> (bit % 8));
    let mut table = txn.change(HELD_GROUPS)?;
    let mut bits = table.get((blob, page))?.map(|bits| bits.value().to_vec()).unwrap_or_default();
    if bits.len() <= byte {
        bits.resize(byte + 1, 0);
    }
    let new = bits[byte] & mask == 0;
    if new {
        bits[byte] |= mask;
        table.insert((blob, page), bits.as_slice())?;
    }
    Ok(new)
}

/// Takes back all references of a feed, and frees what nobody else refers to. spec: STORE-11
pub(super) fn remove_feed(txn: &mut WriteTxn, feed: u32) -> Result<(), StorageError> {
    let mut blobs = Vec::new();
    txn.change(FEED_BLOBS)?.retain_in((feed, 0)..=(feed, u32::MAX), |(_, number), (root, bytes)| {
        blobs.push((number, *root, bytes));
        false
    })?;
    for (number, root, bytes) in blobs {
        txn.change(REFERENCES)?.remove((number, feed))?;
        if referring(txn, number)?.is_empty() {
            let held_bytes = txn.change(BLOBS)?.remove((&root, bytes))?.map_or(0, |row| row.value().1);
            sweeping::doom(txn, number, held_bytes)?;
        }
    }
    Ok(())
}

/// A chunk of a feed's blob.
pub(super) fn chunk(view: &impl View, blob: &BlobRow, index: u32) -> Result<Option<Bytes>, StorageError> {
    Ok(chunks::range(view, blob.number, index..index.saturating_add(1))?.pop())
}
