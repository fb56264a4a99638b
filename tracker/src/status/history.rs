//! How things stood over the last hour, day and month.

use std::collections::VecDeque;
use std::time::Duration;

use super::snapshot::{Group, Snapshot};

/// Points of every range: what a plot can show.
pub const POINTS: usize = 360;

/// How often a snapshot is put in.
pub const PERIOD: Duration = Duration::from_secs(10);

/// What a plot spans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Range {
    /// An hour, a point per 10 seconds.
    #[default]
    Hour,
    /// A day, a point per 4 minutes.
    Day,
    /// 30 days, a point per 2 hours.
    Month,
}

impl Range {
    /// All, shortest first.
    pub const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Month];

    /// Points of the range before that make one of this: of snapshots for the first.
    const JOINED: [usize; 3] = [1, 24, 30];

    /// Between two points.
    pub fn step(self) -> Duration {
        let snapshots: usize = Self::JOINED[..=self as usize].iter().product();
        PERIOD * u32::try_from(snapshots).expect("720")
    }

    /// The smallest part of it that is shown: 15 minutes, 6 hours, 6 days, so that thirds are round.
    fn first_window(self) -> usize {
        match self {
            Self::Hour | Self::Day => POINTS / 4,
            Self::Month => POINTS / 5,
        }
    }

    /// Its name in addresses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }
}

/// What is measured. Rates are per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Series {
    /// Swarms of both families.
    Swarms,
    /// IPv4 peers.
    PeersV4,
    /// IPv6 peers.
    PeersV6,
    /// Bytes of swarms and peers.
    UsedBytes,
    /// Bytes of the process.
    ResidentBytes,
    /// Open connections.
    Connections,
    /// Datagrams that the kernel dropped because a buffer was full or a checksum wrong, per second.
    KernelDrops,
    /// The counter at this place of [`Snapshot::counts`], per second.
    Count(usize),
}

/// Bounded memory: three rings of [`POINTS`] points of one small number per series, about 200 kB for 40 counters.
#[derive(Clone, Debug, Default)]
pub struct History {
    rings: [Ring; 3],
    last: Option<Snapshot>,
}

#[derive(Clone, Debug, Default)]
struct Ring {
    points: VecDeque<Box<[f32]>>,
    /// Sums of points that do not yet make one of this ring.
    sums: Vec<f64>,
    summed: usize,
}

const GAUGES: usize = 7;

impl History {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts in how things stand, once per [`PERIOD`]. The first one only is what later ones are compared with.
    pub fn push(&mut self, snapshot: Snapshot) {
        if let Some(last) = &self.last {
            let mut values = measure(last, &snapshot);
            for (ring, joined) in self.rings.iter_mut().zip(Range::JOINED) {
                let Some(point) = ring.add(&values, joined) else { break };
                values = point;
            }
        }
        self.last = Some(snapshot);
    }

    /// The points of a series, oldest first, the last one now; at most [`POINTS`].
    pub fn points(&self, range: Range, series: Series) -> impl ExactSizeIterator<Item = f32> {
        let index = series.index();
        self.rings[range as usize].points.iter().map(move |point| point.get(index).copied().unwrap_or(0.0))
    }

    /// How many points a plot should have room for: all, or a part of the range that is easily read while less has been seen.
    pub fn window(&self, range: Range) -> usize {
        let seen = self.rings[range as usize].points.len();
        [range.first_window(), POINTS / 2].into_iter().find(|&part| part >= seen).unwrap_or(POINTS)
    }

    /// The mean of a series over the last minute; 0 before there is any.
    pub fn last_minute(&self, series: Series) -> f32 {
        let points = self.points(Range::Hour, series);
        let skipped = points.len().saturating_sub(6);
        let (sum, count) = points.skip(skipped).fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0_f32));
        sum / count.max(1.0)
    }
}

impl Ring {
    /// Adds to the sums, and returns their mean as a new point when it is complete.
    fn add(&mut self, values: &[f64], joined: usize) -> Option<Vec<f64>> {
        self.sums.resize(values.len(), 0.0);
        for (sum, value) in self.sums.iter_mut().zip(values) {
            *sum += value;
        }
        self.summed += 1;
        if self.summed < joined {
            return None;
        }
        #[allow(clippy::cast_precision_loss, reason = "at most 30")]
        let count = joined as f64;
        let means: Vec<f64> = self.sums.iter().map(|sum| sum / count).collect();
        if self.points.len() == POINTS {
            self.points.pop_front();
        }
        #[allow(clippy::cast_possible_truncation, reason = "a plot shows three digits")]
        self.points.push_back(means.iter().map(|&mean| mean as f32).collect());
        self.sums.fill(0.0);
        self.summed = 0;
        Some(means)
    }
}

impl Series {
    /// The series of all answers of this transport and kind.
    pub fn answers(snapshot: &Snapshot, transport: &str, kind: &str) -> Option<Self> {
        let place = snapshot.counts.iter().position(|count| match count.group {
            Group::Answer { transport: has, kind: of } => has == transport && of == kind,
            _ => false,
        });
        place.map(Self::Count)
    }

    fn index(self) -> usize {
        match self {
            Self::Swarms => 0,
            Self::PeersV4 => 1,
            Self::PeersV6 => 2,
            Self::UsedBytes => 3,
            Self::ResidentBytes => 4,
            Self::Connections => 5,
            Self::KernelDrops => 6,
            Self::Count(place) => GAUGES + place,
        }
    }
}

/// All series between two snapshots, by their index.
fn measure(before: &Snapshot, now: &Snapshot) -> Vec<f64> {
    let seconds = now.up.saturating_sub(before.up).as_secs_f64().max(1.0);
    #[allow(clippy::cast_precision_loss, reason = "a plot shows three digits")]
    let number = |value: u64| value as f64;
    let rate = |before: u64, now: u64| number(now.saturating_sub(before)) / seconds;
    let drops = |of: &Snapshot| of.kernel.receive_buffer + of.kernel.send_buffer + of.kernel.checksum;
    let mut values = vec![
        number(now.swarms()),
        number(now.peers_v4),
        number(now.peers_v6),
        number(now.used_bytes),
        number(now.resident_bytes.unwrap_or(0)),
        number(now.connections),
        rate(drops(before), drops(now)),
    ];
    debug_assert_eq!(values.len(), GAUGES);
    values.extend(before.counts.iter().zip(&now.counts).map(|(before, now)| rate(before.value, now.value)));
    values
}

#[cfg(test)]
mod tests {
    use super::super::snapshot::tests::busy;
    use super::*;

    fn filled(snapshots: u64) -> History {
        let mut history = History::new();
        for n in 0..=snapshots {
            history.push(busy(10 * n));
        }
        history
    }

    #[test]
    fn counters_become_rates_and_gauges_stay() {
        let history = filled(3);
        let points = |series| history.points(Range::Hour, series).collect::<Vec<_>>();
        assert_eq!(points(Series::Count(1)), [1000.0; 3]);
        assert_eq!(points(Series::PeersV6), [700_000.0; 3]);
        assert_eq!(points(Series::KernelDrops), [2.0; 3]);
        assert!((history.last_minute(Series::Count(0)) - 900.0).abs() < 0.01);
    }

    #[test]
    fn the_past_is_kept_coarser_the_older_and_never_more_than_so_many_points() {
        for range in Range::ALL {
            let joined = usize::try_from(range.step().as_secs() / 10).unwrap();
            let history = filled(u64::try_from(joined * 5 / 2).unwrap());
            assert_eq!(history.points(range, Series::Swarms).len(), 2, "{range:?}");
        }
        let history = filled(100_000);
        assert_eq!(Range::ALL.map(|range| history.points(range, Series::Swarms).len()), [POINTS, POINTS, 138]);
    }

    #[test]
    fn a_coarse_point_is_the_mean_of_the_fine_ones() {
        let mut history = History::new();
        for n in 0..=24 {
            history.push(Snapshot { peers_v4: n * 100, ..busy(10 * n) });
        }
        assert_eq!(history.points(Range::Day, Series::PeersV4).collect::<Vec<_>>(), [1250.0]);
    }

    #[test]
    fn a_range_spans_what_its_name_says() {
        let spans = Range::ALL.map(|range| range.step() * 360);
        assert_eq!(spans.map(|span| span.as_secs()), [3600, 24 * 3600, 30 * 24 * 3600]);
    }

    #[test]
    fn a_young_tracker_shows_a_part_of_the_range() {
        let windows = [3, 90, 91, 180, 181, 360].map(|points| filled(points).window(Range::Hour));
        assert_eq!(windows, [90, 90, 180, 180, 360, 360]);
        assert_eq!(filled(360).window(Range::Month), 72);
    }

    #[test]
    fn nothing_is_known_before_the_second_snapshot() {
        let history = filled(0);
        assert_eq!(history.points(Range::Hour, Series::Swarms).len(), 0);
        assert!(history.last_minute(Series::Swarms).abs() < f32::EPSILON);
    }
}
