//! HEAD and STORED: what is new, and what is safe. spec: PEER-46, PEER-47

use bytes::Bytes;

use super::entries::EntryBytes;
use super::field::{channel, dict, hashes, joined, wrong_length};
use super::state::HeadNews;
use super::{ChannelId, MalformedMessage, Message, MessageType};
use crate::bencode::Dict;
use crate::ids::LogId;
use crate::limits::{LEAF_HEADER_BYTES_MAX, PUSHED_BODY_BYTES_MAX};
use crate::merkle::Hash;

/// A log grew: its head and perhaps its newest entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadPush {
    /// Channel of the feed.
    pub channel: ChannelId,
    /// The head, and its consistency with the last one that the receiver is known to have.
    pub news: HeadNews,
    /// The newest entry, if it is small.
    pub entry: Option<PushedEntry>,
}

/// The newest entry of a pushed head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedEntry {
    /// Header, and body if it is small.
    pub bytes: EntryBytes,
    /// Range proof of the last place of the tree.
    pub proof: Vec<Hash>,
}

/// How much of a log is synced to the sender's disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The log.
    pub log: LogId,
    /// Entries `[0, entries)` are.
    pub entries: u64,
    /// Entries `[0, with_blobs)` are, and all blobs that they refer to.
    pub with_blobs: u64,
}

/// STORED on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredMessage {
    /// Channel of the feed.
    pub channel: ChannelId,
    /// What is safe.
    pub stored: Stored,
    /// Whether the sender wants the heads of this log pushed, or only to hear that it grew; none: as before.
    pub push: Option<bool>,
}

impl Message for HeadPush {
    const TYPE: MessageType = MessageType::HeadPush;

    fn encode(&self) -> Vec<u8> {
        let entry = self.entry.as_ref();
        self.news
            .dict()
            .with(b"c", self.channel.0)
            .with_optional(b"i", entry.map(|entry| &entry.bytes.header[..]))
            .with_optional(b"o", entry.map(|entry| joined(&entry.proof)))
            .with_optional(b"y", entry.and_then(|entry| entry.bytes.body.as_deref()))
            .encode()
    }

    fn decode(rest: &[u8]) -> Result<Self, MalformedMessage> {
        let dict = dict(rest)?;
        let entry = match dict.optional_bytes(b"i")? {
            None => None,
            Some(header) => Some(PushedEntry::read(header, &dict)?),
        };
        Ok(Self { channel: channel(&dict)?, news: HeadNews::read_from(&dict)?, entry })
    }
}

impl PushedEntry {
    fn read(header: &[u8], dict: &Dict<'_>) -> Result<Self, MalformedMessage> {
        if header.is_empty() || header.len() > LEAF_HEADER_BYTES_MAX {
            return Err(wrong_length(b"i").into());
        }
        let body = dict.optional_bytes(b"y")?;
        if body.is_some_and(|body| body.len() > PUSHED_BODY_BYTES_MAX) {
            return Err(wrong_length(b"y").into());
        }
        let bytes = EntryBytes { header: Bytes::copy_from_slice(header), body: body.map(Bytes::copy_from_slice) };
        Ok(Self { bytes, proof: hashes(dict.bytes(b"o")?, b"o")? })
    }
}

impl Message for StoredMessage {
    const TYPE: MessageType = MessageType::Stored;

    fn encode(&self) -> Vec<u8> {
        Dict::new()
            .with(b"c", self.channel.0)
            .with(b"l", self.stored.log)
            .with(b"m", self.stored.with_blobs)
            .with(b"n", self.stored.entries)
            .with_optional(b"s", self.push.map(|push| u64::from(!push)))
            .encode()
    }

    fn decode(rest: &[u8]) -> Result<Self, MalformedMessage> {
        let dict = dict(rest)?;
        let entries = dict.uint(b"n")?;
        let stored = Stored {
            log: LogId::from_stored(&dict.array(b"l")?),
            entries,
            with_blobs: dict.uint_up_to(b"m", entries)?,
        };
        let push = dict.optional_uint(b"s")?.map(|silent| silent == 0);
        Ok(Self { channel: channel(&dict)?, stored, push })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(body: Option<usize>) -> HeadPush {
        HeadPush {
            channel: ChannelId(5),
            news: HeadNews { record: Bytes::from_static(b"head"), from: 8, proof: vec![Hash::new([1; 32])] },
            entry: Some(PushedEntry {
                bytes: EntryBytes {
                    header: Bytes::from_static(b"header"),
                    body: body.map(|length| vec![7; length].into()),
                },
                proof: vec![Hash::new([2; 32]); 2],
            }),
        }
    }

    #[test]
    fn both_messages_are_read_as_they_were_written() {
        for message in [push(Some(250)), push(None), HeadPush { entry: None, ..push(None) }] {
            assert_eq!(HeadPush::decode(&message.encode()), Ok(message));
        }
        let stored = Stored { log: LogId::from_stored(&[7; 40]), entries: 9, with_blobs: 4 };
        for push in [None, Some(true), Some(false)] {
            let message = StoredMessage { channel: ChannelId(2), stored, push };
            assert_eq!(StoredMessage::decode(&message.encode()), Ok(message));
        }
    }

    #[test]
    fn a_pushed_body_over_its_limit_is_refused() {
        assert!(HeadPush::decode(&push(Some(PUSHED_BODY_BYTES_MAX)).encode()).is_ok());
        assert!(HeadPush::decode(&push(Some(PUSHED_BODY_BYTES_MAX + 1)).encode()).is_err());
    }

    #[test]
    fn blobs_cannot_be_safer_than_their_entries() {
        let stored = Stored { log: LogId::from_stored(&[7; 40]), entries: 4, with_blobs: 5 };
        assert!(StoredMessage::decode(&StoredMessage { channel: ChannelId(2), stored, push: None }.encode()).is_err());
    }
}
