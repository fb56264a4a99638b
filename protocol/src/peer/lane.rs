//! A lane as it is received: the stream of one lane, cut into frames. spec: PEER-21, PEER-22

use bytes::BytesMut;

use super::frame::{self, Frame, Unfinished};
use super::violation::Violation;
use crate::limits::LANE_FRAME_BYTES_MAX;

/// Room behind a frame for the record that completes it: authentication tag and lane byte.
const SLACK_BYTES: usize = 32;

/// Small and waited for: goes between the parts of bulk frames.
pub(super) const URGENT: u8 = 0;
/// Large: chunks, long answers.
pub(super) const BULK: u8 = 1;

/// Puts the frames of one lane together. Holds at most one unfinished frame and one record.
pub(super) struct Lane {
    number: u8,
    stream: BytesMut,
}

impl Lane {
    pub(super) fn new(number: u8) -> Self {
        Self { number, stream: BytesMut::new() }
    }

    /// Where the lane's next bytes are to be appended.
    pub(super) fn stream(&mut self) -> &mut BytesMut {
        &mut self.stream
    }

    /// Whether a frame is unfinished.
    pub(super) fn is_within_frame(&self) -> bool {
        !self.stream.is_empty()
    }

    /// The next whole frame.
    pub(super) fn next_frame(&mut self) -> Result<Option<Frame>, Violation> {
        let frame = frame::take(&mut self.stream, self.number, LANE_FRAME_BYTES_MAX[usize::from(self.number)])?;
        if self.stream.is_empty() {
            // Frames that were taken own the memory; an idle lane holds none.
            self.stream = BytesMut::new();
        }
        Ok(frame)
    }

    /// What is there of the frame that is not whole yet.
    pub(super) fn unfinished(&self) -> Option<Unfinished<'_>> {
        frame::unfinished(&self.stream)
    }

    /// Makes room for the whole of the unfinished frame: only for one that was asked for, since its sender names the
    /// length.
    pub(super) fn reserve_frame(&mut self) {
        if let Some(bytes) = self.unfinished().map(|frame| frame.bytes) {
            self.stream.reserve((bytes + SLACK_BYTES).saturating_sub(self.stream.len()));
        }
    }
}
