//! What a node tells about itself.

use std::net::SocketAddr;
use std::time::Duration;

use peerfeed_protocol::ids::{FeedId, LogId, WitnessKey};

/// The state of a node.
#[derive(Clone, Debug, Default)]
pub struct NodeStatus {
    /// Addresses listened on, with their real ports.
    pub listen: Vec<SocketAddr>,
    /// This node's own witness key: what a manifest lists it by.
    pub witness: Option<WitnessKey>,
    /// Connected peers.
    pub peers: Vec<PeerStatus>,
    /// Feeds of the data folder.
    pub feeds: Vec<FeedStatus>,
    /// What has passed and what was refused since the start.
    pub totals: Totals,
}

/// What has passed and what was refused since the start of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Bytes sent of entries and chunks.
    pub sent_bytes: u64,
    /// Bytes received of entries and chunks that were new here.
    pub received_bytes: u64,
    /// Peers dropped for breaking the protocol, liars among them.
    pub violations: u64,
    /// Connections of those who were banned for it.
    pub banned: u64,
    /// Connections closed because there, or for their address, were as many as there may be.
    pub turned_away: u64,
    /// Connections of those who know no feed that is held here.
    pub strangers: u64,
    /// Requests rejected because their sender has too many open, and questions and pings passed over because they come
    /// too often.
    pub over_limit: u64,
    /// Peers dropped because they took nothing of what they had asked for.
    pub stalled: u64,
    /// Requests that peers have left unanswered for so long that others were asked.
    pub late: u64,
    /// Addresses that peers named and cannot know.
    pub ignored_addresses: u64,
}

/// A connected peer.
#[derive(Clone, Debug)]
pub struct PeerStatus {
    /// Its address as seen here.
    pub address: SocketAddr,
    /// Whether this node dialled it.
    pub outgoing: bool,
    /// The seeder that it has proven to be.
    pub witness: Option<WitnessKey>,
    /// Program text from its hello.
    pub program: Option<String>,
    /// Feeds open with it.
    pub feeds: Vec<FeedId>,
    /// Bytes received of entries and chunks.
    pub received_bytes: u64,
    /// Bytes served of entries and chunks.
    pub served_bytes: u64,
}

/// A feed as the engine sees it.
#[derive(Clone, Debug)]
pub struct FeedStatus {
    /// The feed.
    pub feed: FeedId,
    /// Peers connected for it.
    pub peers: u32,
    /// Its logs.
    pub logs: Vec<LogStatus>,
    /// Entries held.
    pub entries_held: u64,
    /// Entries known to exist.
    pub entries: u64,
    /// Blobs held completely, of those wanted here.
    pub blobs_held: u64,
    /// Blobs wanted here.
    pub blobs: u64,
    /// The seeders that its manifest and its link name.
    pub seeders: Vec<SeederStatus>,
    /// Its trackers.
    pub trackers: Vec<TrackerStatus>,
    /// Why nothing more is stored: a full disk or a quota.
    pub stopped: Option<String>,
    /// For each file that does not fit in a quota, why.
    pub left_out: Vec<String>,
}

/// A log.
#[derive(Clone, Debug)]
pub struct LogStatus {
    /// The log.
    pub log: LogId,
    /// Entries of the accepted head.
    pub entries: u64,
    /// Entries held.
    pub held: u64,
}

/// A seeder of a feed.
#[derive(Clone, Debug)]
pub struct SeederStatus {
    /// `HOST:PORT` as the manifest or link has it.
    pub address: String,
    /// Its witness key, when the manifest or the link tells it.
    pub witness: Option<WitnessKey>,
    /// Whether the manifest lists it.
    pub listed: bool,
    /// Whether it is connected and has proven its witness key.
    pub connected: bool,
    /// Entries that it said to have synced to disk, over all logs.
    pub entries_stored: u64,
    /// Whether it has stored every entry and every blob.
    pub holds_all: bool,
    /// Why the last attempt to reach it failed.
    pub error: Option<String>,
}

/// A tracker of a feed.
#[derive(Clone, Debug)]
pub struct TrackerStatus {
    /// Its URL.
    pub url: String,
    /// Whether it answered the last time; `None` before the first answer.
    pub working: Option<bool>,
    /// Peers that it named last.
    pub peers: u32,
    /// Why the last announce failed.
    pub error: Option<String>,
    /// Time until the next announce.
    pub next_in: Option<Duration>,
}
