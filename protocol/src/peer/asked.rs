//! The requests that we have open at the peer. spec: PEER-40, PEER-42, PEER-53

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use super::message::{ChannelId, ChunksHeader, ChunksWanted, EntriesFrame, EntriesWanted, RequestId};
use super::moment::Moment;
use super::violation::Violation;
use crate::limits::{REQUEST_SECONDS_MAX, REQUEST_WHOLE_SECONDS_MAX};
use crate::merkle::Hash;

/// Every request that has no complete answer yet.
#[derive(Default)]
pub(super) struct Asked {
    last: u32,
    open: BTreeMap<RequestId, Question>,
    /// When a part of any answer came last: while answers come one after the other, those further back are not late.
    progress: Moment,
}

struct Question {
    channel: ChannelId,
    subject: Subject,
    asked: Moment,
    late: bool,
}

/// What was asked for, and how much of it is still to come.
enum Subject {
    Entries { wanted: EntriesWanted, root: Hash, left: Range<u64>, bytes_left: usize },
    Chunks(ChunksWanted),
    Put,
    Mail,
    Hold,
}

impl Asked {
    /// How many are open.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn ask_entries(
        &mut self,
        channel: ChannelId,
        wanted: EntriesWanted,
        root: Hash,
        now: Moment,
    ) -> RequestId {
        let bytes_left = usize::try_from(wanted.bytes_max).expect("32-bit numbers fit");
        self.ask(channel, Subject::Entries { wanted, root, left: wanted.from..wanted.to, bytes_left }, now)
    }

    pub(super) fn ask_chunks(&mut self, channel: ChannelId, wanted: ChunksWanted, now: Moment) -> RequestId {
        self.ask(channel, Subject::Chunks(wanted), now)
    }

    pub(super) fn ask_put(&mut self, channel: ChannelId, now: Moment) -> RequestId {
        self.ask(channel, Subject::Put, now)
    }

    pub(super) fn ask_mail(&mut self, channel: ChannelId, now: Moment) -> RequestId {
        self.ask(channel, Subject::Mail, now)
    }

    pub(super) fn ask_hold(&mut self, channel: ChannelId, now: Moment) -> RequestId {
        self.ask(channel, Subject::Hold, now)
    }

    fn ask(&mut self, channel: ChannelId, subject: Subject, asked: Moment) -> RequestId {
        loop {
            self.last = self.last.wrapping_add(1);
            let request = RequestId(self.last);
            if request.0 != 0 && !self.open.contains_key(&request) {
                self.open.insert(request, Question { channel, subject, asked, late: false });
                return request;
            }
        }
    }

    /// Whether the frame is the next part of an answer that was asked for; the root to which its proof must lead.
    pub(super) fn expect_entries(&mut self, request: RequestId, frame: &EntriesFrame) -> Result<Hash, Violation> {
        let question = self.open.get_mut(&request).ok_or(Violation::Unasked)?;
        let Subject::Entries { wanted, root, left, bytes_left } = &mut question.subject else {
            return Err(Violation::Unasked);
        };
        let range = frame.range();
        let continues = if wanted.newest_first {
            range.end == left.end && range.start >= left.start
        } else {
            range.start == left.start && range.end <= left.end
        };
        let is_first = left.clone() == (wanted.from..wanted.to);
        let bytes = frame.payload_bytes();
        let within_bytes = bytes <= *bytes_left || (is_first && frame.entries.len() == 1);
        let fits = frame.channel == question.channel && frame.log == wanted.log && frame.size == wanted.size;
        if !(fits && continues && within_bytes) {
            return Err(Violation::Unasked);
        }
        *bytes_left = bytes_left.saturating_sub(bytes);
        *left = if wanted.newest_first { left.start..range.start } else { range.end..left.end };
        if left.is_empty() && !frame.last { Err(Violation::Unasked) } else { Ok(*root) }
    }

    /// The chunks that were asked for under this number.
    pub(super) fn chunks(&self, request: RequestId) -> Option<&ChunksWanted> {
        match &self.open.get(&request)?.subject {
            Subject::Chunks(wanted) => Some(wanted),
            _ => None,
        }
    }

    /// Whether these are the chunks that were asked for.
    pub(super) fn expect_chunks(&self, header: &ChunksHeader) -> Result<ChunksWanted, Violation> {
        let wanted = self.chunks(header.request).ok_or(Violation::Unasked)?;
        let fits = self.open[&header.request].channel == header.channel
            && header.from == wanted.from
            && header.to == wanted.to;
        if fits { Ok(*wanted) } else { Err(Violation::Unasked) }
    }

    /// Ends a request to keep a packet; false if there is none of this number on this channel.
    pub(super) fn end_put(&mut self, channel: ChannelId, request: RequestId) -> bool {
        matches!(self.open.get(&request), Some(Question { subject: Subject::Put, .. })) && self.end(channel, request)
    }

    /// Ends a request for mail; false if there is none of this number on this channel.
    pub(super) fn end_mail(&mut self, channel: ChannelId, request: RequestId) -> bool {
        matches!(self.open.get(&request), Some(Question { subject: Subject::Mail, .. })) && self.end(channel, request)
    }

    /// Ends a request to hold a feed; false if there is none of this number on this channel.
    pub(super) fn end_hold(&mut self, channel: ChannelId, request: RequestId) -> bool {
        matches!(self.open.get(&request), Some(Question { subject: Subject::Hold, .. })) && self.end(channel, request)
    }

    /// Ends a request; false if there is none of this number on this channel.
    pub(super) fn end(&mut self, channel: ChannelId, request: RequestId) -> bool {
        let is_open = self.open.get(&request).is_some_and(|question| question.channel == channel);
        if is_open {
            self.open.remove(&request);
        }
        is_open
    }

    /// Whether the request is open on this channel.
    pub(super) fn is_open(&self, channel: ChannelId, request: RequestId) -> bool {
        self.open.get(&request).is_some_and(|question| question.channel == channel)
    }

    /// Ends every request of a channel.
    pub(super) fn end_channel(&mut self, channel: ChannelId) -> Vec<RequestId> {
        let ended: Vec<_> =
            self.open.iter().filter(|(_, question)| question.channel == channel).map(|(request, _)| *request).collect();
        for request in &ended {
            self.open.remove(request);
        }
        ended
    }

    /// Notes that a part of an answer came.
    pub(super) fn note_progress(&mut self, now: Moment) {
        self.progress = now;
    }

    /// A request that was cancelled will not be called late.
    pub(super) fn forgive(&mut self, request: RequestId) {
        if let Some(question) = self.open.get_mut(&request) {
            question.late = true;
        }
    }

    /// When the next request will be late.
    pub(super) fn next_deadline(&self) -> Option<Moment> {
        self.open.values().filter(|question| !question.late).map(|question| question.deadline(self.progress)).min()
    }

    /// The requests that are late now; each is told once.
    pub(super) fn take_late(&mut self, now: Moment) -> Vec<(ChannelId, RequestId)> {
        let progress = self.progress;
        let mut late = Vec::new();
        for (request, question) in &mut self.open {
            if !question.late && question.deadline(progress) <= now {
                question.late = true;
                late.push((question.channel, *request));
            }
        }
        late
    }
}

impl Question {
    fn deadline(&self, progress: Moment) -> Moment {
        let quiet_since = self.asked.max(progress);
        quiet_since
            .after(Duration::from_secs(REQUEST_SECONDS_MAX))
            .min(self.asked.after(Duration::from_secs(REQUEST_WHOLE_SECONDS_MAX)))
    }
}
