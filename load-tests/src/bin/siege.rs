//! Attacks a seeder in every way at once that peers have, with honest people beside it. Ends with 1 when it does not hold.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use peerfeed_load_tests::results::publish;
use peerfeed_load_tests::siege::{Attack, Options, run};

/// Attacks a seeder.
#[derive(Debug, Parser)]
struct Arguments {
    /// How long, seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Threads for each kind of attack.
    #[arg(long, default_value_t = 2)]
    attackers: u8,
    /// Size of the files that are posted, MiB.
    #[arg(long, default_value_t = 8)]
    mib: u32,
    /// Most resident memory that the seeder may have, MiB.
    #[arg(long, default_value_t = 512)]
    memory: u64,
    /// Everything random follows from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// One kind of attack alone, in place of all at once.
    #[arg(long, value_enum)]
    only: Option<Attack>,
    /// Write the page of results here too.
    #[arg(long)]
    out: Option<PathBuf>,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir()?;
    let options = Options {
        duration: Duration::from_secs(arguments.seconds),
        attackers: arguments.attackers,
        mib: arguments.mib,
        memory_mib: arguments.memory,
        seed: arguments.seed,
        only: arguments.only,
    };
    let outcome = run(&options, folder.path())?;
    let page = outcome.page()?;
    publish(&page, arguments.out.as_deref())?;
    let faults = outcome.faults();
    for fault in &faults {
        eprintln!("{fault}");
    }
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
