//! Bringing a store of an earlier format to the one of this version. spec: STORE-19

use peerfeed_protocol::ids::EpochId;
use redb::{ReadableTable, TableDefinition};

use super::audiences::{AudienceName, AudienceRow};
use super::error::StorageError;
use super::own::OWN;
use super::txn::WriteTxn;

/// Format 1: feed -> (log of this device, last clock used, epoch for friends, zeros for none)
const OWN_1: TableDefinition<'_, u32, (&[u8; 40], u64, &[u8; 16])> = TableDefinition::new("own");

/// Brings the store from this format to the one that follows, and on, within the transaction that opens it.
pub(super) fn from(txn: &mut WriteTxn, format: u64) -> Result<(), StorageError> {
    if format < 2 {
        audiences_of_their_own(txn)?;
    }
    Ok(())
}

/// Format 2 keeps the epochs of audiences apart from the own log.
fn audiences_of_their_own(txn: &mut WriteTxn) -> Result<(), StorageError> {
    let mut rows = Vec::new();
    for row in txn.change(OWN_1)?.iter()? {
        let (feed, value) = row?;
        let (log, clock, epoch) = value.value();
        rows.push((feed.value(), *log, clock, EpochId::new(*epoch)));
    }
    for (feed, log, clock, epoch) in rows {
        txn.change(OWN)?.insert(feed, (&log, clock))?;
        if epoch != EpochId::PUBLIC {
            txn.put_audience(&AudienceName::friends(), &AudienceRow { epoch: Some(epoch), left: false })?;
        }
    }
    txn.drop_table(OWN_1)
}
