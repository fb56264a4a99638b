//! Bringing a store of an earlier format to the one of this version. spec: STORE-19

use peerfeed_protocol::ids::EpochId;
use redb::{ReadableTable, TableDefinition};

use super::audiences::{AudienceName, AudienceRow};
use super::epochs::EPOCHS;
use super::error::StorageError;
use super::own::OWN;
use super::txn::WriteTxn;

/// Format 1: feed -> (log of this device, last clock used, epoch for friends, zeros for none)
const OWN_1: TableDefinition<'_, u32, (&[u8; 40], u64, &[u8; 16])> = TableDefinition::new("own");

/// A feed's number, and an epoch.
type Epoch = (u32, &'static [u8; 16]);

/// Format 3: (feed, epoch) -> (kind, secret)
const EPOCHS_3: TableDefinition<'_, Epoch, (u8, &[u8; 32])> = TableDefinition::new("epochs");

/// Brings the store from this format to the one that follows, and on, within the transaction that opens it.
/// What format 4 has in the table of chunks, whole groups too, is read from there for as long as it is held.
pub(super) fn from(txn: &mut WriteTxn, format: u64) -> Result<(), StorageError> {
    if format < 2 {
        audiences_of_their_own(txn)?;
    }
    if format < 4 {
        epoch_keys_that_may_be_sealed(txn)?;
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

/// Format 4 keeps the secrets of epochs sealed where there is a key: it seals those that lie open when the key is next read.
fn epoch_keys_that_may_be_sealed(txn: &mut WriteTxn) -> Result<(), StorageError> {
    let mut rows = Vec::new();
    for row in txn.change(EPOCHS_3)?.iter()? {
        let (key, value) = row?;
        let ((feed, epoch), (kind, secret)) = (key.value(), value.value());
        rows.push(((feed, *epoch), (kind, *secret)));
    }
    for ((feed, epoch), (kind, secret)) in rows {
        txn.change(EPOCHS)?.insert((feed, &epoch), (kind, secret.as_slice()))?;
    }
    txn.drop_table(EPOCHS_3)
}
