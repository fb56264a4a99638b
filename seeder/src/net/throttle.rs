//! How many bytes a second may pass, over all connections together.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use peerfeed_protocol::peer::Moment;

/// Bytes of a piece at most: what one connection sends before it is another one's turn.
pub(super) const PIECE_BYTES: usize = 64 << 10;

/// Bytes of a piece at least: a packet on an ordinary link.
const PIECE_BYTES_MIN: u64 = 1_460;

/// What a record adds to a message: room for that is left where only some are to be sent.
pub(super) const RECORD_OVERHEAD_BYTES: usize = 64;

/// A piece takes no longer than this, so that connections take turns quickly.
const PIECE_MICROS: u64 = 50_000;

/// What was not used of the rate lately may be used later, for so long.
const BURST_MICROS: u64 = 100_000;

/// How far urgent messages may run ahead of the rate; beyond it they wait in the queue as everything does.
const AHEAD_MAX: Duration = Duration::from_secs(1);

/// A queue of pieces, each of which has its moment; who asks first goes first, so connections that always have something to
/// pass take turns.
#[derive(Debug, Default)]
pub struct Throttle {
    bytes_per_second: Option<u64>,
    /// When everything that was let through has passed.
    free: Mutex<Moment>,
}

impl Throttle {
    /// Lets so many bytes pass in a second, or as many as there are.
    pub fn new(bytes_per_second: Option<u64>) -> Self {
        Self { bytes_per_second: bytes_per_second.map(|rate| rate.max(1)), free: Mutex::default() }
    }

    /// Whether there is a rate.
    pub(super) fn is_limited(&self) -> bool {
        self.bytes_per_second.is_some()
    }

    /// Bytes of one piece.
    pub(super) fn piece_bytes(&self) -> usize {
        let Some(rate) = self.bytes_per_second else { return PIECE_BYTES };
        let most = PIECE_BYTES as u64;
        let bytes = (rate.saturating_mul(PIECE_MICROS) / 1_000_000).clamp(PIECE_BYTES_MIN, most);
        usize::try_from(bytes).unwrap_or(PIECE_BYTES)
    }

    /// Takes a place in the queue: when so many bytes may pass.
    pub(super) fn reserve(&self, now: Moment, bytes: usize) -> Moment {
        let Some(rate) = self.bytes_per_second else { return now };
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = Moment::from_micros(now.as_micros().saturating_sub(BURST_MICROS));
        let begins = (*free).max(earliest);
        *free = begins.after(Duration::from_micros((bytes as u64).saturating_mul(1_000_000) / rate));
        begins.max(now)
    }

    /// Takes a place in the queue for the next piece of what waits on a connection: no more than that has, since a short
    /// message that took the time of a whole piece would leave the line idle.
    pub(super) fn turn(&self, now: Moment, waiting_bytes: usize) -> Turn {
        let with_records = waiting_bytes + waiting_bytes / 128 + RECORD_OVERHEAD_BYTES;
        let bytes = self.piece_bytes().min(with_records);
        Turn { at: self.reserve(now, bytes), bytes }
    }

    /// Whether what is urgent may pass those in the queue.
    pub(super) fn may_overtake(&self, now: Moment) -> bool {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).since(now) < AHEAD_MAX
    }
}

/// A place in the queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    /// When it is its turn.
    pub at: Moment,
    /// Bytes that may pass then.
    pub bytes: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that pass within ten seconds when `connections` always have a piece to pass, by connection.
    fn passed(throttle: &Throttle, connections: usize) -> Vec<usize> {
        let end = Moment::START.after(Duration::from_secs(10));
        let mut next = vec![Moment::START; connections];
        let mut bytes = vec![0; connections];
        while let Some(at) = (0..connections).filter(|at| next[*at] < end).min_by_key(|at| next[*at]) {
            bytes[at] += throttle.piece_bytes();
            next[at] = throttle.reserve(next[at], throttle.piece_bytes());
        }
        bytes
    }

    #[test]
    fn the_rate_is_kept_and_shared_evenly() {
        let bytes = passed(&Throttle::new(Some(100_000)), 7);
        let all: usize = bytes.iter().sum();
        assert!((950_000..=1_100_000).contains(&all), "{all}");
        assert!(bytes.iter().all(|of_one| of_one.abs_diff(all / 7) < 15_000), "{bytes:?}");
    }

    #[test]
    fn short_messages_take_no_more_of_the_line_than_they_have() {
        let throttle = Throttle::new(Some(1_000_000));
        let last = (0..1_000).map(|_| throttle.turn(Moment::START, 100)).last().unwrap();
        assert!(last.bytes < 200, "{last:?}");
        assert!(last.at.since(Moment::START) < Duration::from_millis(200), "{last:?}");
        assert_eq!(throttle.turn(Moment::START, 10 << 20).bytes, throttle.piece_bytes());
    }

    #[test]
    fn without_a_rate_everything_passes_at_once() {
        let throttle = Throttle::new(None);
        assert!((0..1_000).all(|_| throttle.reserve(Moment::START, 1 << 20) == Moment::START));
        assert!(throttle.may_overtake(Moment::START));
    }

    #[test]
    fn what_is_urgent_passes_the_queue_but_not_for_ever() {
        let throttle = Throttle::new(Some(10_000));
        assert!(throttle.may_overtake(Moment::START));
        throttle.reserve(Moment::START, 20_000);
        assert!(!throttle.may_overtake(Moment::START));
        assert!(throttle.may_overtake(Moment::START.after(Duration::from_secs(2))));
    }
}
