//! Clients that announce over UDP, all of them in one thread with one socket.
//!
//! A *visit* is what one address has to say at a time: a connect for each of its peers that announces now, then the
//! announces, as clients do whose ids have grown old since the last time. So many visits are under way at once; each
//! that ends is followed by another. Datagrams of one address leave together (`UDP_SEGMENT`), which costs the loader a
//! fraction of what they cost the server.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::libc::{in_addr, in_pktinfo};
use nix::sys::socket::{ControlMessage, MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmsg};
use peerfeed_protocol::announce::connection_id::ConnectionId;
use peerfeed_protocol::announce::udp::{Announce, Request};
use peerfeed_protocol::announce::{AnnounceRequest, Event, PeerId};

use super::latency::Latencies;
use super::population::{Population, address_of, host_of, is_seed, peer_id_of, port_of};

/// Peers that an answer may hold: what most clients ask for over UDP lies between 50 and 200, and 50 is where every
/// tracker of the comparison still gives what is asked for.
pub const NUMWANT: u32 = 50;

/// What is left out of an answer's time is that it waited here: a batch is short.
const BATCH: usize = 64;

/// A datagram that has not been answered by then is lost.
const PATIENCE: Duration = Duration::from_secs(1);

const CONNECT_BYTES: usize = 16;
const ANNOUNCE_BYTES: usize = 98;
const REPLY_BYTES_MAX: usize = 2048;

/// Who visits next.
pub trait Visitors {
    /// Peers at one address, at most [`VISIT_PEERS_MAX`]; none when all have been.
    fn next(&mut self, peers: &mut Vec<u32>);

    /// Whether each peer gets a connection id of its own, or one is enough for all at an address.
    fn each_connects(&self) -> bool;
}

/// Most peers of a visit: their answers are marked in the bits of a number.
pub const VISIT_PEERS_MAX: usize = 32;

/// When to stop, and how fast to go.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Visits under way at once.
    pub visits: usize,
    /// For how long new visits begin; for ever, if there is no end.
    pub until: Option<Instant>,
    /// Visits per second; as many as go, if there is no rate.
    pub rate: Option<f64>,
    /// Whether what is lost is sent again, and what is refused asked again from the connect on.
    pub repeats: bool,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Tally {
    /// Connects answered.
    pub connects: u64,
    /// Announces answered.
    pub announces: u64,
    /// Datagrams without an answer.
    pub lost: u64,
    /// Errors, and answers that are none.
    pub refused: u64,
    /// In answers to announces.
    pub peers: u64,
    /// From request to answer, of announces.
    pub latencies: Latencies,
}

impl Tally {
    /// Datagrams answered.
    pub fn answers(&self) -> u64 {
        self.connects + self.announces
    }
}

struct Visit {
    peers: Vec<u32>,
    phase: Phase,
    /// One bit per datagram that is not answered yet.
    open: u32,
    sent: Instant,
    /// Tells late answers to an earlier visit in this place.
    generation: u32,
    connection_id: [u64; VISIT_PEERS_MAX],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    Connecting,
    Announcing,
}

/// Announces over one socket.
pub struct Loader<'a> {
    socket: UdpSocket,
    to: SockaddrIn,
    population: &'a Population,
    event: Event,
    visits: Vec<Visit>,
    tally: Tally,
    datagrams: Vec<u8>,
    repeats: bool,
}

impl<'a> Loader<'a> {
    /// A loader for the tracker at `to`.
    pub fn new(to: SocketAddrV4, population: &'a Population, event: Event) -> Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        let options = socket2::SockRef::from(&socket);
        options.set_recv_buffer_size(4 << 20)?;
        let (visits, tally, datagrams) = (Vec::new(), Tally::default(), Vec::new());
        Ok(Self { socket, to: to.into(), population, event, visits, tally, datagrams, repeats: false })
    }

    /// Lets all visitors come at this pace; returns when the last has got its answers or given up.
    pub fn run(mut self, visitors: &mut impl Visitors, pace: &Pace) -> Result<Tally> {
        let idle = || Visit {
            peers: Vec::new(),
            phase: Phase::Idle,
            open: 0,
            sent: Instant::now(),
            generation: 0,
            connection_id: [0; VISIT_PEERS_MAX],
        };
        self.repeats = pace.repeats;
        self.visits = (0..pace.visits).map(|_| idle()).collect();
        let mut free: Vec<usize> = (0..pace.visits).collect();
        let mut incoming = MultiHeaders::<SockaddrIn>::preallocate(BATCH, None);
        let mut buffers = vec![[0; REPLY_BYTES_MAX]; BATCH];
        let begun = Instant::now();
        let (mut started, mut looked, mut has_more) = (0.0, begun, true);
        while has_more || free.len() < self.visits.len() {
            let now = Instant::now();
            has_more &= pace.until.is_none_or(|until| now < until);
            while has_more && pace.rate.is_none_or(|rate| started < now.duration_since(begun).as_secs_f64() * rate) {
                let Some(&idle) = free.last() else { break };
                has_more = self.begin(idle, visitors, now)?;
                if has_more {
                    free.pop();
                    started += 1.0;
                }
            }
            if now.duration_since(looked) > PATIENCE / 10 {
                looked = now;
                self.give_up(visitors.each_connects(), now, &mut free)?;
            }
            let mut slices: Vec<_> = buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
            // Never asleep: a server that has to wake the loader would pay for that, and the slower it is, the more often.
            let flags = MsgFlags::MSG_DONTWAIT;
            match recvmmsg(self.socket.as_raw_fd(), &mut incoming, slices.iter_mut(), flags, None) {
                Ok(messages) => {
                    let now = Instant::now();
                    for message in messages {
                        let bytes = message.iovs().next().unwrap_or_default();
                        self.hear(bytes, now, visitors.each_connects(), &mut free)?;
                    }
                }
                Err(Errno::EAGAIN | Errno::EINTR) => std::thread::yield_now(),
                Err(error) => return Err(error).context("cannot receive"),
            }
        }
        Ok(self.tally)
    }

    fn begin(&mut self, place: usize, visitors: &mut impl Visitors, now: Instant) -> Result<bool> {
        let visit = &mut self.visits[place];
        visitors.next(&mut visit.peers);
        if visit.peers.is_empty() {
            return Ok(false);
        }
        visit.generation = (visit.generation + 1) % (1 << 12);
        self.connect(place, visitors.each_connects(), now)?;
        Ok(true)
    }

    fn connect(&mut self, place: usize, each_connects: bool, now: Instant) -> Result<()> {
        let visit = &mut self.visits[place];
        let count = if each_connects { visit.peers.len() } else { 1 };
        (visit.phase, visit.open, visit.sent) = (Phase::Connecting, ones(count), now);
        self.send_open(place)
    }

    /// Sends what of this visit's phase is not answered yet.
    fn send_open(&mut self, place: usize) -> Result<()> {
        let visit = &self.visits[place];
        self.datagrams.clear();
        for index in (0..VISIT_PEERS_MAX).filter(|index| visit.open >> index & 1 == 1) {
            let transaction_id = transaction_id(place, visit.generation, index);
            let request = if visit.phase == Phase::Connecting {
                Request::Connect { transaction_id }
            } else {
                let peer = visit.peers[index];
                let request = asked_by(self.population, peer, self.event);
                let connection_id = ConnectionId(visit.connection_id[index]);
                Request::Announce(Announce { connection_id, transaction_id, request, options: &[] })
            };
            self.datagrams.extend_from_slice(&request.encode());
        }
        let each = if visit.phase == Phase::Connecting { CONNECT_BYTES } else { ANNOUNCE_BYTES };
        let from = address_of(host_of(visit.peers[0]));
        send_from(&self.socket, from, &self.to, &self.datagrams, each)
    }

    fn hear(&mut self, reply: &[u8], now: Instant, each_connects: bool, free: &mut Vec<usize>) -> Result<()> {
        let word =
            |at: usize| reply.get(at..at + 4).map(|word| u32::from_be_bytes([word[0], word[1], word[2], word[3]]));
        let (Some(action), Some(transaction_id)) = (word(0), word(4)) else {
            bail!("{} bytes are no answer", reply.len())
        };
        let (place, generation, index) = parts(transaction_id);
        let Some(visit) = self.visits.get_mut(place) else { return Ok(()) };
        if visit.generation != generation || visit.open >> index & 1 == 0 {
            return Ok(());
        }
        match (visit.phase, action) {
            (Phase::Connecting, 0) if reply.len() >= CONNECT_BYTES => {
                visit.connection_id[index] = u64::from_be_bytes(reply[8..16].try_into()?);
                self.tally.connects += 1;
            }
            (Phase::Announcing, 1) if reply.len() >= 20 => {
                self.tally.announces += 1;
                self.tally.peers += u64::try_from((reply.len() - 20) / 6)?;
                self.tally.latencies.note(now.duration_since(visit.sent));
            }
            // An answer to what this visit asked before.
            (Phase::Announcing, 0) => return Ok(()),
            // An id may have grown old on the way.
            _ if self.repeats => {
                self.tally.refused += 1;
                ensure!(self.tally.refused < self.population.peers().into(), "the tracker refuses everything");
                visit.generation = (visit.generation + 1) % (1 << 12);
                return self.connect(place, each_connects, now);
            }
            _ => self.tally.refused += 1,
        }
        visit.open &= !(1 << index);
        if visit.open != 0 {
            return Ok(());
        }
        if visit.phase == Phase::Announcing {
            visit.phase = Phase::Idle;
            free.push(place);
            return Ok(());
        }
        if !each_connects {
            visit.connection_id = [visit.connection_id[0]; VISIT_PEERS_MAX];
        }
        (visit.phase, visit.open, visit.sent) = (Phase::Announcing, ones(visit.peers.len()), now);
        self.send_open(place)
    }

    fn give_up(&mut self, each_connects: bool, now: Instant, free: &mut Vec<usize>) -> Result<()> {
        for place in 0..self.visits.len() {
            let visit = &mut self.visits[place];
            if visit.phase == Phase::Idle || now.duration_since(visit.sent) < PATIENCE {
                continue;
            }
            self.tally.lost += u64::from(visit.open.count_ones());
            if !self.repeats {
                visit.phase = Phase::Idle;
                free.push(place);
            } else if visit.phase == Phase::Connecting {
                self.connect(place, each_connects, now)?;
            } else {
                visit.sent = now;
                self.send_open(place)?;
            }
        }
        Ok(())
    }
}

/// What a peer announces.
pub(super) fn asked_by(population: &Population, peer: u32, event: Event) -> AnnounceRequest {
    let mut request = AnnounceRequest::new(population.info_hash(peer), PeerId(peer_id_of(peer)), port_of(peer));
    request.event = event;
    request.numwant = Some(NUMWANT);
    request.left = if is_seed(peer) { 0 } else { 1 << 20 };
    request
}

/// Sends `bytes` as datagrams of `each` bytes from one address of this machine.
fn send_from(socket: &UdpSocket, from: Ipv4Addr, to: &SockaddrIn, bytes: &[u8], each: usize) -> Result<()> {
    let source = in_addr { s_addr: u32::from(from).to_be() };
    let info = in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: source, ipi_addr: in_addr { s_addr: 0 } };
    let segment_bytes = u16::try_from(each)?;
    let both = [ControlMessage::Ipv4PacketInfo(&info), ControlMessage::UdpGsoSegments(&segment_bytes)];
    let control = if bytes.len() > each { &both[..] } else { &both[..1] };
    match sendmsg(socket.as_raw_fd(), &[IoSlice::new(bytes)], control, MsgFlags::empty(), Some(to)) {
        // What finds no room is lost, as on any line.
        Ok(_) | Err(Errno::EAGAIN | Errno::ENOBUFS | Errno::ECONNREFUSED) => Ok(()),
        Err(error) => Err(io::Error::from(error)).context("cannot send"),
    }
}

fn transaction_id(place: usize, generation: u32, index: usize) -> u32 {
    let small = |number: usize| u32::try_from(number).expect("a few thousand visits at most");
    small(place) << 20 | generation << 8 | small(index)
}

fn parts(transaction_id: u32) -> (usize, u32, usize) {
    ((transaction_id >> 20) as usize, transaction_id >> 8 & 0xfff, (transaction_id & 31) as usize)
}

fn ones(count: usize) -> u32 {
    u32::MAX >> (VISIT_PEERS_MAX - count)
}

/// `HOST:PORT` of a URL.
pub fn address_in(url: &str) -> Result<SocketAddrV4> {
    let (_, rest) = url.split_once("://").context("an address without a scheme")?;
    match rest.split('/').next().unwrap_or_default().parse() {
        Ok(SocketAddr::V4(address)) => Ok(address),
        _ => bail!("{url} names no IPv4 address"),
    }
}
