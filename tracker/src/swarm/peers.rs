//! The peers of one swarm and one address family.

use std::hint::black_box;

use rand_core::Rng;

use super::crowd::{Crowd, Draw, below};
use super::luck::Luck;
use super::record::{Peer, Tick, allocated};
use super::sight::Sight;

/// Peers, stored by how many there are. `N` bytes per address; `INLINE` of them fit without an allocation.
#[derive(Debug)]
pub(super) enum Peers<const N: usize, const INLINE: usize> {
    /// The first `len` of the array.
    Inline {
        /// At most `INLINE`.
        len: u8,
        /// Meaningless from `len` on.
        peers: [Peer<N>; INLINE],
    },
    /// More than `INLINE`, up to [`FEW_MAX`], in an allocation of exactly their size.
    Few(Box<[Peer<N>]>),
    /// More.
    Many(Box<Many<N>>),
}

/// A large swarm, seeds apart, so that a seed who asks is served without looking at the others.
#[derive(Debug)]
pub(super) struct Many<const N: usize> {
    seeds: Crowd<N>,
    others: Crowd<N>,
}

/// Peers up to which looking at each is cheaper than keeping order: half a kilobyte of IPv4.
const FEW_MAX: usize = 64;

/// Buckets of each half that are swept at once.
const SWEPT_BUCKETS: usize = 16;

/// What a step of a sweep has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Peers looked at, or about as much work.
    pub(super) peers: usize,
    /// Nobody is left to look at.
    pub(super) is_all: bool,
}

/// What an address was before an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// Not there.
    Absent,
    /// There as a seed.
    Seed,
    /// There, lacking something.
    Other,
}

/// What an insertion has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Insertion {
    pub(super) before: Before,
    /// Whether the peer is there now.
    pub(super) is_kept: bool,
}

/// What an insertion may do.
#[derive(Clone, Copy)]
pub(super) struct Room<'a> {
    /// There is memory for one more, who may come.
    pub(super) may_grow: &'a dyn Fn() -> bool,
    /// Most peers where the new one is.
    pub(super) crowding: Crowding,
    pub(super) now: Tick,
}

/// How many peers of a swarm may come from one place; each at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Crowding {
    /// From one IPv4 address or IPv6 /64.
    pub(super) site_peers_max: usize,
    /// From one IPv6 /48.
    pub(super) around_peers_max: usize,
}

impl<const N: usize, const INLINE: usize> Peers<N, INLINE> {
    /// One peer.
    pub(super) fn one(peer: Peer<N>) -> Self {
        Self::Inline { len: 1, peers: [peer; INLINE] }
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Inline { len, .. } => usize::from(*len),
            Self::Few(peers) => peers.len(),
            Self::Many(many) => many.seeds.len() + many.others.len(),
        }
    }

    /// A look at where they lie; gives the large swarm, of which there is more to look at.
    pub(super) fn glance(&self) -> Option<&Many<N>> {
        match self {
            Self::Inline { len, .. } => _ = black_box(*len),
            Self::Few(peers) => _ = black_box(peers.first().map(|peer| peer.address[0])),
            Self::Many(many) => {
                black_box(many.seeds.len() + many.others.len());
                return Some(many);
            }
        }
        None
    }

    /// How many of them are seeds.
    pub(super) fn seeds(&self) -> usize {
        match self {
            Self::Many(many) => many.seeds.len(),
            _ => self.listed().iter().filter(|peer| peer.is_seed()).count(),
        }
    }

    /// Bytes on the heap, as this module allocated them.
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Inline { .. } => 0,
            Self::Few(peers) => allocated(size_of_val(&**peers)),
            Self::Many(many) => allocated(size_of::<Many<N>>()) + many.seeds.heap_bytes() + many.others.heap_bytes(),
        }
    }

    /// Refreshes a peer; adds it, when `room` allows; or puts it in the place of the stalest near it, when there are as
    /// many of these as may be.
    pub(super) fn insert(&mut self, peer: Peer<N>, room: &Room<'_>, hash: impl Fn(&[u8; N]) -> u64) -> Insertion {
        if let Self::Many(many) = self {
            return many.insert(peer, room, hash);
        }
        if let Some(held) = self.listed_mut().iter_mut().find(|held| held.address == peer.address) {
            let before = Before::of(held);
            *held = peer;
            return Insertion { before, is_kept: true };
        }
        let is_kept = if let Some(stalest) = room.in_the_way_of(&peer.address, &self.listed().iter()) {
            let mut listed = self.listed_mut().iter_mut();
            listed.find(|held| held.address == stalest.address).map(|held| *held = peer).is_some()
        } else {
            let may_grow = (room.may_grow)();
            if may_grow {
                self.add(peer, hash);
            }
            may_grow
        };
        Insertion { before: Before::Absent, is_kept }
    }

    /// When somebody was seen last, in ticks before `now`, if there is only one.
    pub(super) fn age_of_only(&self, now: Tick) -> Option<u16> {
        match self.listed() {
            [only] => Some(only.age(now)),
            _ => None,
        }
    }

    /// Whether somebody at another site than that of `address` is here.
    pub(super) fn has_others_than(&self, address: &[u8; N]) -> bool {
        self.listed().iter().any(|held| !held.is_at_site_of(address)) || matches!(self, Self::Many(_))
    }

    /// Takes a peer out; tells what it was.
    pub(super) fn remove(&mut self, address: &[u8; N], hash: impl Fn(&[u8; N]) -> u64) -> Before {
        if let Self::Many(many) = self {
            let hash = hash(address);
            return match () {
                () if many.others.remove(address, hash) => Before::Other,
                () if many.seeds.remove(address, hash) => Before::Seed,
                () => Before::Absent,
            };
        }
        let Some(held) = self.listed().iter().find(|held| held.address == *address) else {
            return Before::Absent;
        };
        let before = Before::of(held);
        let kept: Vec<_> = self.listed().iter().copied().filter(|held| held.address != *address).collect();
        *self = Self::from_list(kept);
        before
    }

    /// Keeps the peers that `keep` wants. Of a large swarm it looks at some buckets at a time, and `bucket` tells where to go
    /// on: `None` at the beginning.
    pub(super) fn sweep(&mut self, bucket: &mut Option<usize>, mut keep: impl FnMut(&Peer<N>) -> bool) -> Part {
        if let Self::Many(many) = self {
            let part = many.sweep(bucket, keep);
            if part.is_all && many.seeds.len() + many.others.len() <= FEW_MAX / 2 {
                *self = Self::from_list(many.seeds.iter().chain(many.others.iter()).copied().collect());
            }
            return part;
        }
        let peers = self.len();
        if !self.listed().iter().all(&mut keep) {
            let kept = self.listed().iter().copied().filter(keep).collect();
            *self = Self::from_list(kept);
        }
        Part { peers, is_all: true }
    }

    /// Gives up to `want` peers at random.
    pub(super) fn draw(&self, want: usize, draw: &Draw<'_, N>, rng: &mut impl Rng, give: &mut impl FnMut(&[u8; N])) {
        if let Self::Many(many) = self {
            return many.draw(want, draw, rng, give);
        }
        let mut eligible = [0u8; FEW_MAX];
        let mut count = 0;
        let peers = self.listed();
        for (position, peer) in (0u8..).zip(peers) {
            if draw.may_have(peer) {
                eligible[count] = position;
                count += 1;
            }
        }
        let eligible = &mut eligible[..count];
        for n in 0..want.min(count) {
            if want < count {
                eligible.swap(n, n + below(count - n, rng));
            }
            give(&peers[usize::from(eligible[n])].address);
        }
    }

    /// The peers of a swarm that is not large.
    fn listed(&self) -> &[Peer<N>] {
        match self {
            Self::Inline { len, peers } => &peers[..usize::from(*len)],
            Self::Few(peers) => peers,
            Self::Many(_) => &[],
        }
    }

    fn listed_mut(&mut self) -> &mut [Peer<N>] {
        match self {
            Self::Inline { len, peers } => &mut peers[..usize::from(*len)],
            Self::Few(peers) => peers,
            Self::Many(_) => &mut [],
        }
    }

    fn add(&mut self, peer: Peer<N>, hash: impl Fn(&[u8; N]) -> u64) {
        let held = self.listed();
        if held.len() == FEW_MAX {
            let mut many = Many { seeds: Crowd::new(), others: Crowd::new() };
            for &peer in held.iter().chain([&peer]) {
                many.half(peer.is_seed()).insert(peer, &hash);
            }
            *self = Self::Many(Box::new(many));
        } else {
            let mut longer = Vec::with_capacity(held.len() + 1);
            longer.extend_from_slice(held);
            longer.push(peer);
            *self = Self::from_list(longer);
        }
    }

    fn from_list(list: Vec<Peer<N>>) -> Self {
        match list.first() {
            Some(&first) if list.len() <= INLINE => {
                let mut peers = [first; INLINE];
                peers[..list.len()].copy_from_slice(&list);
                Self::Inline { len: u8::try_from(list.len()).expect("at most INLINE"), peers }
            }
            _ => Self::Few(list.into_boxed_slice()),
        }
    }
}

impl Room<'_> {
    /// Who has to go for a new peer at `address`: the stalest of its site, or of the network around that, when there are as
    /// many as may be.
    fn in_the_way_of<'a, const N: usize>(
        &self,
        address: &[u8; N],
        held: &(impl Iterator<Item = &'a Peer<N>> + Clone),
    ) -> Option<Peer<N>> {
        let stalest = |is_near: fn(&Peer<N>, &[u8; N]) -> bool, max| {
            let near = held.clone().filter(|held| is_near(held, address));
            let is_crowded = near.clone().count() >= max;
            near.max_by_key(|held| held.age(self.now)).filter(|_| is_crowded).copied()
        };
        let Crowding { site_peers_max, around_peers_max } = self.crowding;
        stalest(Peer::is_at_site_of, site_peers_max).or_else(|| stalest(Peer::is_around, around_peers_max))
    }
}

impl<const N: usize> Many<N> {
    fn half(&mut self, seeds: bool) -> &mut Crowd<N> {
        if seeds { &mut self.seeds } else { &mut self.others }
    }

    fn insert(&mut self, peer: Peer<N>, room: &Room<'_>, hash: impl Fn(&[u8; N]) -> u64) -> Insertion {
        let hashed = hash(&peer.address);
        let is_seed = peer.is_seed();
        if self.half(is_seed).refresh(peer, hashed) {
            return Insertion { before: Before::of(&peer), is_kept: true };
        }
        let moved = self.half(!is_seed).remove(&peer.address, hashed);
        let is_kept = moved || self.make_place(&peer.address, room, hashed);
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
    fn make_place(&mut self, address: &[u8; N], room: &Room<'_>, hash: u64) -> bool {
        let held = self.seeds.neighbours(hash).iter().chain(self.others.neighbours(hash));
        let Some(stalest) = room.in_the_way_of(address, &held) else { return (room.may_grow)() };
        self.half(stalest.is_seed()).remove(&stalest.address, hash)
    }

    /// Sweeps the next buckets of both halves, downwards; behind the last, too many buckets become fewer.
    fn sweep(&mut self, bucket: &mut Option<usize>, mut keep: impl FnMut(&Peer<N>) -> bool) -> Part {
        let all = self.seeds.buckets().max(self.others.buckets());
        let to = bucket.unwrap_or(all).min(all);
        let from = to.saturating_sub(SWEPT_BUCKETS);
        let mut peers = 0;
        for at in from..to {
            peers += self.seeds.retain_in(at, &mut keep) + self.others.retain_in(at, &mut keep);
        }
        *bucket = Some(from);
        if from > 0 {
            return Part { peers, is_all: false };
        }
        let are_few = [&mut self.seeds, &mut self.others].map(Crowd::merge_some);
        Part { peers: peers + SWEPT_BUCKETS, is_all: are_few == [true, true] }
    }

    /// Seeds and others in proportion to their numbers, so that a swarm with many seeds still shows its downloaders.
    fn draw(&self, want: usize, draw: &Draw<'_, N>, rng: &mut impl Rng, give: &mut impl FnMut(&[u8; N])) {
        let [seeds_luck, others_luck] = &mut Self::lucks(rng);
        let [seeds_wanted, others_wanted] = self.split(want, draw.skip_seeds);
        self.seeds.draw(seeds_wanted, draw, seeds_luck, give);
        self.others.draw(others_wanted, draw, others_luck, give);
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

    /// Looks at what [`look`](Self::look) looks at first.
    pub(super) fn approach(&self, sight: &Sight) {
        self.looked_for(sight).approach_bucket(sight.hash);
        self.halves(sight).for_each(|(half, _, mut luck)| half.approach_runs(&mut luck));
    }

    /// Looks at the asker's place and at those who will be drawn for it.
    pub(super) fn look(&self, sight: &Sight) {
        self.looked_for(sight).look_at_bucket(sight.hash);
        self.halves(sight).for_each(|(half, want, mut luck)| _ = half.look_at_runs(want, &mut luck));
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

impl Before {
    fn of<const N: usize>(peer: &Peer<N>) -> Self {
        if peer.is_seed() { Self::Seed } else { Self::Other }
    }
}

#[cfg(test)]
mod tests;
