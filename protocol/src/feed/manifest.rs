//! The manifest: the small record from which everything of a feed is found.

use sha2::{Digest, Sha256};

use super::record::{self, RecordError};
use crate::bencode::{Dict, FieldError, FieldProblem, Value};
use crate::crypto::{IdentityKey, OwnerKey};
use crate::ids::{FeedId, WitnessKey};
use crate::limits::{ADDRESS_BYTES_MAX, MANIFEST_BYTES_MAX, SEEDERS_MAX, TRACKER_URL_BYTES_MAX, TRACKERS_MAX};

const KIND: &str = "manifest";

/// A manifest whose signature was checked: its bytes as received, and what they say. spec: FEED-3 to FEED-6, FEED-13
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    feed: FeedId,
    bytes: Vec<u8>,
    successor: Option<[u8; 32]>,
    content: ManifestContent,
}

/// What a manifest says. To change it, clone it from the manifest, edit, and [`sign`](Self::sign).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestContent {
    /// Counts the manifests of a feed, from 1; a higher one replaces a lower one.
    pub number: u64,
    /// SHA-256 of the signed roster record that belongs to this manifest.
    pub roster_digest: [u8; 32],
    /// Where the feed is seeded; at most 4.
    pub seeders: Vec<SeederAddress>,
    /// URLs of the trackers to ask; at most 4.
    pub trackers: Vec<String>,
    /// Commits to the key that may take the feed over when the identity is stolen: [`successor_digest`].
    pub successor_digest: [u8; 32],
    /// Keys of later versions, kept as they came.
    pub unknown: Dict<'static>,
}

/// A seeder as the manifest lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeederAddress {
    /// `HOST:PORT` or `IP:PORT` (an IPv6 address in brackets): visible ASCII, at most 100 bytes.
    pub address: String,
    /// The key by which the seeder proves itself.
    pub witness: WitnessKey,
}

/// What a manifest holds of the successor's public key. spec: FEED-6
pub fn successor_digest(successor: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update(b"peerfeed/1/successor\0").chain_update(successor).finalize().into()
}

impl Manifest {
    /// Reads a manifest of `feed` and checks its signature. spec: FEED-1, FEED-3
    pub fn decode(feed: &FeedId, bytes: &[u8]) -> Result<Self, RecordError> {
        let (payload, successor) = record::verified_owner(KIND, feed, bytes, MANIFEST_BYTES_MAX)?;
        let content = ManifestContent::decode(payload)?;
        record::check_number(content.number, successor)?;
        if successor.is_some_and(|key| successor_digest(&key) != content.successor_digest) {
            return Err(RecordError::OtherSuccessor);
        }
        Ok(Self { feed: *feed, bytes: bytes.to_vec(), successor, content })
    }

    /// The feed that it belongs to.
    pub fn feed(&self) -> &FeedId {
        &self.feed
    }

    /// The signed record as it was received: what is stored and forwarded.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What it says.
    pub fn content(&self) -> &ManifestContent {
        &self.content
    }

    /// The successor's public key, if it signed this: the feed was taken back. spec: FEED-13
    pub fn successor(&self) -> Option<&[u8; 32]> {
        self.successor.as_ref()
    }

    /// Its place among the feed's manifests.
    pub fn number(&self) -> u64 {
        self.content.number
    }

    /// SHA-256 of the whole record, which settles which of two with the same number holds.
    pub fn digest(&self) -> [u8; 32] {
        record::sha256(&self.bytes)
    }
}

impl ManifestContent {
    /// The first manifest of a feed, with no seeders and trackers yet.
    pub fn first(roster_digest: [u8; 32], successor_digest: [u8; 32]) -> Self {
        Self {
            number: 1,
            roster_digest,
            seeders: Vec::new(),
            trackers: Vec::new(),
            successor_digest,
            unknown: Dict::new(),
        }
    }

    /// Signs the manifest; fails if anything in it is over its limit: the caller's fault.
    pub fn sign(&self, identity: &IdentityKey) -> Result<Manifest, RecordError> {
        let bytes = identity.sign_record(KIND, &self.encode(None));
        Manifest::decode(&identity.feed_id(), &bytes)
    }

    /// The number of the next one, when `owner` signs it. spec: FEED-13
    pub fn next_number(&self, owner: &OwnerKey) -> u64 {
        record::next_number(self.number, owner)
    }

    /// As [`Self::sign`], by whoever owns the feed now. spec: FEED-13
    pub fn sign_as(&self, owner: &OwnerKey) -> Result<Manifest, RecordError> {
        let bytes = owner.sign_record(KIND, &self.encode(owner.signer()));
        Manifest::decode(&owner.feed_id(), &bytes)
    }

    fn encode(&self, successor: Option<[u8; 32]>) -> Vec<u8> {
        let seeders: Vec<Value<'_>> = self.seeders.iter().map(|seeder| Value::from(seeder.to_dict())).collect();
        let trackers: Vec<Value<'_>> = self.trackers.iter().map(|url| Value::from(url.as_str())).collect();
        let mut dict = self.unknown.clone().with_optional(b"k", successor);
        dict.insert(b"n", self.number);
        dict.insert(b"r", self.roster_digest);
        dict.insert(b"s", seeders);
        dict.insert(b"t", trackers);
        dict.insert(b"v", 1);
        dict.insert(b"x", self.successor_digest);
        dict.encode()
    }

    fn decode(payload: &[u8]) -> Result<Self, RecordError> {
        let dict = record::fields(payload)?;
        dict.optional_array::<32>(b"k")?;
        let (seeders, trackers) = (dict.list(b"s")?, dict.list(b"t")?);
        record::at_most(b"s", seeders, SEEDERS_MAX)?;
        record::at_most(b"t", trackers, TRACKERS_MAX)?;
        let number = dict.uint(b"n")?;
        Ok(Self {
            number,
            roster_digest: dict.array(b"r")?,
            seeders: seeders.iter().map(SeederAddress::from_value).collect::<Result<_, _>>()?,
            trackers: trackers.iter().map(tracker_url).collect::<Result<_, _>>()?,
            successor_digest: dict.array(b"x")?,
            unknown: record::unknown(&dict, &[b"k", b"n", b"r", b"s", b"t", b"v", b"x"]),
        })
    }
}

impl SeederAddress {
    fn to_dict(&self) -> Dict<'_> {
        Dict::new().with(b"a", self.address.as_str()).with(b"k", self.witness)
    }

    fn from_value(value: &Value<'_>) -> Result<Self, RecordError> {
        let dict = value.as_dict().ok_or(FieldError::new(b"s", FieldProblem::WrongType))?;
        let address = record::visible_ascii(b"a", dict.text(b"a")?, ADDRESS_BYTES_MAX)?;
        Ok(Self { address, witness: WitnessKey::from_bytes(dict.array(b"k")?)? })
    }
}

/// A tracker's URL in a list. spec: FEED-5
pub(super) fn tracker_url(value: &Value<'_>) -> Result<String, FieldError> {
    let text = value.as_text().ok_or(FieldError::new(b"t", FieldProblem::WrongType))?;
    record::visible_ascii(b"t", text, TRACKER_URL_BYTES_MAX)
}
