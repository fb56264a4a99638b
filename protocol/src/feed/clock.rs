//! The order in which entries are shown: a hybrid logical clock, and what to make of other people's.

use thiserror::Error;

use crate::limits::CLOCK_AHEAD_MAX_MS;

const COUNTER_BITS: u32 = 16;
/// Milliseconds above this do not fit a positive 64-bit integer with the counter: the year 6429.
const MS_MAX: u64 = (1 << (63 - COUNTER_BITS)) - 1;

/// A moment of the hybrid logical clock: unix milliseconds, and a counter within the millisecond. spec: ENTRY-18
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stamp(u64);

/// The number is no moment of the clock: not above zero, or beyond 63 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0} is no moment of the hybrid clock")]
pub struct StampError(pub i64);

impl Stamp {
    /// The moment written as this number. spec: ENTRY-18
    pub fn from_number(number: i64) -> Result<Self, StampError> {
        u64::try_from(number).ok().filter(|number| *number > 0).map(Self).ok_or(StampError(number))
    }

    /// The number as which the moment is written.
    pub fn number(self) -> i64 {
        i64::try_from(self.0).expect("a stamp has 63 bits")
    }

    /// Unix milliseconds.
    pub fn unix_ms(self) -> u64 {
        self.0 >> COUNTER_BITS
    }

    fn at(unix_ms: u64) -> Self {
        Self(unix_ms.clamp(1, MS_MAX) << COUNTER_BITS)
    }
}

/// A device's clock: never behind what it gave before, nor behind what it saw in its own feed. spec: ENTRY-18
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    last: u64,
}

impl Clock {
    /// A clock that has seen nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next moment, later than all before.
    pub fn tick(&mut self, now_ms: u64) -> Stamp {
        let next = Stamp::at(now_ms).0.max(self.last.saturating_add(1)).min(i64::MAX as u64);
        self.last = next;
        Stamp(next)
    }

    /// Takes note of an entry of the device's own feed, so that later entries come after it.
    ///
    /// One that is more than ten minutes ahead is passed over: a clock that was wrong once would otherwise stay wrong.
    pub fn observe(&mut self, stamp: Stamp, now_ms: u64) {
        if stamp.unix_ms() <= now_ms.saturating_add(CLOCK_AHEAD_MAX_MS) {
            self.last = self.last.max(stamp.0);
        }
    }
}

/// Where an entry stands in a timeline; greater is shown earlier. spec: ENTRY-19
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shown {
    /// Its clock was more than ten minutes ahead when it was first seen: after all others.
    Last(Stamp),
    /// At this moment.
    At(Stamp),
}

impl Shown {
    /// The place of an entry stamped `stamp` that this machine first saw at `first_seen_ms`.
    pub fn of(stamp: Stamp, first_seen_ms: u64) -> Self {
        if stamp.unix_ms() > first_seen_ms.saturating_add(CLOCK_AHEAD_MAX_MS) {
            return Self::Last(stamp);
        }
        // The counter of the moment it was seen is all ones, so that entries of that very millisecond keep their order.
        let seen = Stamp(Stamp::at(first_seen_ms).0 | ((1 << COUNTER_BITS) - 1));
        Self::At(stamp.min(seen))
    }

    /// The moment to print.
    pub fn stamp(self) -> Stamp {
        match self {
            Self::Last(stamp) | Self::At(stamp) => stamp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    #[test]
    fn every_tick_is_later_even_when_the_clock_stands_or_goes_back() {
        let mut clock = Clock::new();
        let ticks = [NOW, NOW, NOW - 5_000, 0, NOW + 1].map(|now| clock.tick(now));
        assert!(ticks.is_sorted_by(|one, next| one < next), "{ticks:?}");
        assert_eq!(ticks[0].unix_ms(), NOW);
        assert_eq!(ticks[4].unix_ms(), NOW + 1);
    }

    #[test]
    fn a_clock_follows_its_own_feed_but_not_a_wrong_year() {
        let mut clock = Clock::new();
        clock.observe(Stamp::at(NOW + 60_000), NOW);
        assert!(clock.tick(NOW) > Stamp::at(NOW + 60_000));
        clock.observe(Stamp::at(NOW + CLOCK_AHEAD_MAX_MS + 1), NOW);
        assert!(clock.tick(NOW) < Stamp::at(NOW + 61_000));
    }

    #[test]
    fn the_end_of_time_does_not_panic() {
        let mut clock = Clock::new();
        let last = [u64::MAX, u64::MAX].map(|now| clock.tick(now));
        assert!(last[1] >= last[0]);
        for _ in 0..70_000 {
            clock.tick(u64::MAX);
        }
        assert_eq!(clock.tick(u64::MAX).number(), i64::MAX);
    }

    #[test]
    fn an_entry_from_the_future_is_clamped_or_shown_last() {
        let (past, soon, far) = (Stamp::at(NOW - 1), Stamp::at(NOW + 9 * 60_000), Stamp::at(NOW + 11 * 60_000));
        assert_eq!(Shown::of(past, NOW), Shown::At(past));
        assert_eq!(Shown::of(soon, NOW).stamp().unix_ms(), NOW);
        assert_eq!(Shown::of(far, NOW), Shown::Last(far));
        assert!(Shown::of(past, NOW) > Shown::of(far, NOW));
    }

    #[test]
    fn zero_and_negative_numbers_are_no_moments() {
        assert_eq!(Stamp::from_number(0), Err(StampError(0)));
        assert_eq!(Stamp::from_number(-1), Err(StampError(-1)));
        assert_eq!(Stamp::from_number(i64::MAX).map(Stamp::number), Ok(i64::MAX));
    }
}
