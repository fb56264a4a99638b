//! The keys of a data folder: what signs and seals for the own feed, and opens what others grant it.

mod error;
mod file;

pub use error::KeyError;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use peerfeed_protocol::crypto::{BoxKey, DeviceKey, IdentityKey};
use peerfeed_protocol::ids::FeedId;
use zeroize::Zeroizing;

use crate::store::{Reading, Store};

const IDENTITY: &str = "identity";
const DEVICE: &str = "device";
const SEED: &[u8] = b"k";
const BOX: &[u8] = b"b";

/// What signs and seals for the own feed.
pub(crate) struct Keys {
    pub(crate) feed: FeedId,
    pub(crate) device: DeviceKey,
    pub(crate) box_key: BoxKey,
    /// Not on this machine when it was made elsewhere.
    pub(crate) identity: Option<IdentityKey>,
}

impl Keys {
    /// Reads the key files; none when `init` did not get as far as writing the last of them.
    pub(crate) fn load(store: &Store) -> Result<Option<Self>, KeyError> {
        let identity = load_identity(store.folder())?;
        let Some((device, box_key)) = load_device(store.folder())? else {
            return match identity {
                Some(_) => Err(KeyError::Damaged { path: device_path(store.folder()) }),
                None => Ok(None),
            };
        };
        let own = store.read()?.feeds()?.into_iter().find(|(_, row)| row.roles.own).map(|(feed, _)| feed);
        match (identity, own) {
            (Some(identity), Some(feed)) if identity.feed_id() == feed => {
                Ok(Some(Self { feed, device, box_key, identity: Some(identity) }))
            }
            (Some(_), _) => Err(KeyError::StoreLost),
            (None, _) => Ok(None),
        }
    }

    /// Writes both files; the identity's last, which marks that all is done.
    pub(crate) fn save(&self, folder: &Path) -> Result<(), KeyError> {
        let seed = self.device.seed();
        let box_secret = self.box_key.to_bytes();
        file::write_new(&device_path(folder), DEVICE, &[(SEED, &seed), (BOX, &box_secret)])?;
        if let Some(identity) = &self.identity {
            file::write_new(&identity_path(folder), IDENTITY, &[(SEED, &identity.seed())])?;
        }
        Ok(())
    }
}

/// The key to which others seal what they grant to this device; none where there is no identity.
pub(crate) fn device_box(folder: &Path) -> Result<Option<BoxKey>, KeyError> {
    Ok(load_device(folder)?.map(|(_, box_key)| box_key))
}

/// Whether there is a key of the identity.
pub(crate) fn has_identity(folder: &Path) -> Result<bool, KeyError> {
    exists(&identity_path(folder))
}

/// Whether there is a key of a device.
pub(crate) fn has_device(folder: &Path) -> Result<bool, KeyError> {
    exists(&device_path(folder))
}

/// Removes the device's key: of an attempt whose identity nobody has seen.
pub(crate) fn forget_device(folder: &Path) -> Result<(), KeyError> {
    let path = device_path(folder);
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(KeyError::Io { path, source }),
        _ => Ok(()),
    }
}

fn identity_path(folder: &Path) -> PathBuf {
    folder.join("identity.key")
}

fn device_path(folder: &Path) -> PathBuf {
    folder.join("device.key")
}

fn exists(path: &Path) -> Result<bool, KeyError> {
    path.try_exists().map_err(|source| KeyError::Io { path: path.to_owned(), source })
}

fn load_identity(folder: &Path) -> Result<Option<IdentityKey>, KeyError> {
    let secrets: Option<[Zeroizing<[u8; 32]>; 1]> = file::read(&identity_path(folder), IDENTITY, [SEED])?;
    Ok(secrets.map(|[seed]| IdentityKey::from_seed(&seed)))
}

fn load_device(folder: &Path) -> Result<Option<(DeviceKey, BoxKey)>, KeyError> {
    let secrets = file::read(&device_path(folder), DEVICE, [SEED, BOX])?;
    Ok(secrets.map(|[seed, box_secret]| (DeviceKey::from_seed(&seed), BoxKey::from_bytes(*box_secret))))
}
