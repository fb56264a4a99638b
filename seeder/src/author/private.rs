//! The private state of the own feed: written into the own log when it changed, and brought back by the words.
//! spec: ENTRY-23 to ENTRY-27

use peerfeed_protocol::crypto::BoxKey;
use peerfeed_protocol::feed::{
    AudienceState, Control, FollowedState, LinkSeeder, MemberState, PrivateNotice, PrivatePart, PrivateState, Records,
    Shown, Stamp,
};
use peerfeed_protocol::ids::{BoxPublic, FeedId};
use peerfeed_protocol::limits::{PRIVATE_EPOCHS_MAX, SEEDERS_MAX, TRACKERS_MAX};
use sha2::{Digest, Sha256};

use super::append::Page;
use super::belongings::{Belongings, Membership};
use super::friends::payable;
use super::{Author, AuthorError, now_ms};
use crate::keys::Keys;
use crate::store::{
    Audience, AudienceName, AudienceRow, FeedRow, Reading, Reads, Roles, SeederHint, StorageError, Store, WriteError,
    WriteTxn,
};

/// What was written last, as a digest. spec: STORE-35
const NOTE: &str = "private state written";

impl Page<'_> {
    /// Appends the private state if it is another one than was written last. What cannot be sealed is left out of the log,
    /// and holds up nothing else. spec: ENTRY-26
    pub(super) fn keep_private(&mut self) -> Result<(), WriteError> {
        let Some((state, recovery, digest)) = unwritten(&*self.txn, self.keys)? else { return Ok(()) };
        let stamp = self.tick();
        for part in state.parts(stamp) {
            let sealed = PrivateNotice::seal(&part, &self.keys.box_key, &recovery, &self.keys.feed, self.entropy);
            match sealed {
                Ok(notice) => self.control(&Control::Private(notice))?,
                Err(error) => tracing::warn!(%error, "friends and follows are not kept in the feed"),
            }
        }
        Ok(self.txn.put_note(NOTE, Some(&digest))?)
    }
}

impl Author {
    /// Writes what is due without anybody asking for it: grants that are owed, and the private state if it changed. Gives
    /// whether anything was written.
    pub fn settle(&self) -> Result<bool, AuthorError> {
        let txn = self.store.read()?;
        let due = payable(&txn)? || unwritten(&txn, &self.keys)?.is_some();
        drop(txn);
        Ok(due && self.append(Vec::new())?.is_some())
    }
}

/// The state as it is now, the box that it is to be sealed to, and its digest, if it is not what was written last. Nothing is
/// written before there is anything in it, nor without words that could open it.
fn unwritten(view: &impl Reading, keys: &Keys) -> Result<Option<(PrivateState, BoxPublic, [u8; 32])>, StorageError> {
    let records = view.records(keys.feed)?;
    let Some(recovery) = records.and_then(|records| records.roster().content().recovery) else { return Ok(None) };
    let state = state_of(&Belongings::gather(view)?, keys.feed);
    let note = view.note(NOTE)?;
    if note.is_none() && state.members.is_empty() && state.followed.is_empty() {
        return Ok(None);
    }
    let digest: [u8; 32] = Sha256::new()
        .chain_update(keys.device.id().as_bytes())
        .chain_update(recovery.to_bytes())
        .chain_update(state.digest())
        .finalize()
        .into();
    Ok((note.as_deref() != Some(&digest[..])).then_some((state, recovery, digest)))
}

/// Forgets what was written last: the log is gone.
pub(super) fn forget(txn: &mut WriteTxn) -> Result<(), StorageError> {
    txn.put_note(NOTE, None)
}

fn state_of(belongings: &Belongings, own: FeedId) -> PrivateState {
    let audience = |(name, row): &(AudienceName, AudienceRow)| AudienceState {
        name: name.as_bytes().to_vec(),
        epoch: row.epoch,
        left: row.left,
    };
    // Oneself is in every audience that has begun.
    let others = belongings.members.iter().filter(|(feed, ..)| *feed != own);
    let member = |(feed, audience, since_s, reads): &Membership| MemberState {
        feed: *feed,
        audience: audience.as_bytes().to_vec(),
        since_s: *since_s,
        epochs: match reads {
            Reads::Everything => None,
            Reads::FromNow(epochs) => Some(epochs[epochs.len().saturating_sub(PRIVATE_EPOCHS_MAX)..].to_vec()),
        },
    };
    let followed = |(feed, row): &(FeedId, FeedRow)| FollowedState {
        feed: *feed,
        added_s: row.added_s,
        muted: row.muted,
        petname: row.petname.clone(),
        suggested_name: row.suggested_name.clone(),
        seeders: row.seeders.iter().take(SEEDERS_MAX).map(link_seeder).collect(),
        trackers: row.trackers.iter().take(TRACKERS_MAX).cloned().collect(),
    };
    PrivateState {
        audiences: belongings.audiences.iter().map(audience).collect(),
        members: others.map(member).collect(),
        followed: belongings.followed.iter().map(followed).collect(),
    }
}

fn link_seeder(hint: &SeederHint) -> LinkSeeder {
    LinkSeeder { address: hint.address.clone(), witness: hint.witness }
}

/// The newest private state in the logs of a feed that the words open: of each log the last, of these the one with the latest
/// moment that is not ahead of the time. What a revoked device wrote does not count: a thief may have written it. spec: ENTRY-27
pub(super) fn newest(
    store: &Store,
    held: &Records,
    recovery: &BoxKey,
) -> Result<Option<(Stamp, PrivateState)>, AuthorError> {
    let (feed, now_ms) = (*held.manifest().feed(), now_ms());
    let txn = store.read()?;
    let mut newest: Option<(Stamp, PrivateState)> = None;
    for log in txn.logs(feed)? {
        let Some(device) = held.roster().device(&log.log.device).filter(|device| device.ends.is_none()) else {
            continue;
        };
        let mut last: Option<(Stamp, PrivateState)> = None;
        // The parts of a state stand one behind the other.
        let mut parts: Vec<PrivatePart> = Vec::new();
        for index in 0..log.size {
            let Some(entry) = txn.entry(&log, index)? else { continue };
            let Some(Ok(Control::Private(notice))) = entry.body.as_deref().map(Control::decode) else { continue };
            let Ok(part) = notice.open(recovery, &device.box_key, &feed) else { continue };
            let stamp = part.stamp;
            parts.retain(|held| held.stamp == stamp);
            parts.push(part);
            last = PrivateState::whole(&parts).map(|state| (stamp, state)).or(last);
        }
        let rank = |found: &Option<(Stamp, PrivateState)>| found.as_ref().map(|(stamp, _)| Shown::of(*stamp, now_ms));
        if rank(&newest) < rank(&last) {
            newest = last;
        }
    }
    Ok(newest)
}

/// What the words brought back besides posts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// The friends.
    pub friends: Vec<FeedId>,
    /// Whether the friends may read what comes; else they are to be accepted again.
    pub granted: bool,
    /// How many lists.
    pub lists: usize,
    /// How many feeds are followed.
    pub followed: usize,
}

/// Puts a private state into a store that has the own feed. In a feed that was taken back from a thief nobody is in an audience
/// by that: the thief may have written it. spec: ENTRY-27
pub(super) fn restore(
    txn: &mut WriteTxn,
    own: FeedId,
    state: &PrivateState,
    stolen: bool,
) -> Result<Restored, WriteError> {
    let friends = state.members.iter().filter(|member| member.audience == AudienceName::friends().as_bytes());
    let friends: Vec<_> = friends.map(|member| member.feed).filter(|feed| *feed != own).collect();
    let mut belongings = Belongings::default();
    if !stolen {
        let keyring = txn.keyring(own)?;
        for audience in &state.audiences {
            let name = AudienceName::from_stored(&audience.name);
            let known = |epoch: &_| keyring.epoch(epoch).is_some_and(|known| known.secret.is_some());
            let epoch = audience.epoch.filter(known);
            // Who was taken out, or whose device, since it was written is not known: an epoch begins with the next entry.
            belongings.audiences.push((name, AudienceRow { epoch, left: epoch.is_some() }));
        }
        belongings.members = state.members.iter().filter(|member| member.feed != own).map(membership).collect();
    }
    belongings.followed = state.followed.iter().filter(|row| row.feed != own).map(followed).collect();
    belongings.restore(txn)?;
    let is_list = |name: &AudienceName| matches!(name.audience(), Some(Audience::List(_)));
    Ok(Restored {
        friends,
        granted: !stolen,
        lists: belongings.audiences.iter().filter(|(name, _)| is_list(name)).count(),
        followed: belongings.followed.len(),
    })
}

fn membership(member: &MemberState) -> Membership {
    let reads = member.epochs.clone().map_or(Reads::Everything, Reads::FromNow);
    (member.feed, AudienceName::from_stored(&member.audience), member.since_s, reads)
}

fn followed(row: &FollowedState) -> (FeedId, FeedRow) {
    let hint = |seeder: &LinkSeeder| SeederHint { address: seeder.address.clone(), witness: seeder.witness };
    let feed_row = FeedRow {
        roles: Roles { follow: true, ..Roles::default() },
        petname: row.petname.clone(),
        suggested_name: row.suggested_name.clone(),
        added_s: row.added_s,
        muted: row.muted,
        trackers: row.trackers.clone(),
        seeders: row.seeders.iter().map(hint).collect(),
        ..FeedRow::default()
    };
    (row.feed, feed_row)
}
