//! How a data folder and its daemon are.

use serde::{Deserialize, Serialize};

use super::reply::Feed;

/// The state of a data folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The folder.
    pub data: String,
    /// Whether a daemon runs on it.
    pub running: bool,
    /// Process id of the daemon.
    pub pid: Option<u32>,
    /// Own feed id, when there is an identity.
    pub feed: Option<String>,
    /// Addresses listened on.
    pub listen: Vec<String>,
    /// This seeder's code, `HOST:PORT#WITNESS`.
    pub seeder_code: Option<String>,
    /// People who asked to be friends and wait for an answer.
    #[serde(default)]
    pub requests: u64,
    /// Peers connected.
    pub peers: u32,
    /// What has passed since the start.
    #[serde(default)]
    pub traffic: Traffic,
    /// What was refused since the start.
    #[serde(default)]
    pub refused: Refused,
    /// Feeds.
    pub feeds: Vec<Feed>,
}

/// Bytes of entries and files since the start of a daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Sent to peers.
    pub sent_bytes: u64,
    /// Received, without what was here already.
    pub received_bytes: u64,
}

/// What a daemon had nothing to do with since its start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Peers dropped for lies and other breaches of the protocol.
    pub violations: u64,
    /// Connections of those who are banned for it.
    pub banned: u64,
    /// Connections beyond what there is room for.
    pub turned_away: u64,
    /// Connections of those who know no feed that is held here.
    pub strangers: u64,
    /// Requests of who has too many open, and questions and pings of who sends them too often.
    pub over_limit: u64,
    /// Peers that took nothing of what they had asked for.
    pub stalled: u64,
    /// Requests of this node that peers left unanswered.
    pub late: u64,
    /// Addresses that peers named and cannot know.
    pub ignored_addresses: u64,
}
