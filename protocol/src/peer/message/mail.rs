//! PUT, KEPT, `GET_MAIL`, MAIL and `MAIL_CAME`: packets for a mailbox, and out of it. spec: MAIL-17, MAIL-18

use bytes::Bytes;

use super::field::{channel, dict, list, request, wrong_length};
use super::{ChannelId, MalformedMessage, Message, MessageType, RequestId};
use crate::bencode::{Dict, FieldError, FieldProblem, Value};
use crate::limits::{PACKET_BYTES, PACKETS_PER_ANSWER_MAX, TOKENS_REVOKED_MAX};
use crate::mailbox::{Cursor, Token, TokenHash, Work};

/// What lets a packet in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// A token, not checked yet.
    Token(Box<Token>),
    /// A stranger's work, not checked yet.
    Work(Work),
}

/// A packet to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// Channel of the recipient's feed.
    pub channel: ChannelId,
    /// Number to answer under.
    pub request: RequestId,
    /// The packet; only its length is looked at.
    pub packet: Bytes,
    /// What lets it in.
    pub admission: Admission,
}

/// The packet is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Channel of the recipient's feed.
    pub channel: ChannelId,
    /// The request.
    pub request: RequestId,
}

/// What a device asks of its mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct MailWanted {
    /// Everything up to here is on the device's own disk.
    pub after: Option<Cursor>,
    /// Tokens that let nobody in any more; at most 64.
    pub revoked: Vec<TokenHash>,
}

/// Asks for the packets behind a cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetMail {
    /// Channel of the own feed.
    pub channel: ChannelId,
    /// Number to answer under.
    pub request: RequestId,
    /// The device that claims to ask.
    pub device: [u8; 32],
    /// Its signature over the handshake and the asking side's role.
    pub signature: [u8; 64],
    /// What it asks.
    pub wanted: MailWanted,
}

/// Packets, in the order in which they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailAnswer {
    /// The place behind the last of them.
    pub cursor: Cursor,
    /// At most 16; each has the length of a packet.
    pub packets: Vec<Bytes>,
    /// Whether more wait behind.
    pub more: bool,
}

/// MAIL on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Channel of the own feed.
    pub channel: ChannelId,
    /// The request.
    pub request: RequestId,
    /// What is there.
    pub answer: MailAnswer,
}

/// A packet came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailCame {
    /// Channel of the feed.
    pub channel: ChannelId,
}

impl Message for Put {
    const TYPE: MessageType = MessageType::Put;

    fn encode(&self) -> Vec<u8> {
        let dict = Dict::new().with(b"c", self.channel.0).with(b"p", &self.packet[..]).with(b"q", self.request.0);
        match &self.admission {
            Admission::Token(token) => dict.with(b"t", &token.as_bytes()[..]).encode(),
            Admission::Work(work) => dict.with(b"x", work.0).encode(),
        }
    }

    fn decode(rest: &[u8]) -> Result<Self, MalformedMessage> {
        let dict = dict(rest)?;
        let admission = match (dict.optional_bytes(b"t")?, dict.optional_uint(b"x")?) {
            (Some(token), _) => Admission::Token(Box::new(Token::from_slice(token).map_err(|_| wrong_length(b"t"))?)),
            (None, Some(work)) => Admission::Work(Work(work)),
            (None, None) => return Err(FieldError::new(b"t", FieldProblem::Missing).into()),
        };
        Ok(Self { channel: channel(&dict)?, request: request(&dict)?, packet: packet(dict.bytes(b"p")?)?, admission })
    }
}

impl Message for Kept {
    const TYPE: MessageType = MessageType::Kept;

    fn encode(&self) -> Vec<u8> {
        Dict::new().with(b"c", self.channel.0).with(b"q", self.request.0).encode()
    }

    fn decode(rest: &[u8]) -> Result<Self, MalformedMessage> {
        let dict = dict(rest)?;
        Ok(Self { channel: channel(&dict)?, request: request(&dict)? })
    }
}

impl Message for GetMail {
    const TYPE: MessageType = MessageType::GetMail;

    fn encode(&self) -> Vec<u8> {
        let revoked = (!self.wanted.revoked.is_empty())
            .then(|| self.wanted.revoked.iter().map(|hash| Value::from(hash.0)).collect::<Vec<_>>());
        Dict::new()
            .with_optional(b"a", self.wanted.after.map(Cursor::to_bytes))
            .with(b"c", self.channel.0)
            .with(b"d", self.device)
            .with(b"q", self.request.0)
            .with_optional(b"r", revoked)
            .with(b"s", self.signature)
            .encode()
    }

    fn decode(rest: &[u8]) -> Result<Self, MalformedMessage> {
        let dict = dict(rest)?;
        let hash = |value: &Value<'_>| super::field::array(value, b"r").map(TokenHash);
        let revoked = list(&dict, b"r", TOKENS_REVOKED_MAX)?.iter().map(hash).collect::<Result<_, _>>()?;
        Ok(Self {
            channel: channel(&dict)?,
            request: request(&dict)?,
            device: dict.array(b"d")?,
            signature: dict.array(b"s")?,
            wanted: MailWanted { after: dict.optional_array(b"a")?.map(Cursor::from_bytes), revoked },
        })
    }
}

impl Message for Mail {
    const TYPE: MessageType = MessageType::Mail;

    fn encode(&self) -> Vec<u8> {
        let packets: Vec<_> = self.answer.packets.iter().map(|packet| Value::from(&packet[..])).collect();
        Dict::new()
            .with(b"c", self.channel.0)
            .with_optional(b"m", self.answer.more.then_some(1))
            .with(b"n", self.answer.cursor.to_bytes())
            .with(b"p", packets)
            .with(b"q", self.request.0)
            .encode()
    }

    fn decode(rest: &[u8]) -> Result<Self, MalformedMessage> {
        let dict = dict(rest)?;
        let bytes = |value: &Value<'_>| {
            let bytes = value.as_bytes().ok_or_else(|| FieldError::new(b"p", FieldProblem::WrongType))?;
            packet(bytes)
        };
        let packets = list(&dict, b"p", PACKETS_PER_ANSWER_MAX)?.iter().map(bytes).collect::<Result<_, _>>()?;
        let answer = MailAnswer {
            cursor: Cursor::from_bytes(dict.array(b"n")?),
            packets,
            more: dict.optional_uint(b"m")?.is_some_and(|more| more == 1),
        };
        Ok(Self { channel: channel(&dict)?, request: request(&dict)?, answer })
    }
}

impl Message for MailCame {
    const TYPE: MessageType = MessageType::MailCame;

    fn encode(&self) -> Vec<u8> {
        Dict::new().with(b"c", self.channel.0).encode()
    }

    fn decode(rest: &[u8]) -> Result<Self, MalformedMessage> {
        Ok(Self { channel: channel(&dict(rest)?)? })
    }
}

fn packet(bytes: &[u8]) -> Result<Bytes, FieldError> {
    if PACKET_BYTES.contains(&bytes.len()) { Ok(Bytes::copy_from_slice(bytes)) } else { Err(wrong_length(b"p")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{DeviceKey, Entropy, IdentityKey};
    use crate::mailbox::TokenKind;

    fn put(bytes: usize, admission: Admission) -> Put {
        Put { channel: ChannelId(2), request: RequestId(3), packet: vec![7; bytes].into(), admission }
    }

    fn token() -> Admission {
        let feed = IdentityKey::from_seed(&[1; 32]).feed_id();
        let (device, mut entropy) = (DeviceKey::from_seed(&[2; 32]), Entropy::from_seed([3; 32]));
        Admission::Token(Box::new(Token::issue(&device, &feed, TokenKind::Contact, 5, &mut entropy)))
    }

    #[test]
    fn what_is_put_and_confirmed_is_read_as_it_was_written() {
        for admission in [token(), Admission::Work(Work(123_456))] {
            let put = put(4_000, admission);
            assert_eq!(Put::decode(&put.encode()), Ok(put));
        }
        let kept = Kept { channel: ChannelId(2), request: RequestId(3) };
        assert_eq!(Kept::decode(&kept.encode()), Ok(kept));
        let came = MailCame { channel: ChannelId(2) };
        assert_eq!(MailCame::decode(&came.encode()), Ok(came));
    }

    #[test]
    fn a_packet_has_the_length_of_a_packet_and_comes_with_something_that_lets_it_in() {
        assert!(Put::decode(&put(3_999, token()).encode()).is_err());
        let bare = Dict::new().with(b"c", 1).with(b"p", vec![0; 4_000]).with(b"q", 1).encode();
        assert!(Put::decode(&bare).is_err());
    }

    #[test]
    fn a_question_and_its_answer_are_read_as_they_were_written() {
        let cursor = Cursor { mailbox: [4; 8], number: 9 };
        let mut question = GetMail {
            channel: ChannelId(2),
            request: RequestId(3),
            device: [1; 32],
            signature: [2; 64],
            wanted: MailWanted { after: Some(cursor), revoked: vec![TokenHash([5; 32]); TOKENS_REVOKED_MAX] },
        };
        assert_eq!(GetMail::decode(&question.encode()), Ok(question.clone()));
        question.wanted.revoked.push(TokenHash([6; 32]));
        assert!(GetMail::decode(&question.encode()).is_err(), "too many at once");
        question.wanted = MailWanted::default();
        assert_eq!(GetMail::decode(&question.encode()), Ok(question));
        let answer = MailAnswer { cursor, packets: vec![vec![1; 64_000].into(); PACKETS_PER_ANSWER_MAX], more: true };
        let mut mail = Mail { channel: ChannelId(2), request: RequestId(3), answer };
        assert_eq!(Mail::decode(&mail.encode()), Ok(mail.clone()));
        assert!(mail.encode().len() < crate::limits::LANE_FRAME_BYTES_MAX[1]);
        mail.answer.packets.push(vec![1; 4_000].into());
        assert!(Mail::decode(&mail.encode()).is_err(), "more than an answer has");
    }
}
