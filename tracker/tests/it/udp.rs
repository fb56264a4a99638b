//! Raw UDP.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use peerfeed_protocol::announce::connection_id::ConnectionId;
use peerfeed_protocol::announce::udp::{
    Announce, ExchangeOptions, Family, PROTOCOL_ID, Reply, Request, Scrape, UdpExchange,
};
use peerfeed_protocol::announce::{AnnounceReply, AnnounceRequest, InfoHash, PeerId};

use super::program::Program;

const HASH: [u8; 20] = [0xab; 20];

/// How long an answer that must come is waited for.
const ANSWER: Duration = Duration::from_secs(60);

/// A client on a socket of its own, connected, so that it hears only the address that it asks.
struct Client {
    socket: UdpSocket,
    family: Family,
}

impl Client {
    fn new(to: SocketAddr) -> Self {
        let (any, family) = if to.is_ipv4() { ("127.0.0.1:0", Family::V4) } else { ("[::1]:0", Family::V6) };
        let socket = UdpSocket::bind(any).unwrap();
        socket.connect(to).unwrap();
        Self { socket, family }
    }

    /// The answer to a datagram, or nothing after `patience`.
    fn ask(&self, datagram: &[u8], patience: Duration) -> Option<Vec<u8>> {
        self.socket.set_read_timeout(Some(patience)).unwrap();
        self.socket.send(datagram).unwrap();
        let mut reply = [0; 2048];
        self.socket.recv(&mut reply).ok().map(|length| reply[..length].to_vec())
    }

    fn connect(&self) -> ConnectionId {
        let reply = self.ask(&Request::Connect { transaction_id: 77 }.encode(), ANSWER);
        match Reply::decode(&reply.expect("an answer"), self.family) {
            Ok(Reply::Connect { transaction_id: 77, connection_id }) => connection_id,
            other => panic!("{other:?}"),
        }
    }
}

/// What the client's side of the protocol core makes of it.
fn announce(to: SocketAddr, port: u16) -> AnnounceReply {
    let client = Client::new(to);
    let request = AnnounceRequest::new(InfoHash(HASH), PeerId([1; 20]), port);
    let timing = ExchangeOptions { first_timeout: Duration::from_secs(2), max_sends: 6 };
    let mut exchange = UdpExchange::new(request, "/announce", client.family, timing, [9; 32]);
    let start = Instant::now();
    while exchange.outcome().is_none() {
        if let Some(datagram) = exchange.poll_send(start.elapsed())
            && let Some(reply) = client.ask(&datagram, Duration::from_secs(2))
        {
            exchange.handle_datagram(&reply, start.elapsed());
        }
    }
    exchange.outcome().unwrap().clone().unwrap()
}

#[test]
fn peers_of_a_family_find_each_other_over_udp() {
    let program = Program::start(&[("udp", "127.0.0.1:0"), ("udp", "[::1]:0")]);
    for (n, ip) in ["127.0.0.1", "::1"].into_iter().enumerate() {
        assert!(announce(program.address(n), 1001).peers.is_empty());
        let reply = announce(program.address(n), 1002);
        assert_eq!(reply.peers.iter().collect::<Vec<_>>(), [SocketAddr::new(ip.parse().unwrap(), 1001)]);
        // Half an hour, a tenth more or less, and up to twice that where the machine is busy.
        assert!((1620..=3960).contains(&reply.interval.as_secs()), "{:?}", reply.interval);
    }
    assert_eq!(announce(program.address(0), 1002).incomplete, 4, "both families are counted");
}

#[test]
fn a_listener_on_all_addresses_answers_from_the_one_that_was_asked() {
    let program = Program::start(&[("udp", "[::]:0")]);
    let port = program.address(0).port();
    for (n, ip) in ["127.0.0.1", "127.0.0.5", "::1"].into_iter().enumerate() {
        let reply = announce(SocketAddr::new(ip.parse().unwrap(), port), 1001);
        assert_eq!(usize::try_from(reply.incomplete).unwrap(), [1, 1, 2][n], "asked at {ip}");
    }
}

#[test]
fn both_transports_share_one_swarm_and_one_connection_id_serves_every_listener() {
    let program = Program::start(&[("udp", "127.0.0.1:0"), ("udp", "127.0.0.1:0")]);
    let id = Client::new(program.address(0)).connect();
    let other = Client::new(program.address(1));
    let scrape = Request::Scrape(Scrape { connection_id: id, transaction_id: 1, info_hashes: &[HASH] });
    announce(program.address(0), 1001);
    let reply = other.ask(&scrape.encode(), ANSWER).expect("an answer");
    let Ok(Reply::Scrape { reply, .. }) = Reply::decode(&reply, Family::V4) else { panic!("{reply:?}") };
    assert_eq!(reply.entries[0].incomplete, 1);
}

#[test]
fn every_event_is_taken_and_counts_are_as_it_says() {
    let program = Program::on_ipv4();
    let client = Client::new(program.address(1));
    let id = client.connect();
    // Events: 0 none, 1 completed, 2 started, 3 stopped, 4 paused (BEP 21), and one that does not exist.
    for (event, left, counts) in
        [(2u32, 5u64, (0, 1)), (4, 5, (0, 1)), (77, 5, (0, 1)), (1, 0, (1, 0)), (0, 0, (1, 0)), (3, 0, (0, 0))]
    {
        let request = AnnounceRequest { left, ..AnnounceRequest::new(InfoHash(HASH), PeerId([1; 20]), 1001) };
        let announce = Announce { connection_id: id, transaction_id: 3, request, options: b"" };
        let mut datagram = Request::Announce(announce).encode();
        datagram[80..84].copy_from_slice(&event.to_be_bytes());
        let reply = client.ask(&datagram, Duration::from_secs(2)).expect("an answer");
        assert_eq!(reply.len(), 20, "nothing behind the last entry");
        let Ok(Reply::Announce { reply, .. }) = Reply::decode(&reply, Family::V4) else { panic!() };
        assert_eq!((reply.complete, reply.incomplete), counts, "event {event}");
    }
}

#[test]
fn a_scrape_is_answered_in_order_with_duplicates_and_zeros() {
    let program = Program::on_ipv4();
    announce(program.address(1), 1001);
    let client = Client::new(program.address(1));
    let info_hashes: Vec<_> = (0..74u8).map(|n| if n % 2 == 0 { HASH } else { [n; 20] }).collect();
    let scrape = Scrape { connection_id: client.connect(), transaction_id: 1, info_hashes: &info_hashes };
    let reply = client.ask(&Request::Scrape(scrape).encode(), ANSWER).expect("an answer");
    assert_eq!(reply.len(), 8 + 74 * 12);
    let Ok(Reply::Scrape { reply, .. }) = Reply::decode(&reply, Family::V4) else { panic!() };
    let incomplete: Vec<_> = reply.entries.iter().map(|entry| entry.incomplete).collect();
    assert_eq!(incomplete, [1, 0].repeat(37));
}

#[test]
fn options_of_bep_41_and_unknown_ones_are_tolerated() {
    let program = Program::on_ipv4();
    let client = Client::new(program.address(1));
    let connection_id = client.connect();
    let request = AnnounceRequest::new(InfoHash(HASH), PeerId([1; 20]), 1001);
    for options in [&b"\x02\x09/announce"[..], b"\x01\x01\x63\x02ab\x02\x01/\x00", b"\x02", b"\x63\xff"] {
        let announce = Request::Announce(Announce { connection_id, transaction_id: 3, request, options });
        let reply = client.ask(&announce.encode(), ANSWER).expect("an answer");
        assert_eq!(reply.len(), 20, "{options:?}");
    }
}

#[test]
fn who_has_not_proven_its_address_gets_never_more_than_it_sent() {
    let program = Program::on_ipv4();
    announce(program.address(1), 1001);
    let client = Client::new(program.address(1));
    let mut sent = 0;
    let mut got = 0;
    let request = AnnounceRequest::new(InfoHash(HASH), PeerId([1; 20]), 1001);
    let forged = |id| {
        let connection_id = ConnectionId(id);
        Request::Announce(Announce { connection_id, transaction_id: 3, request, options: b"" }).encode()
    };
    let scrape = Scrape { connection_id: ConnectionId(0), transaction_id: 1, info_hashes: &[HASH; 74] };
    for datagram in [
        Request::Connect { transaction_id: 1 }.encode(),
        forged(0),
        forged(PROTOCOL_ID),
        forged(u64::MAX),
        Request::Scrape(scrape).encode(),
        vec![0xff; 1400],
        vec![0; 16],
        vec![],
    ] {
        sent += datagram.len();
        let reply = client.ask(&datagram, Duration::from_millis(300)).unwrap_or_default();
        assert!(reply.len() <= datagram.len(), "{} bytes for {}", reply.len(), datagram.len());
        got += reply.len();
    }
    assert_eq!(got, 16, "only the connect was answered; {sent} bytes were sent");
}

#[test]
fn an_id_of_one_address_is_worthless_at_another() {
    let program = Program::start(&[("udp", "127.0.0.1:0")]);
    let id = Client::new(program.address(0)).connect();
    let thief = UdpSocket::bind("127.0.0.2:0").unwrap();
    thief.connect(program.address(0)).unwrap();
    let thief = Client { socket: thief, family: Family::V4 };
    let scrape = Request::Scrape(Scrape { connection_id: id, transaction_id: 1, info_hashes: &[HASH] }).encode();
    assert_eq!(thief.ask(&scrape, Duration::from_millis(300)), None);
    assert!(Client::new(program.address(0)).ask(&scrape, ANSWER).is_some());
}
