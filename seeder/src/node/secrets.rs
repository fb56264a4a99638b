//! The node's own keys: how peers recognise it on a connection, and how it proves to be a seeder.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use peerfeed_protocol::crypto::WitnessSecret;
use peerfeed_protocol::crypto::kdf::derive;
use peerfeed_protocol::ids::{FeedId, WitnessKey};
use peerfeed_protocol::peer::NodeSecret;
use zeroize::Zeroizing;

use super::StartError;

/// `node.key`, mode 0600: 32 bytes from which node keys follow, then the 32-byte seed of the witness key. spec: STORE-1
pub(super) struct Secrets {
    base: Zeroizing<[u8; 32]>,
    witness: Arc<WitnessSecret>,
}

const FILE_BYTES: usize = 64;

impl Secrets {
    /// Reads the keys of a data folder, or makes them from `fresh` when there are none.
    pub(super) fn load_or_make(folder: &Path, fresh: &Zeroizing<[u8; FILE_BYTES]>) -> Result<Self, StartError> {
        let path = folder.join("node.key");
        let bytes = read_or_make(&path, fresh).map_err(|source| StartError::Keys { path, source })?;
        let (base, seed) = bytes.split_at(32);
        let seed = Zeroizing::new(*seed.first_chunk::<32>().expect("half of the file"));
        Ok(Self {
            base: Zeroizing::new(*base.first_chunk().expect("half of the file")),
            witness: Arc::new(WitnessSecret::from_seed(&seed)),
        })
    }

    /// The node key shown to who dials this node: always the same, as the address is.
    pub(super) fn as_responder(&self) -> NodeSecret {
        NodeSecret::from_bytes(*derive(&*self.base, "node", &[b"responder"]))
    }

    /// The node key shown to who is dialled: another one for each seeder, so that no two can tell that it was the same
    /// reader. A seeder whose witness key is known has one key at all of its addresses.
    pub(super) fn as_initiator(&self, address: &str, witness: Option<&WitnessKey>) -> NodeSecret {
        let secret = match witness {
            Some(witness) => derive(&*self.base, "node", &[b"witness", witness.as_bytes()]),
            None => derive(&*self.base, "node", &[b"address", address.as_bytes()]),
        };
        NodeSecret::from_bytes(*secret)
    }

    /// The peer id and key under which a tracker knows this node for one feed.
    pub(super) fn tracker_names(&self, feed: &FeedId) -> ([u8; 20], u32) {
        let names = derive::<16>(&*self.base, "tracker", &[feed.as_bytes()]);
        let mut peer_id = *b"-PF0010-000000000000";
        peer_id[8..].copy_from_slice(&names[..12]);
        let key = *names[12..].first_chunk().expect("four bytes are left");
        (peer_id, u32::from_be_bytes(key))
    }

    /// The witness key's secret.
    pub(super) fn witness(&self) -> &Arc<WitnessSecret> {
        &self.witness
    }
}

fn read_or_make(path: &Path, fresh: &Zeroizing<[u8; FILE_BYTES]>) -> io::Result<Zeroizing<[u8; FILE_BYTES]>> {
    match fs::File::open(path) {
        Ok(mut file) => {
            let mut bytes = Zeroizing::new([0; FILE_BYTES]);
            file.read_exact(&mut *bytes)?;
            Ok(bytes)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Written under another name first: a file that is there is whole.
            let draft: PathBuf = path.with_extension("key.new");
            let _ = fs::remove_file(&draft);
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
            file.write_all(&**fresh)?;
            file.sync_all()?;
            fs::rename(&draft, path)?;
            if let Some(folder) = path.parent() {
                fs::File::open(folder)?.sync_all()?;
            }
            Ok(fresh.clone())
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn keys_are_made_once_and_kept_private() {
        let folder = tempfile::tempdir().unwrap();
        let first = Secrets::load_or_make(folder.path(), &Zeroizing::new([1; 64])).unwrap();
        let second = Secrets::load_or_make(folder.path(), &Zeroizing::new([2; 64])).unwrap();
        assert_eq!(first.witness().key(), second.witness().key());
        assert_eq!(first.as_responder().key(), second.as_responder().key());
        let mode = fs::metadata(folder.path().join("node.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn each_seeder_sees_another_reader() {
        let folder = tempfile::tempdir().unwrap();
        let secrets = Secrets::load_or_make(folder.path(), &Zeroizing::new([1; 64])).unwrap();
        let witness = secrets.witness().key();
        let keys = [
            secrets.as_responder().key(),
            secrets.as_initiator("a:1", None).key(),
            secrets.as_initiator("b:1", None).key(),
            secrets.as_initiator("a:1", Some(&witness)).key(),
        ];
        assert!((0..4).all(|one| (0..one).all(|other| keys[one] != keys[other])));
        assert_eq!(secrets.as_initiator("b:1", Some(&witness)).key(), keys[3], "one seeder at two addresses");
    }

    #[test]
    fn a_short_key_file_is_an_error_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("node.key"), b"short").unwrap();
        assert!(Secrets::load_or_make(folder.path(), &Zeroizing::new([1; 64])).is_err());
        assert_eq!(fs::read(folder.path().join("node.key")).unwrap(), b"short");
    }
}
