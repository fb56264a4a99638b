//! The roster: which devices may write to a feed, and where a revoked one's logs end.

use super::record::{self, RecordError};
use crate::bencode::{Dict, FieldError, FieldProblem, Value};
use crate::crypto::{IdentityKey, OwnerKey};
use crate::ids::{BoxPublic, DeviceId, FeedId, Incarnation, LogId};
use crate::limits::{DEVICES_MAX, LOGS_PER_DEVICE_MAX, ROSTER_BYTES_MAX};
use crate::merkle::Hash;

const KIND: &str = "roster";

/// A roster whose signature was checked: its bytes as received, and what they say. spec: FEED-7 to FEED-10, FEED-13
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster {
    feed: FeedId,
    bytes: Vec<u8>,
    successor: Option<[u8; 32]>,
    content: RosterContent,
}

/// What a roster says. To change it, clone it from the roster, edit, and [`sign`](Self::sign).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterContent {
    /// Counts the rosters of a feed, from 1.
    pub number: u64,
    /// The feed's devices, sorted by key; 1 to 64.
    pub devices: Vec<Device>,
    /// The key to which every epoch is granted, whose secret follows from the owner's words. spec: FEED-14, ID-15
    pub recovery: Option<BoxPublic>,
    /// Keys of later versions, kept as they came.
    pub unknown: Dict<'static>,
}

/// A device that may, or once might, write to the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its signing key, which names it.
    pub id: DeviceId,
    /// Its X25519 key, to which grants are sealed and with which it seals them.
    pub box_key: BoxPublic,
    /// Present when the device is revoked: where its logs end. A log of it that is not listed ends at 0.
    pub ends: Option<Vec<LogEnd>>,
    /// Keys of later versions, kept as they came.
    pub unknown: Dict<'static>,
}

/// The last state of a revoked device's log that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogEnd {
    /// Which of the device's logs.
    pub incarnation: Incarnation,
    /// Entries that count; at least 1.
    pub size: u64,
    /// The tree's root at that size.
    pub root: Hash,
}

impl Roster {
    /// Reads a roster of `feed` and checks its signature. spec: FEED-1, FEED-7
    pub fn decode(feed: &FeedId, bytes: &[u8]) -> Result<Self, RecordError> {
        let (payload, successor) = record::verified_owner(KIND, feed, bytes, ROSTER_BYTES_MAX)?;
        let content = RosterContent::decode(payload)?;
        record::check_number(content.number, successor)?;
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
    pub fn content(&self) -> &RosterContent {
        &self.content
    }

    /// The successor's public key, if it signed this. spec: FEED-13
    pub fn successor(&self) -> Option<&[u8; 32]> {
        self.successor.as_ref()
    }

    /// Its place among the feed's rosters.
    pub fn number(&self) -> u64 {
        self.content.number
    }

    /// SHA-256 of the whole record: what the manifest names.
    pub fn digest(&self) -> [u8; 32] {
        record::sha256(&self.bytes)
    }

    /// The devices, sorted by key.
    pub fn devices(&self) -> &[Device] {
        &self.content.devices
    }

    /// The device with this key, if the roster lists it.
    pub fn device(&self, id: &DeviceId) -> Option<&Device> {
        let devices = &self.content.devices;
        devices.binary_search_by(|device| device.id.cmp(id)).ok().map(|at| &devices[at])
    }

    /// Where `log` ends, when its device is revoked: `Some(None)` for a log that counts for nothing.
    pub fn end_of(&self, log: &LogId) -> Option<Option<&LogEnd>> {
        let ends = self.device(&log.device)?.ends.as_ref()?;
        Some(ends.iter().find(|end| end.incarnation == log.incarnation))
    }
}

impl Device {
    /// A device that may write.
    pub fn new(id: DeviceId, box_key: BoxPublic) -> Self {
        Self { id, box_key, ends: None, unknown: Dict::new() }
    }
}

impl RosterContent {
    /// The first roster of a feed, with one device.
    pub fn first(device: Device) -> Self {
        Self { number: 1, devices: vec![device], recovery: None, unknown: Dict::new() }
    }

    /// Sorts the devices and signs the roster; fails if anything in it is over its limit: the caller's fault.
    pub fn sign(mut self, identity: &IdentityKey) -> Result<Roster, RecordError> {
        self.devices.sort_by_key(|device| device.id);
        let bytes = identity.sign_record(KIND, &self.encode(None));
        Roster::decode(&identity.feed_id(), &bytes)
    }

    /// The number of the next one, when `owner` signs it. spec: FEED-13
    pub fn next_number(&self, owner: &OwnerKey) -> u64 {
        record::next_number(self.number, owner)
    }

    /// As [`Self::sign`], by whoever owns the feed now. spec: FEED-13
    pub fn sign_as(mut self, owner: &OwnerKey) -> Result<Roster, RecordError> {
        self.devices.sort_by_key(|device| device.id);
        let bytes = owner.sign_record(KIND, &self.encode(owner.signer()));
        Roster::decode(&owner.feed_id(), &bytes)
    }

    fn encode(&self, successor: Option<[u8; 32]>) -> Vec<u8> {
        let devices: Vec<Value<'_>> = self.devices.iter().map(|device| Value::from(device.to_dict())).collect();
        let mut dict = self.unknown.clone().with_optional(b"b", self.recovery).with_optional(b"k", successor);
        dict.insert(b"d", devices);
        dict.insert(b"n", self.number);
        dict.insert(b"v", 1);
        dict.encode()
    }

    fn decode(payload: &[u8]) -> Result<Self, RecordError> {
        let dict = record::fields(payload)?;
        dict.optional_array::<32>(b"k")?;
        let recovery = dict.optional_array(b"b")?.map(BoxPublic::new);
        let devices = dict.list(b"d")?;
        record::at_most(b"d", devices, DEVICES_MAX)?;
        if devices.is_empty() {
            return Err(FieldError::new(b"d", FieldProblem::WrongLength).into());
        }
        let number = dict.uint(b"n")?;
        let devices = devices.iter().map(Device::from_value).collect::<Result<Vec<_>, _>>()?;
        if !devices.is_sorted_by(|one, next| one.id < next.id) {
            return Err(FieldError::new(b"d", FieldProblem::OutOfRange).into());
        }
        Ok(Self { number, devices, recovery, unknown: record::unknown(&dict, &[b"b", b"d", b"k", b"n", b"v"]) })
    }
}

impl Device {
    fn to_dict(&self) -> Dict<'static> {
        let ends = self.ends.as_ref().map(|ends| ends.iter().map(|end| Value::from(end.to_dict())).collect::<Vec<_>>());
        let mut dict = self.unknown.clone().with_optional(b"e", ends);
        dict.insert(b"b", self.box_key);
        dict.insert(b"k", self.id);
        dict
    }

    fn from_value(value: &Value<'_>) -> Result<Self, RecordError> {
        let dict = value.as_dict().ok_or(FieldError::new(b"d", FieldProblem::WrongType))?;
        let ends = match dict.optional_list(b"e")? {
            None => None,
            Some(ends) => {
                record::at_most(b"e", ends, LOGS_PER_DEVICE_MAX)?;
                let ends = ends.iter().map(LogEnd::from_value).collect::<Result<Vec<_>, _>>()?;
                if !ends.is_sorted_by(|one, next| one.incarnation < next.incarnation) {
                    return Err(FieldError::new(b"e", FieldProblem::OutOfRange).into());
                }
                Some(ends)
            }
        };
        Ok(Self {
            id: DeviceId::from_bytes(dict.array(b"k")?)?,
            box_key: BoxPublic::new(dict.array(b"b")?),
            ends,
            unknown: record::unknown(dict, &[b"b", b"e", b"k"]),
        })
    }
}

impl LogEnd {
    fn to_dict(self) -> Dict<'static> {
        Dict::new().with(b"i", self.incarnation).with(b"n", self.size).with(b"r", self.root)
    }

    fn from_value(value: &Value<'_>) -> Result<Self, RecordError> {
        let dict = value.as_dict().ok_or(FieldError::new(b"e", FieldProblem::WrongType))?;
        let size = dict.uint(b"n")?;
        if size == 0 {
            return Err(FieldError::new(b"n", FieldProblem::OutOfRange).into());
        }
        Ok(Self { incarnation: Incarnation::new(dict.array(b"i")?), size, root: Hash::new(dict.array(b"r")?) })
    }
}
