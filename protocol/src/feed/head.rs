//! The head: one signature over a whole log.

use thiserror::Error;

use super::Roster;
use super::record::{self, RecordError};
use crate::bencode::{Dict, FieldError, FieldProblem};
use crate::crypto::{DeviceKey, SignedBytes};
use crate::ids::{FeedId, LogId};
use crate::limits::{HEAD_BYTES_MAX, TREE_SIZE_MAX};
use crate::merkle::Hash;

const KIND: &str = "head";

/// A head that was parsed and nothing else: whoever sent it may have made it up. spec: LOG-1
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnverifiedHead {
    bytes: Vec<u8>,
    log: LogId,
    size: u64,
    root: Hash,
}

/// A head that a device of the feed signed, within what its roster allows. Nothing else makes one. spec: LOG-2, LOG-3
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    feed: FeedId,
    parsed: UnverifiedHead,
}

/// Why a head is not accepted: the fault of who sent it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HeadError {
    /// Malformed or wrongly signed.
    #[error("the head is refused")]
    Record(#[from] RecordError),
    /// Signed by a device that the roster does not list.
    #[error("the head's device is not in the feed's roster")]
    UnknownDevice,
    /// Beyond the point at which the roster ended this log.
    #[error("the head is beyond the {end} entries at which the revoked device's log ends")]
    BeyondEnd {
        /// Entries of the log that count.
        end: u64,
    },
    /// The log of a revoked device at its last size, but another tree.
    #[error("the head is not the one at which the revoked device's log ends")]
    OtherEnd,
}

impl UnverifiedHead {
    /// Reads a signed head; its signature is not looked at. spec: LOG-1
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        Self::read(bytes, |log| Ok(LogId::from_bytes(log)?))
    }

    fn read(bytes: &[u8], log: impl FnOnce(&[u8; 40]) -> Result<LogId, RecordError>) -> Result<Self, RecordError> {
        let dict = record::fields(record::split(bytes, HEAD_BYTES_MAX)?.unverified())?;
        let size = dict.uint_up_to(b"n", TREE_SIZE_MAX)?;
        if size == 0 {
            return Err(FieldError::new(b"n", FieldProblem::OutOfRange).into());
        }
        let log = log(&dict.array(b"l")?)?;
        Ok(Self { bytes: bytes.to_vec(), log, size, root: Hash::new(dict.array(b"r")?) })
    }

    /// Checks signature, device and a revoked device's end. spec: LOG-2, LOG-3
    pub fn verify(self, feed: &FeedId, roster: &Roster) -> Result<Head, HeadError> {
        if roster.device(&self.log.device).is_none() {
            return Err(HeadError::UnknownDevice);
        }
        if let Some(end) = roster.end_of(&self.log) {
            let size = end.map_or(0, |end| end.size);
            if self.size > size {
                return Err(HeadError::BeyondEnd { end: size });
            }
            if end.is_some_and(|end| self.size == end.size && self.root != end.root) {
                return Err(HeadError::OtherEnd);
            }
        }
        record::verified(KIND, feed, &self.log.device, &self.bytes, HEAD_BYTES_MAX)?;
        Ok(Head { feed: *feed, parsed: self })
    }

    /// The signed record as it was received.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The log that it claims to be of.
    pub fn log(&self) -> &LogId {
        &self.log
    }

    /// Entries that the log claims to have; at least 1.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The tree's root that it claims.
    pub fn root(&self) -> &Hash {
        &self.root
    }
}

impl Head {
    /// Signs the state of one of this device's logs.
    pub fn sign(feed: &FeedId, log: &LogId, size: u64, root: &Hash, device: &DeviceKey) -> Self {
        let payload = Dict::new().with(b"l", *log).with(b"n", size).with(b"r", *root).with(b"v", 1).encode();
        let bytes = SignedBytes::join(&device.sign(KIND, feed, &payload), &payload);
        Self { feed: *feed, parsed: UnverifiedHead { bytes, log: *log, size, root: *root } }
    }

    /// A head that this program verified before it stored it: read back without the cost of a signature check.
    ///
    /// Never for bytes that came from outside.
    pub fn from_stored(feed: &FeedId, bytes: &[u8]) -> Result<Self, RecordError> {
        Ok(Self { feed: *feed, parsed: UnverifiedHead::read(bytes, |log| Ok(LogId::from_stored(log)))? })
    }

    /// The feed whose log it is.
    pub fn feed(&self) -> &FeedId {
        &self.feed
    }

    /// The signed record as it was received: what is stored and forwarded.
    pub fn bytes(&self) -> &[u8] {
        &self.parsed.bytes
    }

    /// The log.
    pub fn log(&self) -> &LogId {
        &self.parsed.log
    }

    /// Entries in the log; at least 1.
    pub fn size(&self) -> u64 {
        self.parsed.size
    }

    /// The root of the tree over its leaf headers.
    pub fn root(&self) -> &Hash {
        &self.parsed.root
    }
}
