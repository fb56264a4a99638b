//! What the tracker's own work takes: datagrams as they come in the steady state, through its handler, without sockets.
//!
//! Four fifths of what an answer costs are the kernel's, which varies by more than most changes of the tracker save. This is
//! the rest alone: to compare two states of the tracker, run a program of each in turn.

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use peerfeed_protocol::announce::Event;
use peerfeed_protocol::announce::connection_id::ConnectionId;
use peerfeed_protocol::announce::udp::{Announce, Family, Reply, Request};
use peerfeed_tracker::config::Config;
use peerfeed_tracker::limit::UDP_BATCH;
use peerfeed_tracker::tracker::{Tracker, worker_rng};
use peerfeed_tracker::udp::Handler;

use super::measure::number;
use super::population::{HOSTS, Population, address_of, host_of};
use super::udp::{Visitors as _, asked_by};
use super::visitors::Passers;
use crate::results::median;

/// A tracker that knows everybody, and batches of what passers by send.
pub struct Own {
    tracker: Tracker,
    handler: Handler,
    batches: Vec<Vec<Datagram>>,
    replies: Vec<u8>,
    /// What lies in the processor's caches when a batch comes: as if the kernel had worked meanwhile.
    others_bytes: Vec<u8>,
}

struct Datagram {
    bytes: Vec<u8>,
    from: SocketAddr,
}

/// About what receiving and sending a batch touches.
const OTHERS_BYTES: usize = 512 << 10;

/// Nobody's port in particular.
const PORT: u16 = 6881;

impl Own {
    /// Lets all of `population` announce, and makes so many batches; each passer by sends a connect and then an announce for
    /// each of so many peers, as over a socket.
    pub fn new(population: &Population, per_visit: u32, batches: usize) -> Result<Self> {
        // The addresses are loopback's, as over a socket.
        let tracker = Tracker::new(&Config { limit_loopback: true, ..Config::default() })?;
        let (handler, replies, others_bytes) = (Handler::new(worker_rng()?), Vec::new(), vec![0; OTHERS_BYTES]);
        let mut own = Self { tracker, handler, batches: Vec::new(), replies, others_bytes };
        let connect = Request::Connect { transaction_id: 0 }.encode();
        let mut ids = Vec::new();
        for host in 0..HOSTS {
            own.answer(&[Datagram { bytes: connect.clone(), from: from(host) }]);
            let Reply::Connect { connection_id, .. } = Reply::decode(&own.replies, Family::V4)? else {
                anyhow::bail!("a connect is not answered with an id")
            };
            ids.push(connection_id);
        }
        let announce = |peer, event| announce_of(population, peer, event, ids[host_of(peer) as usize]);
        for peer in 0..population.peers() {
            own.answer(&[announce(peer, Event::Started)]);
            ensure!(!own.replies.is_empty(), "an announce is not answered");
        }
        let mut passers = Passers::of(population, per_visit, 0);
        let mut coming = Vec::new();
        for _ in 0..batches {
            let mut batch = Vec::new();
            while batch.len() < UDP_BATCH {
                let mut peers = Vec::new();
                passers.next(&mut peers);
                batch.extend(peers.iter().map(|&peer| Datagram { bytes: connect.clone(), from: from(host_of(peer)) }));
                // Whoever announces now has connected in an earlier batch.
                passers.next(&mut peers);
                batch.extend(peers.iter().map(|&peer| announce(peer, Event::None)));
            }
            batch.truncate(UDP_BATCH);
            coming.push(batch);
        }
        own.batches = coming;
        Ok(own)
    }

    /// Has every batch answered; returns what an answer took, nanoseconds, by the batch in the middle.
    pub fn round_ns(&mut self) -> Result<f64> {
        let mut each_ns = Vec::new();
        for batch in std::mem::take(&mut self.batches) {
            self.others_bytes.iter_mut().step_by(64).for_each(|byte| *byte = byte.wrapping_add(1));
            // The kernel has just written these.
            black_box(batch.iter().flat_map(|datagram| &datagram.bytes).map(|&byte| u64::from(byte)).sum::<u64>());
            let took = self.answer(&batch);
            ensure!(self.replies.len() > 16 * batch.len(), "not everybody is answered");
            each_ns.push(took.as_secs_f64() * 1e9 / number(batch.len().try_into()?));
            self.batches.push(batch);
        }
        Ok(median(&each_ns))
    }

    /// As a worker does it.
    fn answer(&mut self, batch: &[Datagram]) -> Duration {
        let Self { tracker, handler, replies, .. } = self;
        replies.clear();
        let begun = Instant::now();
        let terms = &tracker.terms();
        let asked: Vec<_> =
            batch.iter().map(|datagram| handler.read(tracker, terms, &datagram.bytes, datagram.from)).collect();
        handler.foresee(tracker);
        for asked in &asked {
            handler.answer(tracker, asked, terms, replies);
        }
        handler.report(tracker);
        begun.elapsed()
    }
}

fn from(host: u32) -> SocketAddr {
    (address_of(host), PORT).into()
}

fn announce_of(population: &Population, peer: u32, event: Event, connection_id: ConnectionId) -> Datagram {
    let request = asked_by(population, peer, event);
    let announce = Announce { connection_id, transaction_id: 0, request, options: &[] };
    Datagram { bytes: Request::Announce(announce).encode(), from: from(host_of(peer)) }
}
