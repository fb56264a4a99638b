//! What clients and trackers send each other.

use std::time::Duration;

use peerfeed_protocol::announce::connection_id::ConnectionId;
use peerfeed_protocol::announce::http::{
    PeerFormat, announce_target, decode_announce, decode_scrape, encode_announce, encode_scrape, parse_announce,
    parse_scrape, scrape_target,
};
use peerfeed_protocol::announce::limits::UDP_REPLY_BYTES_MAX;
use peerfeed_protocol::announce::udp::{ExchangeOptions, Family, Reply, Request, UdpExchange};
use peerfeed_protocol::announce::{AnnounceRequest, InfoHash, PeerId, TrackerUrl};

fn some_url() -> TrackerUrl {
    "http://tracker.example/announce".parse().expect("a proper address")
}

fn query_of(target: &str) -> &[u8] {
    target.split_once('?').map_or(&b""[..], |(_, query)| query.as_bytes())
}

/// A query that is understood is understood alike when our own client writes it.
pub(crate) fn query(query: &[u8]) {
    if let Ok(announce) = parse_announce(query) {
        let written = announce_target(&some_url(), &announce.request, None);
        let again = parse_announce(query_of(&written)).expect("our own query");
        assert_eq!(again.request, announce.request);
    }
    if let Ok(hashes) = parse_scrape(query) {
        let written = scrape_target(&some_url(), &hashes).expect("this address has a scrape");
        assert_eq!(parse_scrape(query_of(&written)), Ok(hashes));
    }
}

/// A body that is understood is understood alike when our own tracker writes it.
pub(crate) fn body(body: &[u8]) {
    if let Ok(reply) = decode_announce(body) {
        assert!(reply.peers.iter().all(|peer| peer.port() != 0));
        for format in [PeerFormat::Compact, PeerFormat::Dictionaries] {
            let again = decode_announce(&encode_announce(&reply, format)).expect("our own body");
            assert_eq!((again.interval, again.min_interval), (reply.interval, reply.min_interval));
            assert_eq!((again.complete, again.incomplete), (reply.complete, reply.incomplete));
            assert_eq!(again.peers, reply.peers);
            assert_eq!((again.warning, again.tracker_id), (reply.warning.clone(), reply.tracker_id.clone()));
        }
    }
    let hashes = [InfoHash([b'b'; 20]), InfoHash([0; 20])];
    if let Ok(reply) = decode_scrape(body, &hashes) {
        let written = encode_scrape(&hashes, &reply, Duration::from_secs(1));
        assert_eq!(decode_scrape(&written, &hashes), Ok(reply));
    }
}

/// An address that is understood is written so that it is understood as the same one.
pub(crate) fn url(bytes: &[u8]) {
    let Ok(url) = String::from_utf8_lossy(bytes).parse::<TrackerUrl>() else { return };
    assert_eq!(url.to_string().parse(), Ok(url.clone()));
    assert!(!url.attempts().is_empty());
    let _ = url.scrape_path_and_query();
}

/// A request is what its bytes say, and nothing of it gets lost.
pub(crate) fn udp_request(datagram: &[u8]) {
    let Ok(request) = Request::decode(datagram) else { return };
    let written = request.encode();
    assert_eq!(Request::decode(&written), Ok(request.clone()));
    if let Request::Announce(announce) = request {
        assert!(announce.url_data().len() <= 2048);
    }
}

/// A reply is what its bytes say; an exchange that gets it ends or goes on, and never sends without end.
pub(crate) fn udp_reply(bytes: &[u8]) {
    for family in [Family::V4, Family::V6] {
        if let Ok(reply) = Reply::decode(bytes, family) {
            let written = reply.encode(family);
            assert!(written.len() <= UDP_REPLY_BYTES_MAX);
            assert!(Reply::decode(&written, family).is_ok());
        }
        exchange(bytes, family);
    }
}

fn exchange(bytes: &[u8], family: Family) {
    let request = AnnounceRequest::new(InfoHash([1; 20]), PeerId([2; 20]), 6881);
    let timing = ExchangeOptions { first_timeout: Duration::from_secs(1), max_sends: 3 };
    let mut exchange = UdpExchange::new(request, "/announce", family, timing, [9; 32]);
    if bytes.len() % 2 == 1 {
        exchange = exchange.with_connection(ConnectionId(7), Duration::ZERO);
    }
    let mut now = Duration::ZERO;
    let mut sent = 0;
    while let Some(wake) = exchange.poll_wake(now) {
        now = now.max(wake);
        let Some(datagram) = exchange.poll_send(now) else { continue };
        sent += 1;
        assert!(sent <= 2 * timing.max_sends, "{sent} datagrams for one announce");
        exchange.handle_datagram(bytes, now);
        // The same with the transaction id that is waited for.
        let mut fitting = bytes.to_vec();
        if let (Some(to), Some(from)) = (fitting.get_mut(4..8), datagram.get(12..16)) {
            to.copy_from_slice(from);
        }
        exchange.handle_datagram(&fitting, now);
    }
    assert!(exchange.outcome().is_some());
}
