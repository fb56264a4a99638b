//! How many pings of a peer are answered. spec: PEER-55

use std::time::Duration;

use super::moment::Moment;
use crate::limits::{PINGS_AT_ONCE, PINGS_PER_SECOND};

/// The pings of one peer. Each takes its part of a second, of which only so many may be taken ahead.
#[derive(Debug, Default)]
pub(super) struct Pings {
    taken_until: Moment,
}

impl Pings {
    /// Whether a ping that came now is answered.
    pub(super) fn admit(&mut self, now: Moment) -> bool {
        let each = Duration::from_secs(1) / PINGS_PER_SECOND;
        let admitted = self.taken_until.since(now) < each * PINGS_AT_ONCE;
        if admitted {
            self.taken_until = self.taken_until.max(now).after(each);
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_at_once_are_answered_and_then_so_many_in_a_second() {
        let mut pings = Pings::default();
        let mut answered = |now: Moment| (0..1_000).filter(|_| pings.admit(now)).count();
        let mut now = Moment::START.after(Duration::from_secs(1_000));
        assert_eq!(answered(now), PINGS_AT_ONCE as usize);
        for _ in 0..3 {
            now = now.after(Duration::from_secs(1));
            assert_eq!(answered(now), PINGS_PER_SECOND as usize);
        }
        assert_eq!(answered(now.after(Duration::from_secs(1_000))), PINGS_AT_ONCE as usize);
    }
}
