//! The peers of one swarm and one address family.

use std::mem::replace;

use rand_core::Rng;

use super::crowd::below;
use super::draw::Draw;
use super::gone::GonePeers;
use super::many::{Many, Part};
use super::record::{Peer, Tick, allocated};
use crate::fetch::{fetch, fetch_one};

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

/// Peers up to which looking at each is cheaper than keeping order: half a kilobyte of IPv4.
pub(super) const FEW_MAX: usize = 64;

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

/// What an insertion may do, and where.
#[derive(Clone, Copy)]
pub(super) struct Room<'a> {
    /// Of the new peer's network: where in a large swarm it belongs.
    pub(super) hash: u64,
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
            Self::Many(many) => many.len(),
        }
    }

    /// Fetches them; of a large swarm only its head, which is given, for there is more to fetch.
    pub(super) fn fetch(&self) -> Option<&Many<N>> {
        match self {
            Self::Inline { .. } => None,
            Self::Few(peers) => {
                fetch(peers);
                None
            }
            Self::Many(many) => {
                fetch_one(&**many);
                Some(many)
            }
        }
    }

    /// How many of them are seeds.
    pub(super) fn seeds(&self) -> usize {
        match self {
            Self::Many(many) => many.seeds(),
            _ => self.listed().iter().filter(|peer| peer.is_seed()).count(),
        }
    }

    /// Bytes on the heap, as this module allocated them.
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Inline { .. } => 0,
            Self::Few(peers) => allocated(size_of_val(&**peers)),
            Self::Many(many) => many.heap_bytes(),
        }
    }

    /// Refreshes a peer; adds it, when `room` allows; or puts it in the place of the stalest near it, when there are as
    /// many of these as may be.
    pub(super) fn insert(&mut self, peer: Peer<N>, room: &Room<'_>, hash: impl Fn(&[u8; N]) -> u64) -> Insertion {
        if let Self::Many(many) = self {
            return many.insert(peer, room, hash);
        }
        if let Some(at) = self.listed().iter().position(Peer::with(&peer.address)) {
            let held = &mut self.listed_mut()[at];
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
    pub(super) fn remove(&mut self, address: &[u8; N], hashed: u64) -> Before {
        if let Self::Many(many) = self {
            return many.remove(address, hashed);
        }
        let Some(held) = self.listed().iter().find(|held| held.address == *address) else {
            return Before::Absent;
        };
        let before = Before::of(held);
        let others = self.listed().iter().copied().filter(|held| held.address != *address);
        *self = Self::of(self.len() - 1, others);
        before
    }

    /// Keeps the peers that `keep` wants. Of a large swarm it looks at some buckets at a time, and `bucket` tells where to go
    /// on: `None` at the beginning. Memory that is not needed any more goes into `gone`.
    pub(super) fn sweep(
        &mut self,
        bucket: &mut Option<usize>,
        keep: impl Fn(&Peer<N>) -> bool,
        gone: &mut GonePeers<N>,
    ) -> Part {
        let held = self.len();
        match self {
            Self::Inline { len, peers } => {
                let mut kept = 0;
                for at in 0..held {
                    if keep(&peers[at]) {
                        peers[usize::from(kept)] = peers[at];
                        kept += 1;
                    }
                }
                *len = kept;
                Part { work: held, is_all: true }
            }
            Self::Few(peers) => {
                let kept = peers.iter().filter(|peer| keep(peer)).count();
                if kept < held {
                    let fewer = Self::of(kept, peers.iter().copied().filter(keep));
                    gone.take(replace(self, fewer));
                }
                Part { work: held, is_all: true }
            }
            Self::Many(many) => {
                let part = many.sweep(bucket, keep, gone);
                if part.is_all && many.are_few() {
                    let few = Self::of(many.len(), many.iter().copied());
                    gone.take(replace(self, few));
                }
                part
            }
        }
    }

    /// Gives up to `want` peers at random.
    pub(super) fn draw(&self, want: usize, draw: &Draw<N>, rng: &mut impl Rng, drawn: &mut Vec<[u8; N]>) {
        if let Self::Many(many) = self {
            return many.draw(want, draw, rng, drawn);
        }
        let peers = self.listed();
        if peers.len() <= want {
            draw.give(peers, want, drawn);
            return;
        }
        let mut eligible = [0u8; FEW_MAX];
        let mut count = 0;
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
            drawn.push(peers[usize::from(eligible[n])].address);
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
            let mut many = Many::new();
            for &peer in held.iter().chain([&peer]) {
                many.add(peer, &hash);
            }
            *self = Self::Many(Box::new(many));
        } else {
            *self = Self::of(held.len() + 1, held.iter().copied().chain([peer]));
        }
    }

    /// Those of a list of this length, at most [`FEW_MAX`].
    fn of(count: usize, mut list: impl Iterator<Item = Peer<N>>) -> Self {
        if count > INLINE {
            let mut few = Vec::with_capacity(count);
            few.extend(list);
            return Self::Few(few.into_boxed_slice());
        }
        let Some(first) = list.next() else { return Self::Few(Box::default()) };
        let mut peers = [first; INLINE];
        for (place, peer) in peers[1..].iter_mut().zip(list) {
            *place = peer;
        }
        Self::Inline { len: u8::try_from(count).expect("at most INLINE"), peers }
    }
}

impl Room<'_> {
    /// Who has to go for a new peer at `address`: the stalest of its site, or of the network around that, when there are as
    /// many as may be.
    pub(super) fn in_the_way_of<'a, const N: usize>(
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

impl Before {
    pub(super) fn of<const N: usize>(peer: &Peer<N>) -> Self {
        if peer.is_seed() { Self::Seed } else { Self::Other }
    }
}

#[cfg(test)]
mod tests;
