//! The control record that carries a part of the private state, sealed to the words.

use thiserror::Error;
use zeroize::Zeroizing;

use super::part::PrivatePart;
use crate::bencode::{DecodeError, Dict, FieldError, FieldProblem};
use crate::crypto::kdf::derive;
use crate::crypto::secretbox::{self, NONCE_BYTES, TAG_BYTES};
use crate::crypto::{AgreementError, BoxKey, Entropy};
use crate::feed::clock::StampError;
use crate::feed::record;
use crate::ids::{BoxPublic, FeedId};
use crate::limits::{PRIVATE_CONTENT_BYTES_MAX, PRIVATE_SEALED_BYTES_MAX, PRIVATE_SEALED_BYTES_MIN};

const LENGTH_BYTES: usize = 4;
/// The key seals one value ever. spec: ENTRY-23
const NONCE: [u8; NONCE_BYTES] = [0; NONCE_BYTES];

/// A part of the private state as it stands in the log: type `private`. spec: ENTRY-23
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivateNotice {
    /// Random, so that no two are sealed under one key.
    pub salt: [u8; 16],
    /// Tag, then the sealed part: 250 · 2^k bytes.
    pub sealed: Vec<u8>,
    /// Keys of later versions, kept as they came.
    pub unknown: Dict<'static>,
}

/// Why a private state is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PrivateError {
    /// No secret can be agreed on with the other key.
    #[error("the private state is sealed between unusable keys")]
    Agreement(#[from] AgreementError),
    /// It is for other words, or was altered.
    #[error("the private state does not open")]
    Forged(#[from] secretbox::OpenError),
    /// The length in it is more than it holds.
    #[error("the private state is longer than what it is sealed in")]
    Length,
    /// Behind it there is something else than zeros.
    #[error("the padding behind the private state is not zero")]
    Padding,
    /// Not canonical bencode.
    #[error("the private state is not canonical bencode")]
    Bencode(#[from] DecodeError),
    /// No dictionary.
    #[error("the private state is not a dictionary")]
    NotADictionary,
    /// A field is missing or not what it must be.
    #[error("the private state is malformed")]
    Field(#[from] FieldError),
    /// The moment is none.
    #[error("the private state has an impossible time")]
    Stamp(#[from] StampError),
}

impl PrivateNotice {
    pub(in crate::feed) const TYPE: &'static str = "private";

    /// Seals a part from the device with the key `own` to the recovery box. spec: ENTRY-23
    pub fn seal(
        part: &PrivatePart,
        own: &BoxKey,
        recovery: &BoxPublic,
        feed: &FeedId,
        entropy: &mut Entropy,
    ) -> Result<Self, PrivateError> {
        let salt = entropy.bytes();
        let key = key(own, recovery, feed, &salt)?;
        let content = part.encode();
        let length = u32::try_from(content.len()).map_err(|_| PrivateError::Length)?;
        let mut plain = Zeroizing::new(length.to_be_bytes().to_vec());
        plain.extend_from_slice(&content);
        plain.resize(sealed_bytes(content.len())? - TAG_BYTES, 0);
        Ok(Self { salt, sealed: secretbox::seal(&key, &NONCE, &plain), unknown: Dict::new() })
    }

    /// Opens it with the recovery box `own`, as the device with the key `author` sealed it. spec: ENTRY-23, ENTRY-24
    pub fn open(&self, own: &BoxKey, author: &BoxPublic, feed: &FeedId) -> Result<PrivatePart, PrivateError> {
        let plain = secretbox::open(&*key(own, author, feed, &self.salt)?, &NONCE, &self.sealed)?;
        let (length, rest) = plain.split_first_chunk::<LENGTH_BYTES>().ok_or(PrivateError::Length)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| PrivateError::Length)?;
        let (content, padding) = rest.split_at_checked(length).ok_or(PrivateError::Length)?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(PrivateError::Padding);
        }
        PrivatePart::decode(content)
    }

    pub(in crate::feed) fn to_dict(&self) -> Dict<'static> {
        let mut dict = self.unknown.clone();
        dict.insert(b"e", self.salt);
        dict.insert(b"s", self.sealed.clone());
        dict
    }

    pub(in crate::feed) fn from_dict(dict: &Dict<'_>) -> Result<Self, FieldError> {
        let sealed = dict.bytes(b"s")?;
        if !sizes().any(|size| size == sealed.len()) {
            return Err(FieldError::new(b"s", FieldProblem::WrongLength));
        }
        let unknown = record::unknown(dict, &[b"e", b"s", b"t", b"v"]);
        Ok(Self { salt: dict.array(b"e")?, sealed: sealed.to_vec(), unknown })
    }
}

fn key(own: &BoxKey, other: &BoxPublic, feed: &FeedId, salt: &[u8; 16]) -> Result<Zeroizing<[u8; 32]>, AgreementError> {
    Ok(derive(&*own.agree(other)?, "private", &[feed.as_bytes(), salt]))
}

/// The sizes that a sealed part can have. spec: ENTRY-23
fn sizes() -> impl Iterator<Item = usize> {
    std::iter::successors(Some(PRIVATE_SEALED_BYTES_MIN), |size| Some(size * 2))
        .take_while(|size| *size <= PRIVATE_SEALED_BYTES_MAX)
}

fn sealed_bytes(content_bytes: usize) -> Result<usize, PrivateError> {
    if content_bytes > PRIVATE_CONTENT_BYTES_MAX {
        return Err(PrivateError::Length);
    }
    sizes().find(|size| content_bytes + LENGTH_BYTES + TAG_BYTES <= *size).ok_or(PrivateError::Length)
}

#[cfg(test)]
mod tests {
    use super::super::PrivateState;
    use super::*;
    use crate::crypto::IdentityKey;
    use crate::feed::clock::Stamp;

    fn sealed() -> (PrivatePart, PrivateNotice) {
        let stamp = Stamp::from_number(1_800_000_000_000 << 16).unwrap();
        let part = PrivateState::default().parts(stamp).remove(0);
        let (device, words) = (BoxKey::from_bytes([3; 32]), BoxKey::from_bytes([4; 32]));
        let mut entropy = Entropy::from_seed([8; 32]);
        let notice = PrivateNotice::seal(&part, &device, &words.public(), &feed(), &mut entropy).unwrap();
        (part, notice)
    }

    fn feed() -> FeedId {
        IdentityKey::from_seed(&[1; 32]).feed_id()
    }

    #[test]
    fn only_the_words_open_it() {
        let (part, notice) = sealed();
        let author = BoxKey::from_bytes([3; 32]).public();
        assert_eq!(notice.open(&BoxKey::from_bytes([4; 32]), &author, &feed()), Ok(part));
        let friend = notice.open(&BoxKey::from_bytes([5; 32]), &author, &feed());
        assert!(matches!(friend, Err(PrivateError::Forged(_))), "{friend:?}");
        let other = IdentityKey::from_seed(&[2; 32]).feed_id();
        assert!(notice.open(&BoxKey::from_bytes([4; 32]), &author, &other).is_err(), "of another feed");
    }

    #[test]
    fn its_length_tells_next_to_nothing() {
        let (_, notice) = sealed();
        assert_eq!(notice.sealed.len(), PRIVATE_SEALED_BYTES_MIN);
        assert_eq!(sealed_bytes(PRIVATE_CONTENT_BYTES_MAX), Ok(PRIVATE_SEALED_BYTES_MAX));
        assert!(sealed_bytes(PRIVATE_CONTENT_BYTES_MAX + 1).is_err());
    }
}
