//! Clients that announce over HTTP, all of them in one thread.
//!
//! So many requests are under way at once, each on a connection of its own. They are taken in turn: the oldest answer is
//! waited for, and its client asks again. Servers answer nearly in the order in which they were asked, so hardly an
//! answer lies unread. Waiting is looking again and again: a server that has to wake its clients would pay for that.

use std::fmt::Write as _;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, SocketAddrV4, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng as _;
use socket2::{Domain, Socket, Type};

use super::latency::Latencies;
use super::population::{HOSTS, Population, address_of, host_of, is_seed, peer_id_of, port_of};
use super::udp::NUMWANT;
use super::visitors::below;

/// How connections are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connections {
    /// For one request after the other.
    Kept,
    /// For one request each, as clients do that announce twice an hour.
    New,
}

/// Who announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Everybody once whose address is among the first so many.
    Everybody {
        /// At most [`HOSTS`].
        hosts: u32,
    },
    /// Peers at random until then.
    Until(Instant),
}

/// What came of it.
#[derive(Debug, Default)]
pub struct HttpTally {
    /// Announces answered with peers.
    pub announces: u64,
    /// Requests without an answer.
    pub lost: u64,
    /// Failures, and answers that are none.
    pub refused: u64,
    /// In answers to announces.
    pub peers: u64,
    /// From the beginning of a connection, or of a request on a kept one, to the end of the answer.
    pub latencies: Latencies,
}

/// An answer that has not come by then is lost.
const PATIENCE: Duration = Duration::from_secs(5);

/// No announce is answered with more.
const ANSWER_BYTES_MAX: usize = 16 << 10;

/// Clients of one tracker.
pub struct HttpLoader<'a> {
    to: SocketAddrV4,
    population: &'a Population,
    connections: Connections,
    rng: ChaCha8Rng,
    answer: Vec<u8>,
    tally: HttpTally,
}

struct Client {
    stream: TcpStream,
    host: u32,
    asked: Instant,
    /// Kept connections: who announces next from here.
    next: u32,
}

impl<'a> HttpLoader<'a> {
    /// Clients of the tracker at `to`.
    pub fn new(to: SocketAddrV4, population: &'a Population, connections: Connections, seed: u64) -> Self {
        let (rng, answer) = (ChaCha8Rng::seed_from_u64(seed), vec![0; ANSWER_BYTES_MAX]);
        Self { to, population, connections, rng, answer, tally: HttpTally::default() }
    }

    /// Keeps `count` requests under way.
    pub fn run(mut self, count: u32, order: Order) -> Result<HttpTally> {
        match order {
            Order::Everybody { hosts } => self.fill(count, hosts)?,
            Order::Until(until) => self.load(count, until)?,
        }
        Ok(self.tally)
    }

    fn load(&mut self, count: u32, until: Instant) -> Result<()> {
        let mut clients: Vec<_> = (0..count).map(|_| self.newcomer()).collect::<Result<_>>()?;
        while Instant::now() < until {
            for client in &mut clients {
                let is_kept = self.take(client) && self.connections == Connections::Kept;
                if is_kept {
                    let peers = self.population.peers().div_ceil(HOSTS);
                    let other = client.host + HOSTS * below(peers, &mut self.rng);
                    client.next = if other < self.population.peers() { other } else { client.host };
                    self.ask(client)?;
                } else {
                    *client = self.newcomer()?;
                }
            }
        }
        for mut client in clients {
            self.take(&mut client);
        }
        Ok(())
    }

    /// A kept connection has one address, so that filling takes new ones: each announces all peers of its address.
    fn fill(&mut self, count: u32, hosts: u32) -> Result<()> {
        let mut clients = Vec::new();
        let mut hosts = 0..hosts.min(self.population.peers());
        loop {
            while clients.len() < count as usize
                && let Some(host) = hosts.next()
            {
                let stream = self.connect(host)?;
                let mut client = Client { stream, host, asked: Instant::now(), next: host };
                self.ask(&mut client)?;
                clients.push(client);
            }
            if clients.is_empty() {
                return Ok(());
            }
            for mut client in std::mem::take(&mut clients) {
                let is_open = self.take(&mut client);
                client.next += HOSTS;
                if client.next < self.population.peers() {
                    if !is_open {
                        client.stream = self.connect(client.host)?;
                    }
                    self.ask(&mut client)?;
                    clients.push(client);
                }
            }
        }
    }

    fn newcomer(&mut self) -> Result<Client> {
        let peer = below(self.population.peers(), &mut self.rng);
        let asked = Instant::now();
        let host = host_of(peer);
        let mut client = Client { stream: self.connect(host)?, host, asked, next: peer };
        self.ask(&mut client)?;
        client.asked = asked;
        Ok(client)
    }

    fn connect(&self, host: u32) -> Result<TcpStream> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        // A port is chosen together with the other end, so that many connections have enough of them.
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::from((address_of(host), 0)).into())?;
        socket.connect(&SocketAddr::V4(self.to).into()).context("the tracker takes no connection")?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    }

    fn ask(&mut self, client: &mut Client) -> Result<()> {
        client.asked = Instant::now();
        let request = self.request(client.next);
        // A server may have closed a kept connection: then there is no answer either.
        match client.stream.write_all(request.as_bytes()) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Reads one answer; returns whether the connection can be used again.
    fn take(&mut self, client: &mut Client) -> bool {
        let mut length = 0;
        let end = loop {
            if let Some(end) = end_of_answer(&self.answer[..length]) {
                break Some(end);
            }
            match client.stream.read(&mut self.answer[length..]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && client.asked.elapsed() < PATIENCE => {
                    std::thread::yield_now();
                }
                Ok(0) | Err(_) => break None,
                Ok(more) => length += more,
            }
        };
        let answer = &self.answer[..length];
        let has = |text: &[u8]| memchr::memmem::find(answer, text).is_some();
        if length == 0 || !(answer.starts_with(b"HTTP/1.1 200") || answer.starts_with(b"HTTP/1.0 200")) {
            self.tally.lost += 1;
        } else if !has(b"5:peers") || has(b"14:failure reason") {
            self.tally.refused += 1;
        } else {
            self.tally.announces += 1;
            self.tally.peers += peers_in(answer);
            self.tally.latencies.note(client.asked.elapsed());
        }
        end == Some(length) && !has(b"onnection: close")
    }

    /// As a stock client writes it.
    fn request(&self, peer: u32) -> String {
        let mut text = String::with_capacity(420);
        text.push_str("GET /announce?info_hash=");
        escape(&self.population.info_hash(peer).0, &mut text);
        text.push_str("&peer_id=");
        escape(&peer_id_of(peer), &mut text);
        let left = if is_seed(peer) { 0 } else { 1 << 20 };
        let close = if self.connections == Connections::New { "Connection: close\r\n" } else { "" };
        let _ = write!(
            text,
            "&port={}&uploaded=0&downloaded=0&left={left}&corrupt=0&key={peer:08X}&numwant={NUMWANT}&compact=1\
             &no_peer_id=1&supportcrypto=1&redundant=0 HTTP/1.1\r\nHost: {}\r\nUser-Agent: qBittorrent/5.0.2\r\n\
             Accept-Encoding: gzip\r\n{close}\r\n",
            port_of(peer),
            self.to
        );
        text
    }
}

fn escape(bytes: &[u8], text: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.extend([byte >> 4, byte & 15].map(|digit| char::from(DIGITS[usize::from(digit)])));
        }
    }
}

/// How many IPv4 peers an answer holds in compact form.
fn peers_in(answer: &[u8]) -> u64 {
    const KEY: &[u8] = b"5:peers";
    let length = memchr::memmem::find(answer, KEY).map(|at| &answer[at + KEY.len()..]);
    let digits = length.and_then(|length| length.split(|&byte| byte == b':').next()).unwrap_or_default();
    let bytes: u64 = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0);
    bytes / 6
}

/// Where an answer ends that tells its length; `None` as long as it is not there as a whole.
fn end_of_answer(bytes: &[u8]) -> Option<usize> {
    let body = memchr::memmem::find(bytes, b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..body]).ok()?;
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let length: usize = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?.1.trim().parse().ok()?;
    (bytes.len() >= body + length).then_some(body + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_its_length_says() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc";
        assert_eq!(end_of_answer(answer), Some(answer.len()));
        assert_eq!(end_of_answer(&answer[..answer.len() - 1]), None);
        assert_eq!(end_of_answer(b"HTTP/1.1 200 OK\r\n\r\nabc"), None);
    }

    #[test]
    fn peers_are_counted_by_the_length_of_their_compact_form() {
        assert_eq!(peers_in(b"HTTP/1.1 200 OK\r\n\r\nd8:intervali1800e5:peers12:aaaaaabbbbbbe"), 2);
        assert_eq!(peers_in(b"d5:peers0:e"), 0);
        assert_eq!(peers_in(b"d5:peersle"), 0);
    }

    #[test]
    fn bytes_are_escaped_as_clients_do() {
        let mut text = String::new();
        escape(b"a\x00-\xff/", &mut text);
        assert_eq!(text, "a%00-%ff%2f");
    }
}
