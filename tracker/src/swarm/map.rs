//! The swarms of the whole tracker.

use std::net::{Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use peerfeed_protocol::announce::{AnnounceReply, InfoHash, ScrapeEntry};
use siphasher::sip::SipHasher13;

use super::gone::Gone;
use super::luck::Luck;
use super::peers::Crowding;
use super::record::{Tick, around_bytes};
use super::shard::{Pass, Shard, ShardLimits, Step, WireForm, wire_form};
use super::sight::Sight;
use super::table::{Hashes, Noted, Space, Sweeping};
use crate::fetch::fetch_one;

/// Who is in which swarm. Shared by all workers; every call locks one shard for a bounded time.
///
/// Times are measured from when the map began. Between sweeps expired peers are not given to anybody, but still counted.
#[derive(Debug)]
pub struct SwarmMap {
    shards: Box<[Mutex<Shard>]>,
    lifetime_ticks: AtomicU16,
    bytes_max: AtomicUsize,
    bytes: AtomicUsize,
    swarm_peers_max: usize,
    hashes: KeyedHashes,
}

/// How a map is set up.
#[derive(Clone, Copy, Debug)]
pub struct SwarmOptions {
    /// How long a peer counts after its last announce; at most 5 days.
    pub peer_lifetime: Duration,
    /// Bytes that swarms and peers may take; what finds no room is answered, but not kept.
    pub memory_bytes: usize,
    /// Most peers of one swarm and family.
    pub swarm_peers_max: usize,
    /// Most peers of one IPv4 address or IPv6 /64 in one swarm.
    pub site_peers_max: usize,
    /// Most peers of one IPv6 /48 in one swarm.
    pub around_peers_max: usize,
    /// Whether these hold for loopback addresses as well.
    pub limit_loopback: bool,
    /// Two random numbers: who knows them could aim at one lock or fill one bucket.
    pub hash_key: [u8; 16],
}

/// What a peer tells about itself, and what it wants to hear.
#[derive(Clone, Copy)]
pub struct Announcement<'a> {
    /// The swarm.
    pub info_hash: InfoHash,
    /// The address that the request came from, with the port on which the peer says to accept others.
    pub address: SocketAddr,
    /// What it is to the swarm.
    pub presence: Presence,
    /// It says that it has just got the last byte.
    pub has_completed: bool,
    /// Peers it wants.
    pub asked: Asked,
    /// Whether it may be put in; asked only if it is not known yet.
    pub may_add: &'a dyn Fn() -> bool,
    /// Of this swarm and this address.
    pub keys: Keys,
    /// Whether what will be looked at was fetched [ahead](SwarmMap::foresee).
    pub is_foreseen: bool,
}

/// Where a map keeps a swarm and a peer: their keyed hashes, made once for all that is done with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keys {
    pub(super) swarm: u64,
    /// Of the network around its address.
    pub(super) peer: u64,
}

/// An announcement that is about to come, as far as it tells what will be looked at.
#[derive(Clone, Debug)]
pub struct Ahead {
    /// The swarm.
    pub info_hash: InfoHash,
    /// As in [`Announcement`].
    pub address: SocketAddr,
    /// What it will be to the swarm.
    pub presence: Presence,
    /// Peers of its own family that it will be given.
    pub want: usize,
    /// By which they will be chosen.
    pub luck: Luck,
    /// As in [`Announcement`].
    pub keys: Keys,
}

/// What a peer is to a swarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Has everything; other seeds are of no use to it.
    Seed,
    /// Lacks something and wants it.
    Downloader,
    /// Lacks something and wants nothing more (BEP 21): counts as incomplete, seeds are of no use to it.
    PartialSeed,
    /// Leaves, or only looks.
    Gone,
}

/// How many peers are wanted, and of which families.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Of the family of the asker's own address: what a UDP reply can carry.
    Own(usize),
    /// Of both.
    Both(usize),
}

/// What a map holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Swarms with IPv4 peers.
    pub swarms_v4: usize,
    /// Swarms with IPv6 peers.
    pub swarms_v6: usize,
    /// IPv4 peers.
    pub peers_v4: usize,
    /// IPv6 peers.
    pub peers_v6: usize,
    /// Bytes taken by them, free slots included.
    pub bytes: usize,
}

#[derive(Clone, Copy, Debug)]
struct KeyedHashes {
    key: [u8; 16],
    crowding: Crowding,
    limit_loopback: bool,
}

/// One part in so many of the memory is kept from new swarms, so that those which are there can go on growing.
const GROWTH_DIVISOR: usize = 8;

impl SwarmMap {
    /// Enough that the workers of a large machine rarely meet; 184 KiB when empty. Some get up to twice as many swarms as
    /// others, see `shard_of`.
    pub const SHARDS: usize = 1024;

    /// A map without swarms.
    pub fn new(options: &SwarmOptions) -> Self {
        Self {
            shards: (0..Self::SHARDS).map(|_| Mutex::new(Shard::new())).collect(),
            lifetime_ticks: AtomicU16::new(lifetime_ticks(options.peer_lifetime)),
            bytes_max: AtomicUsize::new(options.memory_bytes),
            bytes: AtomicUsize::new(0),
            swarm_peers_max: options.swarm_peers_max,
            hashes: KeyedHashes {
                key: options.hash_key,
                crowding: Crowding {
                    site_peers_max: options.site_peers_max.max(1),
                    around_peers_max: options.around_peers_max.max(1),
                },
                limit_loopback: options.limit_loopback,
            },
        }
    }

    /// Sets the memory that swarms and peers may take. What is held beyond it is given back by [`sweep`](Self::sweep).
    pub fn set_memory(&self, memory_bytes: usize) {
        self.bytes_max.store(memory_bytes, Ordering::Relaxed);
    }

    /// Sets how long a peer counts.
    pub fn set_peer_lifetime(&self, lifetime: Duration) {
        self.lifetime_ticks.store(lifetime_ticks(lifetime), Ordering::Relaxed);
    }

    /// Bytes that swarms and peers take.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Bytes that they may take.
    pub fn bytes_max(&self) -> usize {
        self.bytes_max.load(Ordering::Relaxed)
    }

    /// The keys of a swarm and of a peer at this address.
    pub fn keys(&self, info_hash: &InfoHash, address: SocketAddr) -> Keys {
        let peer = match wire_form(address) {
            WireForm::V4(address) => self.hashes.of_peer(&address),
            WireForm::V6(address) => self.hashes.of_peer(&address),
        };
        Keys { swarm: self.hashes.of_swarm(info_hash), peer }
    }

    /// Notes an announcement and fills counts and peers of `reply`, never the asker itself and no seeds for seeds.
    ///
    /// The reply is good also where the peer found no room.
    pub fn announce(
        &self,
        announcement: &Announcement<'_>,
        now: Duration,
        luck: &mut Luck,
        reply: &mut AnnounceReply,
    ) -> Noted {
        reply.peers.clear();
        let now = Tick::at(now.as_secs());
        let limits = &self.limits();
        let bytes_max = self.bytes_max();
        let free_bytes = bytes_max.saturating_sub(self.bytes());
        let space = Space {
            peer_bytes: free_bytes,
            swarm_bytes: free_bytes.saturating_sub(bytes_max / GROWTH_DIVISOR),
            peers_max: limits.swarm_peers_max,
        };
        let step = Step { announcement, now, limits, space, hashes: &self.hashes };
        let mut shard = self.shard(announcement.keys.swarm);
        let before = shard.bytes();
        let noted = shard.announce(&step, luck, reply);
        self.account(before, shard.bytes());
        noted
    }

    /// Fetches the shard of a swarm.
    pub fn approach(&self, keys: &Keys) {
        fetch_one(&self.shards[shard_of(keys.swarm)]);
    }

    /// Fetches what a search for a swarm looks at first in its shard, if that can be had.
    pub fn approach_swarm(&self, keys: &Keys) {
        if let Ok(shard) = self.shards[shard_of(keys.swarm)].try_lock() {
            shard.approach(keys.swarm);
        }
    }

    /// Fetches what announcements that are about to come will look at: one after the other they would wait for each piece.
    /// Several shards are locked at a time for that, and never waited for.
    pub fn foresee(&self, coming: &[Ahead]) {
        const TOGETHER: usize = 16;
        for group in coming.chunks(TOGETHER) {
            for ahead in group {
                fetch_one(&self.shards[shard_of(ahead.keys.swarm)]);
            }
            let mut held = [const { None }; TOGETHER];
            for (held, ahead) in held.iter_mut().zip(group) {
                let shard = &self.shards[shard_of(ahead.keys.swarm)];
                *held = shard.try_lock().ok().map(|shard| (shard, ahead));
                if let Some((shard, ahead)) = held {
                    shard.approach(ahead.keys.swarm);
                }
            }
            // With each step it is known where the next one goes.
            let hints = held.each_ref().map(|held| held.as_ref().map(|(shard, ahead)| shard.hint(ahead.keys.swarm)));
            for (held, hint) in held.iter().zip(hints) {
                if let (Some((shard, _)), Some(hint)) = (held, hint) {
                    shard.fetch(hint);
                }
            }
            let mut large = [const { None }; TOGETHER];
            for (large, held) in large.iter_mut().zip(&held) {
                let found = held.as_ref().and_then(|(shard, ahead)| Some((shard.fetch_peers(ahead)?, ahead)));
                *large =
                    found.map(|(swarm, ahead)| (swarm, Sight::of(ahead.presence, ahead.keys, ahead.want, &ahead.luck)));
            }
            for (swarm, sight) in large.iter().flatten() {
                swarm.approach(sight);
            }
            for (swarm, sight) in large.iter().flatten() {
                swarm.fetch(sight);
            }
        }
    }

    /// The counts of a swarm; zeros for an unknown one.
    pub fn scrape(&self, info_hash: &InfoHash) -> ScrapeEntry {
        let hash = self.hashes.of_swarm(info_hash);
        self.shard(hash).scrape(info_hash, hash)
    }

    /// A pass over shard `n` modulo [`Self::SHARDS`], to be made by [`sweep`](Self::sweep).
    pub fn pass(&self, n: usize) -> Pass {
        Pass::of(n % self.shards.len())
    }

    /// One step of forgetting what has expired, for which a shard is locked while a bounded number of swarms and peers is looked
    /// at, however much there is to forget. When more memory is held than may be, swarms that never came alive go as well, and
    /// so do peers that are halfway to expiring. Their memory goes into `gone`. `mark` is called when the shard is locked, and
    /// when it is not any more.
    pub fn sweep(&self, pass: &mut Pass, now: Duration, gone: &mut Gone, mut mark: impl FnMut()) {
        let now = Tick::at(now.as_secs());
        let gives_back = self.bytes() > self.bytes_max();
        let lifetime_ticks = self.limits().lifetime_ticks / if gives_back { 2 } else { 1 };
        let mut shard = lock(&self.shards[pass.shard]);
        mark();
        let before = shard.bytes();
        shard.sweep(pass, Sweeping { now, lifetime_ticks, gives_back }, &self.hashes, gone);
        self.account(before, shard.bytes());
        drop(shard);
        mark();
    }

    /// What the map holds, expired peers that no sweep has met yet included.
    pub fn totals(&self) -> Totals {
        let mut sum = Totals::default();
        for shard in &self.shards {
            let totals = lock(shard).totals();
            sum.swarms_v4 += totals.swarms_v4;
            sum.swarms_v6 += totals.swarms_v6;
            sum.peers_v4 += totals.peers_v4;
            sum.peers_v6 += totals.peers_v6;
            sum.bytes += totals.bytes;
        }
        sum
    }

    fn limits(&self) -> ShardLimits {
        let lifetime_ticks = self.lifetime_ticks.load(Ordering::Relaxed);
        ShardLimits { lifetime_ticks, swarm_peers_max: self.swarm_peers_max }
    }

    fn account(&self, before: usize, after: usize) {
        match after.checked_sub(before) {
            Some(0) => {}
            Some(more) => _ = self.bytes.fetch_add(more, Ordering::Relaxed),
            None => _ = self.bytes.fetch_sub(before - after, Ordering::Relaxed),
        }
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        lock(&self.shards[shard_of(hash)])
    }
}

/// The shard of a swarm.
///
/// Indices grow when they are full, so shards of one size would grow all at once, and the map would take more for a swarm
/// shortly after than shortly before. Shards get from 0.74 to 1.5 times their share, evenly spread by the logarithm:
/// then about as many are just full as have just grown, whatever the number of swarms, and a swarm takes 60 bytes.
///
/// Bits from the middle of the hash choose: a table finds slots by the lowest and tells swarms in a slot apart by the
/// highest seven, so those must still differ within a shard.
fn shard_of(hash: u64) -> usize {
    const BITS: u32 = 24;
    /// log2(1 + x) is x + 0.344 x (1 - x), within a hundredth.
    const BEND: u64 = 22_544;
    let x = hash >> 33 & ((1 << BITS) - 1);
    let bent = x + ((BEND * x * ((1 << BITS) - x)) >> (BITS + 16));
    usize::try_from((bent * SwarmMap::SHARDS as u64) >> BITS).expect("below the number of shards")
}

/// A panic of another worker leaves a shard usable: no step of ours panics between two changes that belong together.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hashes for KeyedHashes {
    fn of_swarm(&self, info_hash: &InfoHash) -> u64 {
        SipHasher13::new_with_key(&self.key).hash(&info_hash.0)
    }

    /// Of the network only, so that its peers lie together and can be counted; but those of a loopback address may be
    /// many, and are spread by their ports.
    fn of_peer(&self, address: &[u8]) -> u64 {
        let bytes = if self.is_exempt(address) { address.len() } else { around_bytes(address.len()) };
        SipHasher13::new_with_key(&self.key).hash(&address[..bytes])
    }

    fn crowding(&self, address: &[u8]) -> Crowding {
        const FREE: Crowding = Crowding { site_peers_max: usize::MAX, around_peers_max: usize::MAX };
        if self.is_exempt(address) { FREE } else { self.crowding }
    }
}

impl KeyedHashes {
    fn is_exempt(&self, address: &[u8]) -> bool {
        let is_loopback = match address {
            [first, _, _, _, _, _] => *first == 127,
            _ => address.starts_with(&Ipv6Addr::LOCALHOST.octets()),
        };
        is_loopback && !self.limit_loopback
    }
}

fn lifetime_ticks(lifetime: Duration) -> u16 {
    u16::try_from(lifetime.as_secs().div_ceil(Tick::SECONDS).min(14_400)).expect("cut before")
}

#[cfg(test)]
mod tests;
