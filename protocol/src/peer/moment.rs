//! The clock of the pure machines.

use std::time::Duration;

/// A moment of a monotonic clock, in microseconds since an arbitrary start that one process chooses once.
///
/// The driver reads a real clock and passes moments in; tests and simulations count them up. Moments of different
/// processes cannot be compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    /// The start of the clock.
    pub const START: Self = Self(0);

    /// The moment this many microseconds after the start.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the start.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The moment `wait` later; the end of time when there is none so late.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(wait.as_micros()).unwrap_or(u64::MAX)))
    }

    /// How long ago `earlier` was; zero when it is still to come.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_does_not_wrap_at_either_end() {
        let late = Moment::from_micros(u64::MAX - 1);
        assert_eq!(late.after(Duration::from_secs(1)).as_micros(), u64::MAX);
        assert_eq!(Moment::START.since(late), Duration::ZERO);
        assert_eq!(Moment::START.after(Duration::from_millis(2)).since(Moment::START), Duration::from_millis(2));
    }
}
