//! The feeds held here, and what this installation has to do with each.

use peerfeed_protocol::bencode::{self, Dict, Value};
use peerfeed_protocol::ids::{FeedId, WitnessKey};
use redb::{ReadableTable, TableDefinition};

use super::error::{StorageError, WriteError};
use super::meta::{Counter, take_number};
use super::txn::{View, WriteTxn};
use super::{epochs, profiles, timeline};

/// feed id -> (small number, row)
pub(super) const FEEDS: TableDefinition<'_, &[u8; 32], (u32, &[u8])> = TableDefinition::new("feeds");
/// small number -> feed id
pub(super) const FEED_NUMBERS: TableDefinition<'_, u32, &[u8; 32]> = TableDefinition::new("feed numbers");

/// Bytes of a row: far above any, as links are bounded.
const ROW_BYTES_MAX: usize = 64 << 10;

/// What this installation does with a feed; any combination, but at least one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    /// It writes to the feed: the identity's own.
    pub own: bool,
    /// Its person reads the feed.
    pub follow: bool,
    /// It holds everything of the feed for others, blind.
    pub seed: bool,
}

impl Roles {
    /// Whether entries are opened for display: own and followed feeds.
    pub fn reads(self) -> bool {
        self.own || self.follow
    }
}

/// A seeder that a link or a person named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeederHint {
    /// `HOST:PORT` or `IP:PORT`.
    pub address: String,
    /// The key that it proves itself by, when known.
    pub witness: Option<WitnessKey>,
}

/// What is noted about a feed, beyond its own records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedRow {
    /// What is done with it.
    pub roles: Roles,
    /// The name that the person here gave it.
    pub petname: Option<String>,
    /// The name that the link suggested, unconfirmed.
    pub suggested_name: Option<String>,
    /// When it was added, unix seconds.
    pub added_s: u64,
    /// Kept out of the timeline.
    pub muted: bool,
    /// Bytes that it may take here; `None` for no bound of its own.
    pub quota_bytes: Option<u64>,
    /// What may be sent of it, bytes per second; `None` for no bound of its own.
    pub up: Option<u64>,
    /// What may be fetched of it, bytes per second.
    pub down: Option<u64>,
    /// Trackers from links and from the person here, in addition to the manifest's.
    pub trackers: Vec<String>,
    /// Seeders from links and from the person here, in addition to the manifest's.
    pub seeders: Vec<SeederHint>,
}

impl FeedRow {
    /// The row as bytes, for a file of its own.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        encode(self)
    }

    /// What [`Self::to_bytes`] gave; none if it is something else.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        read(bytes)
    }
}

/// The feeds held, by id.
pub(super) fn all(view: &impl View) -> Result<Vec<(FeedId, FeedRow)>, StorageError> {
    let mut rows = Vec::new();
    for row in view.table(FEEDS)?.iter()? {
        let (id, value) = row?;
        rows.push((FeedId::from_stored(*id.value()), decode(value.value().1)?));
    }
    Ok(rows)
}

pub(super) fn row(view: &impl View, feed: FeedId) -> Result<Option<FeedRow>, StorageError> {
    view.table(FEEDS)?.get(feed.as_bytes())?.map(|value| decode(value.value().1)).transpose()
}

pub(super) fn number(view: &impl View, feed: FeedId) -> Result<Option<u32>, StorageError> {
    Ok(view.table(FEEDS)?.get(feed.as_bytes())?.map(|value| value.value().0))
}

pub(super) fn by_number(view: &impl View, number: u32) -> Result<Option<FeedId>, StorageError> {
    Ok(view.table(FEED_NUMBERS)?.get(number)?.map(|id| FeedId::from_stored(*id.value())))
}

impl WriteTxn {
    /// Adds a feed, or changes what is noted about it. Entries that are now to be read wait for
    /// [`crate::reader::index_pending`]; of a feed that is no longer read, keys and timeline are forgotten.
    pub fn put_feed(&mut self, feed: FeedId, row: &FeedRow) -> Result<(), WriteError> {
        let before = self::row(self, feed)?;
        let number = match number(self, feed)? {
            Some(number) => number,
            None => take_number(self, Counter::Feed)?,
        };
        self.change(FEEDS)?.insert(feed.as_bytes(), (number, encode(row).as_slice()))?;
        self.change(FEED_NUMBERS)?.insert(number, feed.as_bytes())?;
        match before.map(|before| before.roles.reads()) {
            Some(false) if row.roles.reads() => timeline::await_reading(self, number)?,
            Some(true) if !row.roles.reads() => {
                // Held blind from now on.
                timeline::remove_feed(self, number, feed)?;
                epochs::remove_all(self, number)?;
                profiles::remove(self, number)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// The number of a feed that must be here.
    pub(super) fn feed_number(&self, feed: FeedId) -> Result<u32, WriteError> {
        number(self, feed)?.ok_or(WriteError::UnknownFeed)
    }
}

fn encode(row: &FeedRow) -> Vec<u8> {
    let roles = i64::from(row.roles.own) | i64::from(row.roles.follow) << 1 | i64::from(row.roles.seed) << 2;
    let seeders = row.seeders.iter().map(|seeder| {
        Value::from(
            Dict::new()
                .with(b"a", seeder.address.as_str())
                .with_optional(b"k", seeder.witness.map(WitnessKey::to_bytes)),
        )
    });
    Dict::new()
        .with(b"a", to_int(row.added_s))
        .with_optional(b"d", row.down.map(to_int))
        .with(b"m", i64::from(row.muted))
        .with_optional(b"n", row.petname.as_deref())
        .with_optional(b"q", row.quota_bytes.map(to_int))
        .with(b"r", roles)
        .with(b"s", seeders.collect::<Vec<_>>())
        .with(b"t", row.trackers.iter().map(|url| Value::from(url.as_str())).collect::<Vec<_>>())
        .with_optional(b"u", row.suggested_name.as_deref())
        .with_optional(b"x", row.up.map(to_int))
        .encode()
}

fn to_int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn decode(bytes: &[u8]) -> Result<FeedRow, StorageError> {
    read(bytes).ok_or_else(|| StorageError::row("feeds"))
}

fn read(bytes: &[u8]) -> Option<FeedRow> {
    let dict = bencode::decode(bytes, ROW_BYTES_MAX).ok()?.into_dict()?;
    let roles = dict.uint(b"r").ok()?;
    let seeder = |value: &Value<'_>| {
        let dict = value.as_dict()?;
        Some(SeederHint {
            address: dict.text(b"a").ok()?.to_owned(),
            witness: dict.optional_array(b"k").ok()?.map(WitnessKey::from_stored),
        })
    };
    Some(FeedRow {
        roles: Roles { own: roles & 1 != 0, follow: roles & 2 != 0, seed: roles & 4 != 0 },
        petname: dict.optional_text(b"n").ok()?.map(str::to_owned),
        suggested_name: dict.optional_text(b"u").ok()?.map(str::to_owned),
        added_s: dict.uint(b"a").ok()?,
        muted: dict.uint(b"m").ok()? != 0,
        quota_bytes: dict.optional_uint(b"q").ok()?,
        up: dict.optional_uint(b"x").ok()?,
        down: dict.optional_uint(b"d").ok()?,
        trackers: dict.list(b"t").ok()?.iter().map(|url| Some(url.as_text()?.to_owned())).collect::<Option<_>>()?,
        seeders: dict.list(b"s").ok()?.iter().map(seeder).collect::<Option<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_as_it_was_written() {
        let row = FeedRow {
            roles: Roles { own: false, follow: true, seed: true },
            petname: Some("Ana".into()),
            suggested_name: Some("ana m.".into()),
            added_s: 1_700_000_000,
            muted: true,
            quota_bytes: Some(5 << 30),
            up: Some(500_000),
            down: Some(2_000_000),
            trackers: vec!["udp://127.0.0.1:6969".into()],
            seeders: vec![
                SeederHint { address: "[::1]:4000".into(), witness: None },
                SeederHint { address: "home.example:1".into(), witness: Some(WitnessKey::from_stored([9; 32])) },
            ],
        };
        assert_eq!(read(&encode(&row)), Some(row));
        assert_eq!(read(&encode(&FeedRow::default())), Some(FeedRow::default()));
    }
}
