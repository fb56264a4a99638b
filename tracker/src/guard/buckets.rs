//! Token buckets by prefix, in a table that never grows.

use std::hash::Hasher as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use siphasher::sip::SipHasher13;

use super::Prefix;

/// How much a prefix may use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Tokens that come back per second.
    pub per_second: f64,
    /// Most tokens there can be, and most that can be owed.
    pub burst: f64,
}

/// A bucket of tokens per prefix.
///
/// The table has sets of `WAYS` buckets; a keyed hash chooses the set, so that nobody can aim at one. Where a set has
/// no free bucket, the fullest is given up: it tells least, for a prefix without a bucket counts as one whose bucket is
/// full. Who wants a fresh one has to push others out that are emptier than his own.
#[derive(Debug)]
pub struct Buckets {
    shards: Box<[Mutex<Box<[Set]>>]>,
    sets_per_shard: usize,
    rate: Rate,
    key: [u8; 16],
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// 0 for a free one.
    tag: u32,
    /// When `tokens` was right, in hundredths of a second since the tracker began, modulo 2^32 (497 days).
    at: u32,
    tokens: f64,
}

/// The buckets in which a prefix may lie, in two neighbouring lines of the processor's cache.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(128))]
struct Set([Bucket; WAYS]);

/// How many these are.
const WAYS: usize = 8;

/// Locks: enough that the workers of a large machine rarely meet.
const SHARDS: usize = 64;

impl Buckets {
    /// Bytes of one bucket.
    pub const BUCKET_BYTES: usize = size_of::<Bucket>();

    /// A table of at least `count` full buckets.
    pub fn new(count: usize, rate: Rate, key: [u8; 16]) -> Self {
        let sets_per_shard = count.div_ceil(SHARDS * WAYS).max(1);
        let shard = || Mutex::new(vec![Set::default(); sets_per_shard].into_boxed_slice());
        Self { shards: (0..SHARDS).map(|_| shard()).collect(), sets_per_shard, rate, key }
    }

    /// Takes `cost` tokens and returns true, if there were any at all: the last ones may be overdrawn.
    pub fn take(&self, prefix: Prefix, cost: f64, now: Duration) -> bool {
        self.with(prefix, now, |tokens, rate| {
            let is_allowed = *tokens > 0.0;
            if is_allowed {
                *tokens = (*tokens - cost).max(-rate.burst);
            }
            is_allowed
        })
    }

    /// Takes `cost` tokens, also where that makes a debt: what has already been done has to be paid.
    pub fn debit(&self, prefix: Prefix, cost: f64, now: Duration) {
        self.with(prefix, now, |tokens, rate| *tokens = (*tokens - cost).max(-rate.burst));
    }

    /// Whether there are any tokens.
    pub fn has_some(&self, prefix: Prefix, now: Duration) -> bool {
        let (hash, tag) = self.place(prefix);
        let mut set = self.set(hash);
        let at = ticks(now);
        let held = self.ways(&mut set, hash).iter().find(|bucket| bucket.tag == tag);
        held.is_none_or(|bucket| self.rate.filled(bucket, at) > 0.0)
    }

    fn with<T>(&self, prefix: Prefix, now: Duration, change: impl FnOnce(&mut f64, &Rate) -> T) -> T {
        let (hash, tag) = self.place(prefix);
        let mut set = self.set(hash);
        let ways = self.ways(&mut set, hash);
        let at = ticks(now);
        let position = ways.iter().position(|bucket| bucket.tag == tag);
        let position = position.unwrap_or_else(|| {
            let fill = |bucket: &Bucket| if bucket.tag == 0 { f64::INFINITY } else { self.rate.filled(bucket, at) };
            let fullest = (0..WAYS).max_by(|&a, &b| fill(&ways[a]).total_cmp(&fill(&ways[b])));
            let position = fullest.expect("there are ways");
            ways[position] = Bucket { tag, at, tokens: self.rate.burst };
            position
        });
        let bucket = &mut ways[position];
        let mut tokens = self.rate.filled(bucket, at);
        let result = change(&mut tokens, &self.rate);
        (bucket.tokens, bucket.at) = (tokens, at);
        result
    }

    fn place(&self, prefix: Prefix) -> (usize, u32) {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write(&prefix.to_bytes());
        let hash = hasher.finish();
        let tag = u32::try_from(hash >> 32).expect("half of 64 bits").max(1);
        (usize::try_from(hash & u64::from(u32::MAX)).expect("64-bit platforms only"), tag)
    }

    fn set(&self, hash: usize) -> MutexGuard<'_, Box<[Set]>> {
        self.shards[hash % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ways<'a>(&self, shard: &'a mut MutexGuard<'_, Box<[Set]>>, hash: usize) -> &'a mut [Bucket] {
        &mut shard[hash / SHARDS % self.sets_per_shard].0
    }
}

impl Rate {
    /// The tokens in `bucket` at `at`.
    fn filled(&self, bucket: &Bucket, at: u32) -> f64 {
        // Another worker may have looked at the clock a little later: that is no 497 days.
        let passed = at.wrapping_sub(bucket.at);
        let passed = if passed > u32::MAX / 2 { 0 } else { passed };
        (bucket.tokens + f64::from(passed) / 100.0 * self.per_second).min(self.burst)
    }
}

fn ticks(now: Duration) -> u32 {
    let ticks = now.as_secs() * 100 + u64::from(now.subsec_millis() / 10);
    u32::try_from(ticks % (1 << 32)).expect("a remainder of 2^32")
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    const RATE: Rate = Rate { per_second: 2.0, burst: 10.0 };

    fn site(n: u32) -> Prefix {
        Prefix::site_of(IpAddr::from(n.to_be_bytes()))
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_prefix_gets_its_burst_at_once_and_its_rate_for_ever() {
        let buckets = Buckets::new(1000, RATE, [1; 16]);
        let taken = |now| (0..100).filter(|_| buckets.take(site(1), 1.0, now)).count();
        assert_eq!(taken(at(0)), 10);
        assert_eq!(taken(at(0)), 0);
        assert_eq!(taken(at(3)), 6);
        assert_eq!(taken(at(1_000_000)), 10);
        assert!(buckets.take(site(2), 1.0, at(0)), "another prefix");
    }

    #[test]
    fn a_debt_has_to_be_paid_but_never_takes_longer_than_a_burst() {
        let buckets = Buckets::new(1000, RATE, [1; 16]);
        buckets.debit(site(1), 1e9, at(0));
        assert!(!buckets.has_some(site(1), at(5)) && !buckets.take(site(1), 1.0, at(5)));
        assert!(buckets.has_some(site(1), at(6)) && buckets.take(site(1), 1.0, at(6)));
    }

    #[test]
    fn ever_new_prefixes_do_not_wash_an_empty_bucket_away() {
        let buckets = Buckets::new(512, RATE, [1; 16]);
        buckets.debit(site(0), 20.0, at(0));
        for n in 1..100_000 {
            buckets.take(site(n), 1.0, at(0));
        }
        assert!(!buckets.has_some(site(0), at(0)));
    }

    #[test]
    fn clocks_that_wrap_or_run_back_a_little_give_nothing_away() {
        let buckets = Buckets::new(1000, RATE, [1; 16]);
        let wrap = 10 * (1 << 32);
        let [before, early, late] = [wrap - 1000, wrap - 2000, wrap + 1000].map(Duration::from_millis);
        buckets.debit(site(1), 10.0, before);
        assert!(!buckets.has_some(site(1), early));
        assert!(buckets.has_some(site(1), late));
    }
}
