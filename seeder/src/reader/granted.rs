//! What others granted to the device of this data folder.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::PathBuf;

use peerfeed_protocol::crypto::BoxKey;
use peerfeed_protocol::feed::{GrantRows, Granted, Roster};
use peerfeed_protocol::ids::{EntryPlace, EpochId, FeedId};

use crate::keys;
use crate::store::{ReadTxn, Reading, StorageError};

/// Looks for this device's rows; reads keys and rosters only when there are rows, and once.
pub(super) struct GrantSearch {
    folder: PathBuf,
    own: OnceCell<Option<BoxKey>>,
    rosters: HashMap<FeedId, Option<Roster>>,
}

impl GrantSearch {
    /// For the device whose keys are in this data folder.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, own: OnceCell::new(), rosters: HashMap::new() }
    }

    /// What the rows of the control entry at `place` give to this device. spec: EPOCH-15
    pub(super) fn find(
        &mut self,
        txn: &ReadTxn,
        place: &EntryPlace,
        epoch: &EpochId,
        rows: &GrantRows,
    ) -> Result<Option<Granted>, StorageError> {
        let roster = match self.rosters.entry(place.feed) {
            Entry::Occupied(held) => held.into_mut(),
            Entry::Vacant(room) => room.insert(txn.records(place.feed)?.map(|records| records.roster().clone())),
        };
        let Some(author) = roster.as_ref().and_then(|roster| roster.device(&place.log.device)) else { return Ok(None) };
        let own = self.own.get_or_init(|| {
            keys::device_box(&self.folder).unwrap_or_else(|error| {
                tracing::error!(%error, "what friends granted to this device cannot be opened");
                None
            })
        });
        Ok(own.as_ref().and_then(|own| rows.granted_to(own, &author.box_key, &place.feed, epoch)))
    }
}
