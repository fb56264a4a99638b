//! What the application asks of a connection.

use thiserror::Error;

use super::channel::{self, ChannelState};
use super::connection::{Connection, Phase};
use super::event::Closed;
use super::lane::{BULK, URGENT};
use super::message::{
    BlobHeld, BlobsHeld, BlobsWanted, Cancel, ChannelId, ChunksWanted, Close, EntriesWanted, GetChunks, GetEntries,
    HeadNews, HeadPush, Interest, Message, MessageType, Open, Opened, PeerExchange, Peers, Ping, PushedEntry, Reject,
    RejectCode, RequestId, State, StateMessage, Stored, StoredMessage,
};
use super::moment::Moment;
use super::newest::Awaited;
use crate::crypto::FeedKeys;
use crate::ids::{BlobRoot, FeedId};
use crate::limits::{LANE_FRAME_BYTES_MAX, REQUESTS_OPEN_MAX, URGENT_FRAME_BYTES_MAX};
use crate::merkle::Hash;

/// Why a call was not carried out. None of these ends the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CallError {
    /// The channel is not open, or no longer.
    #[error("the channel is not open")]
    ChannelNotOpen,
    /// The connection has as many channels as it may have.
    #[error("the connection has as many channels as it may have")]
    TooManyChannels,
    /// The peer takes no more requests at present.
    #[error("the peer takes no more requests at present")]
    TooManyRequests,
    /// The request is not open, or no longer: answered, or its channel was closed.
    #[error("the request is not open")]
    RequestNotOpen,
    /// The peer that asked for this channel does not know the feed; it was refused.
    #[error("the peer does not know the feed")]
    WrongProof,
    /// The call breaks a limit of the protocol: the caller's mistake.
    #[error("the call breaks a limit of the protocol")]
    OverLimit,
    /// The connection is over.
    #[error("the connection is over")]
    Over,
}

impl Connection {
    /// Asks for a channel for this feed. Until [`Event::Opened`](super::Event::Opened) it carries nothing else.
    ///
    /// May be called on a new connection: the request then goes out with the last message of the handshake, and with
    /// `interest.newest` the answer brings the newest entries within the same round trip. spec: PEER-34
    pub fn open(&mut self, feed: FeedId, interest: Interest) -> Result<ChannelId, CallError> {
        if self.is_over() {
            return Err(CallError::Over);
        }
        let channel = self.channels.open(feed).ok_or(CallError::TooManyChannels)?;
        self.await_newest(channel, &interest);
        if matches!(self.phase, Phase::Open) {
            self.send_open(channel, &feed, interest);
        } else {
            self.early.push((channel, feed, interest));
        }
        Ok(channel)
    }

    pub(super) fn send_open(&mut self, channel: ChannelId, feed: &FeedId, interest: Interest) {
        let mac = channel::mac(&FeedKeys::new(feed), &self.hash, self.role);
        let open = Open { channel, swarm: feed.swarm_id(), mac, interest };
        self.outbox.push_urgent(Open::TYPE, &open.encode());
    }

    /// Agrees to a channel that the peer asked for, having found the feed of its swarm. A peer that does not know the
    /// feed is refused in the same words as one that asks for a feed which is not served. spec: PEER-35
    pub fn accept(&mut self, channel: ChannelId, feed: &FeedId, interest: Interest) -> Result<(), CallError> {
        let entry = self.channels.get_mut(channel).ok_or(CallError::ChannelNotOpen)?;
        let ChannelState::Asked(mac) = entry.state else { return Err(CallError::ChannelNotOpen) };
        let keys = FeedKeys::new(feed);
        if !channel::mac_fits(&keys, &self.hash, self.role.other(), &mac) {
            self.refuse(channel, RejectCode::UnknownFeed)?;
            return Err(CallError::WrongProof);
        }
        entry.state = ChannelState::Open;
        entry.feed = Some(*feed);
        self.await_newest(channel, &interest);
        let opened = Opened { channel, mac: channel::mac(&keys, &self.hash, self.role), interest };
        self.outbox.push_urgent(Opened::TYPE, &opened.encode());
        Ok(())
    }

    fn await_newest(&mut self, channel: ChannelId, interest: &Interest) {
        let awaited = interest.newest.map(Awaited::new);
        if let Some(channel) = self.channels.get_mut(channel) {
            channel.awaited = awaited;
        }
    }

    /// Refuses a channel that the peer asked for.
    pub fn refuse(&mut self, channel: ChannelId, code: RejectCode) -> Result<(), CallError> {
        match self.channels.get_mut(channel).map(|channel| channel.state) {
            Some(ChannelState::Asked(_)) => {
                self.channels.remove(channel);
                self.send_reject(channel, None, code);
                Ok(())
            }
            _ => Err(CallError::ChannelNotOpen),
        }
    }

    pub(super) fn send_reject(&mut self, channel: ChannelId, request: Option<RequestId>, code: RejectCode) {
        self.outbox.push_reply(MessageType::Reject, &Reject { channel, request, code }.encode());
    }

    /// Closes a channel: its requests end in both directions, without further events. spec: PEER-49
    pub fn close_channel(&mut self, channel: ChannelId, code: RejectCode) -> Result<(), CallError> {
        let agreed = self.channels.agreed(channel).ok_or(CallError::ChannelNotOpen)?;
        agreed.state = ChannelState::Closing;
        agreed.awaited = None;
        self.asked.end_channel(channel);
        self.owed.forget_channel(channel);
        self.send_channel_close(channel, code);
        Ok(())
    }

    /// The close is the last message of its channel: on the bulk lane nothing of the channel can come behind it.
    pub(super) fn send_channel_close(&mut self, channel: ChannelId, code: RejectCode) {
        self.outbox.purge(channel);
        let close = Close { channel: Some(channel), code, text: None };
        self.outbox.push_bulk(None, Close::TYPE, vec![close.encode().into()]);
    }

    /// Says goodbye and ends the connection.
    pub fn close(&mut self, code: RejectCode) {
        if !self.is_over() {
            let told = self.records.is_some();
            self.end(Closed::ByUs(code));
            if told {
                self.say_goodbye(code, None);
            }
        }
    }

    /// Tells what we have that the peer, by its interest, has not. spec: PEER-36
    pub fn send_state(&mut self, channel: ChannelId, state: State) -> Result<(), CallError> {
        let agreed = self.channels.agreed(channel).ok_or(CallError::ChannelNotOpen)?;
        let rest = StateMessage { channel, state }.encode();
        let on_bulk = agreed.newest_on_bulk || rest.len() > URGENT_FRAME_BYTES_MAX;
        check_length(rest.len(), BULK)?;
        agreed.newest_on_bulk = on_bulk;
        self.send_on(on_bulk, channel, MessageType::State, rest);
        Ok(())
    }

    /// Requests that can be made now.
    pub fn requests_free(&self) -> usize {
        let max = self.peer.as_ref().map_or(0, |hello| hello.requests_max.min(REQUESTS_OPEN_MAX));
        usize::try_from(max).expect("32-bit numbers fit").saturating_sub(self.asked.len())
    }

    /// Asks for entries, to be proven against this root, which is that of the tree of `wanted.size`. spec: PEER-40
    pub fn request_entries(
        &mut self,
        now: Moment,
        channel: ChannelId,
        wanted: EntriesWanted,
        root: Hash,
    ) -> Result<RequestId, CallError> {
        self.check_request(channel)?;
        if !wanted.is_allowed() {
            return Err(CallError::OverLimit);
        }
        let request = self.asked.ask_entries(channel, wanted, root, now);
        self.outbox.push_urgent(GetEntries::TYPE, &GetEntries { channel, request, wanted }.encode());
        Ok(request)
    }

    /// Asks for chunks of a blob. spec: PEER-42
    pub fn request_chunks(
        &mut self,
        now: Moment,
        channel: ChannelId,
        wanted: ChunksWanted,
    ) -> Result<RequestId, CallError> {
        self.check_request(channel)?;
        if !wanted.is_allowed() {
            return Err(CallError::OverLimit);
        }
        let request = self.asked.ask_chunks(channel, wanted, now);
        self.outbox.push_urgent(GetChunks::TYPE, &GetChunks { channel, request, wanted }.encode());
        Ok(request)
    }

    pub(super) fn check_request(&mut self, channel: ChannelId) -> Result<(), CallError> {
        self.channels.agreed(channel).ok_or(CallError::ChannelNotOpen)?;
        if self.requests_free() == 0 { Err(CallError::TooManyRequests) } else { Ok(()) }
    }

    /// Tells the peer that an answer is no longer needed. The request stays open until it is answered or rejected; an
    /// answer that was on its way is delivered. spec: PEER-44
    pub fn cancel(&mut self, channel: ChannelId, request: RequestId) -> Result<(), CallError> {
        if !self.asked.is_open(channel, request) {
            return Err(CallError::RequestNotOpen);
        }
        self.asked.forgive(request);
        self.outbox.push_urgent(Cancel::TYPE, &Cancel { channel, request }.encode());
        Ok(())
    }

    /// Tells at once that a log grew. `entry` is its newest one, if it is small. spec: PEER-46
    pub fn push_head(
        &mut self,
        channel: ChannelId,
        news: HeadNews,
        entry: Option<PushedEntry>,
    ) -> Result<(), CallError> {
        self.send_urgent(channel, &HeadPush { channel, news, entry })
    }

    /// Tells how much of a log is synced to our disk, and perhaps whether its heads are to be pushed. spec: PEER-47
    pub fn send_stored(&mut self, channel: ChannelId, stored: Stored, push: Option<bool>) -> Result<(), CallError> {
        self.send_urgent(channel, &StoredMessage { channel, stored, push })
    }

    /// Asks which of these blobs, at most 256, the peer holds. spec: PEER-45
    pub fn ask_blobs(&mut self, channel: ChannelId, roots: Vec<BlobRoot>) -> Result<(), CallError> {
        self.send_urgent(channel, &BlobsWanted { channel, roots })
    }

    /// Tells which blobs, at most 256, we hold. spec: PEER-45
    pub fn tell_blobs(&mut self, channel: ChannelId, blobs: Vec<BlobHeld>) -> Result<(), CallError> {
        self.send_urgent(channel, &BlobsHeld { channel, blobs })
    }

    /// Tells whom else of the feed we met and lost: at most 50 each, at most once a minute. spec: PEER-48
    pub fn send_peers(&mut self, channel: ChannelId, peers: PeerExchange) -> Result<(), CallError> {
        self.send_urgent(channel, &Peers { channel, peers })
    }

    /// Measures the round trip: [`Event::Pong`](super::Event::Pong) tells it. One at a time. spec: PEER-49
    pub fn ping(&mut self, now: Moment) -> Result<(), CallError> {
        if !matches!(self.phase, Phase::Open) {
            return Err(CallError::Over);
        }
        if self.pinged.is_none() {
            self.pinged = Some(now);
            self.outbox.push_urgent(MessageType::Ping, &Ping(now.as_micros()).encode());
        }
        Ok(())
    }

    pub(super) fn send_urgent<M: Message>(&mut self, channel: ChannelId, message: &M) -> Result<(), CallError> {
        self.channels.agreed(channel).ok_or(CallError::ChannelNotOpen)?;
        let rest = message.encode();
        check_length(rest.len(), URGENT)?;
        self.outbox.push_urgent(M::TYPE, &rest);
        Ok(())
    }

    pub(super) fn send_on(&mut self, bulk: bool, channel: ChannelId, kind: MessageType, rest: Vec<u8>) {
        if bulk {
            self.outbox.push_bulk(Some(channel), kind, vec![rest.into()]);
        } else {
            self.outbox.push_urgent(kind, &rest);
        }
    }
}

/// Whether a frame with a rest of this length is one that the lane carries.
pub(super) fn check_length(rest_bytes: usize, lane: u8) -> Result<(), CallError> {
    if rest_bytes < LANE_FRAME_BYTES_MAX[usize::from(lane)] { Ok(()) } else { Err(CallError::OverLimit) }
}
