//! Numbers that name a message's kind, channel and request.

use std::fmt;

/// A channel: one feed on one connection. The opener chooses the number: the connection's initiator even ones, the
/// responder odd ones. spec: PEER-31
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelId(pub u16);

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A request, numbered by the asking side from 1 on, per connection; 0 marks what was not asked by number. spec: PEER-40
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u32);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The first byte of a frame. spec: PEER-30
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "each is the message of that name")]
pub enum MessageType {
    Hello = 0x01,
    Open = 0x02,
    Opened = 0x03,
    State = 0x04,
    GetEntries = 0x05,
    Entries = 0x06,
    GetChunks = 0x07,
    Chunks = 0x08,
    Reject = 0x09,
    BlobsWanted = 0x0a,
    BlobsHeld = 0x0b,
    HeadPush = 0x0c,
    Stored = 0x0d,
    Peers = 0x0e,
    Close = 0x0f,
    Ping = 0x10,
    Pong = 0x11,
    Cancel = 0x12,
    Put = 0x13,
    Kept = 0x14,
    GetMail = 0x15,
    Mail = 0x16,
    MailCame = 0x17,
    Hold = 0x18,
    Held = 0x19,
}

impl MessageType {
    const ALL: [Self; 25] = [
        Self::Hello,
        Self::Open,
        Self::Opened,
        Self::State,
        Self::GetEntries,
        Self::Entries,
        Self::GetChunks,
        Self::Chunks,
        Self::Reject,
        Self::BlobsWanted,
        Self::BlobsHeld,
        Self::HeadPush,
        Self::Stored,
        Self::Peers,
        Self::Close,
        Self::Ping,
        Self::Pong,
        Self::Cancel,
        Self::Put,
        Self::Kept,
        Self::GetMail,
        Self::Mail,
        Self::MailCame,
        Self::Hold,
        Self::Held,
    ];

    /// The type of this byte, if it is one of version 1.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte).wrapping_sub(1)).copied()
    }

    /// Its byte.
    pub fn byte(self) -> u8 {
        self as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_found_by_its_byte_and_no_other_byte_is_one() {
        for kind in MessageType::ALL {
            assert_eq!(MessageType::from_byte(kind.byte()), Some(kind));
        }
        assert_eq!((0..=255).filter_map(MessageType::from_byte).count(), MessageType::ALL.len());
    }
}
