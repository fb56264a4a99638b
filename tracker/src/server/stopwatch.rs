//! How long something takes, and how much of that this thread was running.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Measures what happens between its first two marks.
#[derive(Debug, Default)]
pub(super) struct Stopwatch {
    begun: Option<(Instant, Duration)>,
    /// What has been measured.
    pub(super) taken: Option<Taken>,
}

/// What something took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    /// On the clock on the wall.
    pub(super) time: Duration,
    /// On a processor: the rest is time in which others had it.
    pub(super) running: Duration,
}

impl Stopwatch {
    /// Begins at the first call and ends at the second, on the same thread.
    pub(super) fn mark(&mut self) {
        let Some((begun, ran_before)) = self.begun else {
            // The clock on the wall is asked first and last, so that it sees all that the other one does.
            let begun = Instant::now();
            self.begun = Some((begun, ran()));
            return;
        };
        let running = ran().saturating_sub(ran_before);
        self.taken = self.taken.or(Some(Taken { time: begun.elapsed(), running }));
    }
}

/// How long this thread has run.
fn ran() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let [seconds, nanos] = [time.tv_sec, time.tv_nsec].map(|part| u64::try_from(part).unwrap_or_default());
    Duration::from_secs(seconds) + Duration::from_nanos(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_sleeps_does_not_run() {
        let mut watch = Stopwatch::default();
        watch.mark();
        assert!(watch.taken.is_none());
        std::thread::sleep(Duration::from_millis(50));
        watch.mark();
        let taken = watch.taken.unwrap();
        assert!(taken.time >= Duration::from_millis(50) && taken.running < taken.time, "{taken:?}");
    }
}
