//! What the status page shows of a running server.

use std::sync::Arc;

use crate::host::Host;
use crate::host::check::Finding;
use crate::http::Places;
use crate::metrics::Counter;
use crate::status::{Count, Snapshot, Source};
use crate::tracker::Tracker;

/// A running server, looked at from its status page.
pub(super) struct Running {
    pub(super) tracker: Arc<Tracker>,
    pub(super) host: Host,
    pub(super) places: Arc<Places>,
    pub(super) connections_max: u32,
    /// Of the tracker's own sockets.
    pub(super) udp_ports: Vec<u16>,
    /// What the host lacked on starting.
    pub(super) findings: Vec<Finding>,
}

impl Running {
    pub(super) fn new(tracker: Arc<Tracker>, places: Arc<Places>, connections_max: u32) -> Self {
        Self { tracker, host: Host::new(), places, connections_max, udp_ports: vec![], findings: vec![] }
    }
}

impl Source for Running {
    fn snapshot(&self) -> Snapshot {
        let now = self.tracker.moment();
        let totals = self.tracker.swarms.totals();
        let listed = self.tracker.access.listed();
        let number = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
        let count = |&counter: &Counter| Count {
            name: counter.name(),
            meaning: counter.meaning(),
            group: counter.group(),
            value: self.tracker.metrics.value(counter),
        };
        Snapshot {
            up: now.up,
            started_unix: now.unix.saturating_sub(now.up),
            swarms_v4: number(totals.swarms_v4),
            swarms_v6: number(totals.swarms_v6),
            peers_v4: number(totals.peers_v4),
            peers_v6: number(totals.peers_v6),
            used_bytes: number(totals.bytes),
            budget_bytes: number(self.tracker.budget().total_bytes()),
            resident_bytes: self.host.resident_bytes(),
            sweep_longest: self.tracker.sweep_longest.value(),
            sweep_longest_running: self.tracker.sweep_longest_running.value(),
            connections: number(self.places.connections()),
            connections_max: self.connections_max.into(),
            counts: Counter::ALL.iter().map(count).collect(),
            kernel: self.host.kernel_drops(&self.udp_ports),
            conntrack_share: self.host.conntrack_share(),
            allowed: listed.allowed.map(number),
            denied: number(listed.denied),
            findings: self.findings.iter().map(ToString::to_string).collect(),
        }
    }
}
