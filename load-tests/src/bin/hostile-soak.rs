//! A tracker with little memory, attacked in every way at once, with honest clients beside it.
//!
//! Ends with 1 when it took more memory than it was given, when honest clients were not served, or when anybody got an
//! answer without having proven its address.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use peerfeed_load_tests::results::head;
use peerfeed_load_tests::soak::{Options, run};

/// Attacks a tracker and tells how it stood it.
#[derive(Debug, Parser)]
struct Arguments {
    /// How long, seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// The tracker's memory, MiB; the least that it takes is 32.
    #[arg(long, default_value_t = 32)]
    memory_mib: u64,
    /// Pairs of honest clients.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=100))]
    pairs: u8,
    /// Threads for each kind of attack.
    #[arg(long, default_value_t = 1)]
    attackers: u8,
    /// From which everything random follows.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the page of results here too.
    #[arg(long)]
    out: Option<PathBuf>,
}

fn main() -> Result<ExitCode> {
    let Arguments { seconds, memory_mib, pairs, attackers, seed, out } = Arguments::parse();
    let duration = Duration::from_secs(seconds);
    let mut page = head("Hostile soak") + "\n";
    let mut stdout = std::io::stdout();
    write!(stdout, "{page}")?;
    let outcome = run(&Options { duration, memory_mib, pairs, attackers, seed }, |line| {
        // Nobody may be reading any more; the page is written all the same.
        let _ = writeln!(stdout, "{line}");
        page = format!("{page}{line}\n");
    })?;
    let rest = format!("\n{}", outcome.page());
    write!(stdout, "{rest}")?;
    if let Some(out) = out {
        std::fs::write(out, page + &rest)?;
    }
    let faults = outcome.faults();
    for fault in &faults {
        writeln!(std::io::stderr(), "hostile-soak: {fault}")?;
    }
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
