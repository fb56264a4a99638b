//! A file of secrets, sealed under a passphrase.

use thiserror::Error;
use zeroize::Zeroizing;

use super::passphrase::{PassphraseCost, PassphraseError, PassphraseKey};
use super::secretbox;
use crate::bencode::{self, Dict};
use crate::limits::SEALED_FILE_BYTES_MAX;

const TYPE: &str = "sealed";

/// Why bytes are no sealed file, or do not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SealedFileError {
    /// Not one at all, of a later version, or damaged.
    #[error("this is no sealed file of this program, or it is damaged")]
    Malformed,
    /// Its cost is beyond what is paid.
    #[error(transparent)]
    Cost(#[from] PassphraseError),
    /// Another passphrase sealed it, or it was altered: the two cannot be told apart.
    #[error("the passphrase does not fit")]
    Passphrase,
}

/// A sealed file, read but not opened. spec: SEAL-1
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedFile {
    kind: String,
    cost: PassphraseCost,
    nonce: [u8; 24],
    sealed: Vec<u8>,
}

impl SealedFile {
    /// Seals `content`. spec: SEAL-4
    pub fn seal(kind: &str, content: &[u8], cost: PassphraseCost, key: &PassphraseKey, nonce: [u8; 24]) -> Self {
        let sealed = secretbox::seal(&key.for_kind(kind), &nonce, content);
        Self { kind: kind.to_owned(), cost, nonce, sealed }
    }

    /// Whether bytes claim to be one.
    pub fn is_one(bytes: &[u8]) -> bool {
        let value = bencode::decode(bytes, SEALED_FILE_BYTES_MAX);
        value.is_ok_and(|value| value.as_dict().is_some_and(|dict| dict.text(b"t") == Ok(TYPE)))
    }

    /// Reads one. spec: SEAL-1, SEAL-3
    pub fn decode(bytes: &[u8]) -> Result<Self, SealedFileError> {
        let value = bencode::decode(bytes, SEALED_FILE_BYTES_MAX).map_err(|_| SealedFileError::Malformed)?;
        let dict = value.as_dict().ok_or(SealedFileError::Malformed)?;
        if dict.text(b"t") != Ok(TYPE) || dict.uint(b"v") != Ok(1) {
            return Err(SealedFileError::Malformed);
        }
        let numbers = [&b"m"[..], b"p", b"l"].map(|name| dict.uint(name));
        let [Ok(memory), Ok(passes), Ok(lanes)] = numbers else { return Err(SealedFileError::Malformed) };
        let salt = dict.array(b"s").map_err(|_| SealedFileError::Malformed)?;
        let cost = PassphraseCost::new(memory, passes, lanes, salt)?;
        let read = || Some((dict.text(b"k").ok()?.to_owned(), dict.array(b"n").ok()?, dict.bytes(b"x").ok()?.to_vec()));
        let (kind, nonce, sealed) = read().ok_or(SealedFileError::Malformed)?;
        Ok(Self { kind, cost, nonce, sealed })
    }

    /// Its bytes on disk. spec: SEAL-1
    pub fn encode(&self) -> Vec<u8> {
        Dict::new()
            .with(b"k", self.kind.as_str())
            .with(b"l", u64::from(self.cost.lanes()))
            .with(b"m", u64::from(self.cost.memory_kib()))
            .with(b"n", self.nonce)
            .with(b"p", u64::from(self.cost.passes()))
            .with(b"s", *self.cost.salt())
            .with(b"t", TYPE)
            .with(b"v", 1)
            .with(b"x", self.sealed.as_slice())
            .encode()
    }

    /// What stretching its passphrase costs.
    pub fn cost(&self) -> &PassphraseCost {
        &self.cost
    }

    /// What it holds, if it is of this kind and the key fits.
    pub fn open(&self, kind: &str, key: &PassphraseKey) -> Result<Zeroizing<Vec<u8>>, SealedFileError> {
        if self.kind != kind {
            return Err(SealedFileError::Malformed);
        }
        let opened = secretbox::open(&key.for_kind(kind), &self.nonce, &self.sealed);
        opened.map_err(|_| SealedFileError::Passphrase)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed() -> (SealedFile, PassphraseKey) {
        let cost = PassphraseCost::new(32, 1, 1, [7; 16]).unwrap();
        let key = cost.stretch("correct horse").unwrap();
        (SealedFile::seal("device", b"secret", cost, &key, [3; 24]), key)
    }

    #[test]
    fn a_sealed_file_opens_as_what_it_is_and_with_its_passphrase_alone() {
        let (file, key) = sealed();
        let bytes = file.encode();
        assert!(SealedFile::is_one(&bytes) && !bytes.windows(6).any(|window| window == b"secret"));
        let read = SealedFile::decode(&bytes).unwrap();
        assert_eq!(*read.open("device", &key).unwrap(), b"secret");
        assert_eq!(read.open("identity", &key), Err(SealedFileError::Malformed));
        let other = read.cost().stretch("wrong horse").unwrap();
        assert_eq!(read.open("device", &other), Err(SealedFileError::Passphrase));
    }

    #[test]
    fn no_altered_byte_opens_or_costs_more_than_is_paid() {
        let (file, key) = sealed();
        let bytes = file.encode();
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            let Ok(read) = SealedFile::decode(&altered) else { continue };
            // What is not in the box goes into the key: stretched again, it does not open.
            let key = if read.cost() == file.cost() { key.clone() } else { continue };
            assert!(read.open("device", &key).is_err(), "byte {at}");
        }
        for cut in 0..bytes.len() {
            assert!(SealedFile::decode(&bytes[..cut]).is_err());
        }
    }
}
