//! Clients that want nothing but each other.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use peerfeed_protocol::announce::http::{announce_target, decode_announce};
use peerfeed_protocol::announce::udp::{ExchangeOptions, Family, UdpExchange};
use peerfeed_protocol::announce::{AnnounceReply, AnnounceRequest, InfoHash, PeerId, TrackerUrl};

use super::wire::{Target, tcp, udp};

/// How often each of them announces; real ones do it every half hour.
const INTERVAL: Duration = Duration::from_millis(200);

/// As clients do it, but faster: another try after two seconds.
const TIMING: ExchangeOptions = ExchangeOptions { first_timeout: Duration::from_secs(2), max_sends: 3 };

/// How one client was served.
#[derive(Debug, Default)]
pub struct Answers(Mutex<Vec<Option<Duration>>>);

impl Answers {
    /// For each announce, how long it took to learn of the other one, or nothing when it did not come to that.
    pub fn all(&self) -> Vec<Option<Duration>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn ip_of(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 1, 0, number + 1)
}

fn address_of(number: u8) -> SocketAddr {
    SocketAddr::from((ip_of(number), 7000 + u16::from(number)))
}

fn request_of(number: u8) -> AnnounceRequest {
    // Neighbours are in one swarm.
    AnnounceRequest::new(InfoHash([number / 2; 20]), PeerId([number; 20]), address_of(number).port())
}

/// The first announce of a client, while nobody attacks yet.
pub(super) fn introduce(target: &Target, number: u8) -> Result<()> {
    over_udp(target, number).context("the tracker does not even answer in peace").map(drop)
}

/// Announces again and again, over UDP and HTTP in turn, and notes what comes of it.
pub(super) fn ask_until(over: &AtomicBool, target: &Target, number: u8, answers: &Answers) {
    let other = address_of(number ^ 1);
    for round in 0.. {
        sleep(INTERVAL);
        if over.load(Ordering::Relaxed) {
            break;
        }
        let started = Instant::now();
        let reply = if round % 2 == 0 { over_udp(target, number) } else { over_http(target, number) };
        let is_right = reply.is_some_and(|reply| reply.peers.iter().any(|peer| peer == other));
        let took = is_right.then(|| started.elapsed());
        answers.0.lock().unwrap_or_else(PoisonError::into_inner).push(took);
    }
}

fn over_udp(target: &Target, number: u8) -> Option<AnnounceReply> {
    let socket = udp(ip_of(number), target.udp, TIMING.first_timeout).ok()?;
    let mut exchange = UdpExchange::new(request_of(number), "/announce", Family::V4, TIMING, [number; 32]);
    let started = Instant::now();
    let mut reply = [0; 2048];
    while exchange.outcome().is_none() {
        if let Some(datagram) = exchange.poll_send(started.elapsed()) {
            socket.send(&datagram).ok()?;
        }
        if let Ok(length) = socket.recv(&mut reply) {
            exchange.handle_datagram(&reply[..length], started.elapsed());
        }
    }
    exchange.outcome()?.clone().ok()
}

fn over_http(target: &Target, number: u8) -> Option<AnnounceReply> {
    let url: TrackerUrl = format!("http://{}/announce", target.http).parse().ok()?;
    let target_line = announce_target(&url, &request_of(number), None);
    let mut stream = tcp(ip_of(number), target.http, Duration::from_secs(5)).ok()?;
    write!(stream, "GET {target_line} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n").ok()?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).ok()?;
    let body = reply.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    decode_announce(&reply[body..]).ok()
}
