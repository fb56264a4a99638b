//! Frames: the messages of a lane, one after the other. spec: PEER-22, PEER-24

use bytes::{Buf, Bytes, BytesMut};

use super::message::MessageType;
use super::violation::Violation;

/// Bytes of the length in front of a frame.
pub(super) const LENGTH_BYTES: usize = 4;

/// A whole frame as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A frame of length zero.
    KeepAlive,
    /// A type byte and what follows it.
    Message(u8, Bytes),
}

/// What is there of an unfinished frame.
pub(super) struct Unfinished<'b> {
    /// Type byte.
    pub(super) kind: u8,
    /// What is there of the rest.
    pub(super) rest: &'b [u8],
    /// Length of the whole frame, its length field included.
    pub(super) bytes: usize,
}

/// The frame at the front of the lane's stream, if it is whole.
pub(super) fn take(stream: &mut BytesMut, lane: u8, bytes_max: usize) -> Result<Option<Frame>, Violation> {
    let Some(length) = length(stream, lane, bytes_max)? else { return Ok(None) };
    if stream.len() < LENGTH_BYTES + length {
        return Ok(None);
    }
    stream.advance(LENGTH_BYTES);
    if length == 0 {
        return Ok(Some(Frame::KeepAlive));
    }
    let mut frame = stream.split_to(length).freeze();
    let kind = frame.get_u8();
    Ok(Some(Frame::Message(kind, frame)))
}

/// What is there of the frame at the front, once its type has come; for a stream whose whole frames were taken.
pub(super) fn unfinished(stream: &[u8]) -> Option<Unfinished<'_>> {
    let (length, rest) = stream.split_first_chunk::<LENGTH_BYTES>()?;
    let (kind, rest) = rest.split_first()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).expect("32-bit lengths fit in memory");
    Some(Unfinished { kind: *kind, rest, bytes: LENGTH_BYTES + length })
}

fn length(stream: &[u8], lane: u8, bytes_max: usize) -> Result<Option<usize>, Violation> {
    let Some(length) = stream.first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
    let length = usize::try_from(u32::from_be_bytes(*length)).expect("32-bit lengths fit in memory");
    if length > bytes_max { Err(Violation::FrameLength { length, lane }) } else { Ok(Some(length)) }
}

/// Length and type of a frame whose rest has this many bytes.
pub(super) fn prefix(kind: MessageType, rest_bytes: usize) -> [u8; LENGTH_BYTES + 1] {
    let length = u32::try_from(1 + rest_bytes).expect("frames are within their limits");
    let [a, b, c, d] = length.to_be_bytes();
    [a, b, c, d, kind.byte()]
}

/// The frame of length zero. spec: PEER-24
pub(super) const KEEP_ALIVE: [u8; LENGTH_BYTES] = [0; LENGTH_BYTES];

#[cfg(test)]
mod tests {
    use super::*;

    fn written(rest: &[u8]) -> Vec<u8> {
        [&prefix(MessageType::Ping, rest.len())[..], rest].concat()
    }

    #[test]
    fn glued_frames_come_apart() {
        let bytes = [written(b"one"), KEEP_ALIVE.to_vec(), written(b""), vec![0, 0]].concat();
        let mut stream = BytesMut::from(&bytes[..]);
        let mut frames = Vec::new();
        while let Some(frame) = take(&mut stream, 0, 100).unwrap() {
            frames.push(frame);
        }
        let ping = MessageType::Ping.byte();
        let message = |rest| Frame::Message(ping, Bytes::from_static(rest));
        assert_eq!(frames, [message(b"one"), Frame::KeepAlive, message(b"")]);
        assert_eq!(&stream[..], [0, 0]);
    }

    #[test]
    fn a_frame_over_the_limit_is_refused_by_its_length_alone() {
        let mut stream = BytesMut::from(&[0, 0, 0, 101][..]);
        assert_eq!(take(&mut stream, 1, 100), Err(Violation::FrameLength { length: 101, lane: 1 }));
        let mut stream = BytesMut::from(&[0, 0, 0, 100][..]);
        assert_eq!(take(&mut stream, 1, 100), Ok(None));
    }

    #[test]
    fn an_unfinished_frame_shows_its_type_as_soon_as_it_is_there() {
        let bytes = written(b"rest");
        assert!(unfinished(&bytes[..4]).is_none());
        let part = unfinished(&bytes[..7]).unwrap();
        assert_eq!((part.kind, part.rest, part.bytes), (MessageType::Ping.byte(), &b"re"[..], bytes.len()));
    }
}
