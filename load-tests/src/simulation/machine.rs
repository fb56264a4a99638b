//! One peer: an engine, what it holds, and its line.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use peerfeed::swarm::{ConnectionId, Engine, Options};
use peerfeed_protocol::announce::TrackerUrl;
use peerfeed_protocol::crypto::WitnessSecret;
use peerfeed_protocol::peer::{Moment, NodeSecret};

use super::shelf::Shelf;

/// A machine of the simulation.
pub struct Machine {
    /// What it does.
    pub engine: Engine,
    /// What it holds.
    pub shelf: Shelf,
    /// It is a seeder of the feed, and proves it.
    pub seeds: bool,
    /// It sends wrong bytes.
    pub lies: bool,
    /// It is there.
    pub alive: bool,
    /// Bytes sent and received, encryption and all.
    pub sent_bytes: u64,
    /// Bytes received.
    pub received_bytes: u64,
    pub(super) node: NodeSecret,
    pub(super) witness: Arc<WitnessSecret>,
    pub(super) wires: BTreeMap<ConnectionId, (usize, usize)>,
    /// Moment for which its engine is to be woken.
    pub(super) wake: Option<Moment>,
    /// Bytes per second that it can send.
    uplink: u64,
    uplink_free: Moment,
}

/// How far ahead a line takes bytes: a modem's buffer.
const LINE_AHEAD: Duration = Duration::from_millis(30);

impl Machine {
    pub(super) fn new(number: usize, uplink: u64, shelf: Shelf, tracker: &TrackerUrl, seed: u64) -> Self {
        let node = NodeSecret::from_bytes(secret(number, usize::MAX));
        let witness = Arc::new(WitnessSecret::from_seed(&secret(number, usize::MAX)));
        let options = Options {
            serve: true,
            announce: true,
            connections_max: 1_000,
            up: Some(uplink),
            trackers: vec![tracker.clone()],
            node: node.key(),
            witness: witness.key(),
        };
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        bytes[8..16].copy_from_slice(&(number as u64).to_be_bytes());
        Self {
            engine: Engine::new(options, bytes),
            shelf,
            seeds: true,
            lies: false,
            alive: true,
            sent_bytes: 0,
            received_bytes: 0,
            node,
            witness,
            wires: BTreeMap::new(),
            wake: None,
            uplink,
            uplink_free: Moment::START,
        }
    }

    /// When its line takes more, if it does not now.
    pub(super) fn line_busy_until(&self, now: Moment) -> Option<Moment> {
        let ahead = self.uplink_free.since(now);
        (ahead > LINE_AHEAD).then(|| now.after(ahead.checked_sub(LINE_AHEAD / 2).unwrap_or_default()))
    }

    /// When everything that was sent has left.
    pub(super) fn line_free(&self, now: Moment) -> Moment {
        self.uplink_free.max(now)
    }

    /// Sends bytes: when the last of them has left.
    pub(super) fn send(&mut self, now: Moment, bytes: usize) -> Moment {
        self.sent_bytes += bytes as u64;
        let took = Duration::from_micros(bytes as u64 * 1_000_000 / self.uplink.max(1));
        self.uplink_free = self.uplink_free.max(now).after(took);
        self.uplink_free
    }
}

/// The address of a machine: each in a network of its own.
pub(super) fn address(number: usize) -> SocketAddr {
    let number = u32::try_from(number).expect("there are not so many");
    SocketAddr::new(std::net::IpAddr::V4((0x0b00_0001 + number * 256).into()), 7_000)
}

/// The machine of an address.
pub(super) fn at(address: &str) -> Option<usize> {
    let SocketAddr::V4(address) = address.parse().ok()? else { return None };
    Some((address.ip().to_bits().checked_sub(0x0b00_0001)? / 256) as usize)
}

/// A key that no other machine has, and none towards another one.
pub(super) fn secret(number: usize, towards: usize) -> [u8; 32] {
    let mut secret = [1; 32];
    secret[8..16].copy_from_slice(&(number as u64).to_be_bytes());
    secret[16..24].copy_from_slice(&(towards as u64).to_be_bytes());
    secret
}
