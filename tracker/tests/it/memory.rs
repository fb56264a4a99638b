//! The memory of the whole process, whatever is sent. Loopback is exempt from limits here: the budget exempts nobody.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use peerfeed_protocol::announce::http::decode_announce;
use peerfeed_protocol::announce::udp::{Announce, Family, Reply, Request};
use peerfeed_protocol::announce::{AnnounceRequest, Event, InfoHash, PeerId};

use super::program::{Program, command};

const BUDGET_MIB: u64 = 32;

/// How long an answer is waited for, on a machine that has other work.
const PATIENCE: Duration = Duration::from_secs(60);

fn small() -> Program {
    let mut command = command();
    command.arg("--memory").arg(format!("{BUDGET_MIB}MiB"));
    Program::start_as(command, &[("http", "127.0.0.1:0"), ("udp", "127.0.0.1:0"), ("udp", "[::1]:0")])
}

/// The most that the process ever took, in MiB.
fn peak_mib(program: &Program) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap().div_ceil(1024)
}

/// Sends announces, a few at a time, so that none is lost.
fn flood(to: SocketAddr, count: u64, announce: impl Fn(u64) -> AnnounceRequest) {
    let socket = UdpSocket::bind(if to.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" }).unwrap();
    socket.connect(to).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reply = [0; 2048];
    socket.send(&Request::Connect { transaction_id: 1 }.encode()).unwrap();
    let length = socket.recv(&mut reply).unwrap();
    let Ok(Reply::Connect { connection_id, .. }) = Reply::decode(&reply[..length], Family::V4) else { panic!() };
    for first in (0..count).step_by(50) {
        for n in first..first + 50 {
            let request = announce(n);
            let announce = Announce { connection_id, transaction_id: 2, request, options: b"" };
            socket.send(&Request::Announce(announce).encode()).unwrap();
        }
        for _ in 0..50 {
            socket.recv(&mut reply).unwrap();
        }
    }
}

fn in_swarm(swarm: u64, port: u16) -> AnnounceRequest {
    let mut hash = [0; 20];
    hash[..8].copy_from_slice(&scattered(swarm).to_be_bytes());
    AnnounceRequest::new(InfoHash(hash), PeerId([1; 20]), port)
}

/// Numbers that follow one another, far apart.
fn scattered(n: u64) -> u64 {
    n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ n.wrapping_mul(0xd6e8_feb8_6659_fd93).rotate_left(32)
}

#[test]
fn a_flood_of_made_up_swarms_stays_within_the_memory_and_everybody_is_answered() {
    let program = small();
    let [v4, v6] = [1, 2].map(|n| program.address(n));
    let floods = [v4, v6].map(|to| std::thread::spawn(move || flood(to, 150_000, |n| in_swarm(n, 6881))));
    for flood in floods {
        flood.join().unwrap();
    }
    let peak = peak_mib(&program);
    assert!(peak <= BUDGET_MIB, "{peak} MiB");
    let log = program.end(Signal::SIGTERM).2;
    assert!(log.contains("udp_announce=300000") && log.contains(" evicted="), "{log}");
}

#[test]
fn peers_that_come_and_go_in_swarms_of_every_size_stay_within_the_memory() {
    let program = small();
    let [v4, v6] = [1, 2].map(|n| program.address(n));
    let floods = [v4, v6].map(|to| {
        let come_and_go = |n: u64| {
            // Swarm k is announced to half as often as swarm k / 2; a quarter of the announces are goodbyes.
            let random = scattered(n);
            let swarm = (random >> 20) % (1 << (1 + random % 14));
            let port = u16::try_from((random >> 44) % 60_000 + 1).unwrap();
            let event = if random >> 61 < 2 { Event::Stopped } else { Event::None };
            AnnounceRequest { event, ..in_swarm(swarm, port) }
        };
        std::thread::spawn(move || flood(to, 200_000, come_and_go))
    });
    for flood in floods {
        flood.join().unwrap();
    }
    let peak = peak_mib(&program);
    assert!(peak <= BUDGET_MIB, "{peak} MiB");
    let log = program.end(Signal::SIGTERM).2;
    assert!(log.contains("udp_announce=400000"), "{log}");
}

#[test]
fn connections_that_ask_for_much_and_never_read_stay_within_the_memory() {
    let program = small();
    let to = program.address(0);
    let hashes = vec!["info_hash=aaaaaaaaaaaaaaaaaaaa"; 100].join("&");
    let scrapes = format!("GET /scrape?{hashes} HTTP/1.1\r\nHost: t\r\n\r\n").repeat(30);
    let endless = format!("GET /{}", "x".repeat(15_000));
    let held: Vec<_> = (0..1200)
        .map(|n| {
            let mut stream = TcpStream::connect(to).unwrap();
            stream.set_write_timeout(Some(Duration::from_millis(1))).unwrap();
            // A connection for which there is no memory is closed.
            let _ = stream.write_all(if n % 2 == 0 { scrapes.as_bytes() } else { endless.as_bytes() });
            stream
        })
        .collect();
    let peak = peak_mib(&program);
    assert!(peak <= BUDGET_MIB, "{peak} MiB");
    drop(held);
    // As soon as they are gone, others are served.
    let target = "/announce?info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=bbbbbbbbbbbbbbbbbbbb&port=1&left=1";
    let ask = || {
        let mut stream = TcpStream::connect(to).unwrap();
        let mut reply = Vec::new();
        let _ = stream.write_all(format!("GET {target} HTTP/1.0\r\n\r\n").as_bytes());
        let _ = stream.read_to_end(&mut reply);
        reply
    };
    let begun = Instant::now();
    let mut replies = std::iter::repeat_with(ask).take_while(|_| begun.elapsed() < PATIENCE);
    let reply = replies.find(|reply| !reply.is_empty()).expect("a place");
    let head_end = reply.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    assert_eq!(decode_announce(&reply[head_end + 4..]).unwrap().incomplete, 1);
}
