//! How fast a connection takes what it is given.

use std::time::Duration;

use peerfeed_protocol::peer::Moment;

use super::limits::{SERVE_AHEAD, SERVE_BUFFER_BYTES, SERVE_BUFFER_LEAST_BYTES, SERVE_STALLED};

/// What waits in a connection to be sent, and at what rate that gets less.
#[derive(Clone, Debug, Default)]
pub(super) struct Drain {
    buffered_bytes: usize,
    bytes_per_second: Option<f64>,
    /// When something was taken last, or was there to be taken.
    moved: Moment,
}

impl Drain {
    /// What waits.
    pub(super) fn buffered_bytes(&self) -> usize {
        self.buffered_bytes
    }

    /// How much may wait: what it takes in a moment, so that what is urgent finds little before it on a slow link, and a
    /// fast one never runs dry.
    pub(super) fn limit_bytes(&self) -> usize {
        let Some(rate) = self.bytes_per_second else { return SERVE_BUFFER_BYTES / 2 };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped right after")]
        let ahead = (rate * SERVE_AHEAD.as_secs_f64()) as usize;
        ahead.clamp(SERVE_BUFFER_LEAST_BYTES, SERVE_BUFFER_BYTES)
    }

    /// It was given so many bytes more.
    pub(super) fn filled(&mut self, now: Moment, bytes: usize) {
        if self.buffered_bytes == 0 {
            self.moved = now;
        }
        self.buffered_bytes += bytes;
    }

    /// So many bytes still wait.
    pub(super) fn drained(&mut self, now: Moment, buffered_bytes: usize) {
        let taken = self.buffered_bytes.saturating_sub(buffered_bytes);
        self.buffered_bytes = buffered_bytes;
        if taken == 0 {
            return;
        }
        let took = now.since(self.moved).max(Duration::from_micros(100));
        self.moved = now;
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let sample = taken as f64 / took.as_secs_f64();
        self.bytes_per_second = Some(self.bytes_per_second.map_or(sample, |rate| f64::midpoint(rate, sample)));
    }

    /// Since when it takes nothing of what waits, if that is long.
    pub(super) fn stalled_since(&self, now: Moment) -> Option<Moment> {
        (self.buffered_bytes > 0 && now.since(self.moved) >= SERVE_STALLED).then_some(self.moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit_at(bytes_per_second: usize) -> usize {
        let mut drain = Drain::default();
        let mut now = Moment::START;
        for _ in 0..20 {
            drain.filled(now, 1_000_000);
            now = now.after(Duration::from_secs_f64(1e6 / f64::from(u32::try_from(bytes_per_second).unwrap())));
            drain.drained(now, 0);
        }
        drain.limit_bytes()
    }

    #[test]
    fn little_waits_on_a_slow_link_and_much_on_a_fast_one() {
        assert_eq!(limit_at(100_000), SERVE_BUFFER_LEAST_BYTES);
        assert_eq!(limit_at(100_000_000), SERVE_BUFFER_BYTES);
    }

    #[test]
    fn who_takes_nothing_for_long_is_stalled_and_who_is_idle_is_not() {
        let mut drain = Drain::default();
        let later = Moment::START.after(SERVE_STALLED);
        assert_eq!(drain.stalled_since(later), None);
        drain.filled(Moment::START, 1_000);
        assert_eq!(drain.stalled_since(Moment::START), None);
        assert_eq!(drain.stalled_since(later), Some(Moment::START));
        drain.drained(later, 500);
        assert_eq!(drain.stalled_since(later), None);
    }
}
