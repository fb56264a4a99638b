//! The peers of a large swarm: buckets by keyed hash, so that finding one and drawing some both stay cheap.

use std::mem::replace;

use rand_core::Rng;

use super::draw::Draw;
use super::gone::GonePeers;
use super::record::{Peer, allocated};
use crate::fetch::{fetch, fetch_one};

/// Peers in buckets by linear hashing: adding to 64 times as many splits one bucket at a time, so no step is long.
#[derive(Debug)]
pub(super) struct Crowd<const N: usize> {
    /// At least one; all below `split` and from `1 << level` on have been split at this level.
    buckets: Vec<Vec<Peer<N>>>,
    len: usize,
    /// Of all buckets, kept along: adding them up would make every announce to a large swarm slow.
    bucket_bytes: usize,
}

/// Peers per bucket on average: half a kilobyte to look through, and a vector's header costs 0.4 bytes per peer.
const PEERS_PER_BUCKET: usize = 64;

/// Peers that a full bucket makes room for at once: exact growth wastes little, and this saves most reallocations.
const GROWTH: usize = 4;

/// To look at a bucket, or to put one together with another, is as much work as looking at so many peers more.
const BUCKET_WORK: usize = 8;

/// Buckets that are put together at once.
const MERGES: usize = 32;

/// Peers that an answer takes from one place: two or three lines of memory. Shorter runs cost more lines and more steps for as
/// many peers, longer ones would show the same peers together more often.
const RUN: usize = 16;

/// Runs that are looked for ahead: all that most answers are made of.
const RUNS_AHEAD: usize = 4;

/// Where those runs begin that were looked for ahead.
#[derive(Clone, Copy, Debug)]
pub(super) struct Runs {
    /// The bucket of the first; the others are in the next ones.
    first: usize,
    /// As many as were looked for.
    starts: [usize; RUNS_AHEAD],
    ahead: usize,
}

impl<const N: usize> Crowd<N> {
    /// Nobody.
    pub(super) fn new() -> Self {
        Self { buckets: vec![Vec::new()], len: 0, bucket_bytes: 0 }
    }

    /// How many peers.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        allocated(self.buckets.capacity() * size_of::<Vec<Peer<N>>>()) + self.bucket_bytes
    }

    /// Puts in a peer that is not there yet.
    pub(super) fn insert(&mut self, peer: Peer<N>, hash: impl Fn(&[u8; N]) -> u64) {
        let at = self.bucket_of(hash(&peer.address));
        self.push(at, peer);
        self.len += 1;
        if self.len > self.buckets.len() * PEERS_PER_BUCKET {
            self.split_one(hash);
        }
    }

    /// Overwrites the peer with this address, if it is there.
    pub(super) fn refresh(&mut self, peer: Peer<N>, hash: u64) -> bool {
        let at = self.bucket_of(hash);
        let bucket = &mut self.buckets[at];
        let position = bucket.iter().position(Peer::with(&peer.address));
        position.map(|position| bucket[position] = peer).is_some()
    }

    /// The peers in the bucket of this hash: all those around an address, because the hash is that of its network.
    pub(super) fn neighbours(&self, hash: u64) -> &[Peer<N>] {
        &self.buckets[self.bucket_of(hash)]
    }

    /// Takes out the peer with this address, if it is there.
    pub(super) fn remove(&mut self, address: &[u8; N], hash: u64) -> bool {
        let at = self.bucket_of(hash);
        let bucket = &mut self.buckets[at];
        let Some(position) = bucket.iter().position(Peer::with(address)) else {
            return false;
        };
        bucket.swap_remove(position);
        self.len -= 1;
        true
    }

    /// How many buckets there are.
    pub(super) fn buckets(&self) -> usize {
        self.buckets.len()
    }

    /// Keeps the peers of one bucket that `keep` wants, if there is such a bucket; returns how much work it was.
    pub(super) fn retain_in(
        &mut self,
        at: usize,
        keep: impl FnMut(&Peer<N>) -> bool,
        gone: &mut GonePeers<N>,
    ) -> usize {
        let Some(bucket) = self.buckets.get_mut(at) else { return 0 };
        let held = bucket.len();
        self.bucket_bytes -= bytes_of(bucket);
        bucket.retain(keep);
        if bucket.capacity() > bucket.len() + 2 * GROWTH {
            let mut exact = Vec::with_capacity(bucket.len());
            exact.append(bucket);
            gone.runs.push(replace(bucket, exact));
        }
        self.bucket_bytes += bytes_of(bucket);
        self.len -= held - bucket.len();
        held + BUCKET_WORK
    }

    /// Whether no buckets should be put together: they are at least half as many as peers would fill, so that many have to
    /// come before they are split again.
    pub(super) fn is_dense(&self) -> bool {
        self.buckets.len() == 1 || self.buckets.len() * PEERS_PER_BUCKET <= 2 * self.len
    }

    /// Puts at most [`MERGES`] buckets together until they are [dense](Self::is_dense) enough; returns how much work it was.
    pub(super) fn merge_some(&mut self, gone: &mut GonePeers<N>) -> usize {
        let mut work = 0;
        for _ in 0..MERGES {
            if self.is_dense() {
                break;
            }
            let Some(last) = self.buckets.pop() else { break };
            let into = source_of(self.buckets.len());
            let joined = [&self.buckets[into][..], &last].concat();
            work += joined.len() + BUCKET_WORK;
            self.bucket_bytes += bytes_of(&joined);
            for old in [replace(&mut self.buckets[into], joined), last] {
                self.bucket_bytes -= bytes_of(&old);
                gone.runs.push(old);
            }
        }
        if self.buckets.capacity() > 2 * self.buckets.len() {
            let mut buckets = Vec::with_capacity(self.buckets.len());
            buckets.append(&mut self.buckets);
            gone.buckets.push(replace(&mut self.buckets, buckets));
        }
        work
    }

    /// Every peer.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Peer<N>> {
        self.buckets.iter().flatten()
    }

    /// Gives about `want` living peers, drawn at random, without the asker: runs from successive buckets, beginning at a
    /// random one, each run at a random place.
    pub(super) fn draw(&self, want: usize, draw: &Draw<N>, rng: &mut impl Rng, drawn: &mut Vec<[u8; N]>) {
        let mut left = want.min(self.len);
        if left == 0 {
            return;
        }
        let length = self.run_length(want);
        let runs = self.runs(want, rng, |_| ());
        let asker_bucket = self.bucket_of(draw.asker_hash);
        for n in 0..self.buckets.len() {
            let at = self.nth_from(runs.first, n);
            let bucket = &self.buckets[at];
            let give = if at == asker_bucket { Draw::give } else { Draw::give_others };
            let start =
                runs.starts[..runs.ahead].get(n).map_or_else(|| below(bucket.len().max(1), rng), |&start| start);
            let (head, tail) = bucket.split_at(start.min(bucket.len()));
            let run = length.min(left);
            let given = give(draw, tail, run, drawn);
            left -= given;
            if given < run {
                left -= give(draw, head, run - given, drawn);
            }
            if left == 0 {
                return;
            }
        }
    }

    /// How many peers are taken from one bucket: more where buckets are few or half full.
    fn run_length(&self, want: usize) -> usize {
        if want >= self.len {
            return usize::MAX;
        }
        want.div_ceil(want.div_ceil(RUN).max(1)).max((2 * want).div_ceil(self.buckets.len()))
    }

    /// How many runs are looked for ahead.
    fn runs_ahead(&self, want: usize) -> usize {
        want.div_ceil(RUN).min(RUNS_AHEAD).min(self.buckets.len())
    }

    /// Fetches what [`fetch_runs`](Self::fetch_runs) with the same luck looks at.
    pub(super) fn approach_runs(&self, want: usize, rng: &mut impl Rng) {
        let first = below(self.buckets.len(), rng);
        for n in [0, self.runs_ahead(want).saturating_sub(1)] {
            fetch_one(self.bucket_from(first, n));
        }
    }

    /// Fetches the runs that [`draw`](Self::draw) with the same luck gives first. Without, the processor would wait for one run
    /// after the other, which takes longer than everything else about an announce.
    pub(super) fn fetch_runs(&self, want: usize, rng: &mut impl Rng) -> Runs {
        self.runs(want, rng, fetch)
    }

    /// Where the first runs of a draw begin; `meet` is shown each, in two pieces where it goes on at its bucket's beginning.
    fn runs(&self, want: usize, rng: &mut impl Rng, mut meet: impl FnMut(&[Peer<N>])) -> Runs {
        let (length, ahead) = (self.run_length(want), self.runs_ahead(want));
        let first = below(self.buckets.len(), rng);
        let mut starts = [0; RUNS_AHEAD];
        for (n, start) in starts[..ahead].iter_mut().enumerate() {
            let bucket = self.bucket_from(first, n);
            *start = below(bucket.len().max(1), rng);
            let (head, tail) = bucket.split_at((*start).min(bucket.len()));
            meet(&tail[..length.min(tail.len())]);
            meet(&head[..length.saturating_sub(tail.len()).min(head.len())]);
        }
        Runs { first, starts, ahead }
    }

    /// Fetches what [`fetch_bucket`](Self::fetch_bucket) looks at.
    pub(super) fn approach_bucket(&self, hash: u64) {
        fetch_one(&self.buckets[self.bucket_of(hash)]);
    }

    /// Fetches the bucket of this hash.
    pub(super) fn fetch_bucket(&self, hash: u64) {
        fetch(self.neighbours(hash));
    }

    /// Which bucket is `n` behind the first one of a draw.
    fn nth_from(&self, first: usize, n: usize) -> usize {
        let (at, count) = (first + n, self.buckets.len());
        if at < count { at } else { at - count }
    }

    /// The bucket `n` behind the first one of a draw.
    fn bucket_from(&self, first: usize, n: usize) -> &Vec<Peer<N>> {
        &self.buckets[self.nth_from(first, n)]
    }

    /// Linear hashing: as many low bits of the hash as address a bucket that exists.
    fn bucket_of(&self, hash: u64) -> usize {
        let count = self.buckets.len();
        let mask = count.next_power_of_two() - 1;
        let hash = usize::try_from(hash).expect("64-bit platforms only");
        if hash & mask < count { hash & mask } else { hash & (mask >> 1) }
    }

    /// Adds one bucket and moves into it what belongs there from the one bucket that held it so far.
    fn split_one(&mut self, hash: impl Fn(&[u8; N]) -> u64) {
        let new = self.buckets.len();
        let source = source_of(new);
        if self.buckets.len() == self.buckets.capacity() {
            self.buckets.reserve_exact((new / 4).max(1));
        }
        self.buckets.push(Vec::new());
        let peers = std::mem::take(&mut self.buckets[source]);
        self.bucket_bytes -= bytes_of(&peers);
        for peer in peers {
            let at = self.bucket_of(hash(&peer.address));
            self.push(at, peer);
        }
    }

    fn push(&mut self, at: usize, peer: Peer<N>) {
        let bucket = &mut self.buckets[at];
        if bucket.len() == bucket.capacity() {
            self.bucket_bytes -= bytes_of(bucket);
            // With one fewer at first, IPv4 peers and what the allocator adds fill its sizes to the last byte.
            bucket.reserve_exact(if bucket.is_empty() { GROWTH - 1 } else { GROWTH });
            self.bucket_bytes += bytes_of(bucket);
        }
        bucket.push(peer);
    }
}

/// A number below `bound`, which is at least 1; the bias of the multiplication is below one in 2^32.
pub(super) fn below(bound: usize, rng: &mut impl Rng) -> usize {
    let bound = u64::try_from(bound).expect("64-bit platforms only");
    let product = u64::from(rng.next_u32()) * (bound & u64::from(u32::MAX));
    usize::try_from(product >> 32).expect("below the bound")
}

/// From which bucket the one that comes next is split.
fn source_of(new: usize) -> usize {
    new - (new + 1).next_power_of_two() / 2
}

/// Bytes on the heap of one bucket.
fn bytes_of<const N: usize>(bucket: &Vec<Peer<N>>) -> usize {
    allocated(bucket.capacity() * size_of::<Peer<N>>())
}

#[cfg(test)]
mod tests;
