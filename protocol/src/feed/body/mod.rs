//! What a sealed entry says: posts, messages, profiles, and types of later versions, which are kept.

mod attachment;
mod message;
mod post;
mod profile;

pub use attachment::Attachment;
pub use message::Message;
pub use post::Post;
pub use profile::Profile;

use thiserror::Error;
use zeroize::Zeroizing;

use super::blob::BlobSizeError;
use super::clock::{Stamp, StampError};
use super::record;
use super::sealed::CONTENT_BYTES_MAX;
use crate::bencode::{self, DecodeError, Dict, FieldError, FieldProblem};
use crate::limits::TYPE_CHARS_MAX;

const COMMON_KEYS: [&[u8]; 4] = [b"c", b"t", b"v", b"w"];

/// The content of a sealed entry. spec: ENTRY-12
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// When it was written, on the hybrid clock.
    pub stamp: Stamp,
    /// Whether who does not know its type must not show what depends on it.
    pub critical: bool,
    /// What it says.
    pub content: Content,
    /// Keys of later versions, kept as they came; of an unknown type all keys but the common ones.
    pub unknown: Dict<'static>,
}

/// What a body says, by type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A text with files: type `post`.
    Post(Post),
    /// A text with files for one person: type `message`.
    Message(Message),
    /// How the owner wants to be called: type `profile`; the newest counts.
    Profile(Profile),
    /// A type or version that this program does not know: kept, served, and shown as a placeholder.
    Unknown {
        /// The type.
        name: String,
        /// Its version.
        version: u64,
    },
}

/// Why a body is not accepted: the fault of who wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BodyError {
    /// Too long or not canonical bencode.
    #[error("entry is not canonical bencode within its limit")]
    Bencode(#[from] DecodeError),
    /// No dictionary.
    #[error("entry is not a dictionary")]
    NotADictionary,
    /// A field is missing or not what it must be.
    #[error("entry is malformed")]
    Field(#[from] FieldError),
    /// The moment is none.
    #[error("entry has an impossible time")]
    Stamp(#[from] StampError),
    /// A file of a size that no blob has.
    #[error("entry has an impossible attachment")]
    BlobSize(#[from] BlobSizeError),
}

impl Body {
    /// A post.
    pub fn post(stamp: Stamp, post: Post) -> Self {
        Self { stamp, critical: false, content: Content::Post(post), unknown: Dict::new() }
    }

    /// A profile.
    pub fn profile(stamp: Stamp, profile: Profile) -> Self {
        Self { stamp, critical: false, content: Content::Profile(profile), unknown: Dict::new() }
    }

    /// The files that its entry refers to.
    pub fn attachments(&self) -> &[Attachment] {
        match &self.content {
            Content::Post(post) => &post.attachments,
            Content::Message(message) => &message.attachments,
            Content::Profile(_) | Content::Unknown { .. } => &[],
        }
    }

    /// Its canonical bytes, which are erased from memory when dropped; fails if they break a limit: the caller's fault.
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, BodyError> {
        let mut dict = self.unknown.clone();
        let (name, version) = match &self.content {
            Content::Post(post) => (Post::TYPE, post.write(&mut dict)),
            Content::Message(message) => (Message::TYPE, message.write(&mut dict)),
            Content::Profile(profile) => (Profile::TYPE, profile.write(&mut dict)),
            Content::Unknown { name, version } => (name.as_str(), *version),
        };
        dict.insert(b"c", u8::from(self.critical));
        dict.insert(b"t", name.to_owned());
        dict.insert(b"v", version);
        dict.insert(b"w", self.stamp.number());
        let bytes = Zeroizing::new(dict.encode());
        Self::decode(&bytes)?;
        Ok(bytes)
    }

    /// Reads what was sealed. spec: ENTRY-12 to ENTRY-17, ENTRY-22
    pub fn decode(bytes: &[u8]) -> Result<Self, BodyError> {
        let value = bencode::decode(bytes, CONTENT_BYTES_MAX)?;
        let dict = value.as_dict().ok_or(BodyError::NotADictionary)?;
        let critical = dict.uint_up_to(b"c", 1)? == 1;
        let stamp = Stamp::from_number(dict.int(b"w")?)?;
        let (name, version) = type_and_version(dict)?;
        let (content, known): (_, &[&[u8]]) = match (name, version) {
            (Post::TYPE, Post::VERSION) => (Content::Post(Post::read(dict)?), &Post::KEYS),
            (Message::TYPE, Message::VERSION) => (Content::Message(Message::read(dict)?), &Message::KEYS),
            (Profile::TYPE, Profile::VERSION) => (Content::Profile(Profile::read(dict)?), &Profile::KEYS),
            (name, version) => (Content::Unknown { name: name.to_owned(), version }, &[]),
        };
        let known = [&COMMON_KEYS, known].concat();
        Ok(Self { stamp, critical, content, unknown: record::unknown(dict, &known) })
    }
}

/// A record's type and version, as bodies and control records begin. spec: ENTRY-13
pub(super) fn type_and_version<'s>(dict: &'s Dict<'_>) -> Result<(&'s str, u64), FieldError> {
    let name = dict.text(b"t")?;
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || name.len() > TYPE_CHARS_MAX {
        return Err(FieldError::new(b"t", FieldProblem::WrongLength));
    }
    if !name.bytes().all(allowed) {
        return Err(FieldError::new(b"t", FieldProblem::OutOfRange));
    }
    match dict.uint(b"v")? {
        0 => Err(FieldError::new(b"v", FieldProblem::OutOfRange)),
        version => Ok((name, version)),
    }
}

/// A text of at most `max_bytes`.
pub(super) fn text_up_to(key: &[u8], text: &str, max_bytes: usize) -> Result<String, FieldError> {
    if text.len() > max_bytes {
        return Err(FieldError::new(key, FieldProblem::WrongLength));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bencode::Value;

    fn stamp() -> Stamp {
        Stamp::from_number(1_800_000_000_000 << 16).unwrap()
    }

    fn common(name: &str, version: u64) -> Dict<'_> {
        Dict::new().with(b"c", 1).with(b"t", name).with(b"v", version).with(b"w", stamp().number())
    }

    #[test]
    fn an_unknown_type_is_kept_with_all_its_keys() {
        let bytes = common("poll", 3).with(b"q", "tea or coffee").with(b"zz", vec![Value::from(1)]).encode();
        let body = Body::decode(&bytes).unwrap();
        assert_eq!(body.content, Content::Unknown { name: "poll".to_owned(), version: 3 });
        assert!(body.critical);
        assert_eq!(*body.encode().unwrap(), bytes);
    }

    #[test]
    fn a_later_version_of_a_known_type_is_an_unknown_one() {
        let body = Body::decode(&common("post", 2).encode()).unwrap();
        assert_eq!(body.content, Content::Unknown { name: "post".to_owned(), version: 2 });
    }

    #[test]
    fn a_key_that_a_post_does_not_know_survives() {
        let bytes = common("post", 1).with(b"a", Vec::<Value<'_>>::new()).with(b"x", "hi").with(b"y", 7).encode();
        let body = Body::decode(&bytes).unwrap();
        assert_eq!(body.unknown, Dict::new().with(b"y", 7));
        assert_eq!(*body.encode().unwrap(), bytes);
    }

    #[test]
    fn a_type_of_other_characters_or_no_version_is_refused() {
        for (name, version) in [("", 1), ("Post", 1), ("a b", 1), (&*"a".repeat(33), 1), ("post", 0)] {
            assert!(matches!(Body::decode(&common(name, version).encode()), Err(BodyError::Field(_))), "{name:?}");
        }
    }
}
