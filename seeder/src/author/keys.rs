//! The keys of a data folder.

use std::path::{Path, PathBuf};

use peerfeed_protocol::crypto::{BoxKey, DeviceKey, IdentityKey};
use peerfeed_protocol::ids::FeedId;
use zeroize::Zeroizing;

use super::{AuthorError, key_file};
use crate::store::{Reading, Store};

const IDENTITY: &str = "identity";
const DEVICE: &str = "device";
const SEED: &[u8] = b"k";
const BOX: &[u8] = b"b";

/// What signs and seals for the own feed.
pub(super) struct Keys {
    pub(super) feed: FeedId,
    pub(super) device: DeviceKey,
    pub(super) box_key: BoxKey,
    /// Not on this machine when it was made elsewhere.
    pub(super) identity: Option<IdentityKey>,
}

impl Keys {
    /// Reads the key files; none when `init` did not get as far as writing the last of them.
    pub(super) fn load(store: &Store) -> Result<Option<Self>, AuthorError> {
        let identity = load_identity(store.folder())?;
        let Some((device, box_key)) = load_device(store.folder())? else {
            return match identity {
                Some(_) => Err(AuthorError::KeyFile { path: device_path(store.folder()) }),
                None => Ok(None),
            };
        };
        let own = store.read()?.feeds()?.into_iter().find(|(_, row)| row.roles.own).map(|(feed, _)| feed);
        match (identity, own) {
            (Some(identity), Some(feed)) if identity.feed_id() == feed => {
                Ok(Some(Self { feed, device, box_key, identity: Some(identity) }))
            }
            (Some(_), _) => Err(AuthorError::StoreLost),
            (None, _) => Ok(None),
        }
    }

    /// Writes both files; the identity's last, which marks that all is done.
    pub(super) fn save(&self, folder: &Path) -> Result<(), AuthorError> {
        let seed = self.device.seed();
        let box_secret = self.box_key.to_bytes();
        key_file::write_new(&device_path(folder), DEVICE, &[(SEED, &seed), (BOX, &box_secret)])?;
        if let Some(identity) = &self.identity {
            key_file::write_new(&identity_path(folder), IDENTITY, &[(SEED, &identity.seed())])?;
        }
        Ok(())
    }
}

pub(super) fn identity_path(folder: &Path) -> PathBuf {
    folder.join("identity.key")
}

pub(super) fn device_path(folder: &Path) -> PathBuf {
    folder.join("device.key")
}

fn load_identity(folder: &Path) -> Result<Option<IdentityKey>, AuthorError> {
    let secrets: Option<[Zeroizing<[u8; 32]>; 1]> = key_file::read(&identity_path(folder), IDENTITY, [SEED])?;
    Ok(secrets.map(|[seed]| IdentityKey::from_seed(&seed)))
}

fn load_device(folder: &Path) -> Result<Option<(DeviceKey, BoxKey)>, AuthorError> {
    let secrets = key_file::read(&device_path(folder), DEVICE, [SEED, BOX])?;
    Ok(secrets.map(|[seed, box_secret]| (DeviceKey::from_seed(&seed), BoxKey::from_bytes(*box_secret))))
}
