//! Keys of data folders that were unlocked in this process; erased from memory when the folder is locked again.
//!
//! One process holds a folder, and whatever reads its keys there may: so this is kept once per process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use peerfeed_protocol::crypto::{PassphraseCost, PassphraseKey};

type Keys = BTreeMap<PathBuf, (PassphraseCost, PassphraseKey)>;

static UNLOCKED: Mutex<Keys> = Mutex::new(BTreeMap::new());

/// The key for files of this folder that were sealed at this cost, salt included.
pub(super) fn key(folder: &Path, cost: &PassphraseCost) -> Option<PassphraseKey> {
    let keys = UNLOCKED.lock().unwrap_or_else(PoisonError::into_inner);
    keys.get(folder).filter(|(held, _)| held == cost).map(|(_, key)| key.clone())
}

/// Keeps a key for the folder until [`forget`].
pub(super) fn keep(folder: &Path, cost: PassphraseCost, key: PassphraseKey) {
    UNLOCKED.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.to_owned(), (cost, key));
}

/// Locks the folder.
pub(super) fn forget(folder: &Path) {
    UNLOCKED.lock().unwrap_or_else(PoisonError::into_inner).remove(folder);
}
