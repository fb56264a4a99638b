//! The swarms of the whole tracker.

use std::hash::Hasher as _;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use peerfeed_protocol::announce::{AnnounceReply, InfoHash, ScrapeEntry};
use rand_core::Rng;
use siphasher::sip::SipHasher13;

use super::record::{Tick, site_bytes};
use super::shard::{Shard, ShardLimits, Step};
use super::table::{Hashes, Noted, Space};

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
    /// Whether that holds for loopback addresses as well.
    pub limit_loopback: bool,
    /// Two random numbers: who knows them could aim at one lock or fill one bucket.
    pub hash_key: [u8; 16],
}

/// What a peer tells about itself, and what it wants to hear.
#[derive(Clone, Copy, Debug)]
pub struct Announcement {
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
    /// Whether it may be put in if it is not known yet.
    pub may_add: bool,
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
    site_peers_max: usize,
    limit_loopback: bool,
}

/// One part in so many of the memory is kept from new swarms, so that those which are there can go on growing.
const GROWTH_DIVISOR: usize = 8;

impl SwarmMap {
    /// Enough that the workers of a large machine rarely meet and that a sweep's step is short; 128 KiB when empty.
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
                site_peers_max: options.site_peers_max.max(1),
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

    /// Notes an announcement and fills counts and peers of `reply`, never the asker itself and no seeds for seeds.
    ///
    /// The reply is good also where the peer found no room.
    pub fn announce(
        &self,
        announcement: &Announcement,
        now: Duration,
        rng: &mut impl Rng,
        reply: &mut AnnounceReply,
    ) -> Noted {
        reply.peers.clear();
        let hash = self.hashes.of_swarm(&announcement.info_hash);
        let now = Tick::at(now.as_secs());
        let limits = &self.limits();
        let bytes_max = self.bytes_max();
        let free_bytes = bytes_max.saturating_sub(self.bytes());
        let space = Space {
            peer_bytes: free_bytes,
            swarm_bytes: free_bytes.saturating_sub(bytes_max / GROWTH_DIVISOR),
            peers_max: limits.swarm_peers_max,
        };
        let step = Step { announcement, hash, now, limits, space, hashes: &self.hashes };
        let mut shard = self.shard(hash);
        let before = shard.bytes();
        let noted = shard.announce(&step, rng, reply);
        self.account(before, shard.bytes());
        noted
    }

    /// The counts of a swarm; zeros for an unknown one.
    pub fn scrape(&self, info_hash: &InfoHash) -> ScrapeEntry {
        let hash = self.hashes.of_swarm(info_hash);
        self.shard(hash).scrape(info_hash, hash)
    }

    /// One step of forgetting: what has expired in shard `step` modulo [`Self::SHARDS`]. When more memory is held than may
    /// be, swarms that never came alive go as well, and so do peers that are halfway to expiring.
    pub fn sweep(&self, step: usize, now: Duration) {
        let now = Tick::at(now.as_secs());
        let gives_back = self.bytes() > self.bytes_max();
        let lifetime_ticks = self.limits().lifetime_ticks / if gives_back { 2 } else { 1 };
        let mut shard = lock(&self.shards[step % Self::SHARDS]);
        let before = shard.bytes();
        shard.sweep(now, lifetime_ticks, gives_back, &self.hashes);
        self.account(before, shard.bytes());
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

    /// Bits from the middle of the hash choose the shard: a table finds slots by the lowest and tells swarms in a slot
    /// apart by the highest, so those must still differ within a shard.
    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        let index = usize::try_from(hash >> 40).expect("64-bit platforms only") % Self::SHARDS;
        lock(&self.shards[index])
    }
}

/// A panic of another worker leaves a shard usable: no step of ours panics between two changes that belong together.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hashes for KeyedHashes {
    fn of_swarm(&self, info_hash: &InfoHash) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write(&info_hash.0);
        hasher.finish()
    }

    /// Of the site only, so that the peers of a site lie together and can be counted; but those of a loopback address
    /// may be many, and are spread by their ports.
    fn of_peer(&self, address: &[u8]) -> u64 {
        let site_bytes = if self.is_exempt(address) { address.len() } else { site_bytes(address.len()) };
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write(&address[..site_bytes]);
        hasher.finish()
    }

    fn site_peers_max(&self, address: &[u8]) -> usize {
        if self.is_exempt(address) { usize::MAX } else { self.site_peers_max }
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
mod tests {
    use std::collections::HashSet;

    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng as _;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    struct World {
        map: SwarmMap,
        rng: ChaCha8Rng,
        now: Duration,
    }

    impl World {
        fn new() -> Self {
            Self::with_memory(1 << 30)
        }

        fn with_memory(memory_bytes: usize) -> Self {
            let options = SwarmOptions {
                peer_lifetime: 45 * MINUTE,
                memory_bytes,
                swarm_peers_max: 100_000,
                site_peers_max: 8,
                limit_loopback: false,
                hash_key: [5; 16],
            };
            Self { map: SwarmMap::new(&options), rng: ChaCha8Rng::seed_from_u64(1), now: Duration::ZERO }
        }

        fn announce(&mut self, swarm: u32, peer: &str, presence: Presence) -> AnnounceReply {
            self.ask(swarm, peer.parse().unwrap(), presence, Asked::Both(50), false)
        }

        fn ask(
            &mut self,
            swarm: u32,
            address: SocketAddr,
            presence: Presence,
            asked: Asked,
            has_completed: bool,
        ) -> AnnounceReply {
            let info_hash = hash(swarm);
            let announcement = Announcement { info_hash, address, presence, has_completed, asked, may_add: true };
            let mut reply = AnnounceReply::default();
            self.map.announce(&announcement, self.now, &mut self.rng, &mut reply);
            reply
        }

        fn sweep_all(&self) {
            for step in 0..SwarmMap::SHARDS {
                self.map.sweep(step, self.now);
            }
        }
    }

    fn hash(swarm: u32) -> InfoHash {
        let mut hash = [0; 20];
        hash[..4].copy_from_slice(&swarm.to_be_bytes());
        InfoHash(hash)
    }

    fn peer(n: u32) -> SocketAddr {
        SocketAddr::from(((n | 1 << 24).to_be_bytes(), 6881))
    }

    fn addresses(reply: &AnnounceReply) -> Vec<String> {
        let mut addresses: Vec<_> = reply.peers.iter().map(|peer| peer.to_string()).collect();
        addresses.sort();
        addresses
    }

    #[test]
    fn peers_of_a_swarm_hear_of_each_other_and_not_of_themselves() {
        let mut world = World::new();
        assert_eq!(addresses(&world.announce(1, "10.0.0.1:1", Presence::Seed)), [""; 0]);
        assert_eq!(addresses(&world.announce(1, "10.0.0.2:2", Presence::Downloader)), ["10.0.0.1:1"]);
        let reply = world.announce(1, "[2001:db8::3]:3", Presence::Downloader);
        assert_eq!(addresses(&reply), ["10.0.0.1:1", "10.0.0.2:2"]);
        assert_eq!((reply.complete, reply.incomplete), (1, 2));
        let reply = world.announce(1, "10.0.0.1:1", Presence::Downloader);
        assert_eq!(addresses(&reply), ["10.0.0.2:2", "[2001:db8::3]:3"]);
        assert_eq!((reply.complete, reply.incomplete), (0, 3));
        assert_eq!(addresses(&world.announce(2, "10.0.0.9:9", Presence::Downloader)), [""; 0], "another swarm");
    }

    #[test]
    fn two_clients_behind_one_address_are_two_peers() {
        let mut world = World::new();
        world.announce(1, "10.0.0.1:1", Presence::Downloader);
        assert_eq!(addresses(&world.announce(1, "10.0.0.1:2", Presence::Downloader)), ["10.0.0.1:1"]);
    }

    #[test]
    fn a_udp_client_is_given_its_own_family_only() {
        let mut world = World::new();
        world.announce(1, "10.0.0.1:1", Presence::Downloader);
        world.announce(1, "[2001:db8::1]:1", Presence::Downloader);
        let mut ask = |peer: &str| world.ask(1, peer.parse().unwrap(), Presence::Downloader, Asked::Own(50), false);
        assert_eq!(addresses(&ask("10.0.0.2:2")), ["10.0.0.1:1"]);
        assert_eq!(addresses(&ask("[2001:db8::2]:2")), ["[2001:db8::1]:1"]);
    }

    #[test]
    fn a_seed_and_a_partial_seed_are_given_downloaders_only() {
        let mut world = World::new();
        world.announce(1, "10.0.0.1:1", Presence::Seed);
        world.announce(1, "10.0.0.2:2", Presence::Downloader);
        assert_eq!(addresses(&world.announce(1, "10.0.0.3:3", Presence::Seed)), ["10.0.0.2:2"]);
        let reply = world.announce(1, "10.0.0.4:4", Presence::PartialSeed);
        assert_eq!(addresses(&reply), ["10.0.0.2:2"]);
        assert_eq!((reply.complete, reply.incomplete), (2, 2));
    }

    #[test]
    fn who_leaves_is_gone_and_the_last_one_takes_the_swarm_along() {
        let mut world = World::new();
        world.announce(1, "10.0.0.1:1", Presence::Seed);
        world.announce(1, "10.0.0.2:2", Presence::Downloader);
        let reply = world.announce(1, "10.0.0.1:1", Presence::Gone);
        assert_eq!((reply.complete, reply.incomplete), (0, 1));
        world.announce(1, "10.0.0.2:2", Presence::Gone);
        let totals = world.map.totals();
        assert_eq!((totals.swarms_v4, totals.peers_v4), (0, 0));
    }

    #[test]
    fn who_only_looks_is_told_the_peers_and_not_kept() {
        let mut world = World::new();
        world.announce(1, "10.0.0.1:1", Presence::Seed);
        assert_eq!(addresses(&world.announce(1, "10.0.0.2:2", Presence::Gone)), ["10.0.0.1:1"]);
        assert_eq!(world.map.totals().peers_v4, 1);
        world.announce(2, "10.0.0.2:2", Presence::Gone);
        assert_eq!(world.map.totals().swarms_v4, 1);
    }

    #[test]
    fn a_silent_peer_is_not_given_after_its_lifetime_and_forgotten_by_the_next_sweep() {
        let mut world = World::new();
        world.announce(1, "10.0.0.1:1", Presence::Seed);
        world.now += 45 * MINUTE;
        world.sweep_all();
        assert_eq!(addresses(&world.announce(1, "10.0.0.2:2", Presence::Downloader)), ["10.0.0.1:1"]);
        world.now += MINUTE;
        assert_eq!(addresses(&world.announce(1, "10.0.0.2:2", Presence::Downloader)), [""; 0]);
        assert_eq!(world.map.totals().peers_v4, 2);
        world.sweep_all();
        assert_eq!(world.map.totals().peers_v4, 1);
        world.now += 46 * MINUTE;
        world.sweep_all();
        assert_eq!((world.map.totals().swarms_v4, world.map.totals().peers_v4), (0, 0));
    }

    #[test]
    fn a_completed_download_is_counted_once_per_peer() {
        let mut world = World::new();
        world.announce(1, "10.0.0.1:1", Presence::Downloader);
        for _ in 0..3 {
            world.ask(1, "10.0.0.1:1".parse().unwrap(), Presence::Seed, Asked::Both(0), true);
        }
        let expected = ScrapeEntry { complete: 1, downloaded: 1, incomplete: 0 };
        assert_eq!(world.map.scrape(&hash(1)), expected);
        assert_eq!(world.map.scrape(&hash(2)), ScrapeEntry::default());
    }

    #[test]
    fn a_large_swarm_gives_everybody_in_time_in_the_number_asked_for() {
        let mut world = World::new();
        for n in 0..300 {
            world.ask(1, peer(n), Presence::Downloader, Asked::Own(0), false);
        }
        let mut seen = HashSet::new();
        for _ in 0..200 {
            let reply = world.ask(1, peer(0), Presence::Downloader, Asked::Own(30), false);
            assert_eq!(reply.peers.len(), 30);
            seen.extend(reply.peers.iter());
        }
        assert_eq!(seen.len(), 299);
    }

    #[test]
    fn both_families_are_given_in_proportion() {
        let mut world = World::new();
        for n in 0..90 {
            world.ask(1, peer(n), Presence::Downloader, Asked::Own(0), false);
        }
        for n in 0..30 {
            world.announce(1, &format!("[2001:db8:0:{n:x}::1]:1"), Presence::Downloader);
        }
        let reply = world.announce(1, "192.0.2.1:1", Presence::Downloader);
        assert_eq!(reply.peers.len(), 50);
        let v4 = reply.peers.iter().filter(SocketAddr::is_ipv4).count();
        assert!((37..=39).contains(&v4), "{v4} of 91 in 121");
    }

    #[test]
    fn made_up_swarms_stay_within_the_memory_and_push_out_each_other_but_none_that_is_alive() {
        let limit = 4 << 20;
        let mut world = World::with_memory(limit);
        for n in 0..1000 {
            world.announce(n, "192.0.2.1:1", Presence::Seed);
            world.announce(n, "192.0.2.2:1", Presence::Downloader);
        }
        for n in 1000..300_000 {
            let reply = world.ask(n, peer(n), Presence::Downloader, Asked::Own(50), false);
            assert_eq!(reply.incomplete, 1, "the newest is kept");
            assert!(world.map.bytes() <= limit, "{} bytes", world.map.bytes());
        }
        let totals = world.map.totals();
        assert_eq!(totals.bytes, world.map.bytes(), "what is accounted is what is there");
        assert!(totals.swarms_v4 > 25_000, "{} swarms", totals.swarms_v4);
        for n in 0..1000 {
            assert_eq!(world.map.scrape(&hash(n)).complete, 1, "{n}");
        }
        for n in 10..600 {
            let reply = world.ask(1, peer(n), Presence::Downloader, Asked::Own(50), false);
            assert_eq!(reply.incomplete, n - 8, "a swarm that is alive may grow");
        }
    }

    #[test]
    fn a_swarm_to_which_somebody_comes_back_is_alive() {
        let mut world = World::with_memory(1 << 20);
        world.announce(1, "192.0.2.1:1", Presence::Seed);
        world.now += 30 * MINUTE;
        world.announce(1, "192.0.2.1:1", Presence::Seed);
        world.announce(2, "192.0.2.1:1", Presence::Seed);
        world.announce(2, "192.0.2.1:2", Presence::Seed);
        for n in 1000..100_000 {
            world.ask(n, peer(n), Presence::Downloader, Asked::Own(50), false);
        }
        assert_eq!([1, 2].map(|n| world.map.scrape(&hash(n)).complete > 0), [true, true]);
    }

    #[test]
    fn when_every_swarm_is_alive_a_new_one_is_answered_and_not_kept() {
        let limit = 1 << 20;
        let mut world = World::with_memory(limit);
        for n in 0..20_000 {
            world.announce(n, "192.0.2.1:1", Presence::Seed);
            let reply = world.announce(n, "192.0.2.2:1", Presence::Downloader);
            assert!(reply.complete == 1 || n > 5_000, "{n}");
        }
        assert!(world.map.bytes() <= limit);
        let before = world.map.totals();
        let reply = world.announce(99_999, "192.0.2.9:1", Presence::Seed);
        assert_eq!((reply.complete, world.map.totals()), (0, before));
    }

    #[test]
    fn memory_that_is_taken_away_is_given_back_by_the_next_sweep() {
        let mut world = World::with_memory(64 << 20);
        for n in 0..200_000 {
            world.ask(n, peer(n), Presence::Seed, Asked::Own(0), false);
        }
        world.announce(7, "192.0.2.1:1", Presence::Downloader);
        world.map.set_memory(4 << 20);
        world.sweep_all();
        assert!(world.map.bytes() <= 4 << 20, "{} bytes", world.map.bytes());
        assert_eq!(world.map.scrape(&hash(7)).complete, 1, "a swarm that is alive stays");
        assert_eq!(world.map.totals().bytes, world.map.bytes());
    }

    #[test]
    fn one_address_fills_no_swarm_unless_it_is_loopback() {
        for (limit_loopback, address, kept) in
            [(true, "127.0.0.1", 8), (false, "127.0.0.1", 200), (false, "::1", 200), (false, "192.0.2.1", 8)]
        {
            let mut world = World::new();
            world.map.hashes.limit_loopback = limit_loopback;
            for port in 1..=200 {
                let address = SocketAddr::new(address.parse().unwrap(), port);
                world.ask(1, address, Presence::Seed, Asked::Own(0), false);
            }
            assert_eq!(world.map.scrape(&hash(1)).complete, kept, "{address}");
        }
    }

    #[test]
    fn who_may_add_nothing_is_answered_and_can_refresh_what_it_has() {
        let mut world = World::new();
        world.announce(1, "192.0.2.1:1", Presence::Seed);
        let mut announce = |address: &str, swarm| {
            let announcement = Announcement {
                info_hash: hash(swarm),
                address: address.parse().unwrap(),
                presence: Presence::Downloader,
                has_completed: false,
                asked: Asked::Own(50),
                may_add: false,
            };
            let mut reply = AnnounceReply::default();
            (world.map.announce(&announcement, world.now, &mut world.rng, &mut reply), reply)
        };
        let (noted, reply) = announce("192.0.2.2:1", 1);
        assert_eq!((noted, reply.peers.len(), reply.incomplete), (Noted::default(), 1, 0));
        let (noted, reply) = announce("192.0.2.1:1", 1);
        assert_eq!((noted.is_kept, noted.is_new_peer, reply.incomplete), (true, false, 1));
        assert_eq!(announce("192.0.2.1:1", 2).0, Noted::default());
    }

    #[test]
    fn a_swarm_of_one_takes_at_most_ninety_bytes_and_each_further_peer_ten() {
        let mut world = World::new();
        let swarms = 800_000;
        for n in 0..swarms {
            world.ask(n, peer(n), Presence::Seed, Asked::Own(0), false);
        }
        let per_swarm = world.map.totals().bytes / usize::try_from(swarms).unwrap();
        assert!(per_swarm <= 90, "{per_swarm} bytes per swarm");

        let mut world = World::new();
        for n in 0..100_000 {
            world.ask(1, peer(n), Presence::Downloader, Asked::Own(0), false);
        }
        let per_peer = world.map.totals().bytes / 100_000;
        assert!(per_peer <= 10, "{per_peer} bytes per peer");
    }
}
