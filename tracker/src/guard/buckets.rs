//! Token buckets by prefix, in a table that never grows.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::fetch::fetch_one;

/// How much a prefix may use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Tokens that come back per second.
    pub per_second: f64,
    /// Most tokens there can be, and most that can be owed.
    pub burst: f64,
}

/// So many tokens, counted in sixteenths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tokens(u64);

/// A bucket of tokens per prefix.
///
/// The table has sets of `WAYS` buckets; the prefix's keyed hash chooses the set, so that nobody can aim at one. Where a set
/// has no free bucket, the fullest is given up: it tells least, for a prefix without a bucket counts as one whose bucket is
/// full. Who wants a fresh one has to push others out that are emptier than his own.
///
/// A bucket is one number, so that no lock is needed: who it belongs to, and when it will be full again. Time is counted in
/// what comes back meanwhile, in parts of a token.
#[derive(Debug)]
pub struct Buckets {
    sets: Box<[Set]>,
    /// What comes back per nanosecond, in parts of a 2^64th of a sixteenth of a token.
    per_nanosecond: u64,
    burst: Tokens,
}

/// The buckets in which a prefix may lie: one line of the processor's cache.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Set([AtomicU64; WAYS]);

/// How many these are.
const WAYS: usize = 8;

/// Of a bucket, those that tell when it will be full; the others tell whose it is, and are 0 only in a free one. At the
/// highest rate there is, this many wrap after a year.
const TIME_BITS: u32 = 40;

const TIME: u64 = (1 << TIME_BITS) - 1;

impl Tokens {
    /// Parts of a token.
    const PARTS: u32 = 16;

    /// Whole ones.
    pub const fn whole(count: u64) -> Self {
        Self(count * Self::PARTS as u64)
    }

    /// Eighths of one.
    pub const fn eighths(count: u64) -> Self {
        Self(count * Self::PARTS as u64 / 8)
    }

    /// So many times as many.
    #[must_use]
    pub const fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count))
    }

    /// These and those.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0.saturating_add(others.0))
    }
}

impl Buckets {
    /// Bytes of one bucket.
    pub const BUCKET_BYTES: usize = size_of::<AtomicU64>();

    /// A table of at least `count` full buckets.
    pub fn new(count: usize, rate: Rate) -> Self {
        const NANOSECONDS: f64 = 1e9;
        let sets = (0..count.div_ceil(WAYS).max(1)).map(|_| Set::default()).collect();
        let parts = |tokens: f64| tokens * f64::from(Tokens::PARTS);
        Self {
            sets,
            per_nanosecond: whole(parts(rate.per_second) / NANOSECONDS * 2f64.powi(64)),
            burst: Tokens(whole(parts(rate.burst).ceil())),
        }
    }

    /// Takes `cost` from the bucket of the prefix with this hash and returns true, if there were any tokens at all: the last
    /// ones may be overdrawn.
    pub fn take(&self, prefix: u64, cost: Tokens, now: Duration) -> bool {
        let Tokens(burst) = self.burst;
        self.change(prefix, now, |used| if used < burst { used.saturating_add(cost.0) } else { used }) < burst
    }

    /// Takes `cost`, also where that makes a debt: what has already been done has to be paid.
    pub fn debit(&self, prefix: u64, cost: Tokens, now: Duration) {
        self.change(prefix, now, |used| used.saturating_add(cost.0));
    }

    /// Fetches the bucket of a prefix.
    pub fn fetch(&self, prefix: u64) {
        fetch_one(self.place(prefix).0);
    }

    /// Whether there are any tokens.
    pub fn has_some(&self, prefix: u64, now: Duration) -> bool {
        let (Set(set), tag) = self.place(prefix);
        let now = self.time(now);
        let held = set.iter().map(|bucket| bucket.load(Ordering::Relaxed)).find(|held| held >> TIME_BITS == tag);
        held.is_none_or(|held| self.used(held, now) < self.burst.0)
    }

    /// Changes how much of a prefix's bucket is used up; returns how much was.
    fn change(&self, prefix: u64, now: Duration, change: impl Fn(u64) -> u64) -> u64 {
        let (Set(set), tag) = self.place(prefix);
        let now = self.time(now);
        loop {
            let look = |bucket: &AtomicU64| bucket.load(Ordering::Relaxed);
            let own = set.iter().map(|bucket| (bucket, look(bucket))).find(|(_, held)| held >> TIME_BITS == tag);
            let before = own.map_or(0, |(_, held)| self.used(held, now));
            let all = set.iter().map(|bucket| (bucket, look(bucket)));
            let fullest = || all.min_by_key(|&(_, held)| self.used(held, now)).expect("there are ways");
            let (bucket, held) = own.unwrap_or_else(fullest);
            // Paying takes twice the time of a burst at most.
            let after = change(before).min(2 * self.burst.0);
            let new = tag << TIME_BITS | (now + after) & TIME;
            // Where another worker was quicker, its change counts as well.
            if bucket.compare_exchange(held, new, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return before;
            }
        }
    }

    /// How much is used up of a bucket: what comes back from `now` until it is full.
    fn used(&self, held: u64, now: u64) -> u64 {
        let used = held.wrapping_sub(now) & TIME;
        // What no bucket can owe was full long ago. A clock of another worker may run ahead a little.
        if held == 0 || used > 4 * self.burst.0 { 0 } else { used }
    }

    fn place(&self, prefix: u64) -> (&Set, u64) {
        // A multiplication is quicker than a remainder.
        let share = u128::from(prefix.rotate_left(32)) * self.sets.len() as u128;
        let at = usize::try_from(share >> 64).expect("below the number of sets");
        (&self.sets[at], (prefix >> TIME_BITS).max(1))
    }

    /// What has come back since the beginning, as far as buckets tell.
    fn time(&self, now: Duration) -> u64 {
        let parts = now.as_nanos().wrapping_mul(self.per_nanosecond.into()) >> 64;
        u64::try_from(parts & u128::from(TIME)).expect("few bits are left")
    }
}

/// The whole part of a number that is not negative.
fn whole(number: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "too large a number becomes the largest"
    )]
    let whole = number as u64;
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_second: 2.0, burst: 10.0 };
    const ONE: Tokens = Tokens::whole(1);

    /// As a hash would scatter them.
    fn site(n: u64) -> u64 {
        let mixed = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_prefix_gets_its_burst_at_once_and_its_rate_for_ever() {
        let buckets = Buckets::new(1000, RATE);
        let taken = |now| (0..100).filter(|_| buckets.take(site(1), ONE, now)).count();
        assert_eq!(taken(at(0)), 10);
        assert_eq!(taken(at(0)), 0);
        assert_eq!(taken(at(3)), 6);
        assert_eq!(taken(at(1_000_000)), 10);
        assert!(buckets.take(site(2), ONE, at(0)), "another prefix");
    }

    #[test]
    fn a_debt_has_to_be_paid_but_never_takes_longer_than_a_burst() {
        let buckets = Buckets::new(1000, RATE);
        buckets.debit(site(1), Tokens::whole(1 << 40), at(0));
        assert!(!buckets.has_some(site(1), at(5)) && !buckets.take(site(1), ONE, at(5)));
        assert!(buckets.has_some(site(1), at(6)) && buckets.take(site(1), ONE, at(6)));
    }

    #[test]
    fn ever_new_prefixes_do_not_wash_an_empty_bucket_away() {
        let buckets = Buckets::new(512, RATE);
        buckets.debit(site(0), Tokens::whole(20), at(0));
        for n in 1..100_000 {
            buckets.take(site(n), ONE, at(0));
        }
        assert!(!buckets.has_some(site(0), at(0)));
    }

    #[test]
    fn clocks_that_wrap_or_run_back_a_little_give_nothing_away() {
        let buckets = Buckets::new(1000, RATE);
        // 2 tokens per second in 16 parts are 2^5 parts per second.
        let wrap = 1 << (TIME_BITS - 5);
        let [before, early, late] = [wrap - 1, wrap - 2, wrap + 1].map(Duration::from_secs);
        buckets.debit(site(1), Tokens::whole(10), before);
        assert!(!buckets.has_some(site(1), early));
        assert!(buckets.has_some(site(1), late));
    }
}
