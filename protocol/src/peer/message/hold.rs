//! HOLD and HELD: who has a code asks a seeder to hold a feed. spec: HOLD-4

use super::field::{channel, dict, request};
use super::{ChannelId, MalformedMessage, Message, MessageType, RequestId};
use crate::bencode::Dict;

/// Asks for a feed to be held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Channel of the code.
    pub channel: ChannelId,
    /// Number to answer under.
    pub request: RequestId,
    /// What claims to be the id of the feed.
    pub feed: [u8; 32],
    /// The signature of the code's key over the feed, the handshake and the asking side's role.
    pub signature: [u8; 64],
}

/// The feed is held from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Channel of the code.
    pub channel: ChannelId,
    /// The request.
    pub request: RequestId,
}

impl Message for Hold {
    const TYPE: MessageType = MessageType::Hold;

    fn encode(&self) -> Vec<u8> {
        Dict::new()
            .with(b"c", self.channel.0)
            .with(b"f", self.feed)
            .with(b"q", self.request.0)
            .with(b"s", self.signature)
            .encode()
    }

    fn decode(rest: &[u8]) -> Result<Self, MalformedMessage> {
        let dict = dict(rest)?;
        Ok(Self {
            channel: channel(&dict)?,
            request: request(&dict)?,
            feed: dict.array(b"f")?,
            signature: dict.array(b"s")?,
        })
    }
}

impl Message for Held {
    const TYPE: MessageType = MessageType::Held;

    fn encode(&self) -> Vec<u8> {
        Dict::new().with(b"c", self.channel.0).with(b"q", self.request.0).encode()
    }

    fn decode(rest: &[u8]) -> Result<Self, MalformedMessage> {
        let dict = dict(rest)?;
        Ok(Self { channel: channel(&dict)?, request: request(&dict)? })
    }
}
