//! Secrets on disk: one small file each, readable by their owner alone. spec: STORE-5

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use peerfeed_protocol::bencode::{self, Dict};
use peerfeed_protocol::crypto::SealedFile;
use zeroize::Zeroizing;

use super::{KeyError, unlocked};

/// Bytes of a key file: two secrets and their keys, with room for later ones.
const FILE_BYTES_MAX: usize = 4_096;

const VERSION: u64 = 1;

/// What a key file holds, by one-letter names.
pub(super) type Secrets<'a> = &'a [(&'a [u8], &'a [u8; 32])];

/// Writes a file that must not be there yet: complete and synced, or not at all.
pub(super) fn write_new(path: &Path, kind: &str, secrets: Secrets<'_>) -> Result<(), KeyError> {
    let bytes = encode(kind, secrets);
    write(path, &bytes).map_err(|source| KeyError::Io { path: path.to_owned(), source })
}

/// The content of a key file, not sealed.
fn encode(kind: &str, secrets: Secrets<'_>) -> Zeroizing<Vec<u8>> {
    let mut dict = Dict::new().with(b"t", kind).with(b"v", VERSION);
    for (name, secret) in secrets {
        dict.insert(*name, *secret);
    }
    Zeroizing::new(dict.encode())
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    // Only one process works in the folder, which is locked: nobody makes the file between this look and the renaming.
    if path.try_exists()? {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    put_beside(path, bytes)?;
    fs::rename(beside(path), path)?;
    File::open(folder)?.sync_all()
}

/// Where the successor of a file lies until it takes its place.
pub(super) fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

/// Writes the successor of a file beside it, synced.
pub(super) fn put_beside(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = beside(path);
    // What an earlier attempt left was never used.
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The secrets with these names; none if there is no such file. A sealed one is opened with the key that the folder was
/// unlocked with.
pub(super) fn read<const N: usize>(
    path: &Path,
    kind: &str,
    names: [&[u8]; N],
) -> Result<Option<[Zeroizing<[u8; 32]>; N]>, KeyError> {
    let Some(bytes) = read_open(path, kind)? else { return Ok(None) };
    let secrets = decode(&bytes, kind, names);
    secrets.map(Some).ok_or_else(|| KeyError::Damaged { path: path.to_owned() })
}

/// The content of a key file, opened if it is sealed.
pub(super) fn read_open(path: &Path, kind: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
    let Some(bytes) = read_raw(path)? else { return Ok(None) };
    if !SealedFile::is_one(&bytes) {
        return Ok(Some(bytes));
    }
    let failed = |source| KeyError::Sealed { path: path.to_owned(), source };
    let sealed = SealedFile::decode(&bytes).map_err(failed)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let key = unlocked::key(folder, sealed.cost()).ok_or(KeyError::Locked)?;
    sealed.open(kind, &key).map(Some).map_err(failed)
}

/// A key file's bytes as they lie on disk.
pub(super) fn read_raw(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
    let failed = |source| KeyError::Io { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mode = file.metadata().map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "others may read this key file: chmod 600 it");
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX));
    file.take(FILE_BYTES_MAX as u64).read_to_end(&mut bytes).map_err(failed)?;
    Ok(Some(bytes))
}

fn decode<const N: usize>(bytes: &[u8], kind: &str, names: [&[u8]; N]) -> Option<[Zeroizing<[u8; 32]>; N]> {
    let value = bencode::decode(bytes, FILE_BYTES_MAX).ok()?;
    let dict = value.as_dict()?;
    if dict.text(b"t").ok()? != kind || dict.uint(b"v").ok()? != VERSION {
        return None;
    }
    let mut secrets = [const { None }; N];
    for (secret, name) in secrets.iter_mut().zip(names) {
        *secret = Some(Zeroizing::new(dict.array(name).ok()?));
    }
    Some(secrets.map(|secret| secret.expect("each was set")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_is_for_its_owner_and_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device.key");
        write_new(&path, "device", &[(b"b", &[2; 32]), (b"k", &[1; 32])]).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(write_new(&path, "device", &[(b"k", &[9; 32])]).is_err());
        let [k, b] = read(&path, "device", [b"k", b"b"]).unwrap().unwrap();
        assert_eq!((*k, *b), ([1; 32], [2; 32]));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing unfinished stays");
    }

    #[test]
    fn a_file_of_another_kind_version_or_length_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity.key");
        assert!(read(&path, "identity", [b"k"]).unwrap().is_none());
        write_new(&path, "identity", &[(b"k", &[1; 32])]).unwrap();
        assert!(read(&path, "device", [b"k"]).is_err());
        assert!(read(&path, "identity", [b"x"]).is_err());
        let good = fs::read(&path).unwrap();
        for bad in [&good[..good.len() - 1], b"", b"d1:t8:identity1:vi2e1:k0:e"] {
            fs::write(&path, bad).unwrap();
            assert!(matches!(read(&path, "identity", [b"k"]), Err(KeyError::Damaged { .. })));
        }
    }
}
