//! The numbers in Prometheus' text format.

use std::fmt::{self, Write as _};

use super::snapshot::{Group, Snapshot};

/// The media type of [`render`].
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All numbers of a snapshot. The set of lines does not depend on what clients send.
pub fn render(snapshot: &Snapshot) -> String {
    let mut out = Lines(String::new());
    let version = env!("CARGO_PKG_VERSION");
    out.family("peerfeed_tracker_build_info", "gauge", "Version of the tracker.");
    out.sample("peerfeed_tracker_build_info", &[("version", version)], 1);
    out.single("process_start_time_seconds", "When the tracker started.", snapshot.started_unix.as_secs());
    if let Some(bytes) = snapshot.resident_bytes {
        out.single("process_resident_memory_bytes", "Memory of the process.", bytes);
    }
    let families = |v4, v6| [(Some(("family", "ipv4")), v4), (Some(("family", "ipv6")), v6)];
    out.gauges("peerfeed_tracker_swarms", "Swarms.", &families(snapshot.swarms_v4, snapshot.swarms_v6));
    out.gauges("peerfeed_tracker_peers", "Peers.", &families(snapshot.peers_v4, snapshot.peers_v6));
    out.single("peerfeed_tracker_memory_used_bytes", "Memory of swarms and peers.", snapshot.used_bytes);
    out.single("peerfeed_tracker_memory_budget_bytes", "Memory that the process may take.", snapshot.budget_bytes);
    let longest = snapshot.sweep_longest.as_secs_f64();
    out.single("peerfeed_tracker_sweep_longest_seconds", "Longest time that expiry has held a lock.", longest);
    let longest = snapshot.sweep_longest_running.as_secs_f64();
    let meaning = "Longest that expiry has run while it held a lock.";
    out.single("peerfeed_tracker_sweep_longest_running_seconds", meaning, longest);
    out.single("peerfeed_tracker_connections", "Open HTTP connections.", snapshot.connections);
    out.single("peerfeed_tracker_connections_max", "HTTP connections that may be open.", snapshot.connections_max);
    let allowed = snapshot.allowed.map(|allowed| (Some(("list", "allow")), allowed));
    let lists: Vec<_> = allowed.into_iter().chain([(Some(("list", "deny")), snapshot.denied)]).collect();
    out.gauges("peerfeed_tracker_listed_hashes", "Hashes on the lists in force.", &lists);
    if let Some(share) = snapshot.conntrack_share {
        out.single("peerfeed_tracker_conntrack_ratio", "How full connection tracking is, 0 to 1.", share);
    }
    let findings = snapshot.findings.len();
    out.single("peerfeed_tracker_host_findings", "Things that the host lacks; the log names them.", findings);

    out.family("peerfeed_tracker_answers_total", "counter", "Requests that got what they asked for.");
    for count in &snapshot.counts {
        if let Group::Answer { transport, kind } = count.group {
            out.sample("peerfeed_tracker_answers_total", &[("transport", transport), ("kind", kind)], count.value);
        }
    }
    out.family("peerfeed_tracker_refusals_total", "counter", "Requests refused or dropped, by cause.");
    for count in snapshot.refusals() {
        out.sample("peerfeed_tracker_refusals_total", &[("cause", count.name)], count.value);
    }
    out.family("peerfeed_tracker_events_total", "counter", "Other things that happened.");
    for count in snapshot.counts.iter().filter(|count| count.group == Group::Event) {
        out.sample("peerfeed_tracker_events_total", &[("event", count.name)], count.value);
    }
    let kernel = &snapshot.kernel;
    out.family(
        "peerfeed_tracker_kernel_drops_total",
        "counter",
        "UDP that this machine's kernel dropped, all programs.",
    );
    for (cause, value) in
        [("receive_buffer", kernel.receive_buffer), ("send_buffer", kernel.send_buffer), ("checksum", kernel.checksum)]
    {
        out.sample("peerfeed_tracker_kernel_drops_total", &[("cause", cause)], value);
    }
    out.family("peerfeed_tracker_socket_drops_total", "counter", "Datagrams dropped at the tracker's own sockets.");
    out.sample("peerfeed_tracker_socket_drops_total", &[], kernel.sockets);
    out.0
}

struct Lines(String);

impl Lines {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl fmt::Display) {
        self.0.push_str(name);
        let mut separator = '{';
        for (label, text) in labels {
            let _ = write!(self.0, "{separator}{label}=\"{text}\"");
            separator = ',';
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    fn gauges(&mut self, name: &str, help: &str, values: &[(Option<(&str, &str)>, u64)]) {
        self.family(name, "gauge", help);
        for (label, value) in values {
            self.sample(name, label.as_slice(), value);
        }
    }

    fn single(&mut self, name: &str, help: &str, value: impl fmt::Display) {
        self.family(name, "gauge", help);
        self.sample(name, &[], value);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::snapshot::tests::busy;
    use super::*;

    #[test]
    fn every_number_is_there_under_its_name() {
        let text = render(&busy(10));
        for line in [
            "peerfeed_tracker_swarms{family=\"ipv4\"} 900000",
            "peerfeed_tracker_peers{family=\"ipv6\"} 700000",
            "peerfeed_tracker_memory_budget_bytes 536870912",
            "process_resident_memory_bytes 223346688",
            "peerfeed_tracker_answers_total{transport=\"udp\",kind=\"announce\"} 10000",
            "peerfeed_tracker_refusals_total{cause=\"udp_malformed\"} 70",
            "peerfeed_tracker_refusals_total{cause=\"udp_stale_id\"} 0",
            "peerfeed_tracker_events_total{event=\"http_connection\"} 30",
            "peerfeed_tracker_kernel_drops_total{cause=\"receive_buffer\"} 20",
            "peerfeed_tracker_socket_drops_total 10",
            "peerfeed_tracker_listed_hashes{list=\"deny\"} 17",
            "peerfeed_tracker_sweep_longest_seconds 0.0015",
            "peerfeed_tracker_sweep_longest_running_seconds 0.00025",
            "peerfeed_tracker_conntrack_ratio 0.25",
            "peerfeed_tracker_host_findings 1",
        ] {
            assert!(text.lines().any(|have| have == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn each_family_is_described_once_before_its_samples() {
        let text = render(&busy(10));
        let mut described = HashSet::new();
        let mut sampled = HashSet::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                assert!(described.insert(rest.split(' ').next().unwrap()), "{line}");
            } else if !line.starts_with('#') {
                let name = line.split(['{', ' ']).next().unwrap();
                assert!(described.contains(name), "{line}");
                sampled.insert(name);
            }
        }
        assert_eq!(described, sampled);
        assert!(text.ends_with('\n'));
    }
}
