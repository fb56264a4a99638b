//! A new device for a feed that exists: `recover` and `import`. Keys never move, so that no two machines write one log.

use std::sync::Arc;

use peerfeed_protocol::crypto::{BoxKey, DeviceKey, OwnerKey};
use peerfeed_protocol::feed::{
    Control, Device, EpochSecret, Granted, LogEnd, Records, RosterContent, successor_digest,
};
use peerfeed_protocol::ids::{BoxPublic, EpochId, FeedId};

use super::append::{Item, Page};
use super::export::Exported;
use super::init::own_row;
use super::private::{self, Restored};
use super::{Author, AuthorError, now_ms, system_entropy};
use crate::keys::{self, Keys};
use crate::store::{LogRow, Reading, Store};

/// How a device joins a feed.
pub struct JoinOptions {
    /// Who signs for it.
    pub owner: OwnerKey,
    /// The box that opens what was granted to the words; absent where they were not given.
    pub recovery: Option<BoxKey>,
    /// What an export brought along.
    pub exported: Option<Exported>,
    /// Whether every other device is revoked: where its logs end now.
    pub revoke_others: bool,
    /// Whether the identity's key stays off this machine.
    pub cold: bool,
}

/// A device that joined its feed.
pub struct Joined {
    /// What writes to the feed.
    pub author: Author,
    /// What the words brought back besides posts; none if the feed holds no private state that they open.
    pub restored: Option<Restored>,
}

/// Makes this folder a device of a feed whose records are in the store: with keys of its own, which the roster lists from
/// now on. Posts of the feed that are here can be read as far as words or export open them.
pub fn join(store: &Store, options: JoinOptions) -> Result<Joined, AuthorError> {
    if keys::has_identity(store.folder())? {
        return Err(AuthorError::Exists);
    }
    keys::forget_device(store.folder())?;
    let feed = options.owner.feed_id();
    let held = store.read()?.records(feed)?.ok_or(AuthorError::RecordsLost)?;
    let mut entropy = system_entropy()?;
    let (device, box_key) = (DeviceKey::from_seed(&entropy.bytes()), BoxKey::from_bytes(entropy.bytes()));
    let records = next_records(store, &held, &options, Device::new(device.id(), box_key.public()))?;
    let (recovered, found) = match &options.recovery {
        Some(recovery) => (recovered(store, &held, recovery)?, private::newest(store, &held, recovery)?),
        None => (Vec::new(), None),
    };
    let stolen = options.revoke_others;
    let keys = Arc::new(Keys { feed, device, box_key, owner: Some(options.owner) });
    let (writer, exported, now) = (Arc::clone(&keys), options.exported, now_ms());
    store.open_vault(keys.vault_key());
    let written = store.write_blocking(move |txn| {
        let before = txn.feed(feed)?.unwrap_or_default();
        let own = own_row(now);
        txn.put_feed(feed, &crate::store::FeedRow { roles: own.roles, ..before })?;
        txn.put_records(&records)?;
        for (epoch, secret) in &recovered {
            txn.put_epoch(feed, *epoch, &Granted::Secret(secret.clone()))?;
        }
        if let Some(exported) = &exported {
            exported.restore(txn)?;
        }
        private::forget(txn)?;
        let found = found.as_ref();
        let restored = found.map(|(_, state)| private::restore(txn, feed, state, stolen)).transpose()?;
        let mut page = Page::open(txn, &writer, &mut entropy, now)?;
        if let Some((stamp, _)) = found {
            page.observe(*stamp);
        }
        page.pay_owed()?;
        page.item(&Item::FriendsEpoch)?;
        page.close()?;
        Ok(restored)
    });
    // Nothing is to be sealed under a key that nobody has.
    let saved = written.map_err(AuthorError::from).and_then(|restored| {
        keys.save(store.folder(), options.cold)?;
        Ok(restored)
    });
    let restored = saved.inspect_err(|_| store.close_vault())?;
    store.seal_epochs()?;
    let author = Author { store: store.clone(), keys };
    author.index()?;
    Ok(Joined { author, restored })
}

/// The records that list the new device.
fn next_records(store: &Store, held: &Records, options: &JoinOptions, device: Device) -> Result<Records, AuthorError> {
    let owner = &options.owner;
    match owner.signer() {
        Some(successor) if successor_digest(&successor) != held.manifest().content().successor_digest => {
            return Err(AuthorError::OtherSuccessor);
        }
        None if held.manifest().successor().is_some() => return Err(AuthorError::TakenBack),
        _ => {}
    }
    let mut roster: RosterContent = held.roster().content().clone();
    roster.number = roster.next_number(owner);
    if options.revoke_others {
        let logs = store.read()?.logs(*held.manifest().feed())?;
        for stolen in roster.devices.iter_mut().filter(|device| device.ends.is_none()) {
            stolen.ends = Some(ends_of(&logs, stolen));
        }
    }
    roster.devices.push(device);
    roster.recovery = options.recovery.as_ref().map(BoxKey::public).or(roster.recovery);
    let roster = roster.sign_as(owner)?;
    let mut manifest = held.manifest().content().clone();
    manifest.number = manifest.next_number(owner);
    manifest.roster_digest = roster.digest();
    Ok(Records::new(manifest.sign_as(owner)?, roster)?)
}

/// Where the logs of a device end that is revoked now.
fn ends_of(logs: &[LogRow], device: &Device) -> Vec<LogEnd> {
    let own = logs.iter().filter(|row| row.log.device == device.id);
    let mut ends: Vec<_> =
        own.map(|row| LogEnd { incarnation: row.log.incarnation, size: row.size, root: row.root }).collect();
    ends.sort_by_key(|end| end.incarnation);
    ends
}

/// The epochs of the own feed that are granted to the words.
fn recovered(store: &Store, held: &Records, recovery: &BoxKey) -> Result<Vec<(EpochId, EpochSecret)>, AuthorError> {
    let feed = *held.manifest().feed();
    let txn = store.read()?;
    let mut found = Vec::new();
    for log in txn.logs(feed)? {
        let Some(author) = held.roster().device(&log.log.device).map(|device| device.box_key) else { continue };
        for index in 0..log.size {
            let Some(entry) = txn.entry(&log, index)? else { continue };
            let Some(Ok(control)) = entry.body.as_deref().map(Control::decode) else { continue };
            found.extend(granted(&control, recovery, &author, &feed));
        }
    }
    Ok(found)
}

fn granted(control: &Control, own: &BoxKey, author: &BoxPublic, feed: &FeedId) -> Option<(EpochId, EpochSecret)> {
    let (epoch, rows) = match control {
        Control::Epoch(start) => (start.epoch, &start.grants),
        Control::Grants(grants) => (grants.epoch, &grants.grants),
        Control::Prekey(_) | Control::Private(_) | Control::Unknown { .. } => return None,
    };
    match rows.granted_to(own, author, feed, &epoch)? {
        Granted::Secret(secret) => Some((epoch, secret)),
        Granted::ReadKey(_) => None,
    }
}
