//! The swarms of one shard and one address family.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use peerfeed_protocol::announce::{InfoHash, ScrapeEntry};
use rand_core::Rng;

use super::crowd::Draw;
use super::peers::{Before, Peers};
use super::record::{Peer, Tick};

/// Swarms by info hash. `N` bytes per peer address; `INLINE` peers lie in the table.
#[derive(Debug)]
pub(super) struct Table<const N: usize, const INLINE: usize> {
    swarms: HashTable<Swarm<N, INLINE>>,
    /// Bytes that the swarms hold outside of the table.
    heap_bytes: usize,
    peers: usize,
}

#[derive(Debug)]
struct Swarm<const N: usize, const INLINE: usize> {
    info_hash: InfoHash,
    /// How often somebody completed, since the swarm was last empty.
    downloaded: u32,
    peers: Peers<N, INLINE>,
}

/// The keyed hashes of a map.
pub(super) trait Hashes {
    /// Of a swarm.
    fn of_swarm(&self, info_hash: &InfoHash) -> u64;
    /// Of a peer's address.
    fn of_peer(&self, address: &[u8]) -> u64;
}

/// What a peer says of itself.
pub(super) struct Arrival<const N: usize> {
    pub(super) info_hash: InfoHash,
    pub(super) hash: u64,
    pub(super) peer: Peer<N>,
    pub(super) has_completed: bool,
}

impl<const N: usize, const INLINE: usize> Table<N, INLINE> {
    pub(super) fn new() -> Self {
        Self { swarms: HashTable::new(), heap_bytes: 0, peers: 0 }
    }

    /// Bytes in use, the table's free slots included.
    pub(super) fn bytes(&self) -> usize {
        self.swarms.allocation_size() + self.heap_bytes
    }

    /// Swarms with at least one peer of this family.
    pub(super) fn swarms(&self) -> usize {
        self.swarms.len()
    }

    /// Peers of all swarms.
    pub(super) fn peers(&self) -> usize {
        self.peers
    }

    /// Notes an arrival. A new peer is taken only within `room_bytes` more than now and `peers_max` per swarm; returns
    /// whether it is in the table now.
    pub(super) fn arrive(
        &mut self,
        arrival: &Arrival<N>,
        hashes: &impl Hashes,
        room_bytes: usize,
        peers_max: usize,
    ) -> bool {
        let growth =
            if self.swarms.len() == self.swarms.capacity() { self.swarms.allocation_size().max(1024) } else { 0 };
        let Arrival { info_hash, hash, peer, has_completed } = arrival;
        match self.swarms.find_mut(*hash, |swarm| swarm.info_hash == *info_hash) {
            Some(swarm) => {
                let held_bytes = swarm.peers.heap_bytes();
                let may_grow = swarm.peers.len() < peers_max && growth_of(held_bytes, N) <= room_bytes;
                let held = swarm.peers.len();
                let before = swarm.peers.insert(*peer, may_grow, |address| hashes.of_peer(address));
                if *has_completed && before != Before::Seed {
                    swarm.downloaded = swarm.downloaded.saturating_add(1);
                }
                self.heap_bytes = self.heap_bytes + swarm.peers.heap_bytes() - held_bytes;
                self.peers += swarm.peers.len() - held;
                before != Before::Absent || may_grow
            }
            None if growth <= room_bytes && peers_max > 0 => {
                let swarm =
                    Swarm { info_hash: *info_hash, downloaded: u32::from(*has_completed), peers: Peers::one(*peer) };
                self.swarms.insert_unique(*hash, swarm, |swarm| hashes.of_swarm(&swarm.info_hash));
                self.peers += 1;
                true
            }
            None => false,
        }
    }

    /// Takes a peer out; returns whether it was there.
    pub(super) fn leave(&mut self, info_hash: &InfoHash, hash: u64, address: &[u8; N], hashes: &impl Hashes) -> bool {
        let Entry::Occupied(mut entry) =
            self.swarms.entry(hash, |swarm| swarm.info_hash == *info_hash, |swarm| hashes.of_swarm(&swarm.info_hash))
        else {
            return false;
        };
        let peers = &mut entry.get_mut().peers;
        let held_bytes = peers.heap_bytes();
        let was_there = peers.remove(address, |address| hashes.of_peer(address)) != Before::Absent;
        self.heap_bytes = self.heap_bytes + peers.heap_bytes() - held_bytes;
        self.peers -= usize::from(was_there);
        if peers.len() == 0 {
            self.heap_bytes -= peers.heap_bytes();
            entry.remove();
        }
        was_there
    }

    /// Gives up to `want` peers of a swarm at random.
    pub(super) fn draw(
        &self,
        info_hash: &InfoHash,
        hash: u64,
        want: usize,
        draw: &Draw<'_, N>,
        rng: &mut impl Rng,
        mut give: impl FnMut(&[u8; N]),
    ) {
        if let Some(swarm) = self.find(info_hash, hash) {
            swarm.peers.draw(want, draw, rng, &mut give);
        }
    }

    /// The counts of a swarm; zeros for an unknown one.
    pub(super) fn counts(&self, info_hash: &InfoHash, hash: u64) -> ScrapeEntry {
        let Some(swarm) = self.find(info_hash, hash) else {
            return ScrapeEntry::default();
        };
        let seeds = swarm.peers.seeds();
        ScrapeEntry {
            complete: count(seeds),
            downloaded: swarm.downloaded,
            incomplete: count(swarm.peers.len() - seeds),
        }
    }

    /// Forgets peers older than the lifetime and swarms without peers; gives free slots back when most are.
    pub(super) fn sweep(&mut self, now: Tick, lifetime_ticks: u16, hashes: &impl Hashes) {
        let (mut heap_bytes, mut peers) = (0, 0);
        self.swarms.retain(|swarm| {
            swarm.peers.retain(|peer| !peer.is_expired(now, lifetime_ticks), |address| hashes.of_peer(address));
            if swarm.peers.len() == 0 {
                return false;
            }
            heap_bytes += swarm.peers.heap_bytes();
            peers += swarm.peers.len();
            true
        });
        (self.heap_bytes, self.peers) = (heap_bytes, peers);
        if self.swarms.capacity() > 4 * self.swarms.len() {
            self.swarms.shrink_to(2 * self.swarms.len(), |swarm| hashes.of_swarm(&swarm.info_hash));
        }
    }

    fn find(&self, info_hash: &InfoHash, hash: u64) -> Option<&Swarm<N, INLINE>> {
        self.swarms.find(hash, |swarm| swarm.info_hash == *info_hash)
    }
}

/// The most that one more peer can add to a swarm that holds `held_bytes`: a copy of a small one, or a reallocation of a
/// large one's bucket and of the list of its buckets.
fn growth_of(held_bytes: usize, peer_bytes: usize) -> usize {
    64 * (peer_bytes + 2) + held_bytes / 16
}

fn count(peers: usize) -> u32 {
    u32::try_from(peers).unwrap_or(u32::MAX)
}
