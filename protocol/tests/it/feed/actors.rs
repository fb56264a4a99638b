//! Who acts in the vectors: one author with one device, a friend, a seeder; all from fixed seeds.

use peerfeed_protocol::bencode::Dict;
use peerfeed_protocol::crypto::{BoxKey, DeviceKey, Entropy, IdentityKey, SignedBytes, WitnessSecret};
use peerfeed_protocol::feed::{
    Device, EpochSecret, Manifest, ManifestContent, ReadKey, Roster, RosterContent, SeederAddress, successor_digest,
};
use peerfeed_protocol::ids::{EpochId, FeedId, Incarnation, LogId};

/// 2027-01-15 08:00:00 UTC.
pub(crate) const NOW: u64 = 1_800_000_000;

pub(crate) fn identity() -> IdentityKey {
    IdentityKey::from_seed(&[1; 32])
}

pub(crate) fn feed() -> FeedId {
    identity().feed_id()
}

pub(crate) fn device() -> DeviceKey {
    DeviceKey::from_seed(&[2; 32])
}

pub(crate) fn other_device() -> DeviceKey {
    DeviceKey::from_seed(&[22; 32])
}

pub(crate) fn device_box() -> BoxKey {
    BoxKey::from_bytes([3; 32])
}

pub(crate) fn friend_box() -> BoxKey {
    BoxKey::from_bytes([4; 32])
}

pub(crate) fn witness() -> WitnessSecret {
    WitnessSecret::from_seed(&[5; 32])
}

pub(crate) fn log() -> LogId {
    LogId { device: device().id(), incarnation: Incarnation::new([1, 2, 3, 4, 5, 6, 7, 8]) }
}

pub(crate) fn friends_epoch() -> (EpochId, EpochSecret) {
    (EpochId::new([6; 16]), EpochSecret::new([7; 32]))
}

pub(crate) fn friends_key() -> ReadKey {
    friends_epoch().1.read_key(&feed())
}

pub(crate) fn entropy() -> Entropy {
    Entropy::from_seed([8; 32])
}

pub(crate) fn roster_content() -> RosterContent {
    RosterContent::first(Device::new(device().id(), device_box().public()))
}

pub(crate) fn roster() -> Roster {
    roster_content().sign(&identity()).expect("a roster within its limits")
}

pub(crate) fn manifest_content() -> ManifestContent {
    let mut content = ManifestContent::first(roster().digest(), successor_digest(&[9; 32]));
    content.seeders = vec![SeederAddress { address: "[2001:db8::1]:6881".to_owned(), witness: witness().key() }];
    content.trackers = vec!["udp://tracker.example:6969".to_owned(), "https://t.example/announce".to_owned()];
    content
}

pub(crate) fn manifest() -> Manifest {
    manifest_content().sign(&identity()).expect("a manifest within its limits")
}

/// A record that the identity signed over any dictionary at all.
pub(crate) fn signed(record_type: &str, dict: &Dict<'_>) -> Vec<u8> {
    identity().sign_record(record_type, &dict.encode())
}

/// A record that a device signed over any dictionary at all.
pub(crate) fn signed_by(device: &DeviceKey, record_type: &str, dict: &Dict<'_>) -> Vec<u8> {
    let payload = dict.encode();
    SignedBytes::join(&device.sign(record_type, &feed(), &payload), &payload)
}

/// The dictionary of a signed record.
pub(crate) fn fields(record: &[u8]) -> Dict<'static> {
    let payload = SignedBytes::split(record).expect("a signed record").unverified();
    let value = peerfeed_protocol::bencode::decode(payload, payload.len()).expect("canonical bencode");
    value.into_owned().into_dict().expect("a dictionary")
}

/// Bytes with one bit changed.
pub(crate) fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes
}
