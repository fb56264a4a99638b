//! How much may be outstanding with a peer.

use std::time::Duration;

use peerfeed_protocol::peer::Moment;

use super::limits::{WINDOW_CAP_BYTES, WINDOW_FLOOR_BYTES};

/// Queue that is kept at the peer beyond what the link holds, as time: it covers the pauses of both schedulers.
const QUEUE: Duration = Duration::from_millis(200);

/// An estimate of a peer's bandwidth-delay product, from answers alone.
///
/// The limit is `rate x (shortest answer time + 200 ms)`. While the window is what holds the rate down, this is more
/// than the window itself, so it grows by a factor with each answer time; once the link or the peer holds the rate down
/// it stays where it is.
#[derive(Clone, Debug)]
pub(super) struct Window {
    rate: f64,
    shortest: Option<Duration>,
    delivered: u64,
}

/// The state of the window when a request was sent; given back with its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    sent: Moment,
    delivered: u64,
}

impl Window {
    /// Nothing is known of the peer.
    pub(super) const fn new() -> Self {
        Self { rate: 0.0, shortest: None, delivered: 0 }
    }

    /// To be kept with a request that is sent now.
    pub(super) fn mark(&self, now: Moment) -> Mark {
        Mark { sent: now, delivered: self.delivered }
    }

    /// An answer of so many bytes came.
    pub(super) fn delivered(&mut self, now: Moment, mark: Mark, bytes: u64) {
        self.delivered += bytes;
        let took = now.since(mark.sent).max(Duration::from_micros(100));
        self.shortest = Some(self.shortest.map_or(took, |shortest| shortest.min(took)));
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let sample = (self.delivered - mark.delivered) as f64 / took.as_secs_f64();
        self.rate = if sample > self.rate { sample } else { 0.9f64.mul_add(self.rate, 0.1 * sample) };
    }

    /// How long the peer takes for so many bytes, as far as anything is known of it.
    pub(super) fn time_for(&self, bytes: u64) -> Option<Duration> {
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let seconds = bytes as f64 / self.rate;
        (self.rate > 0.0).then(|| Duration::from_secs_f64(seconds.min(86_400.0)))
    }

    /// Bytes that may be outstanding.
    pub(super) fn limit_bytes(&self) -> u64 {
        let span = self.shortest.unwrap_or_default() + QUEUE;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped right after")]
        let product = (self.rate * span.as_secs_f64()) as u64;
        product.clamp(WINDOW_FLOOR_BYTES, WINDOW_CAP_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    const REQUEST: u64 = 1 << 20;

    /// A link that serves requests of 1 MiB one after the other; gives the window after `requests` answers.
    fn window_on(bytes_per_second: f64, round_trip: Duration, requests: usize) -> u64 {
        let mut window = Window::new();
        let (mut now, mut link_free) = (Moment::START, Moment::START);
        let mut flight = VecDeque::new();
        for _ in 0..requests {
            while (flight.len() as u64) * REQUEST < window.limit_bytes() {
                let begins = link_free.max(now.after(round_trip));
                link_free = begins.after(Duration::from_secs_f64(1_048_576.0 / bytes_per_second));
                flight.push_back((link_free, window.mark(now)));
            }
            let (arrives, mark) = flight.pop_front().unwrap();
            now = arrives;
            window.delivered(now, mark, REQUEST);
        }
        window.limit_bytes()
    }

    #[test]
    fn a_fast_and_far_link_is_filled() {
        let product = 10_000_000;
        let window = window_on(100e6, Duration::from_millis(100), 400);
        assert!(window >= product, "{window} against {product}");
    }

    #[test]
    fn a_slow_link_has_one_request_under_way_and_one_that_waits() {
        assert_eq!(window_on(1e5, Duration::from_millis(50), 0), WINDOW_FLOOR_BYTES, "one, as nothing is known");
        assert_eq!(window_on(1e5, Duration::from_millis(50), 100).div_ceil(REQUEST), 2);
    }

    #[test]
    fn no_rate_exceeds_the_cap() {
        assert_eq!(window_on(10e9, Duration::from_millis(100), 2_000), WINDOW_CAP_BYTES);
    }
}
