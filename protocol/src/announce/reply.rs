//! What a tracker answers.

use std::net::IpAddr;
use std::time::Duration;

use super::PeerList;
use super::limits::TEXT_BYTES_MAX;

/// The answer to an announce.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnnounceReply {
    /// When to announce again; whole seconds.
    pub interval: Duration,
    /// Never announce sooner than this; whole seconds.
    pub min_interval: Option<Duration>,
    /// Seeds in the swarm.
    pub complete: u32,
    /// Peers in the swarm that still lack something.
    pub incomplete: u32,
    /// Some of the swarm's peers, without the one who asked.
    pub peers: PeerList,
    /// The address from which the tracker saw the request come (BEP 24).
    pub external_ip: Option<IpAddr>,
    /// A text for the person at the client; the reply is valid all the same.
    pub warning: Option<String>,
    /// To be sent back with the next announce.
    pub tracker_id: Option<Vec<u8>>,
}

/// A tracker's refusal, as the client got it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the tracker refused: {reason}")]
pub struct TrackerFailure {
    /// The tracker's text, without control characters, at most [`super::limits::TEXT_BYTES_MAX`].
    pub reason: String,
    /// When to try again, if the tracker says so (BEP 31).
    pub retry_in: Option<RetryIn>,
}

/// When to come back after a refusal (BEP 31).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryIn {
    /// Not before this time has passed; whole minutes.
    After(Duration),
    /// Not at all.
    Never,
}

/// Counts of one swarm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScrapeEntry {
    /// Seeds.
    pub complete: u32,
    /// How often a client said that it had completed.
    pub downloaded: u32,
    /// Peers that still lack something.
    pub incomplete: u32,
}

/// The answer to a scrape: one entry per hash asked for, in the order asked, duplicates kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScrapeReply {
    /// The counts.
    pub entries: Vec<ScrapeEntry>,
}

/// A foreign text made fit for a terminal: valid UTF-8, no control characters, at most [`TEXT_BYTES_MAX`].
pub(super) fn clean_text(bytes: &[u8]) -> String {
    let bytes = &bytes[..bytes.len().min(TEXT_BYTES_MAX)];
    let text: String = String::from_utf8_lossy(bytes)
        .chars()
        .filter(|c| !c.is_control())
        .collect();
    text.trim().to_owned()
}
