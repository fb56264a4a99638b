//! The keys of a data folder: what signs and seals for the own feed, and opens what others grant it.

mod error;
mod file;
mod passphrase;
mod unlocked;

pub use error::KeyError;
pub(crate) use passphrase::fresh_key;
pub use passphrase::{Seal, change, lock, seal, unlock};

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use peerfeed_protocol::crypto::kdf::derive;
use peerfeed_protocol::crypto::{BoxKey, DeviceKey, IdentityKey, OwnerKey};
use peerfeed_protocol::ids::FeedId;
use zeroize::Zeroizing;

use crate::store::{Reading, Store};

const IDENTITY: &str = "identity";
const DEVICE: &str = "device";
const COLD: &str = "cold";
const FEED: &[u8] = b"f";
const SEED: &[u8] = b"k";
const BOX: &[u8] = b"b";

/// What signs and seals for the own feed.
pub(crate) struct Keys {
    pub(crate) feed: FeedId,
    pub(crate) device: DeviceKey,
    pub(crate) box_key: BoxKey,
    /// Not on this machine when it is kept cold.
    pub(crate) owner: Option<OwnerKey>,
}

impl Keys {
    /// Reads the key files; none when `init` did not get as far as writing the last of them.
    pub(crate) fn load(store: &Store) -> Result<Option<Self>, KeyError> {
        passphrase::finish_change(store.folder())?;
        let identity = load_identity(store.folder())?;
        let cold = load_cold(store.folder())?;
        let Some((device, box_key)) = load_device(store.folder())? else {
            return match identity {
                None if cold.is_none() => Ok(None),
                _ => Err(KeyError::Damaged { path: device_path(store.folder()) }),
            };
        };
        open_vault(store)?;
        let own = store.read()?.feeds()?.into_iter().find(|(_, row)| row.roles.own).map(|(feed, _)| feed);
        let Some(of_keys) = identity.as_ref().map(IdentityKey::feed_id).or(cold) else { return Ok(None) };
        if own != Some(of_keys) {
            return Err(KeyError::StoreLost);
        }
        Ok(Some(Self { feed: of_keys, device, box_key, owner: identity.map(OwnerKey::Identity) }))
    }

    /// What the secrets in the store are sealed under. spec: STORE-34
    pub(crate) fn vault_key(&self) -> Zeroizing<[u8; 32]> {
        vault_key(&self.device)
    }

    /// The same device, with who owns the feed.
    pub(crate) fn with_owner(&self, owner: OwnerKey) -> Self {
        let device = DeviceKey::from_seed(&self.device.seed());
        Self { feed: self.feed, device, box_key: BoxKey::from_bytes(*self.box_key.to_bytes()), owner: Some(owner) }
    }

    /// Writes both files; the identity's last, or the one that stands for it where it is kept cold: that marks that all is
    /// done.
    pub(crate) fn save(&self, folder: &Path, cold: bool) -> Result<(), KeyError> {
        let seed = self.device.seed();
        let box_secret = self.box_key.to_bytes();
        file::write_new(&device_path(folder), DEVICE, &[(SEED, &seed), (BOX, &box_secret)])?;
        match &self.owner {
            Some(OwnerKey::Identity(identity)) if !cold => {
                file::write_new(&identity_path(folder), IDENTITY, &[(SEED, &identity.seed())])
            }
            // A successor is never stored.
            _ => file::write_new(&cold_path(folder), COLD, &[(FEED, self.feed.as_bytes())]),
        }
    }
}

fn vault_key(device: &DeviceKey) -> Zeroizing<[u8; 32]> {
    derive(&*device.seed(), "store", &[])
}

/// Opens the secrets in the store to this process, if the device's key is, and seals what lies open. For threads outside of
/// the runtime.
pub(crate) fn open_vault(store: &Store) -> Result<(), KeyError> {
    if store.has_vault() {
        return Ok(());
    }
    match load_device(store.folder()) {
        Ok(Some((device, _))) => {
            store.open_vault(vault_key(&device));
            Ok(store.seal_epochs()?)
        }
        Ok(None) | Err(KeyError::Locked) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The key to which others seal what they grant to this device; none where there is no identity.
pub(crate) fn device_box(folder: &Path) -> Result<Option<BoxKey>, KeyError> {
    Ok(load_device(folder)?.map(|(_, box_key)| box_key))
}

/// Whether there is an identity, be it kept cold.
pub fn has_identity(folder: &Path) -> Result<bool, KeyError> {
    Ok(exists(&identity_path(folder))? || exists(&cold_path(folder))?)
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

fn cold_path(folder: &Path) -> PathBuf {
    folder.join("identity.cold")
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

fn load_cold(folder: &Path) -> Result<Option<FeedId>, KeyError> {
    let path = cold_path(folder);
    let Some([feed]) = file::read(&path, COLD, [FEED])? else { return Ok(None) };
    FeedId::from_bytes(*feed).map(Some).map_err(|_| KeyError::Damaged { path })
}

fn load_device(folder: &Path) -> Result<Option<(DeviceKey, BoxKey)>, KeyError> {
    let secrets = file::read(&device_path(folder), DEVICE, [SEED, BOX])?;
    Ok(secrets.map(|[seed, box_secret]| (DeviceKey::from_seed(&seed), BoxKey::from_bytes(*box_secret))))
}
