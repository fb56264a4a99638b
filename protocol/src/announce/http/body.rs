//! The bodies that a tracker answers with: bencoded dictionaries.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::announce::{AnnounceReply, InfoHash, PeerList, RetryIn, ScrapeReply};
use crate::bencode::{Dict, Value, WrittenDict};

/// How peers are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PeerFormat {
    /// 6 bytes per IPv4 peer in `peers`, 18 per IPv6 peer in `peers6` (BEP 23, BEP 7).
    #[default]
    Compact,
    /// A list of dictionaries in `peers`, both families in it (BEP 3), without peer ids: the tracker keeps none.
    Dictionaries,
}

/// The answer to an announce. `peers` is always there, even when empty: some clients insist on it. spec: ANN-11, ANN-13
pub fn encode_announce(reply: &AnnounceReply, format: PeerFormat) -> Vec<u8> {
    let (v4, v6) = (reply.peers.compact_v4(), reply.peers.compact_v6());
    // All keys and numbers have fewer bytes than this, and texts are rare.
    let mut body = Vec::with_capacity(256 + v4.len() + v6.len());
    let mut dict = WrittenDict::begin(&mut body);
    dict.number(b"complete", reply.complete.into());
    match reply.external_ip.map(|ip| ip.to_canonical()) {
        Some(IpAddr::V4(ip)) => dict.bytes(b"external ip", &ip.octets()),
        Some(IpAddr::V6(ip)) => dict.bytes(b"external ip", &ip.octets()),
        None => {}
    }
    dict.number(b"incomplete", reply.incomplete.into());
    dict.number(b"interval", reply.interval.as_secs());
    if let Some(interval) = reply.min_interval {
        dict.number(b"min interval", interval.as_secs());
    }
    match format {
        PeerFormat::Compact => {
            dict.bytes(b"peers", v4);
            if !v6.is_empty() {
                dict.bytes(b"peers6", v6);
            }
        }
        PeerFormat::Dictionaries => dict.value(b"peers", &dictionaries(&reply.peers)),
    }
    if let Some(id) = &reply.tracker_id {
        dict.bytes(b"tracker id", id);
    }
    if let Some(warning) = &reply.warning {
        dict.bytes(b"warning message", warning.as_bytes());
    }
    dict.end();
    body
}

/// A refusal. The interval is there for clients that know no `retry in`. spec: ANN-14
pub fn encode_failure(reason: &str, interval: Duration, retry_in: Option<RetryIn>) -> Vec<u8> {
    let retry_in = retry_in.map(|retry| match retry {
        RetryIn::After(wait) => Value::from(wait.as_secs().div_ceil(60)),
        RetryIn::Never => Value::from("never"),
    });
    Dict::new()
        .with(b"failure reason", reason)
        .with(b"interval", interval.as_secs())
        .with_optional(b"retry in", retry_in)
        .encode()
}

/// The answer to a scrape of `hashes`: an entry for each, known or not, and how often to ask. spec: ANN-15
pub fn encode_scrape(hashes: &[InfoHash], reply: &ScrapeReply, min_request_interval: Duration) -> Vec<u8> {
    let mut files = Dict::new();
    for (hash, entry) in hashes.iter().zip(&reply.entries) {
        let entry = Dict::new()
            .with(b"complete", entry.complete)
            .with(b"downloaded", entry.downloaded)
            .with(b"incomplete", entry.incomplete);
        files.insert(&hash.0, entry);
    }
    let flags = Dict::new().with(b"min_request_interval", min_request_interval.as_secs());
    Dict::new().with(b"files", files).with(b"flags", flags).encode()
}

fn dictionaries(peers: &PeerList) -> Value<'static> {
    let dictionary = |peer: SocketAddr| Dict::new().with(b"ip", peer.ip().to_string()).with(b"port", peer.port());
    peers.iter().map(dictionary).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::announce::ScrapeEntry;

    fn reply(peers: &[&str]) -> AnnounceReply {
        AnnounceReply {
            interval: Duration::from_secs(1800),
            complete: 1,
            incomplete: 2,
            peers: peers.iter().map(|peer| peer.parse().unwrap()).collect(),
            ..AnnounceReply::default()
        }
    }

    #[test]
    fn an_empty_swarm_still_has_peers_in_its_reply() {
        let body = encode_announce(&reply(&[]), PeerFormat::Compact);
        assert_eq!(body, b"d8:completei1e10:incompletei2e8:intervali1800e5:peers0:e");
    }

    #[test]
    fn the_families_travel_apart_in_compact_form() {
        let body = encode_announce(&reply(&["1.2.3.4:258", "[::2]:1"]), PeerFormat::Compact);
        let tail = b"5:peers6:\x01\x02\x03\x04\x01\x026:peers618:\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02\0\x01e";
        assert!(body.ends_with(tail), "{}", body.escape_ascii());
    }

    #[test]
    fn the_families_travel_together_as_dictionaries() {
        let body = encode_announce(&reply(&["1.2.3.4:258", "[2001:db8::2]:1"]), PeerFormat::Dictionaries);
        let tail = b"5:peersld2:ip7:1.2.3.44:porti258eed2:ip11:2001:db8::24:porti1eeee";
        assert!(body.ends_with(tail), "{}", body.escape_ascii());
    }

    #[test]
    fn every_optional_key_is_written_in_its_place() {
        let full = AnnounceReply {
            min_interval: Some(Duration::from_secs(900)),
            external_ip: Some("::ffff:192.0.2.1".parse().unwrap()),
            warning: Some("old".into()),
            tracker_id: Some(b"T".to_vec()),
            ..reply(&[])
        };
        let body = encode_announce(&full, PeerFormat::Compact);
        let expected = b"d8:completei1e11:external ip4:\xc0\x00\x02\x0110:incompletei2e8:intervali1800e\
            12:min intervali900e5:peers0:10:tracker id1:T15:warning message3:olde";
        assert_eq!(body, expected, "{}", body.escape_ascii());
    }

    #[test]
    fn a_refusal_carries_an_interval_and_when_to_come_back() {
        let hour = Duration::from_secs(3600);
        let body = encode_failure("full", hour, Some(RetryIn::After(Duration::from_secs(61))));
        assert_eq!(body, b"d14:failure reason4:full8:intervali3600e8:retry ini2ee");
        let body = encode_failure("no", hour, Some(RetryIn::Never));
        assert_eq!(body, b"d14:failure reason2:no8:intervali3600e8:retry in5:nevere");
    }

    #[test]
    fn a_scrape_has_an_entry_for_every_hash() {
        let entries = vec![ScrapeEntry { complete: 1, downloaded: 2, incomplete: 3 }, ScrapeEntry::default()];
        let hashes = [InfoHash([b'b'; 20]), InfoHash([b'a'; 20])];
        let body = encode_scrape(&hashes, &ScrapeReply { entries }, Duration::from_secs(900));
        let expected = b"d5:filesd20:aaaaaaaaaaaaaaaaaaaad8:completei0e10:downloadedi0e10:incompletei0ee\
            20:bbbbbbbbbbbbbbbbbbbbd8:completei1e10:downloadedi2e10:incompletei3eee\
            5:flagsd20:min_request_intervali900eee";
        assert_eq!(body, expected, "{}", body.escape_ascii());
    }
}
