//! Seeders of one's own feeds that nobody listed yet: they held the feed when they were met, and ask to be listed. spec: STORE-33

use peerfeed_protocol::ids::{FeedId, WitnessKey};
use redb::{ReadableTable, TableDefinition};

use super::error::{StorageError, WriteError};
use super::limits::SEEDERS_MET_MAX;
use super::reading::Reading;
use super::stored_by;
use super::txn::{View, WriteTxn};

/// Feed, witness key.
type Met = (&'static [u8; 32], &'static [u8; 32]);

/// (feed, witness) -> (unix seconds, address)
pub(super) const SEEDERS_MET: TableDefinition<'_, Met, (u64, &str)> = TableDefinition::new("seeders met");

/// Who was met, those first whom it was longest ago.
pub(super) fn all(view: &impl View, feed: FeedId) -> Result<Vec<(WitnessKey, String)>, StorageError> {
    let mut met = Vec::new();
    for row in view.table(SEEDERS_MET)?.range((feed.as_bytes(), &[0; 32])..=(feed.as_bytes(), &[0xff; 32]))? {
        let (key, value) = row?;
        let (met_s, address) = value.value();
        met.push((met_s, WitnessKey::from_stored(*key.value().1), address.to_owned()));
    }
    met.sort();
    Ok(met.into_iter().map(|(_, witness, address)| (witness, address)).collect())
}

impl WriteTxn {
    /// Notes where a seeder was met that the feed does not list; of too many, whom it was longest ago is forgotten, and what
    /// it said, unless it is listed by now.
    pub fn put_seeder_met(
        &mut self,
        feed: FeedId,
        witness: WitnessKey,
        address: &str,
        now_s: u64,
    ) -> Result<(), WriteError> {
        self.change(SEEDERS_MET)?.insert((feed.as_bytes(), witness.as_bytes()), (now_s, address))?;
        let met = all(self, feed)?;
        let too_many = met.len().saturating_sub(SEEDERS_MET_MAX);
        // The clock may have been set back: the one that was just met stays in any case.
        for (gone, _) in met.iter().filter(|(other, _)| *other != witness).take(too_many) {
            self.change(SEEDERS_MET)?.remove((feed.as_bytes(), gone.as_bytes()))?;
            let records = self.records(feed)?;
            let mut listed = records.iter().flat_map(|records| &records.manifest().content().seeders);
            if !listed.any(|seeder| seeder.witness == *gone) {
                stored_by::forget(self, feed, gone)?;
            }
        }
        Ok(())
    }
}

pub(super) fn remove_all(txn: &mut WriteTxn, feed: FeedId) -> Result<(), StorageError> {
    let range = (feed.as_bytes(), &[0; 32])..=(feed.as_bytes(), &[0xff; 32]);
    Ok(txn.change(SEEDERS_MET)?.retain_in(range, |_, _| false)?)
}

#[cfg(test)]
mod tests {
    use peerfeed_protocol::crypto::IdentityKey;

    use super::super::{Options, Reading, Store};
    use super::*;

    #[test]
    fn those_met_last_are_remembered_for_each_feed() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &Options::default()).unwrap();
        let (feed, other) = (IdentityKey::from_seed(&[1; 32]).feed_id(), IdentityKey::from_seed(&[2; 32]).feed_id());
        let witness = |number: u8| WitnessKey::from_stored([number; 32]);
        store
            .write_blocking(move |txn| {
                txn.put_seeder_met(other, witness(1), "b:1", 1)?;
                for number in 1..=u8::try_from(SEEDERS_MET_MAX).unwrap() + 1 {
                    txn.put_seeder_met(feed, witness(number), "a:1", 100 + u64::from(number))?;
                }
                txn.put_seeder_met(feed, witness(3), "a:2", 1_000)
            })
            .unwrap();
        let met = store.read().unwrap().seeders_met(feed).unwrap();
        assert_eq!(met.len(), SEEDERS_MET_MAX);
        assert_eq!(met[0], (witness(2), "a:1".to_owned()), "the first one made room");
        assert_eq!(met.last().unwrap(), &(witness(3), "a:2".to_owned()), "met again, elsewhere");
        store.write_blocking(move |txn| Ok::<_, WriteError>(remove_all(txn, feed)?)).unwrap();
        assert!(store.read().unwrap().seeders_met(feed).unwrap().is_empty());
        assert_eq!(store.read().unwrap().seeders_met(other).unwrap().len(), 1);
    }
}
