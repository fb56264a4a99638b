//! STATE: records, heads and what is held. spec: PEER-36

use bytes::Bytes;

use super::field::{channel, dict, hashes, joined, list, number, out_of_range, tuple, wrong_length};
use super::{ChannelId, MalformedMessage, Message, MessageType};
use crate::bencode::{Dict, FieldError, FieldProblem, Value};
use crate::ids::{EpochId, LogId};
use crate::limits::{
    GRANT_ROWS_ANSWERED_MAX, HEAD_BYTES_MAX, HELD_RANGES_MAX, KNOWN_HEADS_MAX, MANIFEST_BYTES_MAX, ROSTER_BYTES_MAX,
};
use crate::merkle::Hash;

/// What a side has that the other, by its interest, has not.
///
/// Nothing here is checked beyond its shape: signatures, rosters and consistency are the receiver's to verify.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The signed manifest, if newer than the known one.
    pub manifest: Option<Bytes>,
    /// The signed roster, if newer than the known one.
    pub roster: Option<Bytes>,
    /// Heads that are larger than the known ones.
    pub heads: Vec<HeadNews>,
    /// Entries whose bodies are held; none when all up to the head are.
    pub held: Option<Vec<HeldRange>>,
    /// Grant rows asked for by tag.
    pub grants: Vec<GrantRow>,
    /// Whether the newest entries asked for with the interest follow, unasked. spec: PEER-41
    pub newest_follow: bool,
}

/// A head and how it continues what the other side knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadNews {
    /// The signed head.
    pub record: Bytes,
    /// Size from which the proof starts: the one that the other side named; 0 when it named none.
    pub from: u64,
    /// Consistency proof from that size; empty from 0.
    pub proof: Vec<Hash>,
}

/// Entries `[from, to)` of a log whose bodies are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldRange {
    /// The log.
    pub log: LogId,
    /// First entry held.
    pub from: u64,
    /// First entry after.
    pub to: u64,
}

/// A grant row and what is needed to try to open it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantRow {
    /// Tag by which it was asked for.
    pub tag: [u8; 8],
    /// Epoch that it opens.
    pub epoch: EpochId,
    /// Authentication tag and sealed secret.
    pub sealed: [u8; 48],
    /// Box key of the device that granted it.
    pub author_box: [u8; 32],
}

/// STATE on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateMessage {
    /// Channel of the feed.
    pub channel: ChannelId,
    /// What is said.
    pub state: State,
}

impl Message for StateMessage {
    const TYPE: MessageType = MessageType::State;

    fn encode(&self) -> Vec<u8> {
        let state = &self.state;
        let heads: Vec<Value<'_>> = state.heads.iter().map(|head| head.dict().into()).collect();
        let grants: Vec<Value<'_>> = state.grants.iter().map(GrantRow::value).collect();
        let held = state.held.as_ref().map(|ranges| ranges.iter().map(HeldRange::value).collect::<Vec<Value<'_>>>());
        Dict::new()
            .with_optional(b"a", held)
            .with(b"c", self.channel.0)
            .with_optional(b"f", state.newest_follow.then_some(1))
            .with_optional(b"g", (!grants.is_empty()).then_some(grants))
            .with(b"h", heads)
            .with_optional(b"m", state.manifest.as_deref())
            .with_optional(b"r", state.roster.as_deref())
            .encode()
    }

    fn decode(rest: &[u8]) -> Result<Self, MalformedMessage> {
        let dict = dict(rest)?;
        let held = match dict.optional_list(b"a")? {
            None => None,
            Some(_) => Some(list(&dict, b"a", HELD_RANGES_MAX)?.iter().map(HeldRange::read).collect::<Result<_, _>>()?),
        };
        let state = State {
            manifest: record(&dict, b"m", MANIFEST_BYTES_MAX)?,
            roster: record(&dict, b"r", ROSTER_BYTES_MAX)?,
            heads: list(&dict, b"h", KNOWN_HEADS_MAX)?.iter().map(HeadNews::read).collect::<Result<_, _>>()?,
            held,
            grants: list(&dict, b"g", GRANT_ROWS_ANSWERED_MAX)?.iter().map(GrantRow::read).collect::<Result<_, _>>()?,
            newest_follow: dict.optional_uint(b"f")?.is_some_and(|flag| flag != 0),
        };
        Ok(Self { channel: channel(&dict)?, state })
    }
}

fn record(dict: &Dict<'_>, key: &[u8], bytes_max: usize) -> Result<Option<Bytes>, FieldError> {
    match dict.optional_bytes(key)? {
        Some(bytes) if bytes.len() > bytes_max => Err(wrong_length(key)),
        bytes => Ok(bytes.map(Bytes::copy_from_slice)),
    }
}

impl HeadNews {
    pub(super) fn dict(&self) -> Dict<'_> {
        Dict::new()
            .with_optional(b"f", (self.from > 0).then_some(self.from))
            .with(b"h", &self.record[..])
            .with_optional(b"p", (self.from > 0).then(|| joined(&self.proof)))
    }

    fn read(value: &Value<'_>) -> Result<Self, FieldError> {
        let dict = value.as_dict().ok_or_else(|| FieldError::new(b"h", FieldProblem::WrongType))?;
        Self::read_from(dict)
    }

    /// Reads the keys f, h and p.
    pub(super) fn read_from(dict: &Dict<'_>) -> Result<Self, FieldError> {
        let record = dict.bytes(b"h")?;
        if record.len() > HEAD_BYTES_MAX {
            return Err(wrong_length(b"h"));
        }
        let from = dict.optional_uint(b"f")?.unwrap_or(0);
        let proof = hashes(dict.optional_bytes(b"p")?.unwrap_or_default(), b"p")?;
        if from == 0 && !proof.is_empty() {
            return Err(out_of_range(b"p"));
        }
        Ok(Self { record: Bytes::copy_from_slice(record), from, proof })
    }
}

impl HeldRange {
    fn value(&self) -> Value<'static> {
        vec![Value::from(self.log), Value::from(self.from), Value::from(self.to)].into()
    }

    fn read(value: &Value<'_>) -> Result<Self, FieldError> {
        let [log, from, to] = tuple(value, b"a")?;
        let range = Self { log: super::field::log(log, b"a")?, from: number(from, b"a")?, to: number(to, b"a")? };
        if range.from < range.to { Ok(range) } else { Err(out_of_range(b"a")) }
    }
}

impl GrantRow {
    fn value(&self) -> Value<'static> {
        Dict::new()
            .with(b"b", self.author_box)
            .with(b"e", self.epoch)
            .with(b"s", self.sealed)
            .with(b"t", self.tag)
            .into()
    }

    fn read(value: &Value<'_>) -> Result<Self, FieldError> {
        let dict = value.as_dict().ok_or_else(|| FieldError::new(b"g", FieldProblem::WrongType))?;
        Ok(Self {
            tag: dict.array(b"t")?,
            epoch: EpochId::new(dict.array(b"e")?),
            sealed: dict.array(b"s")?,
            author_box: dict.array(b"b")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> StateMessage {
        let log = LogId::from_stored(&[7; 40]);
        StateMessage {
            channel: ChannelId(4),
            state: State {
                manifest: Some(Bytes::from_static(b"manifest")),
                roster: Some(Bytes::from_static(b"roster")),
                heads: vec![
                    HeadNews { record: Bytes::from_static(b"head"), from: 0, proof: vec![] },
                    HeadNews { record: Bytes::from_static(b"head"), from: 3, proof: vec![Hash::new([1; 32]); 2] },
                ],
                held: Some(vec![HeldRange { log, from: 1, to: 5 }]),
                grants: vec![GrantRow {
                    tag: [1; 8],
                    epoch: EpochId::new([2; 16]),
                    sealed: [3; 48],
                    author_box: [4; 32],
                }],
                newest_follow: true,
            },
        }
    }

    #[test]
    fn a_state_is_read_as_it_was_written() {
        let empty = StateMessage { channel: ChannelId(1), state: State::default() };
        for message in [full(), empty] {
            assert_eq!(StateMessage::decode(&message.encode()), Ok(message));
        }
    }

    #[test]
    fn holding_nothing_and_holding_everything_are_told_apart() {
        let mut message = full();
        message.state.held = Some(vec![]);
        assert_eq!(StateMessage::decode(&message.encode()).unwrap().state.held, Some(vec![]));
    }

    #[test]
    fn an_empty_range_a_torn_hash_and_a_record_over_its_limit_are_refused() {
        let mut empty_range = full();
        empty_range.state.held = Some(vec![HeldRange { log: LogId::from_stored(&[7; 40]), from: 5, to: 5 }]);
        assert!(StateMessage::decode(&empty_range.encode()).is_err());
        let mut long = full();
        long.state.manifest = Some(vec![0; MANIFEST_BYTES_MAX + 1].into());
        assert!(StateMessage::decode(&long.encode()).is_err());
        assert!(StateMessage::decode(b"d1:ci0e1:hld1:fi3e1:h1:x1:p31:1234567890123456789012345678901eee").is_err());
    }
}
