//! What attackers do.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use peerfeed::swarm::Chance;
use peerfeed_protocol::ids::{BlobRoot, FeedId};
use peerfeed_protocol::merkle::RangeProof;
use peerfeed_protocol::peer::message::{BlobHeld, ChunksWanted, PeerExchange, State};
use peerfeed_protocol::peer::{ChannelId, Event};

use super::puppet::Puppet;

/// Connections held open by one thread of the flood, half of which say nothing: more than a daemon lets be half-open. On
/// this machine every address is one and the same household, so nothing but giving way keeps others from being locked out.
const FLOOD: usize = 400;

/// How long an answer to a ping is waited for. Who is passed over hears nothing more, and comes anew.
const PONG_WAIT: Duration = Duration::from_millis(500);

/// Whom to attack, and what the attackers found out together.
pub(super) struct Target {
    pub address: SocketAddr,
    pub feed: FeedId,
    /// Sealed bytes of each file: a liar about the size would not even be asked.
    pub file_bytes: u64,
    /// A request of the daemon, by which attackers know a file and its size.
    pub wanted: Mutex<Option<ChunksWanted>>,
    pub over: AtomicBool,
    /// Times that each attack began anew, in the order of [`Attack::ALL`].
    pub begun: [AtomicU64; Attack::ALL.len()],
}

/// A kind of attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Attack {
    /// Says that it has every file, and sends wrong chunks.
    Lie,
    /// Says that it has every file, and sends nothing.
    Stall,
    /// Asks for everything at once, again and again.
    Greed,
    /// Asks for everything, and reads nothing.
    SlowRead,
    /// Sends the smallest messages there are, as fast as it can.
    TinyFrames,
    /// Measures the round trip, again and again.
    Pings,
    /// Opens connections and says nothing, or nonsense.
    Flood,
    /// Names addresses where nobody is, or that no host has.
    FalseAddresses,
}

impl Attack {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Lie,
        Self::Stall,
        Self::Greed,
        Self::SlowRead,
        Self::TinyFrames,
        Self::Pings,
        Self::Flood,
        Self::FalseAddresses,
    ];

    /// Goes on until it is over, with a new connection whenever one was closed.
    pub(super) fn go_on(self, target: &Target, seed: [u8; 32]) {
        let mut chance = Chance::new(seed);
        while !target.over.load(Ordering::Relaxed) {
            target.begun[self as usize].fetch_add(1, Ordering::Relaxed);
            // That it is thrown out is what is to be expected.
            if self.once(target, &mut chance).is_err() {
                thread::sleep(Duration::from_millis(100));
            }
        }
    }

    fn once(self, target: &Target, chance: &mut Chance) -> Result<()> {
        if self == Self::Flood {
            return flood(target, chance);
        }
        let (mut puppet, channel) = Puppet::connect(target.address, &target.feed, chance)?.open()?;
        if matches!(self, Self::Lie | Self::Stall) {
            // Whoever has not said what it holds is not asked for anything.
            puppet.connection.send_state(channel, State::default())?;
        }
        if self == Self::FalseAddresses {
            puppet.connection.send_peers(channel, false_peers(chance))?;
        }
        let mut heard = Instant::now();
        while !target.over.load(Ordering::Relaxed) {
            match self {
                Self::Pings if heard.elapsed() > PONG_WAIT => return Ok(()),
                Self::Pings => puppet.connection.ping(puppet.now())?,
                Self::Greed | Self::SlowRead => ask_for_all(target, &mut puppet, channel),
                Self::TinyFrames => {
                    for _ in 0..200 {
                        puppet.connection.ask_blobs(channel, vec![BlobRoot::new(chance.bytes())])?;
                    }
                }
                _ => {}
            }
            for event in puppet.pump(self != Self::SlowRead)? {
                if matches!(event, Event::Pong { .. }) {
                    heard = Instant::now();
                }
                self.answer(target, &mut puppet, event)?;
            }
            if self == Self::SlowRead {
                thread::sleep(Duration::from_millis(50));
            }
        }
        Ok(())
    }

    fn answer(self, target: &Target, puppet: &mut Puppet, event: Event) -> Result<()> {
        match event {
            Event::BlobsWanted { channel, roots } if matches!(self, Self::Lie | Self::Stall) => {
                let all = roots.into_iter().map(|root| BlobHeld::complete(root, target.file_bytes)).collect();
                puppet.connection.tell_blobs(channel, all)?;
            }
            Event::ChunksWanted { channel, request, wanted } => {
                target.wanted.lock().map_err(|_| anyhow::anyhow!("a thread has failed"))?.replace(wanted);
                if self == Self::Lie {
                    let chunk = |index| wanted.size.chunk_bytes(index).map(|length| Bytes::from(vec![7; length]));
                    let chunks = (wanted.from..wanted.to).filter_map(chunk).collect();
                    puppet.connection.answer_chunks(channel, request, RangeProof::from_hashes(Vec::new())?, chunks)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Asks for as much as may be asked for.
fn ask_for_all(target: &Target, puppet: &mut Puppet, channel: ChannelId) {
    let Some(known) = target.wanted.lock().ok().and_then(|wanted| *wanted) else { return };
    let mut from = 0;
    while puppet.connection.requests_free() > 0 {
        let to = (from + 16).min(known.size.chunks());
        if puppet.connection.request_chunks(puppet.now(), channel, ChunksWanted { from, to, ..known }).is_err() {
            return;
        }
        from = if to == known.size.chunks() { 0 } else { to };
    }
}

fn flood(target: &Target, chance: &mut Chance) -> Result<()> {
    let mut held = Vec::new();
    for number in 0..FLOOD {
        let mut stream = TcpStream::connect_timeout(&target.address, Duration::from_secs(1))?;
        if number % 2 == 0 {
            stream.write_all(&chance.bytes::<64>()).context("it closes at once")?;
        }
        held.push(stream);
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Fifty addresses: no host's, and ports of this machine on which nobody listens.
fn false_peers(chance: &mut Chance) -> PeerExchange {
    let no_hosts = [Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST, Ipv4Addr::new(224, 0, 0, 1)];
    let added = (0..50)
        .map(|number: usize| match no_hosts.get(number % 4) {
            Some(address) => SocketAddr::from((*address, 1_000 + u16::try_from(number).expect("it is below 50"))),
            None => {
                SocketAddr::from((Ipv4Addr::LOCALHOST, 1 + u16::try_from(chance.below(1_000)).expect("it is below")))
            }
        })
        .collect();
    PeerExchange { added, dropped: Vec::new() }
}
