//! `BLOBS_WANTED` and `BLOBS_HELD`: who has which files. spec: PEER-45

use bytes::Bytes;

use super::field::{channel, dict, list, out_of_range, wrong_length};
use super::{ChannelId, MalformedMessage, Message, MessageType};
use crate::bencode::{Dict, FieldError, FieldProblem, Value};
use crate::ids::BlobRoot;
use crate::limits::{BLOB_CHUNKS_MAX, BLOBS_PER_MESSAGE_MAX, CHUNK_BYTES, CHUNK_GROUP};

/// Asks which of these blobs the other side holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobsWanted {
    /// Channel of the feed.
    pub channel: ChannelId,
    /// Roots asked about.
    pub roots: Vec<BlobRoot>,
}

/// Says which blobs, and which parts of them, the sender holds; sent when asked, and when more is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobsHeld {
    /// Channel of the feed.
    pub channel: ChannelId,
    /// One item per blob.
    pub blobs: Vec<BlobHeld>,
}

/// What is held of one blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobHeld {
    /// The blob.
    pub root: BlobRoot,
    /// Its sealed bytes; 0 when nothing of it is held.
    pub bytes: u64,
    /// Bit i, the highest of the first byte first, stands for the chunks of group i; none when the blob is complete.
    pub groups: Option<Bytes>,
}

impl BlobHeld {
    /// Groups of 16 chunks in a blob of this many sealed bytes.
    pub fn groups_in(bytes: u64) -> u64 {
        bytes.div_ceil(CHUNK_BYTES as u64 * u64::from(CHUNK_GROUP))
    }

    /// Whether this group of chunks is held.
    pub fn holds_group(&self, group: u64) -> bool {
        if group >= Self::groups_in(self.bytes) {
            return false;
        }
        let Some(bits) = &self.groups else { return true };
        usize::try_from(group / 8).ok().and_then(|at| bits.get(at)).is_some_and(|byte| byte << (group % 8) & 0x80 != 0)
    }

    fn dict(&self) -> Dict<'_> {
        Dict::new().with_optional(b"h", self.groups.as_deref()).with(b"r", self.root).with(b"s", self.bytes)
    }

    fn read(value: &Value<'_>) -> Result<Self, FieldError> {
        let dict = value.as_dict().ok_or_else(|| FieldError::new(b"r", FieldProblem::WrongType))?;
        let bytes = dict.uint_up_to(b"s", BLOB_CHUNKS_MAX * CHUNK_BYTES as u64)?;
        let groups = dict.optional_bytes(b"h")?;
        if groups.is_some_and(|bits| bits.len() as u64 != Self::groups_in(bytes).div_ceil(8)) {
            return Err(wrong_length(b"h"));
        }
        Ok(Self { root: BlobRoot::new(dict.array(b"r")?), bytes, groups: groups.map(Bytes::copy_from_slice) })
    }
}

impl Message for BlobsWanted {
    const TYPE: MessageType = MessageType::BlobsWanted;

    fn encode(&self) -> Vec<u8> {
        Dict::new().with(b"c", self.channel.0).with(b"r", self.roots.iter().copied().collect::<Value<'_>>()).encode()
    }

    fn decode(rest: &[u8]) -> Result<Self, MalformedMessage> {
        let dict = dict(rest)?;
        let roots = list(&dict, b"r", BLOBS_PER_MESSAGE_MAX)?
            .iter()
            .map(|root| super::field::array(root, b"r").map(BlobRoot::new))
            .collect::<Result<Vec<_>, _>>()?;
        if roots.is_empty() {
            return Err(out_of_range(b"r").into());
        }
        Ok(Self { channel: channel(&dict)?, roots })
    }
}

impl Message for BlobsHeld {
    const TYPE: MessageType = MessageType::BlobsHeld;

    fn encode(&self) -> Vec<u8> {
        let blobs: Vec<Value<'_>> = self.blobs.iter().map(|blob| blob.dict().into()).collect();
        Dict::new().with(b"c", self.channel.0).with(b"r", blobs).encode()
    }

    fn decode(rest: &[u8]) -> Result<Self, MalformedMessage> {
        let dict = dict(rest)?;
        let blobs =
            list(&dict, b"r", BLOBS_PER_MESSAGE_MAX)?.iter().map(BlobHeld::read).collect::<Result<_, FieldError>>()?;
        Ok(Self { channel: channel(&dict)?, blobs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP_BYTES: u64 = 16 * CHUNK_BYTES as u64;

    fn held(groups: Option<&'static [u8]>) -> BlobHeld {
        BlobHeld { root: BlobRoot::new([1; 32]), bytes: 9 * GROUP_BYTES, groups: groups.map(Bytes::from_static) }
    }

    #[test]
    fn both_messages_are_read_as_they_were_written() {
        let wanted = BlobsWanted { channel: ChannelId(1), roots: vec![BlobRoot::new([3; 32]); 2] };
        assert_eq!(BlobsWanted::decode(&wanted.encode()), Ok(wanted));
        let nothing = BlobHeld { root: BlobRoot::new([2; 32]), bytes: 0, groups: None };
        let message =
            BlobsHeld { channel: ChannelId(1), blobs: vec![held(None), held(Some(&[0b1010_0000, 0x80])), nothing] };
        assert_eq!(BlobsHeld::decode(&message.encode()), Ok(message));
    }

    #[test]
    fn bits_stand_for_groups_from_the_left() {
        let some = held(Some(&[0b1010_0000, 0x80]));
        let groups: Vec<_> = (0..12).filter(|group| some.holds_group(*group)).collect();
        assert_eq!(groups, [0, 2, 8]);
        assert_eq!((0..12).filter(|group| held(None).holds_group(*group)).count(), 9);
    }

    #[test]
    fn a_bitmap_of_another_length_is_refused() {
        let message = BlobsHeld { channel: ChannelId(1), blobs: vec![held(Some(&[0xff]))] };
        assert!(BlobsHeld::decode(&message.encode()).is_err());
    }
}
