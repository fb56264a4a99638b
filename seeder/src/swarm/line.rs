//! To how many peers bulk is sent at a time.

use std::time::Duration;

use peerfeed_protocol::peer::Moment;

use super::limits::{CONNECTIONS, LINE_BUSY_PERCENT, SERVE_SLOTS};

/// How long the line is watched before more or fewer are served at a time.
const WATCHED: Duration = Duration::from_secs(1);

/// The line out, where its rate is known.
///
/// What is sent to few at a time is whole with one of them soon, and can be passed on from there; what is sent to all at
/// once is whole with nobody for long. More are served at a time only as long as those few do not fill the line.
#[derive(Debug)]
pub(super) struct Line {
    bytes_per_second: Option<u64>,
    slots: usize,
    /// Since when it is watched.
    since: Moment,
    /// What was sent since then.
    sent_bytes: u64,
    /// Somebody waited for a slot since then.
    wanted: bool,
}

impl Line {
    /// A line of this rate; without one, everybody is served at a time.
    pub(super) fn new(bytes_per_second: Option<u64>) -> Self {
        Self { bytes_per_second, slots: SERVE_SLOTS, since: Moment::START, sent_bytes: 0, wanted: false }
    }

    /// Whether one more may be served beside so many.
    pub(super) fn has_slot(&mut self, now: Moment, busy: usize) -> bool {
        let Some(rate) = self.bytes_per_second else { return true };
        self.watch(now, rate);
        let free = busy < self.slots;
        if !free && !std::mem::replace(&mut self.wanted, true) {
            (self.since, self.sent_bytes) = (now, 0);
        }
        free
    }

    /// Bytes have left.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.sent_bytes += bytes as u64;
    }

    /// Somebody waits for a slot.
    pub(super) fn is_wanted(&self) -> bool {
        self.wanted
    }

    fn watch(&mut self, now: Moment, rate: u64) {
        let micros = now.since(self.since).as_micros();
        if micros < WATCHED.as_micros() {
            return;
        }
        if std::mem::take(&mut self.wanted) {
            let busy = u128::from(self.sent_bytes) * 1_000_000 * 100 >= u128::from(rate) * micros * LINE_BUSY_PERCENT;
            self.slots =
                if busy { (self.slots - 1).max(SERVE_SLOTS) } else { (self.slots + self.slots / 2).min(CONNECTIONS) };
        }
        (self.since, self.sent_bytes) = (now, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Slots after a minute in which each that is served takes so many bytes per second, and everybody wants one.
    fn slots_when_each_takes(bytes_per_second: u64) -> usize {
        let mut line = Line::new(Some(1_000_000));
        for tenth in 0..600 {
            let now = Moment::START.after(Duration::from_millis(tenth * 100));
            assert!(!line.has_slot(now, usize::MAX));
            let busy = line.slots.min(1_000);
            let taken = (bytes_per_second * busy as u64).min(1_000_000) / 10;
            line.sent(usize::try_from(taken).unwrap());
        }
        line.slots
    }

    #[test]
    fn few_are_served_at_a_time_when_they_fill_the_line() {
        assert_eq!(slots_when_each_takes(1_000_000), SERVE_SLOTS);
    }

    #[test]
    fn as_many_are_served_at_a_time_as_it_takes_to_fill_the_line() {
        let slots = slots_when_each_takes(10_000);
        assert!((60..200).contains(&slots), "{slots}");
        assert!(slots_when_each_takes(1) >= 1_000, "who takes next to nothing keeps nobody else waiting");
    }

    #[test]
    fn everybody_is_served_where_no_rate_is_known() {
        assert!(Line::new(None).has_slot(Moment::START, 10_000));
    }
}
