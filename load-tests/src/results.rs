//! The head of a page of results: where, when and of what.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

/// Lines that say which commit was measured, on which machine.
pub fn head(title: &str) -> String {
    let machine = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = value_of(&machine, "model name");
    let memory = value_of(&fs::read_to_string("/proc/meminfo").unwrap_or_default(), "MemTotal");
    let system = value_of(&fs::read_to_string("/etc/os-release").unwrap_or_default(), "PRETTY_NAME");
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!(
        "# {title}\n\n| | |\n|---|---|\n| date | {} |\n| commit | {}{} |\n| compiler | {} |\n| system | {system}, Linux {} |\n| machine | {processor}, {cores} cores, {memory} |\n",
        said("date", &["+%Y-%m-%d"]),
        said("git", &["rev-parse", "--short=12", "HEAD"]),
        if said("git", &["status", "--porcelain", "--untracked-files=no"]).is_empty() { "" } else { " and changes" },
        said("rustc", &["--version"]),
        said("uname", &["-r"]),
    )
}

/// Prints a page, and writes it to a file if one is named.
pub fn publish(page: &str, out: Option<&Path>) -> Result<()> {
    write!(std::io::stdout(), "{page}").context("cannot print the page")?;
    out.map_or(Ok(()), |out| fs::write(out, page).with_context(|| format!("cannot write {}", out.display())))
}

/// Middle value; the lower middle of an even number.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get((sorted.len().saturating_sub(1)) / 2).copied().unwrap_or(f64::NAN)
}

/// A part of a whole; of nothing, as of one.
#[expect(clippy::cast_precision_loss, reason = "figures for a page")]
pub fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    output.map_or_else(|_| "unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn value_of(text: &str, key: &str) -> String {
    text.lines()
        .find(|line| line.starts_with(key))
        .and_then(|line| line.split_once([':', '=']))
        .map_or_else(|| "unknown".to_owned(), |(_, value)| value.trim().trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.0).abs() < f64::EPSILON);
        assert!(median(&[]).is_nan());
    }
}
