//! The peers of a large swarm and one address family.

use rand_core::Rng;

use super::crowd::Crowd;
use super::draw::Draw;
use super::gone::GonePeers;
use super::luck::Luck;
use super::peers::{Before, FEW_MAX, Insertion, Room};
use super::record::{Peer, allocated};
use super::sight::Sight;

/// A large swarm, seeds apart, so that a seed who asks is served without looking at the others.
#[derive(Debug)]
pub(super) struct Many<const N: usize> {
    seeds: Crowd<N>,
    others: Crowd<N>,
}

/// Buckets of each half that are swept at once.
const SWEPT_BUCKETS: usize = 16;

/// What a step of a sweep has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Peers looked at, and what took about as long as so many.
    pub(super) work: usize,
    /// Nobody is left to look at.
    pub(super) is_all: bool,
}

impl<const N: usize> Many<N> {
    /// Nobody.
    pub(super) fn new() -> Self {
        Self { seeds: Crowd::new(), others: Crowd::new() }
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.seeds.len() + self.others.len()
    }

    /// How many of them are seeds.
    pub(super) fn seeds(&self) -> usize {
        self.seeds.len()
    }

    /// Every peer.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Peer<N>> {
        self.seeds.iter().chain(self.others.iter())
    }

    /// Whether so few are left that they are better kept as [`Few`](super::peers::Peers::Few).
    pub(super) fn are_few(&self) -> bool {
        self.len() <= FEW_MAX / 2
    }

    /// Bytes on the heap, its own place included.
    pub(super) fn heap_bytes(&self) -> usize {
        allocated(size_of::<Self>()) + self.seeds.heap_bytes() + self.others.heap_bytes()
    }

    /// Puts in a peer that is not there yet.
    pub(super) fn add(&mut self, peer: Peer<N>, hash: impl Fn(&[u8; N]) -> u64) {
        self.half(peer.is_seed()).insert(peer, hash);
    }

    /// Takes a peer out; tells what it was.
    pub(super) fn remove(&mut self, address: &[u8; N], hash: u64) -> Before {
        match () {
            () if self.others.remove(address, hash) => Before::Other,
            () if self.seeds.remove(address, hash) => Before::Seed,
            () => Before::Absent,
        }
    }

    fn half(&mut self, seeds: bool) -> &mut Crowd<N> {
        if seeds { &mut self.seeds } else { &mut self.others }
    }

    /// See [`Peers::insert`](super::peers::Peers::insert).
    pub(super) fn insert(&mut self, peer: Peer<N>, room: &Room<'_>, hash: impl Fn(&[u8; N]) -> u64) -> Insertion {
        let is_seed = peer.is_seed();
        if self.half(is_seed).refresh(peer, room.hash) {
            return Insertion { before: Before::of(&peer), is_kept: true };
        }
        let moved = self.half(!is_seed).remove(&peer.address, room.hash);
        let is_kept = moved || self.make_place(&peer.address, room);
        if is_kept {
            self.half(is_seed).insert(peer, hash);
        }
        let before = match (moved, is_seed) {
            (false, _) => Before::Absent,
            (true, true) => Before::Other,
            (true, false) => Before::Seed,
        };
        Insertion { before, is_kept }
    }

    /// Whether a new peer may come, for whom the stalest near it has to go when there are enough of these.
    fn make_place(&mut self, address: &[u8; N], room: &Room<'_>) -> bool {
        let held = self.seeds.neighbours(room.hash).iter().chain(self.others.neighbours(room.hash));
        let Some(stalest) = room.in_the_way_of(address, &held) else { return (room.may_grow)() };
        self.half(stalest.is_seed()).remove(&stalest.address, room.hash)
    }

    /// Sweeps the next buckets of both halves, downwards; behind the last, too many buckets become fewer.
    pub(super) fn sweep(
        &mut self,
        bucket: &mut Option<usize>,
        keep: impl Fn(&Peer<N>) -> bool,
        gone: &mut GonePeers<N>,
    ) -> Part {
        let all = self.seeds.buckets().max(self.others.buckets());
        let to = bucket.unwrap_or(all).min(all);
        let from = to.saturating_sub(SWEPT_BUCKETS);
        let mut work = 0;
        for at in from..to {
            work += self.seeds.retain_in(at, &keep, gone) + self.others.retain_in(at, &keep, gone);
        }
        *bucket = Some(from);
        if from > 0 || self.are_few() {
            return Part { work, is_all: from == 0 };
        }
        work += self.seeds.merge_some(gone) + self.others.merge_some(gone);
        Part { work, is_all: self.seeds.is_dense() && self.others.is_dense() }
    }

    /// Seeds and others in proportion to their numbers, so that a swarm with many seeds still shows its downloaders.
    pub(super) fn draw(&self, want: usize, draw: &Draw<N>, rng: &mut impl Rng, drawn: &mut Vec<[u8; N]>) {
        let [seeds_luck, others_luck] = &mut Self::lucks(rng);
        let [seeds_wanted, others_wanted] = self.split(want, draw.skip_seeds);
        self.seeds.draw(seeds_wanted, draw, seeds_luck, drawn);
        self.others.draw(others_wanted, draw, others_luck, drawn);
    }

    /// How many seeds to give, and how many others.
    fn split(&self, want: usize, skip_seeds: bool) -> [usize; 2] {
        let (seeds, others) = (self.seeds.len(), self.others.len());
        let seeds_wanted = match seeds + others {
            _ if skip_seeds => 0,
            all if all <= want => seeds,
            all => (want * seeds).div_ceil(all).max(want.saturating_sub(others)),
        };
        [seeds_wanted, want - seeds_wanted.min(want)]
    }

    /// Fetches what [`fetch`](Self::fetch) looks at.
    pub(super) fn approach(&self, sight: &Sight) {
        self.looked_for(sight).approach_bucket(sight.hash);
        self.halves(sight).for_each(|(half, want, mut luck)| half.approach_runs(want, &mut luck));
    }

    /// Fetches the asker's place and those who will be drawn for it.
    pub(super) fn fetch(&self, sight: &Sight) {
        self.looked_for(sight).fetch_bucket(sight.hash);
        self.halves(sight).for_each(|(half, want, mut luck)| _ = half.fetch_runs(want, &mut luck));
    }

    /// Seeds and others, as far as some will be drawn, how many that are, and by what luck.
    fn halves(&self, sight: &Sight) -> impl Iterator<Item = (&Crowd<N>, usize, Luck)> {
        let [seeds_luck, others_luck] = Self::lucks(&mut sight.luck.clone());
        let [seeds_wanted, others_wanted] = self.split(sight.want, sight.skips_seeds);
        let halves = [(&self.seeds, seeds_wanted, seeds_luck), (&self.others, others_wanted, others_luck)];
        halves.into_iter().filter(|(_, want, _)| *want > 0)
    }

    fn looked_for(&self, sight: &Sight) -> &Crowd<N> {
        if sight.is_seed { &self.seeds } else { &self.others }
    }

    /// One for seeds, one for others, whatever is drawn of each.
    fn lucks(rng: &mut impl Rng) -> [Luck; 2] {
        [rng.next_u64(), rng.next_u64()].map(Luck::new)
    }
}
