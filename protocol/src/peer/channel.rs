//! Channels: several feeds on one connection. spec: PEER-31, PEER-34

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::handshake::Role;
use super::message::ChannelId;
use super::moment::Moment;
use super::newest::Awaited;
use super::violation::Violation;
use crate::crypto::FeedKeys;
use crate::ids::FeedId;
use crate::limits::CHANNELS_MAX;

/// One feed on one connection.
pub(super) struct Channel {
    pub(super) state: ChannelState,
    /// The feed, once both have agreed.
    pub(super) feed: Option<FeedId>,
    /// The newest entries that we asked for when opening or accepting.
    pub(super) awaited: Option<Awaited>,
    /// Once a state or newest entries of ours went on the bulk lane the rest must follow there.
    pub(super) newest_on_bulk: bool,
    /// When the peer last told about other peers.
    pub(super) exchanged: Option<Moment>,
}

/// How far a channel is.
#[derive(Clone, Copy)]
pub(super) enum ChannelState {
    /// We asked for it.
    Opening(FeedId),
    /// The peer asked for it, with this proof of knowing the feed.
    Asked([u8; 32]),
    /// Both have agreed.
    Open,
    /// We closed it; what still comes is not for anybody.
    Closing,
}

impl Channel {
    pub(super) fn new(state: ChannelState) -> Self {
        Self { state, feed: None, awaited: None, newest_on_bulk: false, exchanged: None }
    }
}

/// The channels of a connection.
pub(super) struct Channels {
    role: Role,
    /// Boxed, since a tree makes room for eleven where there is one.
    open: BTreeMap<ChannelId, Box<Channel>>,
    /// Next numbers, by who chooses them: each is used once. Wider than the numbers, so that they run out.
    next_ours: u32,
    next_theirs: u32,
}

/// What to do with a message on a channel.
pub(super) enum Reception<'c> {
    /// Take it.
    Take(&'c mut Channel),
    /// We closed the channel: drop it.
    Drop,
}

impl Channels {
    pub(super) fn new(role: Role) -> Self {
        Self {
            role,
            open: BTreeMap::new(),
            next_ours: u32::from(role.byte()),
            next_theirs: u32::from(role.other().byte()),
        }
    }

    /// A channel of ours in the state opening; none when there are too many.
    pub(super) fn open(&mut self, feed: FeedId) -> Option<ChannelId> {
        let channel = ChannelId(u16::try_from(self.next_ours).ok()?);
        if self.is_full() {
            return None;
        }
        self.next_ours += 2;
        self.open.insert(channel, Box::new(Channel::new(ChannelState::Opening(feed))));
        Some(channel)
    }

    /// Whether the number may be used by the peer for a new channel: its own parity, never one from before.
    pub(super) fn claim_theirs(&mut self, channel: ChannelId) -> Result<(), Violation> {
        let number = u32::from(channel.0);
        if number % 2 != u32::from(self.role.other().byte()) || number < self.next_theirs {
            return Err(Violation::Channel(channel.0));
        }
        self.next_theirs = number + 2;
        Ok(())
    }

    pub(super) fn is_full(&self) -> bool {
        self.open.len() >= CHANNELS_MAX
    }

    pub(super) fn insert_asked(&mut self, channel: ChannelId, mac: [u8; 32]) {
        self.open.insert(channel, Box::new(Channel::new(ChannelState::Asked(mac))));
    }

    pub(super) fn get_mut(&mut self, channel: ChannelId) -> Option<&mut Channel> {
        self.open.get_mut(&channel).map(Box::as_mut)
    }

    /// The channel, if both sides have agreed on it and it is not being closed.
    pub(super) fn agreed(&mut self, channel: ChannelId) -> Option<&mut Channel> {
        self.get_mut(channel).filter(|channel| matches!(channel.state, ChannelState::Open))
    }

    /// Receives a message that belongs on an open channel.
    pub(super) fn receive(&mut self, channel: ChannelId) -> Result<Reception<'_>, Violation> {
        match self.get_mut(channel) {
            Some(Channel { state: ChannelState::Closing, .. }) => Ok(Reception::Drop),
            Some(open @ Channel { state: ChannelState::Open, .. }) => Ok(Reception::Take(open)),
            _ => Err(Violation::Channel(channel.0)),
        }
    }

    pub(super) fn remove(&mut self, channel: ChannelId) -> Option<Channel> {
        self.open.remove(&channel).map(|channel| *channel)
    }

    /// Heads remembered for newest entries, on all channels.
    pub(super) fn claims(&self) -> usize {
        self.open.values().filter_map(|channel| channel.awaited.as_ref()).map(Awaited::claims).sum()
    }

    pub(super) fn clear(&mut self) {
        self.open.clear();
    }
}

/// Proof of knowing a feed id, bound to this connection and to the side that proves it. spec: PEER-34
pub(super) fn mac(keys: &FeedKeys, handshake_hash: &[u8; 32], role: Role) -> [u8; 32] {
    keyed(keys, handshake_hash, role).finalize().into_bytes().into()
}

/// Whether `mac` is the proof of the side `role`; in constant time.
pub(super) fn mac_fits(keys: &FeedKeys, handshake_hash: &[u8; 32], role: Role, mac: &[u8; 32]) -> bool {
    keyed(keys, handshake_hash, role).verify_slice(mac).is_ok()
}

fn keyed(keys: &FeedKeys, handshake_hash: &[u8; 32], role: Role) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(&*keys.channel)
        .expect("HMAC takes keys of any length")
        .chain_update(handshake_hash)
        .chain_update([role.byte()])
}
