//! The store's own facts: format version, counters, and small notes that other parts keep across restarts.

use redb::{ReadableTable, TableDefinition};

use super::error::StorageError;
use super::txn::{View, WriteTxn};

/// The format that this version writes. A store of a higher one is refused. spec: STORE-2
pub const FORMAT: u64 = 5;

pub(super) const NUMBERS: TableDefinition<'_, &str, u64> = TableDefinition::new("numbers");
pub(super) const NOTES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("notes");

/// Which counter gives out the next small number. Numbers are never given out twice.
#[derive(Clone, Copy, Debug)]
pub(super) enum Counter {
    Feed,
    Log,
    Blob,
    Arrival,
    Outgoing,
}

impl Counter {
    const fn key(self) -> &'static str {
        match self {
            Self::Feed => "next feed",
            Self::Log => "next log",
            Self::Blob => "next blob",
            Self::Arrival => "next arrival",
            Self::Outgoing => "next outgoing packet",
        }
    }
}

/// The format that the store is in; `None` when it is new.
pub(super) fn format(view: &impl View) -> Result<Option<u64>, StorageError> {
    Ok(view.table(NUMBERS)?.get("format")?.map(|value| value.value()))
}

pub(super) fn put_format(txn: &mut WriteTxn) -> Result<(), StorageError> {
    txn.change(NUMBERS)?.insert("format", FORMAT)?;
    Ok(())
}

/// Gives out `count` numbers; the first of them is returned. They begin at 1.
pub(super) fn take_numbers(txn: &mut WriteTxn, counter: Counter, count: u64) -> Result<u64, StorageError> {
    let mut numbers = txn.change(NUMBERS)?;
    let first = numbers.get(counter.key())?.map_or(1, |value| value.value());
    numbers.insert(counter.key(), first + count)?;
    Ok(first)
}

/// As [`take_numbers`], for one number of the 32-bit kinds.
pub(super) fn take_number(txn: &mut WriteTxn, counter: Counter) -> Result<u32, StorageError> {
    u32::try_from(take_numbers(txn, counter, 1)?)
        .map_err(|_| StorageError::Damaged(format!("the counter \"{}\" has run out", counter.key())))
}

/// A note that another part keeps under `key`.
pub(super) fn note(view: &impl View, key: &str) -> Result<Option<Vec<u8>>, StorageError> {
    Ok(view.table(NOTES)?.get(key)?.map(|value| value.value().to_vec()))
}

impl WriteTxn {
    /// Keeps a note under `key`, or removes it.
    pub fn put_note(&mut self, key: &str, note: Option<&[u8]>) -> Result<(), StorageError> {
        let mut notes = self.change(NOTES)?;
        match note {
            Some(note) => notes.insert(key, note)?,
            None => notes.remove(key)?,
        };
        Ok(())
    }
}
