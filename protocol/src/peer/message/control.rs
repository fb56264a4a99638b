//! REJECT, CANCEL, CLOSE, PING and PONG. spec: PEER-43, PEER-44, PEER-49

use super::field::{channel, dict, optional_small, out_of_range, request, small, wrong_length};
use super::{ChannelId, MalformedMessage, Message, MessageType, RequestId};
use crate::bencode::{Dict, FieldError};
use crate::limits::REASON_TEXT_BYTES_MAX;

/// Why something is not done. spec: PEER-43
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RejectCode {
    /// Not held, or no longer.
    NotHeld,
    /// Too busy now; ask later or somebody else.
    Busy,
    /// No such feed here.
    UnknownFeed,
    /// More than is allowed.
    OverLimit,
    /// The request makes no sense.
    Malformed,
    /// The channel or connection is being closed.
    Closed,
    /// The asking side cancelled it.
    Cancelled,
    /// The token or work does not let the packet in, or the device may not read.
    NotAdmitted,
    /// A code of a later version.
    Other(u8),
}

/// Ends a request without an answer, or refuses a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Channel of the feed.
    pub channel: ChannelId,
    /// The request; none refuses the channel itself.
    pub request: Option<RequestId>,
    /// Why.
    pub code: RejectCode,
}

/// Says that an answer is no longer needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancel {
    /// Channel of the feed.
    pub channel: ChannelId,
    /// The request.
    pub request: RequestId,
}

/// Closes a channel, or the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// The channel; none closes the connection.
    pub channel: Option<ChannelId>,
    /// Why.
    pub code: RejectCode,
    /// For the other side's log.
    pub text: Option<String>,
}

/// Asks for a PONG with the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ping(pub u64);

impl RejectCode {
    /// The code on the wire.
    pub fn number(self) -> u8 {
        match self {
            Self::NotHeld => 1,
            Self::Busy => 2,
            Self::UnknownFeed => 3,
            Self::OverLimit => 4,
            Self::Malformed => 5,
            Self::Closed => 6,
            Self::Cancelled => 7,
            Self::NotAdmitted => 8,
            Self::Other(number) => number,
        }
    }

    /// The meaning of a code.
    pub fn from_number(number: u8) -> Self {
        match number {
            1 => Self::NotHeld,
            2 => Self::Busy,
            3 => Self::UnknownFeed,
            4 => Self::OverLimit,
            5 => Self::Malformed,
            6 => Self::Closed,
            7 => Self::Cancelled,
            8 => Self::NotAdmitted,
            other => Self::Other(other),
        }
    }

    fn read(dict: &Dict<'_>) -> Result<Self, FieldError> {
        small(dict, b"e").map(Self::from_number)
    }
}

impl Message for Reject {
    const TYPE: MessageType = MessageType::Reject;

    fn encode(&self) -> Vec<u8> {
        Dict::new()
            .with(b"c", self.channel.0)
            .with(b"e", self.code.number())
            .with_optional(b"q", self.request.map(|request| request.0))
            .encode()
    }

    fn decode(rest: &[u8]) -> Result<Self, MalformedMessage> {
        let dict = dict(rest)?;
        let request = optional_small(&dict, b"q")?.map(RequestId);
        if request == Some(RequestId(0)) {
            return Err(out_of_range(b"q").into());
        }
        Ok(Self { channel: channel(&dict)?, request, code: RejectCode::read(&dict)? })
    }
}

impl Message for Cancel {
    const TYPE: MessageType = MessageType::Cancel;

    fn encode(&self) -> Vec<u8> {
        Dict::new().with(b"c", self.channel.0).with(b"q", self.request.0).encode()
    }

    fn decode(rest: &[u8]) -> Result<Self, MalformedMessage> {
        let dict = dict(rest)?;
        Ok(Self { channel: channel(&dict)?, request: request(&dict)? })
    }
}

impl Message for Close {
    const TYPE: MessageType = MessageType::Close;

    fn encode(&self) -> Vec<u8> {
        Dict::new()
            .with_optional(b"c", self.channel.map(|channel| channel.0))
            .with(b"e", self.code.number())
            .with_optional(b"x", self.text.as_deref())
            .encode()
    }

    fn decode(rest: &[u8]) -> Result<Self, MalformedMessage> {
        let dict = dict(rest)?;
        let text = dict.optional_text(b"x")?;
        if text.is_some_and(|text| text.len() > REASON_TEXT_BYTES_MAX) {
            return Err(wrong_length(b"x").into());
        }
        Ok(Self {
            channel: optional_small(&dict, b"c")?.map(ChannelId),
            code: RejectCode::read(&dict)?,
            text: text.map(str::to_owned),
        })
    }
}

impl Ping {
    /// The rest of a PING or PONG frame.
    pub fn encode(self) -> Vec<u8> {
        self.0.to_be_bytes().to_vec()
    }

    /// The number in a PING or PONG.
    pub fn decode(rest: &[u8]) -> Result<Self, MalformedMessage> {
        match rest.split_first_chunk() {
            None => Err(MalformedMessage::Truncated),
            Some((number, [])) => Ok(Self(u64::from_be_bytes(*number))),
            Some((_, more)) => Err(MalformedMessage::TrailingBytes(more.len())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_read_as_it_was_written() {
        for number in 0..=255 {
            assert_eq!(RejectCode::from_number(number).number(), number);
        }
    }

    #[test]
    fn each_message_is_read_as_it_was_written() {
        for request in [None, Some(RequestId(3))] {
            let reject = Reject { channel: ChannelId(1), request, code: RejectCode::Busy };
            assert_eq!(Reject::decode(&reject.encode()), Ok(reject));
        }
        let cancel = Cancel { channel: ChannelId(1), request: RequestId(9) };
        assert_eq!(Cancel::decode(&cancel.encode()), Ok(cancel));
        for channel in [None, Some(ChannelId(3))] {
            let close = Close { channel, code: RejectCode::Closed, text: Some("bye".to_owned()) };
            assert_eq!(Close::decode(&close.encode()), Ok(close));
        }
        assert_eq!(Ping::decode(&Ping(7).encode()), Ok(Ping(7)));
    }

    #[test]
    fn request_number_0_is_no_request() {
        assert!(Cancel::decode(b"d1:ci1e1:qi0ee").is_err());
        assert!(Reject::decode(b"d1:ci1e1:ei1e1:qi0ee").is_err());
    }

    #[test]
    fn a_ping_of_another_length_is_refused() {
        assert_eq!(Ping::decode(&[0; 7]), Err(MalformedMessage::Truncated));
        assert_eq!(Ping::decode(&[0; 9]), Err(MalformedMessage::TrailingBytes(1)));
    }
}
