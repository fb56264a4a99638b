//! The audiences of the own feed: which epoch each of them is in.

use peerfeed_protocol::ids::EpochId;
use redb::{ReadableTable, TableDefinition};

use super::error::StorageError;
use super::txn::{View, WriteTxn};

/// audience -> (epoch, zeros before the first; 1 if somebody was taken out since it began, else 0)
pub(super) const AUDIENCES: TableDefinition<'_, &[u8], (&[u8; 16], u8)> = TableDefinition::new("audiences");

/// What an audience is called in the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AudienceName(Vec<u8>);

/// How far an audience has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AudienceRow {
    /// The epoch that it is in; none before the first.
    pub epoch: Option<EpochId>,
    /// Whether nothing more may be sealed in that epoch, since somebody was taken out. spec: EPOCH-12
    pub left: bool,
}

impl AudienceName {
    /// All friends.
    pub fn friends() -> Self {
        Self(b"friends".to_vec())
    }

    pub(super) fn from_stored(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

pub(super) fn row(view: &impl View, audience: &AudienceName) -> Result<AudienceRow, StorageError> {
    let row = view.table(AUDIENCES)?.get(audience.as_bytes())?.map(|row| {
        let (epoch, left) = row.value();
        let epoch = EpochId::new(*epoch);
        AudienceRow { epoch: (epoch != EpochId::PUBLIC).then_some(epoch), left: left != 0 }
    });
    Ok(row.unwrap_or_default())
}

impl WriteTxn {
    /// Notes how far an audience has come.
    pub fn put_audience(&mut self, audience: &AudienceName, row: &AudienceRow) -> Result<(), StorageError> {
        let epoch = row.epoch.unwrap_or(EpochId::PUBLIC);
        self.change(AUDIENCES)?.insert(audience.as_bytes(), (epoch.as_bytes(), u8::from(row.left)))?;
        Ok(())
    }
}

pub(super) fn remove_all(txn: &mut WriteTxn) -> Result<(), StorageError> {
    txn.change(AUDIENCES)?.retain(|_, _| false)?;
    Ok(())
}
