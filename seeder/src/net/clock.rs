//! The real clocks.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use peerfeed_protocol::peer::Moment;

/// Moments since the start of the node, and the time of day.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// The present moment.
    pub fn now(&self) -> Moment {
        Moment::START.after(self.start.elapsed())
    }

    /// When a moment is or was, for timers.
    pub fn instant(&self, moment: Moment) -> tokio::time::Instant {
        (self.start + Duration::from_micros(moment.as_micros().min(u64::from(u32::MAX) * 1_000_000))).into()
    }

    /// Unix milliseconds; 0 on a machine whose clock is before 1970.
    pub fn unix_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// Days since 1970.
    pub fn unix_day(&self) -> u64 {
        self.unix_ms() / 86_400_000
    }
}
