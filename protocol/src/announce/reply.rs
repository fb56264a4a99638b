//! What a tracker answers.

use std::net::IpAddr;
use std::time::Duration;

use super::PeerList;
use super::limits::{INTERVAL_MAX, INTERVAL_MIN, TEXT_BYTES_MAX};

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
    let text: String = String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control()).collect();
    text.trim().to_owned()
}

/// An interval as a client obeys it, whatever the tracker says: never in a loop, and never cut off for long. spec: ANN-18
pub(super) fn obeyed(interval: Duration) -> Duration {
    interval.clamp(INTERVAL_MIN, INTERVAL_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_of_nothing_or_of_years_is_not_obeyed() {
        let seconds = |n| obeyed(Duration::from_secs(n)).as_secs();
        assert_eq!((seconds(0), seconds(1800), seconds(u64::MAX)), (60, 1800, 6 * 3600));
    }

    #[test]
    fn a_foreign_text_is_cut_and_loses_what_could_drive_a_terminal() {
        assert_eq!(clean_text(b" a\x1b[2J\r\nb\xff "), "a[2Jb\u{fffd}");
        assert_eq!(clean_text(&[b'x'; 10_000]).len(), TEXT_BYTES_MAX);
    }
}
