//! The rows in which epochs' secrets are granted, by the tag that a friend asks for.

use peerfeed_protocol::feed::{Class, Control, GRANT_ROW_BYTES, GRANT_TAG_BYTES, GrantRow, GrantRows, LeafHeader};
use peerfeed_protocol::ids::{DeviceId, EpochId, FeedId};
use redb::{ReadableTable, TableDefinition};

use super::entries::NewEntry;
use super::error::{StorageError, WriteError};
use super::txn::{View, WriteTxn};
use super::{epochs, feeds, logs};

/// (feed, tag, log) -> (epoch, row)
pub(super) const GRANTS: TableDefinition<'_, Key, Row<'_>> = TableDefinition::new("grants");

type Key = (u32, &'static [u8; GRANT_TAG_BYTES], u32);
type Row<'a> = (&'a [u8; 16], &'a [u8; GRANT_ROW_BYTES]);

/// A grant as it was published. Only the device that it is for knows its tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredGrant {
    /// The epoch whose key it gives.
    pub epoch: EpochId,
    /// The device that granted it; the roster has its box key.
    pub author: DeviceId,
    /// The row.
    pub row: GrantRow,
}

/// The grants of a feed under this tag: one, unless two devices granted to the same friend.
pub(super) fn by_tag(
    view: &impl View,
    feed: FeedId,
    tag: [u8; GRANT_TAG_BYTES],
) -> Result<Vec<StoredGrant>, StorageError> {
    let Some(feed) = feeds::number(view, feed)? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for row in view.table(GRANTS)?.range((feed, &tag, 0)..=(feed, &tag, u32::MAX))? {
        let (key, value) = row?;
        let (epoch, row) = value.value();
        found.push((key.value().2, EpochId::new(*epoch), GrantRow::new(*row)));
    }
    let author = |log| match logs::by_number(view, log)? {
        Some((_, log)) => Ok(log.device),
        None => Err(StorageError::row("grants")),
    };
    found.into_iter().map(|(log, epoch, row)| Ok(StoredGrant { epoch, author: author(log)?, row })).collect()
}

/// Notes what an entry grants, and which epochs the one that it begins takes up, if it is such a control entry.
pub(super) fn note(
    txn: &mut WriteTxn,
    feed: u32,
    log: u32,
    header: &LeafHeader,
    entry: &NewEntry,
) -> Result<(), WriteError> {
    let (Class::Control, Some(body)) = (header.class(), &entry.body) else { return Ok(()) };
    let (epoch, rows): (EpochId, GrantRows) = match Control::decode(body) {
        Ok(Control::Epoch(start)) => {
            epochs::note_start(txn, feed, &start)?;
            (start.epoch, start.grants)
        }
        Ok(Control::Grants(grants)) => (grants.epoch, grants.grants),
        // What its author made wrong, or a later version knows, is kept and served and says nothing here.
        Ok(Control::Prekey(_) | Control::Private(_) | Control::Unknown { .. }) | Err(_) => return Ok(()),
    };
    let mut table = txn.change(GRANTS)?;
    for row in rows.iter() {
        table.insert((feed, row.tag(), log), (epoch.as_bytes(), row.as_bytes()))?;
    }
    Ok(())
}

pub(super) fn remove_all(txn: &mut WriteTxn, feed: u32) -> Result<(), StorageError> {
    let all = (feed, &[0; GRANT_TAG_BYTES], 0)..=(feed, &[0xff; GRANT_TAG_BYTES], u32::MAX);
    txn.change(GRANTS)?.retain_in(all, |_, _| false)?;
    Ok(())
}
