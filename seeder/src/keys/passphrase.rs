//! Sealing the key files of a folder under a passphrase, and opening them for this process. spec: SEAL-1 to SEAL-5, STORE-5

use std::fs::{self, File};
use std::io;
use std::path::Path;

use peerfeed_protocol::crypto::{PassphraseCost, PassphraseKey, SealedFile, check_new_passphrase};
use zeroize::Zeroizing;

use super::file::{beside, put_beside, read_open, read_raw};
use super::{DEVICE, IDENTITY, KeyError, device_path, identity_path, unlocked};

/// How the keys of a folder are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seal {
    /// There are none, or they are not sealed.
    None,
    /// Sealed, and closed to this process.
    Locked,
    /// Sealed, and open to this process.
    Unlocked,
}

/// How the keys of a folder are kept.
pub fn seal(folder: &Path) -> Result<Seal, KeyError> {
    Ok(match sealed_device(folder)? {
        None => Seal::None,
        Some(sealed) if unlocked::key(folder, sealed.cost()).is_some() => Seal::Unlocked,
        Some(_) => Seal::Locked,
    })
}

/// Opens the keys to this process, until [`lock`]. Gives whether they were sealed at all.
pub fn unlock(folder: &Path, passphrase: &str) -> Result<bool, KeyError> {
    let path = device_path(folder);
    let Some(sealed) = sealed_device(folder)? else { return Ok(false) };
    let failed = |source| KeyError::Sealed { path: path.clone(), source };
    let key = sealed.cost().stretch(passphrase).map_err(|error| failed(error.into()))?;
    sealed.open(DEVICE, &key).map_err(failed)?;
    unlocked::keep(folder, *sealed.cost(), key);
    Ok(true)
}

/// Closes the keys to this process.
pub fn lock(folder: &Path) {
    unlocked::forget(folder);
}

/// Seals the key files under a new passphrase, or leaves them open without one. Both files change, or neither does:
/// the device's file decides, and what a crash interrupts is finished at the next look.
pub fn change(folder: &Path, passphrase: Option<&str>) -> Result<(), KeyError> {
    passphrase.map(check_new_passphrase).transpose()?;
    finish_change(folder)?;
    let mut random = Zeroizing::new([0; 16 + 24 + 24]);
    getrandom::fill(&mut *random).map_err(KeyError::Randomness)?;
    let (salt, nonces) = random.split_first_chunk::<16>().expect("it is longer");
    let cost = PassphraseCost::usual(*salt);
    let key = passphrase.map(|passphrase| cost.stretch(passphrase)).transpose()?;
    let files = [(device_path(folder), DEVICE), (identity_path(folder), IDENTITY)];
    for ((path, kind), nonce) in files.iter().zip(nonces.chunks_exact(24)) {
        let Some(content) = read_open(path, kind)? else { continue };
        let nonce = nonce.try_into().expect("a chunk of its length");
        let bytes = match &key {
            Some(key) => Zeroizing::new(SealedFile::seal(kind, &content, cost, key, nonce).encode()),
            None => content,
        };
        put_beside(path, &bytes).map_err(|source| KeyError::Io { path: path.clone(), source })?;
    }
    let [(device, _), (identity, _)] = &files;
    take_place(folder, device)?;
    take_place(folder, identity)?;
    match key {
        Some(key) => unlocked::keep(folder, cost, key),
        None => unlocked::forget(folder),
    }
    Ok(())
}

/// Finishes or undoes a change that a crash interrupted.
pub(super) fn finish_change(folder: &Path) -> Result<(), KeyError> {
    let identity = identity_path(folder);
    if read_raw(&identity)?.is_none() {
        return Ok(());
    }
    let Some(waiting) = read_raw(&beside(&identity))? else { return Ok(()) };
    let device = read_raw(&device_path(folder))?;
    if device.is_some_and(|device| cost(&device) == cost(&waiting)) {
        take_place(folder, &identity)
    } else {
        remove(&beside(&identity))
    }
}

/// What a file was sealed with; none if it is not.
fn cost(bytes: &[u8]) -> Option<PassphraseCost> {
    SealedFile::decode(bytes).ok().map(|sealed| *sealed.cost())
}

fn take_place(folder: &Path, path: &Path) -> Result<(), KeyError> {
    let moved = match fs::rename(beside(path), path) {
        // There is no identity on this machine.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome.and_then(|()| File::open(folder)?.sync_all()),
    };
    moved.map_err(|source| KeyError::Io { path: path.to_owned(), source })
}

fn remove(path: &Path) -> Result<(), KeyError> {
    fs::remove_file(path).map_err(|source| KeyError::Io { path: path.to_owned(), source })
}

fn sealed_device(folder: &Path) -> Result<Option<SealedFile>, KeyError> {
    let path = device_path(folder);
    let Some(bytes) = read_raw(&path)?.filter(|bytes| SealedFile::is_one(bytes)) else { return Ok(None) };
    SealedFile::decode(&bytes).map(Some).map_err(|source| KeyError::Sealed { path, source })
}

/// A key for a file of its own, as `export` makes.
pub(crate) fn fresh_key(passphrase: &str) -> Result<(PassphraseCost, PassphraseKey, [u8; 24]), KeyError> {
    check_new_passphrase(passphrase)?;
    let mut random = [0; 16 + 24];
    getrandom::fill(&mut random).map_err(KeyError::Randomness)?;
    let (salt, nonce) = random.split_first_chunk::<16>().expect("it is longer");
    let cost = PassphraseCost::usual(*salt);
    Ok((cost, cost.stretch(passphrase)?, nonce.try_into().expect("what is left")))
}

#[cfg(test)]
mod tests {
    use super::super::file::{read, write_new};
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        write_new(&device_path(folder.path()), DEVICE, &[(b"b", &[2; 32]), (b"k", &[1; 32])]).unwrap();
        write_new(&identity_path(folder.path()), IDENTITY, &[(b"k", &[3; 32])]).unwrap();
        folder
    }

    fn identity(folder: &Path) -> Result<[u8; 32], KeyError> {
        read(&identity_path(folder), IDENTITY, [b"k"]).map(|keys| *keys.unwrap()[0])
    }

    #[test]
    fn keys_are_sealed_opened_for_a_process_and_sealed_anew() {
        let folder = folder();
        let folder = folder.path();
        assert_eq!(seal(folder).unwrap(), Seal::None);
        assert!(matches!(change(folder, Some("short")), Err(KeyError::Passphrase(_))));
        change(folder, Some("correct horse")).unwrap();
        lock(folder);
        assert!(matches!(identity(folder), Err(KeyError::Locked)));
        assert!(unlock(folder, "wrong horse").is_err());
        assert!(matches!(change(folder, None), Err(KeyError::Locked)), "who cannot open them cannot change them");
        assert!(unlock(folder, "correct horse").unwrap());
        assert_eq!(identity(folder).unwrap(), [3; 32]);
        change(folder, Some("another horse")).unwrap();
        lock(folder);
        assert!(unlock(folder, "correct horse").is_err(), "the old passphrase is gone everywhere");
        assert!(unlock(folder, "another horse").unwrap());
        change(folder, None).unwrap();
        assert_eq!((seal(folder).unwrap(), identity(folder).unwrap()), (Seal::None, [3; 32]));
        assert_eq!(fs::read_dir(folder).unwrap().count(), 2, "nothing unfinished stays");
    }

    #[test]
    fn a_change_that_a_crash_interrupted_is_finished_or_undone() {
        let folder = folder();
        let folder = folder.path();
        let before = [device_path(folder), identity_path(folder)].map(|path| fs::read(path).unwrap());
        change(folder, Some("correct horse")).unwrap();
        let after = [device_path(folder), identity_path(folder)].map(|path| fs::read(path).unwrap());
        // The device's file was put in place, the identity's not yet.
        fs::write(identity_path(folder), &before[1]).unwrap();
        fs::write(beside(&identity_path(folder)), &after[1]).unwrap();
        finish_change(folder).unwrap();
        assert_eq!(fs::read(identity_path(folder)).unwrap(), after[1]);
        // Neither was.
        fs::write(device_path(folder), &before[0]).unwrap();
        fs::write(identity_path(folder), &before[1]).unwrap();
        fs::write(beside(&identity_path(folder)), &after[1]).unwrap();
        finish_change(folder).unwrap();
        assert_eq!(identity(folder).unwrap(), [3; 32]);
        assert!(!beside(&identity_path(folder)).exists());
        lock(folder);
    }
}
