//! Blobs that are sealed here, until an entry refers to them. spec: STORE-14

use bytes::Bytes;
use peerfeed_protocol::feed::BlobRef;
use redb::{ReadableTable, TableDefinition};

use super::blobs::{self, BLOBS};
use super::chunks::{self, NewChunks};
use super::error::{StorageError, WriteError};
use super::meta::{Counter, take_number};
use super::sweeping;
use super::txn::{View, WriteTxn};
use super::usage::{self, Change};

/// blob -> (root, sealed bytes, bytes stored so far); root and sealed bytes are 0 until the last chunk is sealed
pub(super) const UNREFERRED: TableDefinition<'_, u32, (&[u8; 32], u64, u64)> = TableDefinition::new("unreferred blobs");

const UNNAMED: ([u8; 32], u64) = ([0; 32], 0);

/// A blob that is being sealed here: its name is known when the last chunk is.
#[derive(Debug)]
pub struct OwnBlob {
    number: u32,
}

impl OwnBlob {
    /// A second handle, for the next job that writes to the same blob.
    #[must_use]
    pub fn again(&self) -> Self {
        Self { number: self.number }
    }
}

impl WriteTxn {
    /// Begins a blob that is sealed here. Until an entry refers to it, it is freed when the store is next opened.
    pub fn begin_own_blob(&mut self) -> Result<OwnBlob, WriteError> {
        let number = take_number(self, Counter::Blob)?;
        let (root, sealed_bytes) = UNNAMED;
        self.change(UNREFERRED)?.insert(number, (&root, sealed_bytes, 0))?;
        Ok(OwnBlob { number })
    }

    /// Keeps chunks that were sealed here, in order, whole groups at a time but for the last.
    pub fn put_own_chunks(&mut self, own: &OwnBlob, new: &NewChunks) -> Result<(), WriteError> {
        let more_bytes = new.chunks.iter().map(Bytes::len).sum::<usize>() as u64;
        usage::check_total(self, more_bytes)?;
        chunks::insert_run(self, own.number, new)?;
        usage::charge_total(self, Change::chunks(more_bytes))?;
        let (root, sealed_bytes, stored_bytes) = self.unreferred(own)?;
        self.change(UNREFERRED)?.insert(own.number, (&root, sealed_bytes, stored_bytes + more_bytes))?;
        Ok(())
    }

    /// Names a blob that is sealed here, after its last chunk.
    pub fn finish_own_blob(&mut self, own: &OwnBlob, blob: BlobRef) -> Result<(), WriteError> {
        let (_, _, stored_bytes) = self.unreferred(own)?;
        if stored_bytes != blob.size.bytes() {
            return Err(WriteError::Outside);
        }
        let row = (blob.root.as_bytes(), blob.size.bytes(), stored_bytes);
        self.change(UNREFERRED)?.insert(own.number, row)?;
        blobs::put(self, own.number, blob, stored_bytes)?;
        Ok(())
    }

    /// Frees a blob that no entry will refer to. One that an entry refers to already stays.
    pub fn discard_own_blob(&mut self, own: &OwnBlob) -> Result<(), WriteError> {
        forsake(self, own.number)?;
        Ok(())
    }

    fn unreferred(&self, own: &OwnBlob) -> Result<([u8; 32], u64, u64), WriteError> {
        let row = self.table(UNREFERRED)?.get(own.number)?.map(|row| {
            let (root, sealed_bytes, stored_bytes) = row.value();
            (*root, sealed_bytes, stored_bytes)
        });
        row.ok_or(WriteError::UnknownBlob)
    }
}

/// An entry refers to the blob now, whether it was sealed here or not.
pub(super) fn referred(txn: &mut WriteTxn, blob: u32) -> Result<(), StorageError> {
    txn.change(UNREFERRED)?.remove(blob)?;
    Ok(())
}

/// Frees the blobs that no entry came to refer to: of posts that were never finished. For the opening of the store.
pub(super) fn forsake_all(txn: &mut WriteTxn) -> Result<(), StorageError> {
    let mut numbers = Vec::new();
    for row in txn.table(UNREFERRED)?.iter()? {
        numbers.push(row?.0.value());
    }
    numbers.into_iter().try_for_each(|number| forsake(txn, number))
}

fn forsake(txn: &mut WriteTxn, blob: u32) -> Result<(), StorageError> {
    let row = txn.change(UNREFERRED)?.remove(blob)?.map(|row| {
        let (root, sealed_bytes, stored_bytes) = row.value();
        (*root, sealed_bytes, stored_bytes)
    });
    let Some((root, sealed_bytes, stored_bytes)) = row else { return Ok(()) };
    if (root, sealed_bytes) != UNNAMED {
        txn.change(BLOBS)?.remove((&root, sealed_bytes))?;
    }
    sweeping::doom(txn, blob, stored_bytes)
}
