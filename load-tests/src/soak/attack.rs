//! What strangers do to a tracker.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use peerfeed_protocol::announce::connection_id::ConnectionId;
use peerfeed_protocol::announce::udp::{Announce, Request, Scrape};
use peerfeed_protocol::announce::{AnnounceRequest, InfoHash, PeerId};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};

use super::wire::{Target, connection_id, tcp, udp};

/// A pause between two rounds of an attack: honest clients, attackers and the tracker share one machine here.
const PAUSE: Duration = Duration::from_millis(5);

/// How long an attacker waits for an answer.
const PATIENCE: Duration = Duration::from_millis(200);

/// How long connections that do nothing useful are kept at a time.
const HOLD: Duration = Duration::from_secs(3);

/// A kind of attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attack {
    /// Announces of hashes that nobody else has, over UDP.
    SwarmsOverUdp,
    /// The same over HTTP.
    SwarmsOverHttp,
    /// Announces and scrapes with connection ids that were never given.
    ForgedIds,
    /// Scrapes of as many hashes as fit, over UDP.
    ScrapesOverUdp,
    /// The same over HTTP, and the answers are not read.
    ScrapesOverHttp,
    /// Heads that come a byte at a time.
    SlowHeads,
    /// Connections on which nothing comes, some of them closed for writing.
    Silence,
    /// Heads without an end.
    EndlessHeads,
    /// Random bytes over TCP and UDP.
    Garbage,
}

/// An attacker with its state.
struct Attacker<'a> {
    kind: Attack,
    target: &'a Target,
    over: &'a AtomicBool,
    unproven_bytes: &'a AtomicU64,
    rng: ChaCha8Rng,
}

impl Attack {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::SwarmsOverUdp,
        Self::SwarmsOverHttp,
        Self::ForgedIds,
        Self::ScrapesOverUdp,
        Self::ScrapesOverHttp,
        Self::SlowHeads,
        Self::Silence,
        Self::EndlessHeads,
        Self::Garbage,
    ];

    /// Attacks from ever new addresses. What fails, fails: a tracker may close, refuse and ignore.
    pub(super) fn go_on_until(self, over: &AtomicBool, target: &Target, seed: u64, unproven_bytes: &AtomicU64) {
        let rng = ChaCha8Rng::seed_from_u64(seed.wrapping_mul(16).wrapping_add(self as u64));
        let mut attacker = Attacker { kind: self, target, over, unproven_bytes, rng };
        while !over.load(Ordering::Relaxed) {
            attacker.round();
            sleep(PAUSE);
        }
    }
}

impl Attacker<'_> {
    /// Nothing comes of a round that the tracker breaks off.
    fn round(&mut self) -> Option<()> {
        match self.kind {
            Attack::SwarmsOverUdp => self.swarms_over_udp(),
            Attack::SwarmsOverHttp => self.swarms_over_http(),
            Attack::ForgedIds => self.forged_ids(),
            Attack::ScrapesOverUdp => self.scrapes_over_udp(),
            Attack::ScrapesOverHttp => self.scrapes_over_http(),
            Attack::SlowHeads => {
                self.slow_heads();
                Some(())
            }
            Attack::Silence => self.silence(),
            Attack::EndlessHeads => self.endless_heads(),
            Attack::Garbage => self.garbage(),
        }
    }

    /// Another address, in a network of this kind of attack.
    fn address(&mut self) -> Ipv4Addr {
        let [_, _, c, d] = self.rng.next_u32().to_be_bytes();
        Ipv4Addr::new(127, 2 + self.kind as u8, c, d.clamp(1, 254))
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    fn tcp(&mut self) -> Option<TcpStream> {
        tcp(self.address(), self.target.http, PATIENCE).ok()
    }

    fn announce(&mut self, connection_id: ConnectionId) -> Vec<u8> {
        let request = AnnounceRequest::new(InfoHash(self.bytes()), PeerId(self.bytes()), 6881);
        Request::Announce(Announce { connection_id, transaction_id: 7, request, options: b"" }).encode()
    }

    fn scrape(&mut self, connection_id: ConnectionId, hashes: usize) -> Vec<u8> {
        let info_hashes: Vec<[u8; 20]> = (0..hashes).map(|_| self.bytes()).collect();
        Request::Scrape(Scrape { connection_id, transaction_id: 7, info_hashes: &info_hashes }).encode()
    }

    fn query(&mut self, path: &str, hashes: usize, more: &str) -> String {
        let mut line = format!("GET {path}?");
        for _ in 0..hashes {
            line += "info_hash=";
            for byte in self.bytes::<20>() {
                // Writing to a string cannot fail.
                let _ = write!(line, "%{byte:02x}");
            }
            line.push('&');
        }
        line + more + " HTTP/1.1\r\nHost: t\r\n\r\n"
    }

    fn swarms_over_udp(&mut self) -> Option<()> {
        let socket = udp(self.address(), self.target.udp, PATIENCE).ok()?;
        let id = connection_id(&socket)?;
        for _ in 0..1000 {
            socket.send(&self.announce(id)).ok()?;
        }
        Some(())
    }

    fn swarms_over_http(&mut self) -> Option<()> {
        let mut stream = self.tcp()?;
        for _ in 0..100 {
            let request = self.query("/announce", 1, "peer_id=bbbbbbbbbbbbbbbbbbbb&port=6881&left=1");
            stream.write_all(request.as_bytes()).ok()?;
            let _ = stream.read(&mut [0; 1024]).ok()?;
        }
        Some(())
    }

    fn forged_ids(&mut self) -> Option<()> {
        let socket = udp(self.address(), self.target.udp, Duration::from_millis(1)).ok()?;
        for _ in 0..100 {
            let id = ConnectionId(self.rng.next_u64());
            let forged = if self.rng.next_u32().is_multiple_of(4) { self.scrape(id, 60) } else { self.announce(id) };
            socket.send(&forged).ok()?;
        }
        while let Ok(length) = socket.recv(&mut [0; 2048]) {
            self.unproven_bytes.fetch_add(u64::try_from(length).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
        Some(())
    }

    fn scrapes_over_udp(&mut self) -> Option<()> {
        let socket = udp(self.address(), self.target.udp, PATIENCE).ok()?;
        let id = connection_id(&socket)?;
        for _ in 0..200 {
            socket.send(&self.scrape(id, 70)).ok()?;
        }
        Some(())
    }

    fn scrapes_over_http(&mut self) -> Option<()> {
        let mut stream = self.tcp()?;
        for _ in 0..40 {
            stream.write_all(self.query("/scrape", 60, "").as_bytes()).ok()?;
        }
        Some(())
    }

    fn slow_heads(&mut self) {
        let mut streams: Vec<_> = (0..100).filter_map(|_| self.tcp()).collect();
        let started = Instant::now();
        while started.elapsed() < HOLD && !self.over.load(Ordering::Relaxed) {
            streams.retain_mut(|stream| stream.write_all(b"G").is_ok());
            sleep(Duration::from_millis(100));
        }
    }

    fn silence(&mut self) -> Option<()> {
        let streams: Vec<_> = (0..200).filter_map(|_| self.tcp()).collect();
        for stream in streams.iter().step_by(2) {
            stream.shutdown(Shutdown::Write).ok()?;
        }
        let started = Instant::now();
        while started.elapsed() < HOLD && !self.over.load(Ordering::Relaxed) {
            sleep(Duration::from_millis(100));
        }
        Some(())
    }

    fn endless_heads(&mut self) -> Option<()> {
        let mut stream = self.tcp()?;
        stream.write_all(b"GET /announce?").ok()?;
        for _ in 0..256 {
            stream.write_all(&[b'a'; 4096]).ok()?;
        }
        Some(())
    }

    fn garbage(&mut self) -> Option<()> {
        let socket = udp(self.address(), self.target.udp, PATIENCE).ok()?;
        for _ in 0..100 {
            let length = usize::from(self.bytes::<1>()[0]) * 8;
            socket.send(&self.bytes::<2048>()[..length]).ok()?;
        }
        let garbage = self.bytes::<2048>();
        self.tcp()?.write_all(&garbage).ok()
    }
}
