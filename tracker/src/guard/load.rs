//! How busy the tracker is, as a stretch of the interval.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Stretches the interval step by step while work comes faster than it is done, and lets it shrink again.
///
/// A listener tells for each stretch of work whether more was already waiting. Answering later announces costs nobody
/// anything, while errors make clients come back sooner and with new connections.
#[derive(Debug)]
pub struct Load {
    /// In percent of the interval set.
    stretch: AtomicU32,
    /// In percent of the lifetime set, times [`LOOKS_PER_LIFETIME_STEP`]: grows with the stretch and shrinks slowly.
    lifetime_stretch: AtomicU32,
    rounds: AtomicU32,
    busy_rounds: AtomicU32,
}

/// In percent: the interval never grows beyond four times.
const STRETCH_MAX: u32 = 400;

/// In percent points per look: from one end to the other in 38 looks.
const STEP: u32 = 8;

/// The lifetime shrinks by a percent point in so many looks: from one end to the other in 8 hours, so that a peer that was
/// told to come back after the longest interval (2 hours by default) is still there when it does.
const LOOKS_PER_LIFETIME_STEP: u32 = 96;

impl Load {
    /// Nothing to do.
    pub fn new() -> Self {
        Self {
            stretch: AtomicU32::new(100),
            lifetime_stretch: AtomicU32::new(100 * LOOKS_PER_LIFETIME_STEP),
            rounds: AtomicU32::new(0),
            busy_rounds: AtomicU32::new(0),
        }
    }

    /// Notes a stretch of work; `was_busy` when more was waiting already.
    pub fn note(&self, was_busy: bool) {
        self.rounds.fetch_add(1, Ordering::Relaxed);
        if was_busy {
            self.busy_rounds.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Draws conclusions; to be called once per second, by one caller, who tells whether it came too late.
    pub fn look(&self, is_late: bool) {
        let rounds = self.rounds.swap(0, Ordering::Relaxed);
        let busy = self.busy_rounds.swap(0, Ordering::Relaxed);
        let stretch = self.stretch.load(Ordering::Relaxed);
        let stretch = if is_late || busy > rounds / 2 {
            (stretch + STEP).min(STRETCH_MAX)
        } else if busy <= rounds / 8 {
            stretch.saturating_sub(STEP).max(100)
        } else {
            stretch
        };
        self.stretch.store(stretch, Ordering::Relaxed);
        let lifetime_stretch = self.lifetime_stretch.load(Ordering::Relaxed) - 1;
        self.lifetime_stretch.store(lifetime_stretch.max(stretch * LOOKS_PER_LIFETIME_STEP), Ordering::Relaxed);
    }

    /// The interval to tell, when `interval` is set.
    pub fn stretched(&self, interval: Duration) -> Duration {
        interval * self.stretch.load(Ordering::Relaxed) / 100
    }

    /// How long peers count, when `lifetime` is set.
    pub fn stretched_lifetime(&self, lifetime: Duration) -> Duration {
        lifetime * self.lifetime_stretch.load(Ordering::Relaxed) / (100 * LOOKS_PER_LIFETIME_STEP)
    }
}

impl Default for Load {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(1800);

    #[test]
    fn the_interval_stretches_fourfold_under_lasting_load_and_shrinks_afterwards() {
        let load = Load::new();
        for second in 0..60 {
            let before = load.stretched(INTERVAL);
            assert!(second < 20 || before > INTERVAL * 2, "{before:?}");
            (0..10).for_each(|n| load.note(n != 0));
            load.look(false);
        }
        assert_eq!(load.stretched(INTERVAL), INTERVAL * 4);
        (0..60).for_each(|_| load.look(false));
        assert_eq!(load.stretched(INTERVAL), INTERVAL);
    }

    #[test]
    fn a_peer_that_was_told_to_come_back_late_is_still_there_then() {
        let lifetime = INTERVAL * 3 / 2;
        let load = Load::new();
        for _ in 0..60 {
            load.note(true);
            load.look(false);
        }
        let told = load.stretched(INTERVAL);
        for _ in 0..told.as_secs() {
            load.look(false);
        }
        assert_eq!(load.stretched(INTERVAL), INTERVAL);
        assert!(load.stretched_lifetime(lifetime) >= told * 6 / 5, "{:?}", load.stretched_lifetime(lifetime));
        (0..30_000).for_each(|_| load.look(false));
        assert_eq!(load.stretched_lifetime(lifetime), lifetime);
    }

    #[test]
    fn looks_that_come_late_are_load_as_well() {
        let load = Load::new();
        (0..10).for_each(|_| load.look(true));
        assert!(load.stretched(INTERVAL) > INTERVAL * 3 / 2);
    }

    #[test]
    fn a_burst_now_and_then_changes_nothing() {
        let load = Load::new();
        for _ in 0..100 {
            (0..10).for_each(|n| load.note(n < 5));
            load.look(false);
        }
        assert_eq!(load.stretched(INTERVAL), INTERVAL);
    }
}
