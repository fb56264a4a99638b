//! A connected peer as the engine sees it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;
use std::ops::Range;

use peerfeed_protocol::feed::BlobRef;
use peerfeed_protocol::ids::{BlobRoot, FeedId, LogId, NodeKey};
use peerfeed_protocol::peer::message::{Interest, State, Stored};
use peerfeed_protocol::peer::{ChannelId, Moment, PeerHello};

use super::blob::Holding;
use super::limits::{BLOB_QUESTIONS_PER_SECOND, FEEDS_BESIDE};
use super::pace::Pace;
use super::ranges::Ranges;
use super::window::{Mark, Window};
use super::{ConnectionId, Ticket};

/// A peer: one connection, with a channel for each feed in common.
#[derive(Debug)]
pub(super) struct Peer {
    /// The connection.
    pub id: ConnectionId,
    /// The address that was dialled, as it was named; none for one that came in.
    pub dialled: Option<String>,
    /// Further addresses that led to it.
    pub also_at: Vec<String>,
    /// Its address, once TCP is connected.
    pub address: Option<SocketAddr>,
    /// Its node key, once the handshake is done.
    pub node: Option<NodeKey>,
    /// When the handshake was done.
    pub established: Option<Moment>,
    /// How it introduced itself.
    pub hello: Option<PeerHello>,
    /// Feeds that it was asked to open.
    pub opening: HashSet<FeedId>,
    /// Feeds open with it.
    pub shares: BTreeMap<FeedId, Box<Share>>,
    /// Channels of these feeds.
    pub channels: HashMap<ChannelId, FeedId>,
    /// How much may be outstanding.
    pub window: Window,
    /// What it was asked for.
    pub outstanding: BTreeMap<Ticket, Outstanding>,
    /// Bytes that were asked for and have not come.
    pub outstanding_bytes: u64,
    /// Bytes received of entries and chunks.
    pub received_bytes: u64,
    /// Bytes served of entries and chunks.
    pub served_bytes: u64,
    /// Of these, what was counted at the last turnover.
    counted_bytes: u64,
    /// Feeds for which a device asked for its mail on this connection.
    pub reads_mail: HashSet<FeedId>,
    /// Packets for mailboxes that it brought, and questions about mailboxes that were refused.
    pub packets: u32,
    /// It is being closed: nothing more is sent or asked.
    pub closing: bool,
}

/// A feed in common with a peer.
#[derive(Debug)]
pub(super) struct Share {
    /// The channel.
    pub channel: ChannelId,
    /// Whether its first state has come.
    pub stated: bool,
    /// Since when its newest entries are expected unasked.
    pub expecting_since: Option<Moment>,
    /// Its logs.
    pub logs: HashMap<LogId, TheirLog>,
    /// What it holds of blobs.
    pub blobs: HashMap<BlobRoot, Holding>,
    /// Blobs asked about, and when.
    pub blobs_asked: HashMap<BlobRoot, Moment>,
    /// Blobs that the peer asked about and that were not all here.
    pub blobs_awaited: HashSet<BlobRoot>,
    /// How often it asks what is held of blobs.
    pub questions: Pace,
    /// What was said last about what is stored here.
    pub told_stored: HashMap<LogId, Stored>,
    /// When it was last told what is held here.
    pub told_held: Option<Moment>,
    /// Versions of manifest and roster that it has.
    pub records: (u64, u64),
    /// It was told that all entries are held here.
    pub told_all: bool,
    /// Something is held that it was not told.
    pub untold: bool,
    /// Peers of the feed that it was told of and that were connected then.
    pub told_peers: BTreeSet<SocketAddr>,
    /// When it was told of them last.
    pub exchanged: Option<Moment>,
    /// When the channel was closed and opened again because a proof did not connect.
    pub reopened: Option<Moment>,
}

/// A log of a peer.
#[derive(Clone, Debug, Default)]
pub(super) struct TheirLog {
    /// Entries of the newest head that it is known to have.
    pub size: u64,
    /// Entries that it holds.
    pub held: Ranges,
    /// Entries that it said it does not hold after all.
    pub lacks: Ranges,
    /// It wants to be told that the log grew, and no head to be pushed.
    pub silent: bool,
    /// Up to where it was told so.
    pub told: u64,
    /// The same is wanted of it.
    pub hushed: bool,
}

/// A request of ours.
#[derive(Clone, Debug)]
pub(super) struct Outstanding {
    /// The feed.
    pub feed: FeedId,
    /// What was asked for.
    pub what: Asked,
    /// Bytes that it counts.
    pub bytes: u64,
    /// The window when it was sent.
    pub mark: Mark,
    /// When it was sent.
    pub sent: Moment,
    /// When its answer began to come.
    pub begun: Option<Moment>,
    /// The peer was told that its answer is not needed any more.
    pub cancelled: bool,
    /// It was late: given to others, and no longer counted.
    pub late: bool,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Entries of a log, less those that have come.
    Entries(LogId, Range<u64>),
    /// A group of chunks.
    Group(BlobRef, u32),
}

impl Peer {
    /// A peer that is being dialled, or that has come in.
    pub(super) fn new(id: ConnectionId, dialled: Option<String>, address: Option<SocketAddr>) -> Self {
        Self {
            id,
            dialled,
            also_at: Vec::new(),
            address,
            node: None,
            established: None,
            hello: None,
            opening: HashSet::new(),
            shares: BTreeMap::new(),
            channels: HashMap::new(),
            window: Window::new(),
            outstanding: BTreeMap::new(),
            outstanding_bytes: 0,
            received_bytes: 0,
            served_bytes: 0,
            counted_bytes: 0,
            reads_mail: HashSet::new(),
            packets: 0,
            closing: false,
        }
    }

    /// Bytes received and served since this was asked last.
    pub(super) fn take_moved(&mut self) -> u64 {
        let all = self.received_bytes + self.served_bytes;
        all - std::mem::replace(&mut self.counted_bytes, all)
    }

    /// Whether it has proven to be a seeder.
    pub(super) fn is_seeder(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.witness.is_some())
    }

    /// Whether it was dialled here, or came in.
    pub(super) fn dialled_here(&self) -> bool {
        self.id.0.is_multiple_of(2)
    }

    /// Whether more of a feed may be asked for now.
    ///
    /// A feed of which nothing is outstanding may be asked for beside a few others, whatever the window says: the other
    /// side may hand these out slowly on purpose, and would keep this one waiting with them.
    pub(super) fn has_room_for(&self, feed: FeedId) -> bool {
        if self.outstanding_bytes < self.window.limit_bytes() {
            return true;
        }
        let feeds: HashSet<FeedId> = self.outstanding.values().map(|request| request.feed).collect();
        feeds.len() < FEEDS_BESIDE && !feeds.contains(&feed)
    }

    /// The address under which it can be dialled: the one that was, or where it says that it listens.
    pub(super) fn reachable_at(&self) -> Option<String> {
        self.dialled.clone().or_else(|| {
            let port = self.hello.as_ref()?.listen_port?;
            Some(SocketAddr::new(self.address?.ip().to_canonical(), port).to_string())
        })
    }

    /// Every address under which it may be known as connected.
    pub(super) fn addresses(&self) -> BTreeSet<String> {
        let heard = self.address.zip(self.hello.as_ref().and_then(|hello| hello.listen_port));
        let listening = heard.map(|(address, port)| SocketAddr::new(address.ip().to_canonical(), port).to_string());
        self.dialled.iter().chain(&self.also_at).cloned().chain(listening).collect()
    }

    /// The socket address at which others can dial it: as dialled here, or where it says that it listens.
    pub(super) fn listens_at(&self) -> Option<SocketAddr> {
        let address = self.address?;
        let port = if self.dialled_here() { address.port() } else { self.hello.as_ref()?.listen_port? };
        Some(SocketAddr::new(address.ip().to_canonical(), port))
    }

    /// The feed of a channel, and what is in common.
    pub(super) fn share_of(&mut self, channel: ChannelId) -> Option<(FeedId, &mut Share)> {
        let feed = *self.channels.get(&channel)?;
        Some((feed, self.shares.get_mut(&feed)?.as_mut()))
    }
}

impl Share {
    /// A feed just opened with a peer that has and wants this.
    pub(super) fn new(channel: ChannelId, interest: &Interest) -> Self {
        let theirs = |&(log, size): &(LogId, u64)| (log, TheirLog { size, ..TheirLog::default() });
        Self {
            channel,
            stated: false,
            expecting_since: None,
            logs: interest.heads.iter().map(theirs).collect(),
            blobs: HashMap::new(),
            blobs_asked: HashMap::new(),
            blobs_awaited: HashSet::new(),
            questions: Pace::of(BLOB_QUESTIONS_PER_SECOND),
            told_stored: HashMap::new(),
            told_held: None,
            records: (interest.manifest, interest.roster),
            told_all: false,
            untold: false,
            told_peers: BTreeSet::new(),
            exchanged: None,
            reopened: None,
        }
    }

    /// The peer told what it holds.
    pub(super) fn hear_held(&mut self, state: &State) {
        match &state.held {
            None => {
                for log in self.logs.values_mut() {
                    log.held = std::iter::once(0..log.size).collect();
                    log.lacks = Ranges::new();
                }
            }
            Some(ranges) => {
                for log in self.logs.values_mut() {
                    log.held = Ranges::new();
                    log.lacks = Ranges::new();
                }
                for range in ranges {
                    let log = self.logs.entry(range.log).or_default();
                    log.held.insert(range.from..range.to.min(log.size.max(range.from)));
                }
            }
        }
    }
}
