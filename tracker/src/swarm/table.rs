//! The swarms of one shard and one address family.

use peerfeed_protocol::announce::{InfoHash, ScrapeEntry};
use rand_core::Rng;

use super::draw::Draw;
use super::gone::GoneOf;
use super::many::Many;
use super::map::Keys;
use super::peers::{Before, Crowding, Peers, Room};
use super::record::{Peer, Tick};
use super::rows::Rows;

/// Swarms by info hash. `N` bytes per peer address; `INLINE` peers lie in the table.
#[derive(Debug)]
pub(super) struct Table<const N: usize, const INLINE: usize> {
    swarms: Rows<Swarm<N, INLINE>>,
    /// Bytes that the swarms hold outside of the table.
    heap_bytes: usize,
    peers: usize,
    /// When it was found that nothing can be given up.
    is_full_since: Option<Tick>,
}

/// One swarm and those of its peers that are of one family.
#[derive(Debug)]
pub(super) struct Swarm<const N: usize, const INLINE: usize> {
    info_hash: InfoHash,
    /// How often somebody completed, since the swarm was last empty; and [`ALIVE`].
    downloaded: u32,
    peers: Peers<N, INLINE>,
}

/// Somebody has come back to this swarm, or somebody else has come: it is no hash that was made up to fill the table.
const ALIVE: u32 = 1 << 31;

/// A peer that comes back so much later means it.
const COMES_BACK_TICKS: u16 = 10;

/// One swarm in so many is given up when there is no room for a new one.
const GIVEN_UP_DIVISOR: usize = 16;

/// Ages that are told apart when swarms are given up, in ticks: beyond two hours all are equally stale.
const AGES: usize = 240;

/// Peers that one step of the sweep looks at, other work counted as peers: bounded work for as long as a shard is locked.
const STEP_WORK: usize = 4096;

/// To look at a swarm and to take it out is as much work as looking at so many peers more.
const ROW_WORK: usize = 8;

/// The keyed hashes of a map.
pub(super) trait Hashes {
    /// Of a swarm.
    fn of_swarm(&self, info_hash: &InfoHash) -> u64;
    /// Of the network around a peer's address.
    fn of_peer(&self, address: &[u8]) -> u64;
    /// Most peers that may be in one swarm where this address is.
    fn crowding(&self, address: &[u8]) -> Crowding;
}

/// What a peer says of itself.
pub(super) struct Arrival<'a, const N: usize> {
    pub(super) info_hash: InfoHash,
    pub(super) keys: Keys,
    pub(super) peer: Peer<N>,
    pub(super) has_completed: bool,
    pub(super) now: Tick,
    /// Whether its customer may put one more peer in.
    pub(super) may_add: &'a dyn Fn() -> bool,
}

/// How far a pass over a table has come: rows below this one, and buckets of its swarm below that one, are still to come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    row: usize,
    bucket: Option<usize>,
}

/// What is forgotten.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sweeping {
    pub(super) now: Tick,
    /// Peers older than this.
    pub(super) lifetime_ticks: u16,
    /// Swarms that never came alive, too; and all free room is given back.
    pub(super) gives_back: bool,
}

/// How far a step of the sweep has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Swept {
    /// There is more to look at.
    Partly,
    /// Nothing is left to look at.
    ToTheEnd,
}

impl Cursor {
    /// Before everything.
    pub(super) const BEGIN: Self = Self { row: usize::MAX, bucket: None };
}

/// What an arrival may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Space {
    /// Bytes that peers of swarms which are there may add.
    pub(super) peer_bytes: usize,
    /// Bytes that the table may add for new swarms.
    pub(super) swarm_bytes: usize,
    /// Most peers of a swarm.
    pub(super) peers_max: usize,
}

impl<const N: usize, const INLINE: usize> Table<N, INLINE> {
    pub(super) fn new() -> Self {
        Self { swarms: Rows::new(), heap_bytes: 0, peers: 0, is_full_since: None }
    }

    /// Bytes in use, the table's free slots included.
    pub(super) fn bytes(&self) -> usize {
        self.swarms.bytes() + self.heap_bytes
    }

    /// Swarms with at least one peer of this family.
    pub(super) fn swarms(&self) -> usize {
        self.swarms.len()
    }

    /// Peers of all swarms.
    pub(super) fn peers(&self) -> usize {
        self.peers
    }

    /// Notes an arrival in the swarm that is at this place, or in a new one, within `space`. Where a new swarm finds no room, stale ones that never came alive are given up.
    /// spec: ANN-38
    ///
    /// Tells also where the swarm is then, if it is there.
    pub(super) fn arrive(
        &mut self,
        at: Option<usize>,
        arrival: &Arrival<'_, N>,
        hashes: &impl Hashes,
        space: &Space,
    ) -> (Noted, Option<usize>) {
        let Arrival { info_hash, keys, peer, has_completed, now, may_add } = arrival;
        let mut noted = Noted::default();
        let Some((at, swarm)) = at.and_then(|at| Some((at, self.swarms.at_mut(at)?))) else {
            if space.peers_max > 0 && may_add() && self.make_slot(*now, hashes, space, &mut noted) {
                let swarm =
                    Swarm { info_hash: *info_hash, downloaded: u32::from(*has_completed), peers: Peers::one(*peer) };
                self.swarms.insert(keys.swarm, swarm, |swarm| hashes.of_swarm(&swarm.info_hash));
                self.peers += 1;
                (noted.is_kept, noted.is_new_peer, noted.is_new_swarm) = (true, true, true);
                return (noted, Some(self.swarms.len() - 1));
            }
            return (noted, None);
        };
        let held_bytes = swarm.peers.heap_bytes();
        let held = swarm.peers.len();
        let is_back = swarm.peers.age_of_only(*now).is_some_and(|age| age >= COMES_BACK_TICKS);
        let has_room = held < space.peers_max && growth_of(held_bytes, N) <= space.peer_bytes;
        let may_grow: &dyn Fn() -> bool = &|| has_room && may_add();
        let crowding = hashes.crowding(&peer.address);
        let room = Room { hash: keys.peer, may_grow, crowding, now: *now };
        let insertion = swarm.peers.insert(*peer, &room, |address| hashes.of_peer(address));
        noted.is_kept = insertion.is_kept;
        noted.is_new_peer = insertion.is_kept && insertion.before == Before::Absent;
        if *has_completed && insertion.before != Before::Seed && swarm.downloaded & !ALIVE < !ALIVE {
            swarm.downloaded += 1;
        }
        if (is_back && !noted.is_new_peer) || swarm.peers.has_others_than(&peer.address) {
            swarm.downloaded |= ALIVE;
        }
        self.heap_bytes = self.heap_bytes + swarm.peers.heap_bytes() - held_bytes;
        self.peers += swarm.peers.len() - held;
        (noted, Some(at))
    }

    /// Whether one more swarm can be put in without taking more than `space`.
    fn make_slot(&mut self, now: Tick, hashes: &impl Hashes, space: &Space, noted: &mut Noted) -> bool {
        let has_slot = |swarms: &Rows<_>| swarms.growth_bytes() <= space.swarm_bytes;
        if has_slot(&self.swarms) {
            return true;
        }
        // A table in which all swarms are alive is not walked through for every new one.
        if self.is_full_since != Some(now) {
            noted.evicted += self.give_up_stalest(now, hashes);
            self.is_full_since = (!has_slot(&self.swarms)).then_some(now);
        }
        self.is_full_since.is_none()
    }

    /// Gives up the stalest swarms among those that never came alive: several at once, because it takes a walk through the
    /// whole table. Returns how many; slots are free afterwards unless all swarms are alive.
    fn give_up_stalest(&mut self, now: Tick, hashes: &impl Hashes) -> u32 {
        let mut left = (self.swarms.len() / GIVEN_UP_DIVISOR).max(1);
        // First how many there are of each age, then how many of these go.
        let mut by_age = [0; AGES];
        for age in self.swarms.iter().filter_map(|swarm| swarm.age_unless_alive(now)) {
            by_age[age] += 1;
        }
        for count in by_age.iter_mut().rev() {
            *count = left.min(*count);
            left -= *count;
        }
        let before = self.swarms.len();
        let (peers, heap_bytes) = (&mut self.peers, &mut self.heap_bytes);
        let keep = |swarm: &Swarm<N, INLINE>| match swarm.age_unless_alive(now).map(|age| &mut by_age[age]) {
            Some(count) if *count > 0 => {
                *count -= 1;
                *peers -= swarm.peers.len();
                *heap_bytes -= swarm.peers.heap_bytes();
                false
            }
            _ => true,
        };
        self.swarms.retain(keep, |swarm| hashes.of_swarm(&swarm.info_hash));
        count(before - self.swarms.len())
    }

    /// Takes a peer out of the swarm at this place; returns whether the swarm is still there.
    pub(super) fn leave(&mut self, at: usize, keys: Keys, address: &[u8; N], hashes: &impl Hashes) -> bool {
        let Some(swarm) = self.swarms.at_mut(at) else { return false };
        let peers = &mut swarm.peers;
        let held_bytes = peers.heap_bytes();
        let was_there = peers.remove(address, keys.peer) != Before::Absent;
        let is_empty = peers.len() == 0;
        self.heap_bytes = self.heap_bytes + peers.heap_bytes() - held_bytes;
        self.peers -= usize::from(was_there);
        if is_empty {
            let swarm = self.swarms.remove(at, |swarm| hashes.of_swarm(&swarm.info_hash));
            self.heap_bytes -= swarm.peers.heap_bytes();
        }
        !is_empty
    }

    /// Goes on with forgetting at `cursor`, for a bounded number of swarms and peers. Memory that is not needed any more goes
    /// into `gone`; at the end of the table, that of rows and index too, if these have become many too large.
    pub(super) fn sweep(
        &mut self,
        cursor: &mut Cursor,
        how: Sweeping,
        hashes: &impl Hashes,
        gone: &mut GoneOf<N, INLINE>,
    ) -> Swept {
        let Sweeping { now, lifetime_ticks, gives_back } = how;
        let hash_of = |swarm: &Swarm<N, INLINE>| hashes.of_swarm(&swarm.info_hash);
        let mut work = 0;
        // Downwards, since the last row comes where one is taken out, and that one has been looked at.
        cursor.row = cursor.row.min(self.swarms.len());
        while let Some(at) = cursor.row.checked_sub(1) {
            if work >= STEP_WORK {
                return Swept::Partly;
            }
            let Some(swarm) = self.swarms.at_mut(at) else { break };
            let (held, held_bytes) = (swarm.peers.len(), swarm.peers.heap_bytes());
            let keep = |peer: &Peer<N>| !peer.is_expired(now, lifetime_ticks);
            let part = swarm.peers.sweep(&mut cursor.bucket, keep, &mut gone.peers);
            work += ROW_WORK + part.work;
            self.peers -= held - swarm.peers.len();
            self.heap_bytes = self.heap_bytes + swarm.peers.heap_bytes() - held_bytes;
            if !part.is_all {
                continue;
            }
            (cursor.row, cursor.bucket) = (at, None);
            if swarm.peers.len() == 0 || (gives_back && swarm.downloaded & ALIVE == 0) {
                let swarm = self.swarms.remove(at, hash_of);
                self.heap_bytes -= swarm.peers.heap_bytes();
                self.peers -= swarm.peers.len();
                gone.peers.take(swarm.peers);
            }
        }
        self.swarms.shrink(gives_back, hash_of, &mut gone.table);
        Swept::ToTheEnd
    }

    /// Where a swarm seems to be, as the index tells.
    pub(super) fn hint(&self, hash: u64) -> Option<usize> {
        self.swarms.hint(hash)
    }

    /// Fetches what a [`hint`](Self::hint) looks at.
    pub(super) fn approach(&self, hash: u64) {
        self.swarms.approach(hash);
    }

    /// Fetches what a [`hint`](Self::hint) points to.
    pub(super) fn fetch(&self, hint: usize) {
        self.swarms.fetch(hint);
    }

    /// The swarm at this place.
    pub(super) fn at(&self, at: usize) -> Option<&Swarm<N, INLINE>> {
        self.swarms.at(at)
    }

    /// Where a swarm is, if it has peers of this family; until something is put in or taken out.
    pub(super) fn position(&self, info_hash: &InfoHash, hash: u64) -> Option<usize> {
        self.swarms.position(hash, |swarm| swarm.info_hash == *info_hash)
    }

    /// A swarm, if it has peers of this family.
    pub(super) fn find(&self, info_hash: &InfoHash, hash: u64) -> Option<&Swarm<N, INLINE>> {
        self.swarms.find(hash, |swarm| swarm.info_hash == *info_hash)
    }
}

impl<const N: usize, const INLINE: usize> Swarm<N, INLINE> {
    /// Its counts.
    pub(super) fn counts(&self) -> ScrapeEntry {
        let seeds = self.peers.seeds();
        ScrapeEntry {
            complete: count(seeds),
            downloaded: self.downloaded & !ALIVE,
            incomplete: count(self.peers.len() - seeds),
        }
    }

    /// Fetches its peers; of many only the head, which is given, for there is more to fetch.
    pub(super) fn fetch(&self) -> Option<&Many<N>> {
        self.peers.fetch()
    }

    /// Gives up to `want` of its peers at random.
    pub(super) fn draw(&self, want: usize, draw: &Draw<N>, rng: &mut impl Rng, drawn: &mut Vec<[u8; N]>) {
        self.peers.draw(want, draw, rng, drawn);
    }

    /// How stale it is, below [`AGES`]; `None` for one that has come alive.
    fn age_unless_alive(&self, now: Tick) -> Option<usize> {
        let age = self.peers.age_of_only(now).filter(|_| self.downloaded & ALIVE == 0)?;
        Some(usize::from(age).min(AGES - 1))
    }
}

/// What became of an arrival.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Noted {
    /// The peer is known now.
    pub is_kept: bool,
    /// It was not known before.
    pub is_new_peer: bool,
    /// Nor was its swarm, in this address family.
    pub is_new_swarm: bool,
    /// Swarms that were given up for it.
    pub evicted: u32,
}

/// The most that one more peer can add to a swarm that holds `held_bytes`: a copy of a small one, or a reallocation of a
/// large one's bucket and of the list of its buckets.
fn growth_of(held_bytes: usize, peer_bytes: usize) -> usize {
    64 * (peer_bytes + 2) + held_bytes / 16
}

fn count(peers: usize) -> u32 {
    u32::try_from(peers).unwrap_or(u32::MAX)
}
