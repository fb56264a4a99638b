//! Codes that were given away, by which this node takes in feeds that it does not know. spec: HOLD-5, HOLD-6, STORE-32

use peerfeed_protocol::bencode::{self, Dict};
use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::limits::{HELD_BY_CODE_MAX, HOLD_CODE_KEPT_SECONDS, HOLD_CODES_MAX};
use redb::{ReadableTable, ReadableTableMetadata, TableDefinition};

use super::error::{StorageError, WriteError};
use super::feeds::{self, FEEDS, FeedRow};
use super::txn::{View, WriteTxn};

/// id of the code -> row
pub(super) const HOLD_CODES: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("hold codes");

const ROW_BYTES_MAX: usize = 256;

/// A code; the code itself is with whom it was given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldCodeRow {
    /// Unix seconds from which on it is not good.
    pub expiry_s: u64,
    /// Feeds that may still be brought by it.
    pub uses: u64,
    /// Bytes that each of them may take.
    pub quota_bytes: Option<u64>,
    /// When it was used last, unix seconds; none as long as it was not.
    pub used_s: Option<u64>,
}

impl HoldCodeRow {
    fn is_good(&self, now_s: u64) -> bool {
        self.uses > 0 && now_s < self.expiry_s
    }

    /// When it came to its end, if it has.
    fn ended_s(&self, now_s: u64) -> Option<u64> {
        if self.uses == 0 { self.used_s } else { (now_s >= self.expiry_s).then_some(self.expiry_s) }
    }
}

/// What became of the wish to have a feed held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldOutcome {
    /// It is held from now on.
    Held,
    /// It was held before; the code was not used.
    Known,
    /// The code lets nobody in any more.
    Ended,
    /// As many feeds are held as may be.
    Full,
}

pub(super) fn all(view: &impl View) -> Result<Vec<(FeedId, HoldCodeRow)>, StorageError> {
    let mut codes = Vec::new();
    for row in view.table(HOLD_CODES)?.iter()? {
        let (id, row) = row?;
        codes.push((FeedId::from_stored(*id.value()), decode(row.value())?));
    }
    Ok(codes)
}

impl WriteTxn {
    /// Notes a new code; false when there are as many as may be. Those that ended long ago make room.
    pub fn put_hold_code(&mut self, id: FeedId, row: &HoldCodeRow, now_s: u64) -> Result<bool, StorageError> {
        let codes = all(self)?;
        let mut left = codes.len();
        // The ones that ended first go first; of those that ended lately none.
        let mut ended: Vec<_> = codes.iter().filter_map(|(id, row)| Some((row.ended_s(now_s)?, *id))).collect();
        ended.sort_unstable();
        for (ended_s, id) in ended {
            if ended_s.saturating_add(HOLD_CODE_KEPT_SECONDS) <= now_s || left >= HOLD_CODES_MAX {
                self.change(HOLD_CODES)?.remove(id.as_bytes())?;
                left -= 1;
            }
        }
        if left >= HOLD_CODES_MAX {
            return Ok(false);
        }
        self.change(HOLD_CODES)?.insert(id.as_bytes(), encode(row).as_slice())?;
        Ok(true)
    }

    /// Forgets every code; how many of them were still good.
    pub fn remove_hold_codes(&mut self, now_s: u64) -> Result<usize, StorageError> {
        let good = all(self)?.iter().filter(|(_, row)| row.is_good(now_s)).count();
        self.change(HOLD_CODES)?.retain(|_, _| false)?;
        Ok(good)
    }

    /// Holds a feed for who has proven this code.
    pub fn hold_by_code(&mut self, code: FeedId, feed: FeedId, now_s: u64) -> Result<HoldOutcome, WriteError> {
        let held = feeds::row(self, feed)?;
        if held.as_ref().is_some_and(|row| row.roles.seed || row.roles.own) {
            return Ok(HoldOutcome::Known);
        }
        let row = self.table(HOLD_CODES)?.get(code.as_bytes())?.map(|row| decode(row.value())).transpose()?;
        let Some(row) = row.filter(|row| row.is_good(now_s)) else { return Ok(HoldOutcome::Ended) };
        if held.is_none() && self.table(FEEDS)?.len()? >= HELD_BY_CODE_MAX as u64 {
            return Ok(HoldOutcome::Full);
        }
        let mut feed_row = held.unwrap_or_else(|| FeedRow { added_s: now_s, ..FeedRow::default() });
        feed_row.roles.seed = true;
        feed_row.quota_bytes = feed_row.quota_bytes.or(row.quota_bytes);
        self.put_feed(feed, &feed_row)?;
        let used = HoldCodeRow { uses: row.uses - 1, used_s: Some(now_s), ..row };
        self.change(HOLD_CODES)?.insert(code.as_bytes(), encode(&used).as_slice())?;
        Ok(HoldOutcome::Held)
    }
}

fn encode(row: &HoldCodeRow) -> Vec<u8> {
    let int = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    Dict::new()
        .with(b"e", int(row.expiry_s))
        .with(b"n", int(row.uses))
        .with_optional(b"q", row.quota_bytes.map(int))
        .with_optional(b"u", row.used_s.map(int))
        .encode()
}

fn decode(bytes: &[u8]) -> Result<HoldCodeRow, StorageError> {
    read(bytes).ok_or_else(|| StorageError::row("hold codes"))
}

fn read(bytes: &[u8]) -> Option<HoldCodeRow> {
    let dict = bencode::decode(bytes, ROW_BYTES_MAX).ok()?.into_dict()?;
    Some(HoldCodeRow {
        expiry_s: dict.uint(b"e").ok()?,
        uses: dict.uint(b"n").ok()?,
        quota_bytes: dict.optional_uint(b"q").ok()?,
        used_s: dict.optional_uint(b"u").ok()?,
    })
}

#[cfg(test)]
mod tests {
    use peerfeed_protocol::crypto::IdentityKey;

    use super::super::{Options, Reading, Store};
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn id(byte: u8) -> FeedId {
        IdentityKey::from_seed(&[byte; 32]).feed_id()
    }

    fn code(uses: u64) -> HoldCodeRow {
        HoldCodeRow { expiry_s: NOW + 100, uses, quota_bytes: Some(1 << 30), used_s: None }
    }

    fn in_store<T: Send + 'static>(
        store: &Store,
        mut job: impl FnMut(&mut WriteTxn) -> Result<T, WriteError> + Send + 'static,
    ) -> T {
        store.write_blocking(move |txn| job(txn)).unwrap()
    }

    #[test]
    fn a_code_takes_in_as_many_feeds_as_it_says_and_none_after_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &Options::default()).unwrap();
        let hold = |feed, now_s| in_store(&store, move |txn| txn.hold_by_code(id(1), id(feed), now_s));
        assert_eq!(hold(10, NOW), HoldOutcome::Ended, "no such code");
        assert!(in_store(&store, |txn| Ok(txn.put_hold_code(id(1), &code(2), NOW)?)));
        assert_eq!(hold(10, NOW + 100), HoldOutcome::Ended, "it has expired");
        assert!(store.read().unwrap().feeds().unwrap().is_empty(), "nothing changed");
        assert_eq!(hold(10, NOW), HoldOutcome::Held);
        assert_eq!(hold(10, NOW), HoldOutcome::Known, "asked again, as after a broken connection");
        assert_eq!(hold(11, NOW + 99), HoldOutcome::Held);
        assert_eq!(hold(12, NOW), HoldOutcome::Ended, "used up");
        let row = store.read().unwrap().feed(id(10)).unwrap().unwrap();
        assert_eq!((row.roles.seed, row.roles.follow, row.quota_bytes), (true, false, Some(1 << 30)));
        assert_eq!(store.read().unwrap().feeds().unwrap().len(), 2);
    }

    #[test]
    fn a_feed_that_is_followed_is_held_as_well_and_stays_followed() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &Options::default()).unwrap();
        in_store(&store, |txn| {
            let mut row = FeedRow { petname: Some("Ann".into()), ..FeedRow::default() };
            row.roles.follow = true;
            txn.put_feed(id(10), &row)?;
            txn.put_hold_code(id(1), &code(1), NOW)?;
            assert_eq!(txn.hold_by_code(id(1), id(10), NOW)?, HoldOutcome::Held);
            Ok(())
        });
        let row = store.read().unwrap().feed(id(10)).unwrap().unwrap();
        assert!(row.roles.follow && row.roles.seed);
        assert_eq!(row.petname.as_deref(), Some("Ann"));
    }

    #[test]
    fn there_are_so_many_codes_and_ended_ones_make_room() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &Options::default()).unwrap();
        let put = |byte: usize, row: HoldCodeRow, now_s| {
            let id = id(u8::try_from(byte).unwrap());
            in_store(&store, move |txn| Ok(txn.put_hold_code(id, &row, now_s)?))
        };
        for byte in 0..HOLD_CODES_MAX {
            assert!(put(byte, code(1), NOW));
        }
        assert!(!put(100, code(1), NOW), "all are good");
        in_store(&store, |txn| txn.hold_by_code(id(7), id(200), NOW));
        assert!(put(100, code(1), NOW), "one was used up");
        let codes = store.read().unwrap().hold_codes().unwrap();
        assert_eq!(codes.len(), HOLD_CODES_MAX);
        assert!(codes.iter().all(|(code, _)| *code != id(7)));
        let later = NOW + 100 + HOLD_CODE_KEPT_SECONDS;
        assert!(put(101, HoldCodeRow { expiry_s: later + 1, ..code(1) }, later));
        assert_eq!(store.read().unwrap().hold_codes().unwrap().len(), 1, "all others ended long ago");
        assert_eq!(in_store(&store, move |txn| Ok(txn.remove_hold_codes(later)?)), 1);
        assert!(store.read().unwrap().hold_codes().unwrap().is_empty());
    }
}
