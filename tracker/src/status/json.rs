//! The numbers for programs without Prometheus.

use serde_json::{Map, Value, json};

use super::history::{History, Series};
use super::snapshot::{Group, Snapshot};

/// All numbers of a snapshot, with rates over the last minute.
pub fn render(snapshot: &Snapshot, history: &History) -> String {
    let group = |wanted: fn(Group) -> bool| {
        let places = snapshot.counts.iter().enumerate().filter(|(_, count)| wanted(count.group));
        let entries = places.map(|(place, count)| {
            let rate = f64::from(history.last_minute(Series::Count(place)));
            (count.name.to_owned(), json!({ "total": count.value, "per_second": (rate * 100.0).round() / 100.0 }))
        });
        Value::Object(entries.collect::<Map<_, _>>())
    };
    let kernel = &snapshot.kernel;
    let stats = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "up_seconds": snapshot.up.as_secs(),
        "swarms": { "ipv4": snapshot.swarms_v4, "ipv6": snapshot.swarms_v6 },
        "peers": { "ipv4": snapshot.peers_v4, "ipv6": snapshot.peers_v6 },
        "memory": {
            "used_bytes": snapshot.used_bytes,
            "budget_bytes": snapshot.budget_bytes,
            "resident_bytes": snapshot.resident_bytes,
        },
        "sweep": {
            "longest_seconds": snapshot.sweep_longest.as_secs_f64(),
            "longest_running_seconds": snapshot.sweep_longest_running.as_secs_f64(),
        },
        "connections": { "open": snapshot.connections, "max": snapshot.connections_max },
        "answers": group(|group| matches!(group, Group::Answer { .. })),
        "refusals": group(|group| group == Group::Refusal),
        "events": group(|group| group == Group::Event),
        "kernel_drops": {
            "receive_buffer": kernel.receive_buffer,
            "send_buffer": kernel.send_buffer,
            "checksum": kernel.checksum,
            "tracker_sockets": kernel.sockets,
        },
        "conntrack_ratio": snapshot.conntrack_share,
        "lists": { "allowed": snapshot.allowed, "denied": snapshot.denied },
        "host_lacks": snapshot.findings,
    });
    stats.to_string() + "\n"
}

#[cfg(test)]
mod tests {
    use super::super::snapshot::tests::busy;
    use super::*;

    #[test]
    fn totals_and_rates_are_there_by_group() {
        let mut history = History::new();
        history.push(busy(0));
        history.push(busy(10));
        let stats: Value = serde_json::from_str(&render(&busy(10), &history)).unwrap();
        assert_eq!(stats["answers"]["udp_announce"], json!({ "total": 10_000, "per_second": 1000.0 }));
        assert_eq!(stats["refusals"]["udp_malformed"]["total"], 70);
        assert_eq!(stats["events"]["http_connection"]["total"], 30);
        assert_eq!(stats["peers"], json!({ "ipv4": 3_000_000, "ipv6": 700_000 }));
        assert_eq!(stats["memory"]["budget_bytes"], 512 << 20);
        assert_eq!(stats["sweep"], json!({ "longest_seconds": 0.0015, "longest_running_seconds": 0.00025 }));
        assert_eq!(stats["lists"], json!({ "allowed": null, "denied": 17 }));
        assert_eq!(stats["host_lacks"].as_array().unwrap().len(), 1);
    }
}
