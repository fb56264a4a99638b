//! A set of positions in a log, kept as ranges.

use std::collections::BTreeMap;
use std::ops::Range;

/// Positions, as sorted ranges that neither touch nor overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges {
    by_start: BTreeMap<u64, u64>,
}

impl Ranges {
    /// No positions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a range; ranges that touch become one.
    pub fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let (mut start, mut end) = (range.start, range.end);
        while let Some((&other_start, &other_end)) = self.by_start.range(..=end).next_back() {
            if other_end < start {
                break;
            }
            self.by_start.remove(&other_start);
            start = start.min(other_start);
            end = end.max(other_end);
        }
        self.by_start.insert(start, end);
    }

    /// Removes a range.
    pub fn remove(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        while let Some((&start, &end)) = self.by_start.range(..range.end).next_back() {
            if end <= range.start {
                break;
            }
            self.by_start.remove(&start);
            if end > range.end {
                self.by_start.insert(range.end, end);
            }
            if start < range.start {
                self.by_start.insert(start, range.start);
                break;
            }
        }
    }

    /// Whether all of a range is in the set.
    pub fn contains(&self, range: &Range<u64>) -> bool {
        range.is_empty() || self.by_start.range(..=range.start).next_back().is_some_and(|(_, &end)| end >= range.end)
    }

    /// How many positions.
    pub fn len(&self) -> u64 {
        self.by_start.iter().map(|(start, end)| end - start).sum()
    }

    /// Whether there is no position.
    pub fn is_empty(&self) -> bool {
        self.by_start.is_empty()
    }

    /// The ranges, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Range<u64>> + '_ {
        self.by_start.iter().map(|(&start, &end)| start..end)
    }

    /// The parts of `within` that are not in the set, the highest first.
    pub fn gaps_down(&self, within: Range<u64>) -> Vec<Range<u64>> {
        let mut gaps = Vec::new();
        let mut end = within.end;
        for (&start, &stop) in self.by_start.range(..within.end).rev() {
            if stop <= within.start || end <= within.start {
                break;
            }
            if stop < end {
                gaps.push(stop.max(within.start)..end);
            }
            end = end.min(start);
        }
        if end > within.start {
            gaps.push(within.start..end);
        }
        gaps
    }

    /// The parts of `within` that are in the set, the highest first.
    pub fn overlaps_down(&self, within: Range<u64>) -> Vec<Range<u64>> {
        self.by_start
            .range(..within.end)
            .rev()
            .take_while(|(_, end)| **end > within.start)
            .map(|(&start, &end)| start.max(within.start)..end.min(within.end))
            .collect()
    }
}

impl FromIterator<Range<u64>> for Ranges {
    fn from_iter<I: IntoIterator<Item = Range<u64>>>(ranges: I) -> Self {
        let mut set = Self::new();
        for range in ranges {
            set.insert(range);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(ranges: &[Range<u64>]) -> Ranges {
        ranges.iter().cloned().collect()
    }

    #[test]
    fn touching_ranges_become_one() {
        let ranges = set(&[0..2, 4..6, 2..4]);
        assert_eq!(ranges.iter().map(|range| (range.start, range.end)).collect::<Vec<_>>(), [(0, 6)]);
    }

    #[test]
    fn a_hole_is_cut_out_of_a_range() {
        let mut ranges = Ranges::new();
        ranges.insert(0..10);
        ranges.remove(3..5);
        assert_eq!(ranges.iter().collect::<Vec<_>>(), vec![0..3, 5..10]);
        assert_eq!(ranges.gaps_down(0..12), vec![10..12, 3..5]);
        assert_eq!(ranges.overlaps_down(2..6), vec![5..6, 2..3]);
    }

    proptest! {
        #[test]
        fn ranges_behave_as_a_plain_set_of_numbers(steps in prop::collection::vec((any::<bool>(), 0u64..40, 0u64..12), 1..40), from in 0u64..40, length in 0u64..20) {
            let mut ranges = Ranges::new();
            let mut plain = std::collections::BTreeSet::new();
            for (add, start, length) in steps {
                let range = start..start + length;
                if add {
                    ranges.insert(range.clone());
                    plain.extend(range);
                } else {
                    ranges.remove(range.clone());
                    plain.retain(|position| !range.contains(position));
                }
            }
            prop_assert_eq!(ranges.iter().flatten().collect::<Vec<_>>(), plain.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(ranges.len(), plain.len() as u64);
            let within = from..from + length;
            let mut gaps: Vec<_> = ranges.gaps_down(within.clone()).into_iter().flatten().collect();
            gaps.sort_unstable();
            prop_assert_eq!(gaps, within.clone().filter(|p| !plain.contains(p)).collect::<Vec<_>>());
            let mut overlaps: Vec<_> = ranges.overlaps_down(within.clone()).into_iter().flatten().collect();
            overlaps.sort_unstable();
            prop_assert_eq!(overlaps, within.clone().filter(|p| plain.contains(p)).collect::<Vec<_>>());
            prop_assert_eq!(ranges.contains(&within), within.clone().all(|p| plain.contains(&p)));
        }
    }
}
