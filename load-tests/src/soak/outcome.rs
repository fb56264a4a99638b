//! What came of it.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::watch::{Look, Watch};
use super::{Answers, Options};

/// Of a hundred announces of honest clients so many must be answered right: the kernel may drop a datagram here and there.
const SERVED_PERCENT_MIN: usize = 99;

/// How a tracker has stood it.
#[derive(Debug)]
pub struct Outcome {
    /// Most memory that its process had.
    pub resident_bytes: u64,
    /// What it was allowed.
    pub budget_bytes: u64,
    /// What swarms and peers took of it at the end.
    pub swarms_bytes: u64,
    /// Announces of honest clients.
    pub asked: usize,
    /// Those that brought the right peer.
    pub served: usize,
    /// How long half of these took at most.
    pub p50: Duration,
    /// How long 99 of 100 took at most.
    pub p99: Duration,
    /// Bytes that the tracker sent to addresses that had proven nothing.
    pub unproven_bytes: u64,
    /// What it counted, by cause.
    pub counts: Vec<(String, u64)>,
}

impl Outcome {
    pub(super) fn new(
        watch: &Watch,
        stats: &Value,
        options: &Options,
        answers: &[Answers],
        unproven_bytes: u64,
    ) -> Result<Self> {
        let all: Vec<_> = answers.iter().flat_map(Answers::all).collect();
        let mut took: Vec<_> = all.iter().copied().flatten().collect();
        took.sort_unstable();
        let mut counts = Vec::new();
        for group in ["answers", "refusals", "events"] {
            for (name, count) in stats[group].as_object().context("no counts")? {
                let total = count["total"].as_u64().context("a count without a total")?;
                counts.extend((total > 0).then(|| (name.clone(), total)));
            }
        }
        Ok(Self {
            resident_bytes: watch.most_resident_bytes()?,
            budget_bytes: options.memory_mib << 20,
            swarms_bytes: stats["memory"]["used_bytes"].as_u64().context("no memory of swarms")?,
            asked: all.len(),
            served: took.len(),
            p50: percentile(&took, 50),
            p99: percentile(&took, 99),
            unproven_bytes,
            counts,
        })
    }

    /// What must not have been.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.resident_bytes > self.budget_bytes {
            faults.push(format!("the process took {} bytes of {}", self.resident_bytes, self.budget_bytes));
        }
        if self.asked == 0 || self.served * 100 < self.asked * SERVED_PERCENT_MIN {
            faults.push(format!("only {} of {} honest announces brought the right peer", self.served, self.asked));
        }
        if self.unproven_bytes > 0 {
            faults.push(format!("{} bytes went to addresses that had proven nothing", self.unproven_bytes));
        }
        faults
    }

    /// For a page of results.
    pub fn page(&self) -> String {
        let mut page = format!(
            "| what | |\n|---|---|\n| most memory of the process | {} of {} MiB |\n| swarms and peers at the end | {} MiB |\n| honest announces served right | {} of {} |\n| half of them within | {} ms |\n| 99 of 100 within | {} ms |\n| bytes sent to unproven addresses | {} |\n\n| counted | |\n|---|---|\n",
            mib(self.resident_bytes),
            mib(self.budget_bytes),
            mib(self.swarms_bytes),
            self.served,
            self.asked,
            ms(self.p50),
            ms(self.p99),
            self.unproven_bytes
        );
        for (name, count) in &self.counts {
            // Writing to a string cannot fail.
            let _ = writeln!(page, "| {name} | {count} |");
        }
        page
    }
}

/// Memory, swarms, announces so far and how long the last tenth of them took.
pub(super) fn row<'a>(look: &Look, answers: impl Iterator<Item = &'a Answers>, rows_before: usize) -> String {
    let (mut asked, mut served, mut recent) = (0, 0, Vec::new());
    for answers in answers.map(Answers::all) {
        let before = answers.len() * rows_before / (rows_before + 1);
        asked += answers.len();
        served += answers.iter().flatten().count();
        recent.extend(answers[before..].iter().copied().flatten());
    }
    recent.sort_unstable();
    let (p50, p99) = (ms(percentile(&recent, 50)), ms(percentile(&recent, 99)));
    format!("{} | {} | {asked} | {served} | {p50} | {p99}", mib(look.resident_bytes), look.swarms)
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or_default()
}

fn mib(bytes: u64) -> String {
    let tenths = (bytes * 10) >> 20;
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn ms(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome() -> Outcome {
        let time = Duration::from_millis(1);
        let (asked, served) = (200, 198);
        let counts = vec![("udp_forged_id".to_owned(), 7)];
        let (resident_bytes, budget_bytes, swarms_bytes, unproven_bytes) = (10, 10, 5, 0);
        Outcome {
            resident_bytes,
            budget_bytes,
            swarms_bytes,
            asked,
            served,
            p50: time,
            p99: time,
            unproven_bytes,
            counts,
        }
    }

    #[test]
    fn each_fault_is_one_by_itself() {
        assert!(outcome().faults().is_empty());
        for broken in [
            Outcome { resident_bytes: 11, ..outcome() },
            Outcome { served: 197, ..outcome() },
            Outcome { asked: 0, served: 0, ..outcome() },
            Outcome { unproven_bytes: 1, ..outcome() },
        ] {
            assert_eq!(broken.faults().len(), 1, "{broken:?}");
        }
        assert!(outcome().page().contains("| udp_forged_id | 7 |"));
    }

    #[test]
    fn percentiles_are_values_that_were_there() {
        let values: Vec<_> = (1..=100).map(Duration::from_millis).collect();
        assert_eq!(percentile(&values, 50), Duration::from_millis(51));
        assert_eq!(percentile(&values, 99), Duration::from_millis(100));
        assert_eq!(percentile(&[], 99), Duration::ZERO);
    }
}
