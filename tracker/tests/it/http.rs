//! Raw HTTP.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use nix::sys::signal::Signal;
use peerfeed_protocol::announce::http::{announce_target, decode_announce, decode_scrape, scrape_target};
use peerfeed_protocol::announce::{AnnounceReply, AnnounceRequest, Event, InfoHash, PeerId, TrackerUrl};

use super::program::{Program, command};

const HASH: InfoHash = InfoHash([0xab; 20]);

/// Sends bytes on a fresh connection and returns all that comes back until the tracker closes it.
fn exchange(to: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(bytes).unwrap();
    let mut reply = Vec::new();
    // A tracker that refuses a request that it has not read to its end may reset the connection.
    let _ = stream.read_to_end(&mut reply);
    reply
}

fn get(target: &str, more: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: tracker\r\n{more}\r\n").into_bytes()
}

/// The bodies of a run of responses, each of which must have status 200 and a length.
fn bodies(mut responses: &[u8]) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    while !responses.is_empty() {
        let end = responses.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
        let head = String::from_utf8(responses[..end].to_vec()).unwrap().to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        let length = head.split("content-length: ").nth(1).expect("a length").split("\r\n").next().unwrap();
        let body_end = end + length.parse::<usize>().unwrap();
        bodies.push(responses[end..body_end].to_vec());
        responses = &responses[body_end..];
    }
    bodies
}

fn body(to: SocketAddr, target: &str) -> Vec<u8> {
    bodies(&exchange(to, &get(target, "Connection: close\r\n"))).remove(0)
}

fn announce(program: &Program, n: usize, port: u16, change: impl Fn(&mut AnnounceRequest)) -> AnnounceReply {
    let url: TrackerUrl = program.url(n).parse().unwrap();
    let mut request = AnnounceRequest::new(HASH, PeerId([1; 20]), port);
    change(&mut request);
    decode_announce(&body(program.address(n), &announce_target(&url, &request, None))).unwrap()
}

#[test]
fn peers_of_both_families_find_each_other_over_http() {
    let program = Program::start(&[("http", "127.0.0.1:0"), ("http", "[::1]:0")]);
    assert!(announce(&program, 0, 1001, |_| ()).peers.is_empty());
    let reply = announce(&program, 1, 1002, |_| ());
    assert_eq!(reply.peers.iter().collect::<Vec<_>>(), ["127.0.0.1:1001".parse().unwrap()]);
    assert_eq!(reply.external_ip, Some("::1".parse().unwrap()));
    let reply = announce(&program, 0, 1003, |_| ());
    let mut peers: Vec<_> = reply.peers.iter().map(|peer| peer.to_string()).collect();
    peers.sort();
    assert_eq!(peers, ["127.0.0.1:1001", "[::1]:1002"]);
    assert_eq!((reply.complete, reply.incomplete), (0, 3));
    // Half an hour, a tenth more or less, and up to twice that where the machine is busy.
    assert!((1620..=3960).contains(&reply.interval.as_secs()), "{:?}", reply.interval);
}

#[test]
fn a_reply_has_what_clients_look_for_also_in_an_empty_swarm() {
    let mut command = command();
    command.env("PEERFEED_TRACKER_TRACKER_ID", "t1").env("PEERFEED_TRACKER_WARNING_MESSAGE", "we move: see t.example");
    let program = Program::start_as(command, &[("http", "127.0.0.1:0")]);
    let target = "/announce?info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=bbbbbbbbbbbbbbbbbbbb&left=1&port=";
    let text = String::from_utf8_lossy(&body(program.address(0), &format!("{target}258"))).into_owned();
    let (before, interval) = text.split_once("8:interval").unwrap();
    assert_eq!(before, "d8:completei0e11:external ip4:\u{7f}\0\0\u{1}10:incompletei1e");
    let end = "12:min intervali900e5:peers0:10:tracker id2:t115:warning message22:we move: see t.examplee";
    assert!(interval.ends_with(end), "{text}");
    let text = body(program.address(0), &format!("{target}259&compact=0"));
    assert!(
        text.windows(40).any(|part| part == b"5:peersld2:ip9:127.0.0.14:porti258eee10:"),
        "{}",
        text.escape_ascii()
    );
    let text = body(program.address(0), &format!("{target}260&compact=1"));
    assert!(text.windows(21).any(|part| part.starts_with(b"5:peers12:\x7f\0\0\x01\x01")), "{}", text.escape_ascii());
}

#[test]
fn a_partial_seed_and_an_unknown_event_are_taken_and_port_0_only_looks() {
    let program = Program::on_ipv4();
    assert_eq!(announce(&program, 0, 1001, |request| request.event = Event::Paused).incomplete, 1);
    let target =
        "/announce?info_hash=%ab%AB%ab%ab%ab%ab%ab%ab%ab%ab%ab%ab%ab%ab%ab%ab%ab%ab%ab%ab&peer_id=bbbbbbbbbbbbbbbbbbbb";
    let ask = |rest| decode_announce(&body(program.address(0), &format!("{target}&{rest}"))).unwrap();
    assert_eq!(ask("port=1002&event=dancing&left=1").incomplete, 2);
    let reply = ask("port=0&left=1");
    assert_eq!((reply.peers.len(), reply.incomplete), (2, 2));
}

#[test]
fn completed_and_stopped_are_seen_in_the_scrape() {
    let program = Program::on_ipv4();
    announce(&program, 0, 1001, |request| request.event = Event::Started);
    announce(&program, 0, 1002, |request| request.event = Event::Started);
    announce(&program, 0, 1001, |request| (request.event, request.left) = (Event::Completed, 0));
    announce(&program, 0, 1002, |request| request.event = Event::Stopped);
    let url: TrackerUrl = program.url(0).parse().unwrap();
    let hashes = [HASH, InfoHash([7; 20])];
    let reply = decode_scrape(&body(program.address(0), &scrape_target(&url, &hashes).unwrap()), &hashes).unwrap();
    let counts: Vec<_> = reply.entries.iter().map(|e| (e.complete, e.downloaded, e.incomplete)).collect();
    assert_eq!(counts, [(1, 1, 0), (0, 0, 0)]);
}

#[test]
fn one_connection_carries_many_requests_also_when_they_are_sent_ahead() {
    let program = Program::on_ipv4();
    let target = "/announce?info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=bbbbbbbbbbbbbbbbbbbb&left=1&port=";
    let mut requests = Vec::new();
    for port in 1..=20 {
        requests.extend(get(&format!("{target}{port}"), ""));
    }
    requests.extend(get("/scrape?info_hash=aaaaaaaaaaaaaaaaaaaa", "Connection: close\r\n"));
    let bodies = bodies(&exchange(program.address(0), &requests));
    assert_eq!(bodies.len(), 21);
    let incomplete: Vec<_> = bodies[..20].iter().map(|body| decode_announce(body).unwrap().incomplete).collect();
    assert_eq!(incomplete, (1..=20).collect::<Vec<_>>());
    let hash = InfoHash([b'a'; 20]);
    assert_eq!(decode_scrape(&bodies[20], &[hash]).unwrap().entries[0].incomplete, 20);
}

#[test]
fn nonsense_is_answered_with_a_failure_reason_and_status_200() {
    let program = Program::on_ipv4();
    for target in ["/announce", "/announce?info_hash=%zz", "/scrape", "/a/b/announce?port=1", "/announce?&&&==="] {
        let text = body(program.address(0), target);
        assert!(text.starts_with(b"d14:failure reason"), "{target}: {}", text.escape_ascii());
    }
    let post = b"POST /announce HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let text = bodies(&exchange(program.address(0), post)).remove(0);
    assert!(text.starts_with(b"d14:failure reason"), "{}", text.escape_ascii());
}

#[test]
fn a_scrape_of_sixty_escaped_hashes_is_answered() {
    let program = Program::on_ipv4();
    let url: TrackerUrl = program.url(0).parse().unwrap();
    let hashes: Vec<_> = (0..60).map(|n| InfoHash([200 + n % 50; 20])).collect();
    let target = scrape_target(&url, &hashes).unwrap();
    assert!(target.len() > 4_000);
    assert_eq!(decode_scrape(&body(program.address(0), &target), &hashes).unwrap().entries.len(), 60);
}

#[test]
fn what_is_no_http_ends_the_connection_without_an_answer_and_the_tracker_goes_on() {
    let program = Program::on_ipv4();
    for bad in [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"\x13BitTorrent protocol", b"{}", b"\0"] {
        assert_eq!(exchange(program.address(0), bad), b"", "{}", bad.escape_ascii());
    }
    announce(&program, 0, 1, |_| ());
}

#[test]
fn a_head_that_is_too_long_is_answered_in_words_that_make_transmission_ask_for_less() {
    let program = Program::on_ipv4();
    let long_target = get(&format!("/announce?{}", "a".repeat(100_000)), "");
    let endless_header = get("/announce", &format!("X: {}\r\n", "a".repeat(100_000)));
    for bad in [&long_target, &endless_header] {
        let text = bodies(&exchange(program.address(0), bad)).remove(0);
        assert!(text.starts_with(b"d14:failure reason"), "{}", text.escape_ascii());
        assert!(text.windows(19).any(|words| words == b"GET string too long"), "{}", text.escape_ascii());
    }
    let log = program.end(Signal::SIGTERM).2;
    assert!(log.contains("http_head_too_long=2"), "{log}");
}

#[test]
fn requests_are_answered_as_real_clients_write_them() {
    let program = Program::on_ipv4();
    let rest = "peer_id=bbbbbbbbbbbbbbbbbbbb&port=1&left=1";
    let raw_hash = [&b"info_hash=\xff\xfe <>\"{}#\x80"[..], &[0xaa; 10]].concat();
    for target in [
        [b"/announce?", &raw_hash[..], b"&", rest.as_bytes()].concat(),
        [b"/announce ?", &raw_hash[..], b"&", rest.as_bytes()].concat(),
        [
            b"/announce??",
            &raw_hash[..],
            b"&supportcrypto&&=&ip=1.2.3.4&ipv6=::1&event=&compact=0&numwant=-1&",
            rest.as_bytes(),
        ]
        .concat(),
        [b"announce?", &raw_hash[..], b"&", rest.as_bytes()].concat(),
        [b"http://tracker.example/announce?", &raw_hash[..], b"&", rest.as_bytes()].concat(),
        [b"/x/announce.php?", &raw_hash[..], b"&", rest.as_bytes()].concat(),
    ] {
        for end in [
            &b" HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"[..],
            b" HTTP/1.0\r\n\r\n",
            b" HTTP/1.0\n\n",
            b"\r\n\r\n",
            b" HTTP/1.1\r\nB\xe4d header: \xff\r\nnone\r\nConnection: close\r\n\r\n",
        ] {
            let request = [b"\r\nGET ", &target[..], end].concat();
            let reply = exchange(program.address(0), &request);
            let reply = String::from_utf8_lossy(&reply).into_owned();
            assert!(
                reply.contains(" 200 OK\r\n") && reply.contains("8:intervali"),
                "{}: {reply}",
                request.escape_ascii()
            );
        }
    }
}

#[test]
fn a_body_is_refused_and_not_taken_for_a_request() {
    let program = Program::on_ipv4();
    for length in ["Content-Length: 28", "Transfer-Encoding: chunked", "Content-Length: 28\r\nExpect: 100-continue"] {
        let post =
            format!("POST /announce HTTP/1.1\r\nHost: t\r\n{length}\r\n\r\nGET /scrape HTTP/1.1\r\nA: b\r\n\r\n");
        let bodies = bodies(&exchange(program.address(0), post.as_bytes()));
        assert_eq!(bodies.len(), 1, "{length}");
        assert!(bodies[0].starts_with(b"d14:failure reason"), "{}", bodies[0].escape_ascii());
    }
}

#[test]
fn a_client_that_stops_sending_still_gets_its_answer() {
    let program = Program::on_ipv4();
    let mut stream = TcpStream::connect(program.address(0)).unwrap();
    stream.write_all(&get("/scrape?info_hash=aaaaaaaaaaaaaaaaaaaa", "")).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).unwrap();
    assert_eq!(bodies(&reply).len(), 1);
}

#[test]
fn a_person_with_a_browser_is_told_what_this_is() {
    let program = Program::on_ipv4();
    assert!(String::from_utf8(body(program.address(0), "/")).unwrap().contains("BitTorrent tracker"));
}
