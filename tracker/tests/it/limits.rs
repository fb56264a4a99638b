//! What one customer may have. Loopback is one here: `limit_loopback` is on.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use nix::sys::signal::Signal;
use peerfeed_protocol::announce::http::{HttpReplyError, decode_announce, decode_scrape};
use peerfeed_protocol::announce::udp::{Family, Reply, Request, Scrape};
use peerfeed_protocol::announce::{AnnounceReply, InfoHash};
use socket2::{Domain, Socket, Type};

use super::program::{Program, command};

/// A tracker on 127.0.0.1 that treats loopback as it treats strangers.
fn limited() -> Program {
    let mut command = command();
    command.env("PEERFEED_TRACKER_LIMIT_LOOPBACK", "true").env("PEERFEED_TRACKER_HTTP_CONNECTIONS", "400");
    Program::start_as(command, &[("http", "127.0.0.1:0"), ("udp", "127.0.0.1:0")])
}

/// A connection from another loopback address.
fn connect_from(ip: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((ip, 0)).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    socket.into()
}

fn announce(hash: u32, port: u16) -> String {
    format!("/announce?info_hash=aaaaaaaaaaaa{hash:08}&peer_id=bbbbbbbbbbbbbbbbbbbb&port={port}&left=1")
}

/// Sends requests over one connection and returns the body of each answer.
fn ask(stream: &mut TcpStream, targets: &[String]) -> Vec<Vec<u8>> {
    let requests = format!("GET {} HTTP/1.1\r\nHost: t\r\n\r\n", targets.join(" HTTP/1.1\r\nHost: t\r\n\r\nGET "));
    let mut writing = stream.try_clone().unwrap();
    let sender = std::thread::spawn(move || writing.write_all(requests.as_bytes()).unwrap());
    let bodies = targets.iter().map(|_| read_body(stream)).collect();
    sender.join().unwrap();
    bodies
}

fn read_body(stream: &mut TcpStream) -> Vec<u8> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    let length = head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    body
}

fn replies(bodies: &[Vec<u8>]) -> Vec<AnnounceReply> {
    bodies.iter().map(|body| decode_announce(body).unwrap()).collect()
}

#[test]
fn who_asks_too_often_is_told_to_come_back_later_and_others_do_not_notice() {
    let program = limited();
    let mut greedy = connect_from([127, 0, 0, 2], program.address(0));
    // New swarms cost most: 50,000 tokens are gone before so many.
    let targets: Vec<_> = (0..5000).map(|n| announce(n, 1000)).collect();
    let told = replies(&ask(&mut greedy, &targets));
    let last = told.last().unwrap();
    assert!(told[0].interval.as_secs() <= 3960 && told[0].warning.is_none());
    assert!((6480..=7920).contains(&last.interval.as_secs()), "{:?}", last.interval);
    assert!(last.warning.as_ref().unwrap().contains("too often"), "{last:?}");
    let scrape = "/scrape?info_hash=aaaaaaaaaaaa00000000".to_owned();
    // A token comes back now and then.
    let scraped = ask(&mut greedy, &vec![scrape.clone(); 400]);
    let refused = scraped.iter().find(|body| body.starts_with(b"d14:failure reason")).expect("one was too much");
    assert!(matches!(decode_announce(refused), Err(HttpReplyError::Refused(_))), "{}", refused.escape_ascii());
    assert!(refused.ends_with(b"8:retry ini120ee"), "{}", refused.escape_ascii());

    let mut other = connect_from([127, 0, 0, 3], program.address(0));
    let reply = replies(&ask(&mut other, &[announce(0, 2000)])).remove(0);
    assert_eq!(reply.peers.iter().collect::<Vec<_>>(), ["127.0.0.2:1000".parse().unwrap()]);
    let counts = ask(&mut other, &[scrape]).remove(0);
    let hash = InfoHash(*b"aaaaaaaaaaaa00000000");
    assert_eq!(decode_scrape(&counts, &[hash]).unwrap().entries[0].incomplete, 2);
    let log = program.end(Signal::SIGTERM).2;
    assert!(log.contains(" throttled="), "{log}");
}

#[test]
fn loopback_is_free_unless_switched_on() {
    let program = Program::on_ipv4();
    let mut client = connect_from([127, 0, 0, 2], program.address(0));
    let targets: Vec<_> = (0..5000).map(|n| announce(n, 1000)).collect();
    // Not the interval, which a busy machine stretches.
    assert!(replies(&ask(&mut client, &targets)).iter().all(|reply| reply.warning.is_none()));
}

#[test]
fn one_address_has_a_few_places_in_a_swarm_and_its_newest_peers_keep_them() {
    let program = limited();
    let mut crowd = connect_from([127, 0, 0, 2], program.address(0));
    let targets: Vec<_> = (1..=100).map(|port| announce(0, port)).collect();
    ask(&mut crowd, &targets);
    let mut other = connect_from([127, 0, 0, 3], program.address(0));
    let reply = replies(&ask(&mut other, &[announce(0, 2000)])).remove(0);
    assert_eq!((reply.incomplete, reply.peers.len()), (9, 8));
    assert!(reply.peers.iter().any(|peer| peer.port() == 100));
}

#[test]
fn one_address_has_an_eighth_of_the_connections_and_leaves_the_others_theirs() {
    let program = limited();
    let held: Vec<_> = (0..50).map(|_| connect_from([127, 0, 0, 2], program.address(0))).collect();
    let mut refused = connect_from([127, 0, 0, 2], program.address(0));
    assert!(matches!(refused.read(&mut [0]), Ok(0) | Err(_)), "closed at once");
    let mut other = connect_from([127, 0, 0, 3], program.address(0));
    assert_eq!(replies(&ask(&mut other, &[announce(0, 1)])).len(), 1);
    drop(held);
    let log = program.end(Signal::SIGTERM).2;
    assert!(log.contains("http_share=1"), "{log}");
}

#[test]
fn scrapes_and_connects_over_udp_have_limits_of_their_own() {
    let program = limited();
    let client = UdpSocket::bind("127.0.0.2:0").unwrap();
    client.connect(program.address(1)).unwrap();
    // Silence is heard once; until then a busy machine may take its time for an answer.
    client.set_read_timeout(Some(Duration::from_secs(6))).unwrap();
    let ask = |datagram: &[u8]| {
        client.send(datagram).unwrap();
        let mut reply = [0; 2048];
        client.recv(&mut reply).ok().map(|length| Reply::decode(&reply[..length], Family::V4).unwrap())
    };
    let connect = Request::Connect { transaction_id: 1 }.encode();
    let Some(Reply::Connect { connection_id, .. }) = ask(&connect) else { panic!() };
    // Lies about the address cannot be told from connects of its owner, so these run out first, in silence. Many at a time:
    // new ones are due all the while.
    let mut answered = 0;
    loop {
        (0..100).for_each(|_| _ = client.send(&connect).unwrap());
        let heard = (0..100).take_while(|_| client.recv(&mut [0; 2048]).is_ok()).count();
        answered += heard;
        if heard < 100 {
            break;
        }
        assert!(answered < 20_000, "{answered}");
    }
    assert!(answered >= 4_990, "{answered}");
    let hashes = [[1; 20]; 74];
    let scrape = Request::Scrape(Scrape { connection_id, transaction_id: 1, info_hashes: &hashes }).encode();
    let refusal = (0..20_000).find_map(|_| match ask(&scrape) {
        Some(Reply::Error { reason, .. }) => Some(reason),
        _ => None,
    });
    assert!(refusal.unwrap().contains("too often"));
}
