//! OPEN and OPENED: agreeing on a feed. spec: PEER-34, PEER-35

use super::field::{channel, dict, list, number, optional_small, out_of_range, small, tuple};
use super::{ChannelId, MalformedMessage, Message, MessageType};
use crate::bencode::{Dict, FieldError, Value};
use crate::ids::{LogId, SwarmId};
use crate::limits::{GRANT_TAGS_MAX, KNOWN_HEADS_MAX, NEWEST_BYTES_MAX, NEWEST_ENTRIES_MAX};

/// What a side has of a feed, and what it wants at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// Version of the manifest it has; 0 for none.
    pub manifest: u64,
    /// Version of the roster it has; 0 for none.
    pub roster: u64,
    /// Sizes of the heads that it has accepted, one per log. spec: PEER-34
    pub heads: Vec<(LogId, u64)>,
    /// The newest entries, sent without a further request.
    pub newest: Option<Newest>,
    /// Tags of grant rows that it looks for.
    pub grant_tags: Vec<[u8; 8]>,
}

/// How much of the newest a side wants at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Newest {
    /// Entries of each log.
    pub entries: u32,
    /// Bytes of bodies, all logs together.
    pub body_bytes: u32,
}

/// Asks to open a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// Number chosen by the sender.
    pub channel: ChannelId,
    /// Swarm of the feed.
    pub swarm: SwarmId,
    /// Proof of knowing the feed id.
    pub mac: [u8; 32],
    /// What the sender has and wants.
    pub interest: Interest,
}

/// Accepts a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The channel of the OPEN.
    pub channel: ChannelId,
    /// Proof of knowing the feed id.
    pub mac: [u8; 32],
    /// What the sender has and wants.
    pub interest: Interest,
}

impl Interest {
    fn write<'a>(&'a self, dict: Dict<'a>) -> Dict<'a> {
        let heads: Vec<Value<'_>> =
            self.heads.iter().map(|(log, size)| vec![Value::from(*log), Value::from(*size)].into()).collect();
        let tags = (!self.grant_tags.is_empty()).then(|| self.grant_tags.iter().collect::<Value<'_>>());
        let newest = self.newest.map(|newest| Dict::new().with(b"b", newest.body_bytes).with(b"n", newest.entries));
        dict.with_optional(b"g", tags)
            .with(b"h", heads)
            .with(b"k", vec![Value::from(self.manifest), Value::from(self.roster)])
            .with_optional(b"w", newest)
    }

    fn read(dict: &Dict<'_>) -> Result<Self, FieldError> {
        let known = dict.list(b"k")?;
        let [manifest, roster, ..] = known else { return Err(super::field::wrong_length(b"k")) };
        let heads = list(dict, b"h", KNOWN_HEADS_MAX)?
            .iter()
            .map(|item| {
                let [log, size] = tuple(item, b"h")?;
                Ok((super::field::log(log, b"h")?, number(size, b"h")?))
            })
            .collect::<Result<_, FieldError>>()?;
        let grant_tags = list(dict, b"g", GRANT_TAGS_MAX)?
            .iter()
            .map(|tag| super::field::array(tag, b"g"))
            .collect::<Result<_, FieldError>>()?;
        Ok(Self {
            manifest: number(manifest, b"k")?,
            roster: number(roster, b"k")?,
            heads,
            newest: dict.optional_dict(b"w")?.map(Newest::read).transpose()?,
            grant_tags,
        })
    }
}

impl Newest {
    fn read(dict: &Dict<'_>) -> Result<Self, FieldError> {
        let entries: u32 = small(dict, b"n")?;
        let body_bytes: u32 = optional_small(dict, b"b")?.unwrap_or(NEWEST_BYTES_MAX);
        if entries > NEWEST_ENTRIES_MAX || body_bytes > NEWEST_BYTES_MAX {
            return Err(out_of_range(b"w"));
        }
        Ok(Self { entries, body_bytes })
    }
}

impl Message for Open {
    const TYPE: MessageType = MessageType::Open;

    fn encode(&self) -> Vec<u8> {
        let dict = Dict::new().with(b"c", self.channel.0).with(b"m", self.mac).with(b"s", self.swarm);
        self.interest.write(dict).encode()
    }

    fn decode(rest: &[u8]) -> Result<Self, MalformedMessage> {
        let dict = dict(rest)?;
        Ok(Self {
            channel: channel(&dict)?,
            swarm: SwarmId::new(dict.array(b"s")?),
            mac: dict.array(b"m")?,
            interest: Interest::read(&dict)?,
        })
    }
}

impl Message for Opened {
    const TYPE: MessageType = MessageType::Opened;

    fn encode(&self) -> Vec<u8> {
        self.interest.write(Dict::new().with(b"c", self.channel.0).with(b"m", self.mac)).encode()
    }

    fn decode(rest: &[u8]) -> Result<Self, MalformedMessage> {
        let dict = dict(rest)?;
        Ok(Self { channel: channel(&dict)?, mac: dict.array(b"m")?, interest: Interest::read(&dict)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interest() -> Interest {
        Interest {
            manifest: 3,
            roster: 2,
            heads: vec![(LogId::from_stored(&[7; 40]), 12)],
            newest: Some(Newest { entries: 50, body_bytes: 100_000 }),
            grant_tags: vec![[1; 8], [2; 8]],
        }
    }

    #[test]
    fn an_open_and_its_answer_are_read_as_they_were_written() {
        for interest in [interest(), Interest::default()] {
            let open =
                Open { channel: ChannelId(2), swarm: SwarmId::new([9; 20]), mac: [4; 32], interest: interest.clone() };
            assert_eq!(Open::decode(&open.encode()), Ok(open));
            let opened = Opened { channel: ChannelId(2), mac: [5; 32], interest };
            assert_eq!(Opened::decode(&opened.encode()), Ok(opened));
        }
    }

    #[test]
    fn more_known_heads_than_a_feed_can_have_are_refused() {
        let mut open = Open { channel: ChannelId(0), swarm: SwarmId::new([0; 20]), mac: [0; 32], interest: interest() };
        open.interest.heads = vec![(LogId::from_stored(&[7; 40]), 1); KNOWN_HEADS_MAX];
        assert!(Open::decode(&open.encode()).is_ok());
        open.interest.heads.push((LogId::from_stored(&[8; 40]), 1));
        assert!(Open::decode(&open.encode()).is_err());
    }

    #[test]
    fn a_wish_for_too_much_is_refused() {
        let mut opened = Opened { channel: ChannelId(0), mac: [0; 32], interest: interest() };
        opened.interest.newest = Some(Newest { entries: NEWEST_ENTRIES_MAX + 1, body_bytes: 1 });
        assert!(Opened::decode(&opened.encode()).is_err());
    }
}
