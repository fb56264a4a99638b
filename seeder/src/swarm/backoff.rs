//! How long to wait after a failure.

use std::time::Duration;

use super::chance::Chance;

/// The wait doubles with each failure in a row, up to a longest one, and is jittered, so that those who failed
/// together do not come back together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// Nothing failed yet.
    pub(super) const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// Failures in a row.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// It worked: the next failure waits the first wait again.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// It failed: how long to wait now.
    pub(super) fn fail(&mut self, chance: &mut Chance) -> Duration {
        let doubled = self.first.saturating_mul(1 << self.failures.min(20));
        self.failures = self.failures.saturating_add(1);
        chance.jitter(doubled.min(self.longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_begin_anew_after_success() {
        let mut chance = Chance::new([1; 32]);
        let mut backoff = Backoff::new(Duration::from_secs(4), Duration::from_secs(60));
        let waits: Vec<_> = (0..8).map(|_| backoff.fail(&mut chance).as_secs_f64()).collect();
        for (wait, around) in waits.iter().zip([4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0, 60.0]) {
            assert!((wait / around - 1.0).abs() <= 0.25, "{wait} around {around}");
        }
        backoff.reset();
        assert!(backoff.fail(&mut chance) <= Duration::from_secs(5));
    }
}
