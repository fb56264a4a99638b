//! Making an identity.

use std::sync::Arc;

use peerfeed_protocol::crypto::{BoxKey, DeviceKey, OwnerKey, Phrase};
use peerfeed_protocol::feed::{Device, ManifestContent, Profile, Records, RosterContent, successor_digest};
use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::limits::{NAME_BYTES_MAX, TRACKERS_MAX};

use super::append::{Item, Page};
use super::{Audience, Author, AuthorError, now_ms, private, system_entropy};
use crate::keys::{self, Keys};
use crate::store::{FeedRow, Reading, Roles, Store, WriteError};

/// An identity that was just made.
pub struct NewIdentity {
    /// What writes to its feed.
    pub author: Author,
    /// The words from which it can be made again: to be shown once, and kept nowhere.
    pub phrase: Phrase,
}

/// Makes an identity with its feed in the data folder of `store`: keys, records, and the first entries, which begin the
/// epoch for friends and give the name. `trackers` are URLs.
///
/// All or nothing: an attempt that was broken off is made again from the start, with other keys. spec: STORE-6
pub fn init(store: &Store, name: Option<&str>, trackers: &[String]) -> Result<NewIdentity, AuthorError> {
    make(store, name, trackers, false)
}

/// As [`init`], and the identity's key is not written anywhere: only the words bring it back.
pub fn init_cold(store: &Store, name: Option<&str>, trackers: &[String]) -> Result<NewIdentity, AuthorError> {
    make(store, name, trackers, true)
}

fn make(store: &Store, name: Option<&str>, trackers: &[String], cold: bool) -> Result<NewIdentity, AuthorError> {
    if let Some(name) = name.filter(|name| name.len() > NAME_BYTES_MAX) {
        return Err(AuthorError::NameTooLong(name.len()));
    }
    if trackers.len() > TRACKERS_MAX {
        return Err(AuthorError::TooManyTrackers);
    }
    forget_unfinished(store)?;

    let mut entropy = system_entropy()?;
    let phrase = Phrase::from_entropy(&entropy.bytes());
    let keys = Arc::new(Keys {
        feed: phrase.identity().feed_id(),
        device: DeviceKey::from_seed(&entropy.bytes()),
        box_key: BoxKey::from_bytes(entropy.bytes()),
        owner: (!cold).then(|| OwnerKey::Identity(phrase.identity())),
    });
    let records = first_records(&phrase, &keys, trackers)?;
    let mut items = vec![Item::FriendsEpoch];
    items.extend(name.map(|name| Item::profile(Profile { name: name.to_owned() }, Audience::Friends)));

    // The store first: without keys its feed is worth nothing and goes at the next attempt. Keys are never overwritten.
    store.open_vault(keys.vault_key());
    let (writer, now) = (Arc::clone(&keys), now_ms());
    let written = store.write_blocking(move |txn| {
        txn.put_feed(writer.feed, &own_row(now))?;
        txn.put_records(&records)?;
        let mut page = Page::open(txn, &writer, &mut entropy, now)?;
        items.iter().try_for_each(|item| page.item(item))?;
        page.renew_prekey()?;
        page.close()
    });
    // Nothing is to be sealed under a key that nobody has.
    let saved = written.map_err(AuthorError::from).and_then(|_| Ok(keys.save(store.folder(), cold)?));
    saved.inspect_err(|_| store.close_vault())?;
    store.seal_epochs()?;
    let author = Author { store: store.clone(), keys };
    author.index()?;
    Ok(NewIdentity { author, phrase })
}

pub(super) fn own_row(now_ms: u64) -> FeedRow {
    let roles = Roles { own: true, follow: false, seed: false };
    FeedRow { roles, added_s: now_ms / 1_000, ..FeedRow::default() }
}

fn first_records(phrase: &Phrase, keys: &Keys, trackers: &[String]) -> Result<Records, AuthorError> {
    let identity = phrase.identity();
    let device = Device::new(keys.device.id(), keys.box_key.public());
    let recovery = Some(phrase.recovery_box().public());
    let roster = RosterContent { recovery, ..RosterContent::first(device) }.sign(&identity)?;
    let successor = successor_digest(&phrase.successor().public());
    let mut manifest = ManifestContent::first(roster.digest(), successor);
    manifest.trackers = trackers.to_vec();
    Ok(Records::new(manifest.sign(&identity)?, roster)?)
}

/// Clears away an attempt that ended before the identity's key was written. Nobody saw its words.
fn forget_unfinished(store: &Store) -> Result<(), AuthorError> {
    let folder = store.folder();
    if keys::has_identity(folder)? {
        return Err(AuthorError::Exists);
    }
    let own: Vec<FeedId> =
        store.read()?.feeds()?.into_iter().filter(|(_, row)| row.roles.own).map(|(feed, _)| feed).collect();
    if own.is_empty() && keys::has_device(folder)? {
        // A device key without its feed is no attempt of this function, which writes the feed first.
        return Err(AuthorError::Exists);
    }
    if own.is_empty() {
        return Ok(());
    }
    keys::forget_device(folder)?;
    store.write_blocking(move |txn| {
        for feed in &own {
            txn.remove_feed(*feed)?;
            private::forget(txn)?;
        }
        Ok::<_, WriteError>(())
    })?;
    Ok(())
}
