//! The requests of the peer that we have yet to answer or reject. spec: PEER-40, PEER-43

use std::collections::BTreeMap;

use super::message::{ChannelId, ChunksWanted, EntriesWanted, RequestId};
use super::violation::Violation;

/// Every request of the peer that is open.
#[derive(Default)]
pub(super) struct Owed {
    open: BTreeMap<RequestId, Debt>,
}

/// A request of the peer.
pub(super) struct Debt {
    channel: ChannelId,
    subject: Subject,
    /// Once a part of the answer went on the bulk lane the rest must follow there, or it would overtake.
    pub(super) on_bulk: bool,
}

/// What the peer asked for.
#[derive(Clone, Copy)]
pub(super) enum Subject {
    Entries(EntriesWanted),
    Chunks(ChunksWanted),
    Put,
    Mail,
    Hold,
}

impl Owed {
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether the number is in use.
    pub(super) fn check_unused(&self, request: RequestId) -> Result<(), Violation> {
        if self.open.contains_key(&request) { Err(Violation::RequestNumber(request.0)) } else { Ok(()) }
    }

    pub(super) fn insert(&mut self, channel: ChannelId, request: RequestId, subject: Subject) {
        self.open.insert(request, Debt { channel, subject, on_bulk: false });
    }

    /// The entries that are asked for under this number.
    pub(super) fn entries(&mut self, channel: ChannelId, request: RequestId) -> Option<(EntriesWanted, &mut Debt)> {
        let debt = self.open.get_mut(&request).filter(|debt| debt.channel == channel)?;
        match debt.subject {
            Subject::Entries(wanted) => Some((wanted, debt)),
            _ => None,
        }
    }

    /// The chunks that are asked for under this number.
    pub(super) fn chunks(&self, channel: ChannelId, request: RequestId) -> Option<ChunksWanted> {
        match self.open.get(&request).filter(|debt| debt.channel == channel)?.subject {
            Subject::Chunks(wanted) => Some(wanted),
            _ => None,
        }
    }

    /// Whether the request is open on this channel.
    pub(super) fn is_open(&self, channel: ChannelId, request: RequestId) -> bool {
        self.open.get(&request).is_some_and(|debt| debt.channel == channel)
    }

    /// Settles a request; false if there is none of this number on this channel.
    pub(super) fn settle(&mut self, channel: ChannelId, request: RequestId) -> bool {
        let is_open = self.is_open(channel, request);
        if is_open {
            self.open.remove(&request);
        }
        is_open
    }

    /// Forgets every request of a channel that is closed.
    pub(super) fn forget_channel(&mut self, channel: ChannelId) {
        self.open.retain(|_, debt| debt.channel != channel);
    }
}
