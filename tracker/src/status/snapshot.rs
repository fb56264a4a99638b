//! What there is to show at one moment.

use std::time::Duration;

use crate::host::udp::KernelDrops;

/// Something that can be looked at: the running tracker, or a made-up one in a test.
pub trait Source: Send + Sync + 'static {
    /// How things stand now. Called at most once per second.
    fn snapshot(&self) -> Snapshot;
}

/// How things stand.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Since the tracker started.
    pub up: Duration,
    /// When the tracker started, since the Unix epoch.
    pub started_unix: Duration,
    /// Swarms with IPv4 peers.
    pub swarms_v4: u64,
    /// Swarms with IPv6 peers.
    pub swarms_v6: u64,
    /// IPv4 peers.
    pub peers_v4: u64,
    /// IPv6 peers.
    pub peers_v6: u64,
    /// Bytes that swarms and peers take.
    pub used_bytes: u64,
    /// Bytes that the whole process may take.
    pub budget_bytes: u64,
    /// Bytes that the whole process takes, where the host tells.
    pub resident_bytes: Option<u64>,
    /// The longest time that expiry has held a part of the swarms.
    pub sweep_longest: Duration,
    /// The longest that it has run meanwhile.
    pub sweep_longest_running: Duration,
    /// Open HTTP and HTTPS connections.
    pub connections: u64,
    /// Connections that may be open.
    pub connections_max: u64,
    /// Every counter, always the same ones in the same order.
    pub counts: Vec<Count>,
    /// Datagrams that the kernel dropped.
    pub kernel: KernelDrops,
    /// How full the kernel's connection tracking is, from 0 to 1, where there is any.
    pub conntrack_share: Option<f64>,
    /// Hashes on the allow list, if there is one.
    pub allowed: Option<u64>,
    /// Hashes on the deny list.
    pub denied: u64,
    /// What the host lacks, one sentence each.
    pub findings: Vec<String>,
}

/// One counter since the tracker started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// A word of small letters and underscores.
    pub name: &'static str,
    /// What it counts, in a sentence.
    pub meaning: &'static str,
    /// To what it belongs.
    pub group: Group,
    /// How often it happened.
    pub value: u64,
}

/// To what a counter belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// A request that got what it asked for.
    Answer {
        /// `udp` or `http`.
        transport: &'static str,
        /// `announce`, `scrape`, ….
        kind: &'static str,
    },
    /// A request that was refused or dropped; the name tells the cause.
    Refusal,
    /// Anything else.
    Event,
}

impl Snapshot {
    /// Swarms of both families.
    pub fn swarms(&self) -> u64 {
        self.swarms_v4 + self.swarms_v6
    }

    /// Peers of both families.
    pub fn peers(&self) -> u64 {
        self.peers_v4 + self.peers_v6
    }

    /// Counters of refusals.
    pub fn refusals(&self) -> impl Iterator<Item = &Count> {
        self.counts.iter().filter(|count| count.group == Group::Refusal)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const fn answer(name: &'static str, transport: &'static str, kind: &'static str, value: u64) -> Count {
        Count { name, meaning: "Answered.", group: Group::Answer { transport, kind }, value }
    }

    const fn refusal(name: &'static str, meaning: &'static str, value: u64) -> Count {
        Count { name, meaning, group: Group::Refusal, value }
    }

    /// A busy tracker after `seconds`.
    pub(crate) fn busy(seconds: u64) -> Snapshot {
        Snapshot {
            up: Duration::from_secs(seconds),
            started_unix: Duration::from_secs(1_700_000_000),
            swarms_v4: 900_000,
            swarms_v6: 100_000,
            peers_v4: 3_000_000,
            peers_v6: 700_000,
            used_bytes: 170 << 20,
            budget_bytes: 512 << 20,
            resident_bytes: Some(213 << 20),
            sweep_longest: Duration::from_micros(1500),
            sweep_longest_running: Duration::from_micros(250),
            connections: 812,
            connections_max: 10_000,
            counts: vec![
                answer("udp_connect", "udp", "connect", 900 * seconds),
                answer("udp_announce", "udp", "announce", 1000 * seconds),
                answer("http_announce", "http", "announce", 120 * seconds),
                refusal("udp_malformed", "Datagrams that are no tracker requests, dropped.", 7 * seconds),
                refusal("udp_stale_id", "Requests with a connection id that is too old, dropped.", 0),
                Count { name: "http_connection", meaning: "Accepted.", group: Group::Event, value: 3 * seconds },
            ],
            kernel: KernelDrops { receive_buffer: 2 * seconds, send_buffer: 0, checksum: 1, sockets: seconds },
            conntrack_share: Some(0.25),
            allowed: None,
            denied: 17,
            findings: vec!["the kernel grants <small> buffers".to_owned()],
        }
    }
}
