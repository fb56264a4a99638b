//! Packets: a letter, sealed to the prekeys of its receiver's devices.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

use super::letter::{Letter, LetterError};
use crate::crypto::kdf::derive;
use crate::crypto::{BoxKey, DeviceKey, Entropy, secretbox};
use crate::feed::{GRANT_ROW_BYTES, GRANT_TAG_BYTES, GrantRow, GrantRows, GrantRowsError};
use crate::ids::{BoxPublic, FeedId};
use crate::limits::{PACKET_BYTES, PACKET_SLOTS_MAX};

const VERSION: u8 = 1;
/// Version, ephemeral key, number of slots.
const FRONT_BYTES: usize = 1 + 32 + 1;
const COMMITMENT_BYTES: usize = 32;
const LENGTH_BYTES: usize = 4;

/// A packet whose outside is in order; what is in it shows when it is opened. spec: MAIL-3
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    bytes: Vec<u8>,
    slots: GrantRows,
}

/// What was in a packet.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The letter, its sender verified.
    pub letter: Letter,
    /// Which of the prekeys opened it.
    pub prekey: BoxPublic,
}

/// Why a packet is none, cannot be opened, or cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PacketError {
    /// Not one of the lengths of packets.
    #[error("a packet of {0} bytes, which none has")]
    Length(usize),
    /// Of another version.
    #[error("a packet of version {0}")]
    Version(u8),
    /// The slots are not what they must be.
    #[error("a packet with malformed slots")]
    Slots(#[from] GrantRowsError),
    /// More slots than devices.
    #[error("a packet with {0} slots")]
    TooManySlots(usize),
    /// No slot is for these prekeys.
    #[error("the packet is not for this device, or its prekey was erased")]
    NotForUs,
    /// The slot opens and what it gives does not fit the packet.
    #[error("the packet's key is not the one that it commits to")]
    Commitment,
    /// It was changed on the way.
    #[error("the packet does not open")]
    Forged(#[from] secretbox::OpenError),
    /// What is around the letter is not as it must be.
    #[error("the packet's padding is wrong")]
    Padding,
    /// The letter in it.
    #[error("the letter in the packet is not acceptable")]
    Letter(#[from] LetterError),
    /// No packet is large enough for the letter: the writer's matter.
    #[error("a letter of {0} bytes fits no packet")]
    TooLong(usize),
    /// There is no prekey to which it could be sealed: the recipient's devices published none.
    #[error("nobody could open the packet: there is no usable prekey")]
    NoPrekey,
}

/// Seals a letter of the device `sender` to these prekeys of the feed `to`. spec: MAIL-3 to MAIL-5
pub fn seal(
    letter: &Letter,
    sender: &DeviceKey,
    to: &FeedId,
    prekeys: &[BoxPublic],
    entropy: &mut Entropy,
) -> Result<Packet, PacketError> {
    let ephemeral = BoxKey::from_bytes(entropy.bytes());
    let key: Zeroizing<[u8; 32]> = Zeroizing::new(entropy.bytes());
    let mut rows: Vec<GrantRow> = Vec::new();
    for prekey in prekeys.iter().take(PACKET_SLOTS_MAX) {
        let Ok(slot) = SlotKey::agree(&ephemeral, prekey, to, &ephemeral.public(), prekey) else { continue };
        let row = slot.seal(&key);
        if rows.iter().all(|held| held.tag() != row.tag()) {
            rows.push(row);
        }
    }
    if rows.is_empty() {
        return Err(PacketError::NoPrekey);
    }
    let slots = GrantRows::padded(rows, entropy)?;
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(ephemeral.public().as_bytes());
    bytes.push(u8::try_from(slots.iter().len()).expect("at most 64 slots"));
    bytes.extend_from_slice(slots.as_bytes());
    let head = sha256(&bytes);
    let letter = letter.sign(sender, to, &head)?;
    let least = bytes.len() + COMMITMENT_BYTES + secretbox::TAG_BYTES + LENGTH_BYTES + letter.len();
    let length = *PACKET_BYTES.iter().find(|length| **length >= least).ok_or(PacketError::TooLong(letter.len()))?;
    let inside = length - bytes.len() - COMMITMENT_BYTES - secretbox::TAG_BYTES;
    let mut plain = Zeroizing::new(Vec::with_capacity(inside));
    plain.extend_from_slice(&u32::try_from(letter.len()).expect("it fits a packet").to_be_bytes());
    plain.extend_from_slice(&letter);
    plain.resize(inside, 0);
    let keys = derive::<64>(&*key, "mailbox-packet", &[to.as_bytes(), &head]);
    let (box_key, commitment) = halves(&keys);
    bytes.extend_from_slice(commitment);
    bytes.extend_from_slice(&secretbox::seal(box_key, &[0; 24], &plain));
    Ok(Packet { bytes, slots })
}

impl Packet {
    /// Checks the outside of a packet: length, version, slots. spec: MAIL-3, MAIL-6
    pub fn decode(bytes: &[u8]) -> Result<Self, PacketError> {
        if !PACKET_BYTES.contains(&bytes.len()) {
            return Err(PacketError::Length(bytes.len()));
        }
        if bytes[0] != VERSION {
            return Err(PacketError::Version(bytes[0]));
        }
        let count = usize::from(bytes[FRONT_BYTES - 1]);
        if count > PACKET_SLOTS_MAX {
            return Err(PacketError::TooManySlots(count));
        }
        // The smallest packet has room for 64 slots.
        let slots = GrantRows::decode(&bytes[FRONT_BYTES..FRONT_BYTES + count * GRANT_ROW_BYTES])?;
        Ok(Self { bytes: bytes.to_vec(), slots })
    }

    /// The whole of it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The key that was made for this packet: no two packets of honest senders share one.
    pub fn ephemeral(&self) -> BoxPublic {
        BoxPublic::new(*self.bytes[1..].first_chunk().expect("it is longer"))
    }

    /// Opens it with whichever of these prekeys of the feed `to` has a slot in it. spec: MAIL-6
    pub fn open(&self, to: &FeedId, prekeys: &[BoxKey]) -> Result<Opened, PacketError> {
        let ephemeral = self.ephemeral();
        let opened = prekeys.iter().find_map(|prekey| {
            let own = prekey.public();
            let slot = SlotKey::agree(prekey, &ephemeral, to, &ephemeral, &own).ok()?;
            Some((slot.open(&self.slots.find(&slot.tag)?), own))
        });
        let (key, prekey) = opened.ok_or(PacketError::NotForUs)?;
        let key = key?;
        let (head, rest) = self.bytes.split_at(FRONT_BYTES + self.slots.as_bytes().len());
        let head = sha256(head);
        let (due, sealed) = rest.split_at(COMMITMENT_BYTES);
        let keys = derive::<64>(&key, "mailbox-packet", &[to.as_bytes(), &head]);
        let (box_key, commitment) = halves(&keys);
        if !bool::from(commitment[..].ct_eq(due)) {
            return Err(PacketError::Commitment);
        }
        let plain = secretbox::open(box_key, &[0; 24], sealed)?;
        let (length, inside) = plain.split_first_chunk::<LENGTH_BYTES>().ok_or(PacketError::Padding)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| PacketError::Padding)?;
        let (letter, padding) = inside.split_at_checked(length).ok_or(PacketError::Padding)?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(PacketError::Padding);
        }
        Ok(Opened { letter: Letter::decode(letter, to, &head)?, prekey })
    }
}

/// What the packet's ephemeral key and one prekey share. spec: MAIL-4
struct SlotKey {
    tag: [u8; GRANT_TAG_BYTES],
    key: Zeroizing<[u8; 32]>,
}

impl SlotKey {
    fn agree(
        own: &BoxKey,
        other: &BoxPublic,
        to: &FeedId,
        ephemeral: &BoxPublic,
        prekey: &BoxPublic,
    ) -> Result<Self, PacketError> {
        let shared = own.agree(other).map_err(|_| PacketError::NotForUs)?;
        let parts: [&[u8]; 3] = [to.as_bytes(), ephemeral.as_bytes(), prekey.as_bytes()];
        let secret = derive::<40>(&*shared, "mailbox-slot", &parts);
        let mut slot = Self { tag: [0; GRANT_TAG_BYTES], key: Zeroizing::new([0; 32]) };
        slot.tag.copy_from_slice(&secret[..GRANT_TAG_BYTES]);
        slot.key.copy_from_slice(&secret[GRANT_TAG_BYTES..]);
        Ok(slot)
    }

    fn seal(&self, key: &[u8; 32]) -> GrantRow {
        let mut row = [0; GRANT_ROW_BYTES];
        row[..GRANT_TAG_BYTES].copy_from_slice(&self.tag);
        row[GRANT_TAG_BYTES..].copy_from_slice(&secretbox::seal(&self.key, &[0; 24], key));
        GrantRow::new(row)
    }

    fn open(&self, row: &GrantRow) -> Result<Zeroizing<Vec<u8>>, PacketError> {
        Ok(secretbox::open(&self.key, &[0; 24], &row.as_bytes()[GRANT_TAG_BYTES..])?)
    }
}

fn halves(keys: &[u8; 64]) -> (&[u8; 32], &[u8; 32]) {
    let (key, commitment) = keys.split_at(32);
    (key.try_into().expect("32 of 64 bytes"), commitment.try_into().expect("32 of 64 bytes"))
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::super::letter::tests::{letter, recipient, sender};
    use super::*;

    fn prekey(seed: u8) -> BoxKey {
        BoxKey::from_bytes([seed; 32])
    }

    fn sealed(prekeys: &[BoxPublic]) -> Packet {
        seal(&letter(), &sender(), &recipient(), prekeys, &mut Entropy::from_seed([8; 32])).unwrap()
    }

    #[test]
    fn each_device_opens_a_packet_with_its_own_prekey_and_nobody_else_does() {
        let packet = sealed(&[prekey(1).public(), prekey(2).public(), prekey(3).public()]);
        assert_eq!(packet.as_bytes().len(), PACKET_BYTES[0]);
        let packet = Packet::decode(packet.as_bytes()).unwrap();
        for seed in [1, 2, 3] {
            let opened = packet.open(&recipient(), &[prekey(77), prekey(seed)]).unwrap();
            assert_eq!((opened.letter, opened.prekey), (letter(), prekey(seed).public()));
        }
        assert!(matches!(packet.open(&recipient(), &[prekey(4)]), Err(PacketError::NotForUs)));
        assert!(matches!(packet.open(letter().records.manifest().feed(), &[prekey(1)]), Err(PacketError::NotForUs)));
    }

    #[test]
    fn a_packet_with_any_byte_changed_does_not_open() {
        let good = sealed(&[prekey(1).public(), prekey(2).public()]);
        let ours = {
            let slot =
                SlotKey::agree(&prekey(1), &good.ephemeral(), &recipient(), &good.ephemeral(), &prekey(1).public());
            good.slots.iter().position(|row| *row.tag() == slot.as_ref().unwrap().tag).unwrap()
        };
        for at in (0..200).chain((200..PACKET_BYTES[0]).step_by(37)) {
            let mut bytes = good.as_bytes().to_vec();
            bytes[at] ^= 0x40;
            let opened = Packet::decode(&bytes).and_then(|packet| packet.open(&recipient(), &[prekey(1)]));
            assert!(opened.is_err(), "byte {at}, our slot is {ours}");
        }
    }

    #[test]
    fn lengths_versions_and_numbers_of_slots_that_no_packet_has_are_refused() {
        let good = sealed(&[prekey(1).public()]);
        assert_eq!(Packet::decode(&good.as_bytes()[1..]), Err(PacketError::Length(3_999)));
        let with = |at: usize, byte| {
            let mut bytes = good.as_bytes().to_vec();
            bytes[at] = byte;
            Packet::decode(&bytes)
        };
        assert_eq!(with(0, 2), Err(PacketError::Version(2)));
        assert_eq!(with(33, 65), Err(PacketError::TooManySlots(65)));
        assert!(matches!(with(33, 3), Err(PacketError::Slots(_))));
        assert!(matches!(with(33, 0), Err(PacketError::Slots(_))));
    }

    #[test]
    fn keys_of_small_order_get_no_slot() {
        let bad = BoxPublic::new([0; 32]);
        let entropy = &mut Entropy::from_seed([8; 32]);
        assert_eq!(seal(&letter(), &sender(), &recipient(), &[bad], entropy), Err(PacketError::NoPrekey));
        let packet = sealed(&[bad, prekey(1).public()]);
        assert!(packet.open(&recipient(), &[prekey(1)]).is_ok());
    }
}
