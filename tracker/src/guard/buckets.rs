//! Token buckets by prefix, in a table that never grows.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use siphasher::sip::SipHasher13;

use super::Prefix;
use crate::fetch::fetch_one;

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
///
/// A bucket is one number, so that no lock is needed: who it belongs to, and when it will be full again. Time is counted in
/// what comes back meanwhile, in parts of a token.
#[derive(Debug)]
pub struct Buckets {
    sets: Box<[Set]>,
    units_per_second: f64,
    burst_units: u64,
    key: [u8; 16],
}

/// The buckets in which a prefix may lie: one line of the processor's cache.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Set([AtomicU64; WAYS]);

/// How many these are.
const WAYS: usize = 8;

/// So many parts has a token: a scrape of one hash costs two of them.
const UNITS_PER_TOKEN: f64 = 16.0;

/// Of a bucket, those that tell when it will be full; the others tell whose it is, and are 0 only in a free one. At the
/// highest rate there is, this many wrap after a year.
const TIME_BITS: u32 = 40;

const TIME: u64 = (1 << TIME_BITS) - 1;

impl Buckets {
    /// Bytes of one bucket.
    pub const BUCKET_BYTES: usize = size_of::<AtomicU64>();

    /// A table of at least `count` full buckets.
    pub fn new(count: usize, rate: Rate, key: [u8; 16]) -> Self {
        let sets = (0..count.div_ceil(WAYS).max(1)).map(|_| Set::default()).collect();
        let units_per_second = rate.per_second * UNITS_PER_TOKEN;
        Self { sets, units_per_second, burst_units: units(rate.burst), key }
    }

    /// Takes `cost` tokens and returns true, if there were any at all: the last ones may be overdrawn.
    pub fn take(&self, prefix: Prefix, cost: f64, now: Duration) -> bool {
        let used = self.change(prefix, now, |used| if used < self.burst_units { used + units(cost) } else { used });
        used < self.burst_units
    }

    /// Takes `cost` tokens, also where that makes a debt: what has already been done has to be paid.
    pub fn debit(&self, prefix: Prefix, cost: f64, now: Duration) {
        self.change(prefix, now, |used| used + units(cost));
    }

    /// Fetches the bucket of a prefix.
    pub fn fetch(&self, prefix: Prefix) {
        fetch_one(self.place(prefix).0);
    }

    /// Whether there are any tokens.
    pub fn has_some(&self, prefix: Prefix, now: Duration) -> bool {
        let (Set(set), tag) = self.place(prefix);
        let now = self.time(now);
        let held = set.iter().map(|bucket| bucket.load(Ordering::Relaxed)).find(|held| held >> TIME_BITS == tag);
        held.is_none_or(|held| self.used(held, now) < self.burst_units)
    }

    /// Changes how much of a prefix's bucket is used up; returns how much was.
    fn change(&self, prefix: Prefix, now: Duration, change: impl Fn(u64) -> u64) -> u64 {
        let (Set(set), tag) = self.place(prefix);
        let now = self.time(now);
        loop {
            let held = set.each_ref().map(|bucket| bucket.load(Ordering::Relaxed));
            let own = held.iter().position(|held| held >> TIME_BITS == tag);
            let place = own.or_else(|| (0..WAYS).min_by_key(|&way| self.used(held[way], now))).expect("there are ways");
            let before = own.map_or(0, |own| self.used(held[own], now));
            // Paying takes twice the time of a burst at most.
            let after = change(before).min(2 * self.burst_units);
            let new = tag << TIME_BITS | (now + after) & TIME;
            // Where another worker was quicker, its change counts as well.
            if set[place].compare_exchange(held[place], new, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return before;
            }
        }
    }

    /// How much is used up of a bucket: what comes back from `now` until it is full.
    fn used(&self, held: u64, now: u64) -> u64 {
        let used = held.wrapping_sub(now) & TIME;
        // What no bucket can owe was full long ago. A clock of another worker may run ahead a little.
        if held == 0 || used > 4 * self.burst_units { 0 } else { used }
    }

    fn place(&self, prefix: Prefix) -> (&Set, u64) {
        let hash = SipHasher13::new_with_key(&self.key).hash(&prefix.to_bytes());
        // A multiplication is quicker than a remainder.
        let share = u128::from(hash.rotate_left(32)) * self.sets.len() as u128;
        let at = usize::try_from(share >> 64).expect("below the number of sets");
        (&self.sets[at], (hash >> TIME_BITS).max(1))
    }

    fn time(&self, now: Duration) -> u64 {
        whole(now.as_secs_f64() * self.units_per_second) & TIME
    }
}

fn units(tokens: f64) -> u64 {
    whole((tokens * UNITS_PER_TOKEN).ceil())
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
        // 2 tokens per second in 16 parts are 2^5 parts per second.
        let wrap = 1 << (TIME_BITS - 5);
        let [before, early, late] = [wrap - 1, wrap - 2, wrap + 1].map(Duration::from_secs);
        buckets.debit(site(1), 10.0, before);
        assert!(!buckets.has_some(site(1), early));
        assert!(buckets.has_some(site(1), late));
    }
}
