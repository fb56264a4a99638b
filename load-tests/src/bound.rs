//! How fast one file can get to many at the best.

/// What a client's line carries, bytes per second.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// Out of it.
    pub up: u64,
    /// Into it; none where nothing limits it.
    pub down: Option<u64>,
}

/// The fluid bound: no schedule brings a file of so many bytes from one seeder to all of these clients in less time.
///
/// The seeder has to send each byte once, the slowest line in has to take them all, and all lines out together have to
/// carry a copy for everybody.
#[expect(clippy::cast_precision_loss, reason = "a time for a page")]
pub fn fluid_seconds(bytes: u64, seeder_up: u64, clients: &[Line]) -> f64 {
    let bytes = bytes as f64;
    let all_up = seeder_up as f64 + clients.iter().map(|client| client.up as f64).sum::<f64>();
    let slowest_down = clients.iter().filter_map(|client| client.down).min();
    let once = bytes / seeder_up as f64;
    let in_all = bytes * clients.len() as f64 / all_up;
    let slowest = slowest_down.map_or(0.0, |down| bytes / down as f64);
    once.max(in_all).max(slowest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(one: f64, other: f64) -> bool {
        (one - other).abs() < 1e-9
    }

    #[test]
    fn each_of_the_three_may_be_what_limits() {
        let line = Line { up: 10, down: None };
        assert!(close(fluid_seconds(1_000, 10, &[line; 1]), 100.0), "the seeder");
        assert!(close(fluid_seconds(1_000, 1_000, &[line; 9]), 9_000.0 / 1_090.0), "all lines out");
        assert!(close(fluid_seconds(1_000, 1_000, &[Line { down: Some(5), ..line }]), 200.0), "a line in");
    }
}
