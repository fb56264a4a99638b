//! Signed records and entries. What is signed, the fuzzer signs with a key that it has: whoever owns a feed can.

use peerfeed_protocol::crypto::{BoxKey, DeviceKey, IdentityKey, SignedBytes};
use peerfeed_protocol::feed::{
    Body, Control, Device, GrantRows, LeafHeader, Manifest, Records, Roster, RosterContent, UnverifiedHead,
};
use peerfeed_protocol::ids::{Incarnation, LogId};

fn identity() -> IdentityKey {
    IdentityKey::from_seed(&[1; 32])
}

fn device() -> DeviceKey {
    DeviceKey::from_seed(&[2; 32])
}

fn roster() -> Roster {
    let device = Device::new(device().id(), BoxKey::from_bytes([3; 32]).public());
    RosterContent::first(device).sign(&identity()).expect("a proper roster")
}

/// Manifests and rosters: what is accepted says the same when it is signed again.
pub(crate) fn records(payload: &[u8]) {
    let identity = identity();
    let feed = identity.feed_id();
    let manifest = identity.sign_record("manifest", payload);
    let read = Manifest::decode(&feed, &manifest);
    if let Ok(read) = &read {
        let again = read.content().sign(&identity).expect("what was read is within the limits");
        assert_eq!(again.content(), read.content());
    }
    if let Ok(read) = Roster::decode(&feed, &identity.sign_record("roster", payload)) {
        let again = read.content().clone().sign(&identity).expect("what was read is within the limits");
        assert_eq!(again.content(), read.content());
        for device in &read.content().devices {
            let log = LogId { device: device.id, incarnation: Incarnation::new([3; 8]) };
            let _ = (read.device(&device.id), read.end_of(&log));
        }
    }
    let _ = Records::judge(&feed, None, Some(&manifest), Some(roster().bytes()));
    // As it came, unsigned.
    assert!(Manifest::decode(&feed, payload).is_err() || payload.len() > 64);
    let _ = Records::decode(&feed, payload, payload);
}

/// Heads.
pub(crate) fn head(bytes: &[u8]) {
    let identity = identity();
    let (feed, device) = (identity.feed_id(), device());
    let signed = SignedBytes::join(&device.sign("head", &feed, bytes), bytes);
    for record in [bytes, &signed] {
        if let Ok(head) = UnverifiedHead::decode(record) {
            assert_eq!(head.bytes(), record);
            assert!(head.size() > 0);
            let _ = head.verify(&feed, &roster());
        }
    }
}

/// Leaf headers: what is accepted is kept to the byte.
pub(crate) fn leaf(bytes: &[u8]) {
    let Ok(header) = LeafHeader::decode(bytes) else { return };
    assert_eq!(header.bytes(), bytes);
    let again = LeafHeader::encode(header.content()).expect("what was read is within the limits");
    assert_eq!(again.content(), header.content());
    assert!(header.check_body(bytes).is_err() || header.content().body_bytes as usize == bytes.len());
}

/// What is sealed in an entry.
pub(crate) fn content(bytes: &[u8]) {
    let Ok(body) = Body::decode(bytes) else { return };
    let written = body.encode().expect("what was read is within the limits");
    assert_eq!(Body::decode(&written), Ok(body));
}

/// Control bodies, and the rows of grants in them.
pub(crate) fn control(bytes: &[u8]) {
    if let Ok(control) = Control::decode(bytes) {
        assert_eq!(control.encode().expect("what was read is within the limits"), bytes);
    }
    if let Ok(rows) = GrantRows::decode(bytes) {
        for row in rows.iter() {
            assert_eq!(rows.find(row.tag()), Some(row));
        }
    }
}
