//! How many bytes of one feed, or questions of one peer, may pass in a second.

use std::time::Duration;

use peerfeed_protocol::peer::Moment;

/// Answers have their moment one after the other, so that on average no more passes than the rate; an answer itself is
/// not cut.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    per_second: Option<u64>,
    /// When everything that was let through has passed.
    free: Moment,
}

impl Pace {
    /// So many in a second.
    pub(super) const fn of(per_second: u64) -> Self {
        Self { per_second: Some(per_second), free: Moment::START }
    }

    /// Whether one more may pass beside as many as pass in this time.
    pub(super) fn admits(&mut self, now: Moment, burst: Duration) -> bool {
        let admits = self.free.since(now) < burst;
        if admits {
            self.take(now, 1);
        }
        admits
    }

    /// Sets the rate, or none.
    pub(super) fn set(&mut self, per_second: Option<u64>) {
        if self.per_second != per_second {
            *self = Self { per_second: per_second.map(|rate| rate.max(1)), free: Moment::START };
        }
    }

    /// When something may pass, if not now.
    pub(super) fn waits_until(&self, now: Moment) -> Option<Moment> {
        Some(self.free).filter(|free| self.per_second.is_some() && *free > now)
    }

    /// So many bytes pass.
    pub(super) fn take(&mut self, now: Moment, bytes: u64) {
        let Some(rate) = self.per_second else { return };
        let took = Duration::from_micros(bytes.saturating_mul(1_000_000) / rate);
        self.free = self.free.max(now).after(took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_passes_than_the_rate_and_what_was_not_used_is_lost() {
        let mut pace = Pace::default();
        pace.take(Moment::START, 1 << 40);
        assert_eq!(pace.waits_until(Moment::START), None, "there is no rate");
        pace.set(Some(1_000));
        let mut now = Moment::START.after(Duration::from_secs(100));
        let began = now;
        for _ in 0..10 {
            assert_eq!(pace.waits_until(now), None);
            pace.take(now, 500);
            now = pace.waits_until(now).expect("half a second has to pass");
        }
        assert_eq!(now.since(began), Duration::from_secs(5));
        pace.set(Some(1_000));
        pace.take(now, 500);
        assert!(pace.waits_until(now).is_some(), "setting the same rate again forgives nothing");
    }
}
