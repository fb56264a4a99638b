//! Who is in the audiences of the own feed, what was granted to whose devices, and to whom something is still owed.
//! spec: STORE-20

use peerfeed_protocol::bencode::{self, Dict, Value};
use peerfeed_protocol::ids::{BoxPublic, DeviceId, EpochId, FeedId};
use redb::{ReadableTable, TableDefinition};

use super::audiences::AudienceName;
use super::error::StorageError;
use super::txn::{View, WriteTxn};

/// (feed of who is in it, audience) -> row
pub(super) const MEMBERS: TableDefinition<'_, (&[u8; 32], &[u8]), &[u8]> = TableDefinition::new("members");
/// feeds of those to whom a grant may be owed: they came into an audience, or their roster changed
pub(super) const OWED: TableDefinition<'_, &[u8; 32], ()> = TableDefinition::new("owed");

/// Bytes of a row: 64 devices, and more epochs than a life has removals.
const ROW_BYTES_MAX: usize = 8 << 20;
const DEVICE_BYTES: usize = 64;

/// Somebody in an audience.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Since when, unix seconds.
    pub since_s: u64,
    /// What of it they may read.
    pub reads: Reads,
    /// The devices to which everything that they may read was granted; the only ones that later epochs are granted to.
    pub devices: Vec<MemberDevice>,
}

/// What somebody in an audience may read. spec: EPOCH-13
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reads {
    /// Everything, from the first epoch on.
    Everything,
    /// Only these epochs, and those that follow.
    FromNow(Vec<EpochId>),
}

/// A device of somebody in an audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberDevice {
    /// Its signing key, which names it.
    pub id: DeviceId,
    /// The key that grants are sealed to.
    pub box_key: BoxPublic,
}

pub(super) fn one(view: &impl View, feed: FeedId, audience: &AudienceName) -> Result<Option<Member>, StorageError> {
    view.table(MEMBERS)?.get((feed.as_bytes(), audience.as_bytes()))?.map(|row| decode(row.value())).transpose()
}

/// Those in an audience, by feed id.
pub(super) fn of_audience(view: &impl View, audience: &AudienceName) -> Result<Vec<(FeedId, Member)>, StorageError> {
    let mut members = Vec::new();
    for row in view.table(MEMBERS)?.iter()? {
        let (key, value) = row?;
        let (feed, name) = key.value();
        if name == audience.as_bytes() {
            members.push((FeedId::from_stored(*feed), decode(value.value())?));
        }
    }
    Ok(members)
}

/// Everybody in any audience, by feed id and audience.
pub(super) fn all(view: &impl View) -> Result<Vec<(FeedId, AudienceName, Member)>, StorageError> {
    let mut members = Vec::new();
    for row in view.table(MEMBERS)?.iter()? {
        let (key, value) = row?;
        let (feed, name) = key.value();
        members.push((FeedId::from_stored(*feed), AudienceName::from_stored(name), decode(value.value())?));
    }
    Ok(members)
}

/// The audiences that somebody is in.
pub(super) fn of_feed(view: &impl View, feed: FeedId) -> Result<Vec<(AudienceName, Member)>, StorageError> {
    let mut memberships = Vec::new();
    let first: (&[u8; 32], &[u8]) = (feed.as_bytes(), &[]);
    for row in view.table(MEMBERS)?.range(first..)? {
        let (key, value) = row?;
        let (held, name) = key.value();
        if held != feed.as_bytes() {
            break;
        }
        memberships.push((AudienceName::from_stored(name), decode(value.value())?));
    }
    Ok(memberships)
}

/// Those to whom a grant may be owed.
pub(super) fn owed(view: &impl View) -> Result<Vec<FeedId>, StorageError> {
    view.table(OWED)?.iter()?.map(|row| Ok(FeedId::from_stored(*row?.0.value()))).collect()
}

/// Notes that the roster of a feed changed, if whose feed it is is in an audience.
pub(super) fn roster_changed(txn: &mut WriteTxn, feed: FeedId) -> Result<(), StorageError> {
    if !of_feed(txn, feed)?.is_empty() {
        txn.owe(feed)?;
    }
    Ok(())
}

impl WriteTxn {
    /// Puts somebody into an audience, or changes what is noted about them.
    pub fn put_member(&mut self, feed: FeedId, audience: &AudienceName, member: &Member) -> Result<(), StorageError> {
        self.change(MEMBERS)?.insert((feed.as_bytes(), audience.as_bytes()), encode(member).as_slice())?;
        Ok(())
    }

    /// Takes somebody out of an audience; gives what was noted about them.
    pub fn take_member(&mut self, feed: FeedId, audience: &AudienceName) -> Result<Option<Member>, StorageError> {
        let member = one(self, feed, audience)?;
        self.change(MEMBERS)?.remove((feed.as_bytes(), audience.as_bytes()))?;
        Ok(member)
    }

    /// Notes that a grant may be owed.
    pub fn owe(&mut self, feed: FeedId) -> Result<(), StorageError> {
        self.change(OWED)?.insert(feed.as_bytes(), ())?;
        Ok(())
    }

    /// Notes that nothing is owed any more.
    pub fn owe_nothing(&mut self, feed: FeedId) -> Result<(), StorageError> {
        self.change(OWED)?.remove(feed.as_bytes())?;
        Ok(())
    }
}

pub(super) fn remove_all(txn: &mut WriteTxn) -> Result<(), StorageError> {
    txn.change(MEMBERS)?.retain(|_, _| false)?;
    txn.change(OWED)?.retain(|_, ()| false)?;
    Ok(())
}

fn encode(member: &Member) -> Vec<u8> {
    let devices = member.devices.iter().map(|device| {
        let mut bytes = [0; DEVICE_BYTES];
        bytes[..32].copy_from_slice(device.id.as_bytes());
        bytes[32..].copy_from_slice(&device.box_key.to_bytes());
        Value::from(bytes)
    });
    let epochs = match &member.reads {
        Reads::Everything => None,
        Reads::FromNow(epochs) => Some(epochs.iter().map(|epoch| Value::from(*epoch)).collect::<Vec<_>>()),
    };
    Dict::new()
        .with(b"a", i64::try_from(member.since_s).unwrap_or(i64::MAX))
        .with(b"d", devices.collect::<Vec<_>>())
        .with_optional(b"e", epochs)
        .encode()
}

fn decode(bytes: &[u8]) -> Result<Member, StorageError> {
    read(bytes).ok_or_else(|| StorageError::row("members"))
}

fn read(bytes: &[u8]) -> Option<Member> {
    let dict = bencode::decode(bytes, ROW_BYTES_MAX).ok()?.into_dict()?;
    let device = |value: &Value<'_>| {
        let bytes: &[u8; DEVICE_BYTES] = value.as_bytes()?.try_into().ok()?;
        let (id, box_key) = (*bytes.first_chunk()?, *bytes.last_chunk()?);
        Some(MemberDevice { id: DeviceId::from_stored(id), box_key: BoxPublic::new(box_key) })
    };
    let epoch = |value: &Value<'_>| EpochId::from_slice(value.as_bytes()?).ok();
    Some(Member {
        since_s: dict.uint(b"a").ok()?,
        reads: match dict.optional_list(b"e").ok()? {
            None => Reads::Everything,
            Some(epochs) => Reads::FromNow(epochs.iter().map(epoch).collect::<Option<_>>()?),
        },
        devices: dict.list(b"d").ok()?.iter().map(device).collect::<Option<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_as_it_was_written() {
        let device = |seed| MemberDevice { id: DeviceId::from_stored([seed; 32]), box_key: BoxPublic::new([9; 32]) };
        for reads in [Reads::Everything, Reads::FromNow(Vec::new()), Reads::FromNow(vec![EpochId::new([3; 16])])] {
            let member = Member { since_s: 1_700_000_000, reads, devices: vec![device(1), device(2)] };
            assert_eq!(read(&encode(&member)), Some(member));
        }
    }
}
