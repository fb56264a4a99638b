//! Packets of mailboxes, the letters in them, and tokens. What is sealed and signed, the fuzzer seals and signs with keys that
//! it has: whoever writes a letter can.

use peerfeed_protocol::crypto::kdf::derive;
use peerfeed_protocol::crypto::{BoxKey, DeviceKey, Entropy, IdentityKey, SignedBytes, secretbox};
use peerfeed_protocol::feed::{Device, Roster, RosterContent};
use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::limits::PACKET_BYTES;
use peerfeed_protocol::mailbox::{Packet, Token, Work, seal};
use sha2::{Digest, Sha256};

/// The key K of the packets that are sealed here, the same in all, so that their head is, too.
const KEY: [u8; 32] = [71; 32];

fn recipient() -> FeedId {
    IdentityKey::from_seed(&[1; 32]).feed_id()
}

/// Who writes.
fn device() -> DeviceKey {
    DeviceKey::from_seed(&[52; 32])
}

/// The roster of the recipient.
fn roster() -> Roster {
    let listed = Device::new(DeviceKey::from_seed(&[2; 32]).id(), BoxKey::from_bytes([3; 32]).public());
    RosterContent::first(listed).sign(&IdentityKey::from_seed(&[1; 32])).expect("a proper roster")
}

fn prekey() -> BoxKey {
    BoxKey::from_bytes([60; 32])
}

/// Packets as they come, of which next to none opens, and tokens.
pub(crate) fn packet(bytes: &[u8]) {
    if let Ok(packet) = Packet::decode(bytes) {
        assert_eq!(packet.as_bytes(), bytes);
        assert!(PACKET_BYTES.contains(&bytes.len()));
        let _ = packet.ephemeral();
        let _ = packet.open(&recipient(), &[prekey(), BoxKey::from_bytes([61; 32])]);
        let _ = Work(7).suffices(&recipient(), bytes);
    }
    if let Ok(token) = Token::from_slice(bytes) {
        assert_eq!(token.as_bytes().as_slice(), bytes);
        assert!(token.check(&roster(), token.expiry()).is_err(), "its time is over");
        let _ = (token.kind(), token.check(&roster(), 0));
    }
}

/// The dictionary of a letter: what is accepted is written so that it is read as the same.
pub(crate) fn letter(bytes: &[u8]) {
    let Some(packet) = sealed(bytes) else { return };
    let packet = Packet::decode(&packet).expect("it was sealed by the rules");
    let Ok(opened) = packet.open(&recipient(), &[prekey()]) else { return };
    let letter = opened.letter;
    assert_eq!(letter.device, device().id(), "nobody writes in another's name");
    let again = seal(&letter, &device(), &recipient(), &[prekey().public()], &mut Entropy::from_seed([5; 32]));
    let again = again.expect("what was read is within the limits");
    assert_eq!(again.open(&recipient(), &[prekey()]).expect("what was sealed opens").letter, letter);
}

/// A packet with this letter, signed by a device and sealed to one prekey, in the shortest length that holds it.
fn sealed(dictionary: &[u8]) -> Option<Vec<u8>> {
    let ephemeral = BoxKey::from_bytes([70; 32]);
    let (public, to, prekey) = (ephemeral.public(), recipient(), prekey().public());
    let shared = ephemeral.agree(&prekey).expect("a proper key");
    let slot = derive::<40>(&*shared, "mailbox-slot", &[to.as_bytes(), public.as_bytes(), prekey.as_bytes()]);
    let (tag, slot_key) = slot.split_first_chunk::<8>().expect("40 bytes");
    let slot_key = slot_key.try_into().expect("32 of 40 bytes");
    let mut packet = [&[1][..], public.as_bytes(), &[1], tag, &secretbox::seal(slot_key, &[0; 24], &KEY)].concat();
    let head: [u8; 32] = Sha256::digest(&packet).into();
    let keys = derive::<64>(&KEY, "mailbox-packet", &[to.as_bytes(), &head]);
    let (key, commitment) = keys.split_first_chunk::<32>().expect("64 bytes");
    packet.extend_from_slice(commitment);
    let letter = SignedBytes::join(&device().sign("letter", &to, dictionary), dictionary);
    let mut plain = u32::try_from(letter.len()).ok()?.to_be_bytes().to_vec();
    plain.extend_from_slice(&letter);
    let length = PACKET_BYTES.into_iter().find(|length| packet.len() + 16 + plain.len() <= *length)?;
    plain.resize(length - packet.len() - 16, 0);
    packet.extend_from_slice(&secretbox::seal(key, &[0; 24], &plain));
    Some(packet)
}
