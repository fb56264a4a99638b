//! Times from request to answer.

use std::time::Duration;

/// Times, each kept in microseconds.
#[derive(Debug, Default)]
pub struct Latencies(Vec<u32>);

impl Latencies {
    /// Notes one.
    pub fn note(&mut self, latency: Duration) {
        self.0.push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
    }

    /// Adds those of another run.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The time within which this share of all answers came; zero without answers.
    pub fn within(&mut self, share: f64) -> Duration {
        self.0.sort_unstable();
        let count = f64::from(u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in the list")]
        let place = (count * share).ceil() as usize;
        let micros = self.0.get(place.max(1) - 1).copied().unwrap_or(0);
        Duration::from_micros(micros.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_all_answers_came_within_its_time() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.within(0.5), Duration::ZERO);
        for micros in (1..=1000).rev() {
            latencies.note(Duration::from_micros(micros));
        }
        let micros = [0.5, 0.99, 0.999, 1.0].map(|share| latencies.within(share).as_micros());
        assert_eq!(micros, [500, 990, 999, 1000]);
    }
}
