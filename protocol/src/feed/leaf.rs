//! The leaf header: what everybody, seeders included, sees of an entry.

use sha2::{Digest, Sha256};
use thiserror::Error;

use super::blob::{BlobSize, BlobSizeError};
use super::sealed;
use crate::bencode::{self, DecodeError, Dict, FieldError, FieldProblem, Value};
use crate::ids::BlobRoot;
use crate::limits::{BLOBS_PER_ENTRY_MAX, BODY_BYTES_MAX, LEAF_HEADER_BYTES_MAX};
use crate::merkle::{self, Hash};

/// An entry's header as it stands in the tree: its exact bytes, and what they say. spec: ENTRY-1 to ENTRY-7
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafHeader {
    bytes: Vec<u8>,
    content: LeafContent,
}

/// What a leaf header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafContent {
    /// What kind of body follows.
    pub class: Class,
    /// Length of the body as stored.
    pub body_bytes: u32,
    /// SHA-256 of the body as stored.
    pub body_digest: [u8; 32],
    /// Blobs that the entry refers to, in the order of its attachments; at most 16.
    pub blobs: Vec<BlobRef>,
    /// How long the entry is to be kept.
    pub retention: Retention,
    /// When it was written, in unix seconds; does not decrease within a log.
    pub time: u64,
}

/// Whether an entry's body is sealed content or a clear control record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Content, sealed under a key that the reader finds by the hint.
    Sealed {
        /// Follows from the entry key: a reader compares it to find the epoch.
        hint: [u8; 8],
        /// Follows from the entry key: binds the body to one key.
        commitment: [u8; 32],
    },
    /// A clear record that seeders obey.
    Control,
    /// Of a later version: kept, served, and shown as a placeholder.
    Other(u64),
}

/// How long an entry is to be kept. spec: ENTRY-6
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// For as long as the feed is held.
    Keep,
    /// A class of a later version, treated as [`Self::Keep`].
    Other(u64),
}

/// A blob as an entry names it: who holds the entry knows what to fetch and how much it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BlobRef {
    /// The root over its sealed chunks, which names it.
    pub root: BlobRoot,
    /// Its size as sealed.
    pub size: BlobSize,
}

/// Why bytes are not a leaf header: the fault of who wrote the entry.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LeafError {
    /// Too long or not canonical bencode.
    #[error("leaf header is not canonical bencode within its limit")]
    Bencode(#[from] DecodeError),
    /// No dictionary.
    #[error("leaf header is not a dictionary")]
    NotADictionary,
    /// A field is missing or not what it must be.
    #[error("leaf header is malformed")]
    Field(#[from] FieldError),
    /// A sealed body of a length that no sealed body has.
    #[error("no sealed body has {0} bytes")]
    SealedLength(u32),
    /// A blob of a size that no blob has.
    #[error("leaf header refers to an impossible blob")]
    BlobSize(#[from] BlobSizeError),
}

/// The body does not belong to the header: the fault of who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the body is not the one that its header names")]
pub struct OtherBody;

impl LeafHeader {
    /// Reads a header and keeps its bytes, unknown keys included. spec: ENTRY-1, ENTRY-2
    pub fn decode(bytes: &[u8]) -> Result<Self, LeafError> {
        let value = bencode::decode(bytes, LEAF_HEADER_BYTES_MAX)?;
        let dict = value.as_dict().ok_or(LeafError::NotADictionary)?;
        Ok(Self { bytes: bytes.to_vec(), content: LeafContent::decode(dict)? })
    }

    /// Writes a header; fails if it breaks a limit: the caller's fault.
    pub fn encode(content: &LeafContent) -> Result<Self, LeafError> {
        Self::decode(&content.to_dict().encode())
    }

    /// The exact bytes, as they are hashed, stored and forwarded.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What it says.
    pub fn content(&self) -> &LeafContent {
        &self.content
    }

    /// What kind of body follows.
    pub fn class(&self) -> Class {
        self.content.class
    }

    /// Blobs that the entry refers to.
    pub fn blobs(&self) -> &[BlobRef] {
        &self.content.blobs
    }

    /// When it was written, in unix seconds.
    pub fn time(&self) -> u64 {
        self.content.time
    }

    /// Length of the body as stored.
    pub fn body_bytes(&self) -> u32 {
        self.content.body_bytes
    }

    /// The header's leaf in the log's tree. spec: LOG-4
    pub fn leaf_hash(&self) -> Hash {
        merkle::leaf_hash(&self.bytes)
    }

    /// Checks that `body` is the body that this header names. spec: ENTRY-4
    pub fn check_body(&self, body: &[u8]) -> Result<(), OtherBody> {
        let fits = usize::try_from(self.content.body_bytes) == Ok(body.len())
            && Sha256::digest(body)[..] == self.content.body_digest;
        if fits { Ok(()) } else { Err(OtherBody) }
    }
}

impl LeafContent {
    fn to_dict(&self) -> Dict<'_> {
        let blobs =
            (!self.blobs.is_empty()).then(|| self.blobs.iter().copied().map(BlobRef::to_value).collect::<Vec<_>>());
        let dict = Dict::new()
            .with(b"b", self.body_bytes)
            .with(b"c", self.class.number())
            .with(b"d", self.body_digest)
            .with_optional(b"f", blobs)
            .with(b"r", self.retention.number())
            .with(b"t", self.time)
            .with(b"v", 1);
        match &self.class {
            Class::Sealed { hint, commitment } => dict.with(b"h", hint).with(b"k", commitment),
            _ => dict,
        }
    }

    fn decode(dict: &Dict<'_>) -> Result<Self, LeafError> {
        if dict.uint(b"v")? == 0 {
            return Err(FieldError::new(b"v", FieldProblem::OutOfRange).into());
        }
        let body_bytes = dict.uint_up_to(b"b", BODY_BYTES_MAX as u64)?;
        let body_bytes = u32::try_from(body_bytes).expect("the limit is far below 2^32");
        let class = match (dict.uint(b"c")?, dict.optional_array(b"h")?, dict.optional_array(b"k")?) {
            (0, Some(hint), Some(commitment)) => Class::Sealed { hint, commitment },
            (0, None, _) => return Err(FieldError::new(b"h", FieldProblem::Missing).into()),
            (0, _, None) => return Err(FieldError::new(b"k", FieldProblem::Missing).into()),
            (1, None, None) => Class::Control,
            (1, _, _) => return Err(FieldError::new(b"h", FieldProblem::OutOfRange).into()),
            (other, _, _) => Class::Other(other),
        };
        if matches!(class, Class::Sealed { .. }) && !sealed::is_sealed_length(body_bytes as usize) {
            return Err(LeafError::SealedLength(body_bytes));
        }
        let blobs = dict.optional_list(b"f")?.unwrap_or_default();
        if blobs.len() > BLOBS_PER_ENTRY_MAX {
            return Err(FieldError::new(b"f", FieldProblem::WrongLength).into());
        }
        Ok(Self {
            class,
            body_bytes,
            body_digest: dict.array(b"d")?,
            blobs: blobs.iter().map(BlobRef::from_value).collect::<Result<_, _>>()?,
            retention: match dict.uint(b"r")? {
                0 => Retention::Keep,
                other => Retention::Other(other),
            },
            time: dict.uint(b"t")?,
        })
    }
}

impl Class {
    fn number(self) -> u64 {
        match self {
            Self::Sealed { .. } => 0,
            Self::Control => 1,
            Self::Other(number) => number,
        }
    }
}

impl Retention {
    fn number(self) -> u64 {
        match self {
            Self::Keep => 0,
            Self::Other(number) => number,
        }
    }
}

impl BlobRef {
    fn to_value(self) -> Value<'static> {
        Value::from(vec![Value::from(self.root), Value::from(self.size.bytes())])
    }

    fn from_value(value: &Value<'_>) -> Result<Self, LeafError> {
        let malformed = || LeafError::Field(FieldError::new(b"f", FieldProblem::WrongType));
        let [root, bytes] = value.as_list().ok_or_else(malformed)? else { return Err(malformed()) };
        let root = BlobRoot::from_slice(root.as_bytes().ok_or_else(malformed)?).map_err(|_| malformed())?;
        let bytes = u64::try_from(bytes.as_int().ok_or_else(malformed)?).map_err(|_| malformed())?;
        Ok(Self { root, size: BlobSize::new(bytes)? })
    }
}
