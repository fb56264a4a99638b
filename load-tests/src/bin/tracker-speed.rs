//! What an announce costs our tracker, others, and servers that do nothing but answer.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::{Args, Parser, Subcommand};
use peerfeed_load_tests::announcing::comparison::{self, Options};
use peerfeed_load_tests::announcing::expiry::Watched;
use peerfeed_load_tests::announcing::measure::Load;
use peerfeed_load_tests::announcing::memory::Filling;
use peerfeed_load_tests::announcing::population::{Population, Shape};
use peerfeed_load_tests::announcing::{expiry, floor, memory, own};
use peerfeed_load_tests::programs::Programs;
use peerfeed_load_tests::results::{head, median, publish};

/// Loads trackers side by side and tells what each answer cost.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build `aquatic_udp` and `aquatic_http`, which takes minutes.
    Tools(Tools),
    /// Processor time per answer, over UDP and HTTP.
    Compare(Compare),
    /// Time per answer over UDP without sockets: the tracker's own work.
    Own(Own),
    /// Memory per peer, and what clients feel of expiry with ten million peers.
    Memory(Memory),
    /// Be the floor for UDP: answer with so many peers and look nothing up.
    FloorUdp {
        /// Peers per answer.
        peers: usize,
    },
    /// Be the floor for HTTP.
    FloorHttp {
        /// Peers per answer.
        peers: usize,
    },
}

#[derive(Debug, Args)]
struct Tools {
    /// Where other people's trackers are, in `bin`.
    #[arg(long = "tools", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tools"))]
    folder: PathBuf,
}

#[derive(Debug, Args)]
struct Compare {
    #[command(flatten)]
    tools: Tools,
    /// Runs of each program and kind of traffic.
    #[arg(long, default_value_t = 7)]
    rounds: u64,
    /// Length of each run, seconds.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Swarms.
    #[arg(long, default_value_t = 200_000)]
    swarms: u32,
    /// Peers in all of them.
    #[arg(long, default_value_t = 1_000_000)]
    peers: u32,
    /// Peers of the largest.
    #[arg(long, default_value_t = 100_000)]
    largest: u32,
    /// Addresses that visit over UDP at a time.
    #[arg(long, default_value_t = 48)]
    visits: usize,
    /// Peers of an address that announce at a time.
    #[arg(long, default_value_t = 4)]
    per_visit: u32,
    /// HTTP requests under way at once.
    #[arg(long, default_value_t = 64)]
    requests: u32,
    /// Write the page of results here too.
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Own {
    /// Rounds.
    #[arg(long, default_value_t = 20)]
    rounds: usize,
    /// Write the page of results here too.
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Memory {
    #[command(flatten)]
    tools: Tools,
    /// Peers of the largest population.
    #[arg(long, default_value_t = 10_000_000)]
    peers: u32,
    /// Connects and announces per second while peers expire.
    #[arg(long, default_value_t = 5_000.0)]
    rate: f64,
    /// Leave expiry out.
    #[arg(long)]
    no_expiry: bool,
    /// Write the page of results here too.
    #[arg(long)]
    out: Option<PathBuf>,
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Tools(tools) => build(&tools),
        Command::Compare(arguments) => compare(&arguments),
        Command::Own(arguments) => own(&arguments),
        Command::Memory(arguments) => memory(&arguments),
        Command::FloorUdp { peers } => floor::udp(peers),
        Command::FloorHttp { peers } => floor::http(peers),
    }
}

fn build(tools: &Tools) -> Result<()> {
    for program in ["aquatic_udp", "aquatic_http"] {
        let mut cargo = std::process::Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["install", program, "--version", "0.9.0", "--locked"]);
        cargo.args(["--no-default-features", "--features", "mimalloc", "--root"]).arg(&tools.folder);
        // As `dist`, in which ours is built: a crate brings no profile of its own.
        cargo.env("CARGO_PROFILE_RELEASE_LTO", "fat").env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1");
        ensure!(cargo.status().context("cannot run cargo")?.success(), "cargo could not build {program}");
    }
    Ok(())
}

fn compare(arguments: &Compare) -> Result<()> {
    let &Compare { rounds, seconds, swarms, peers, largest, visits, per_visit, requests, .. } = arguments;
    let options = Options {
        shape: Shape::Zipf { swarms, peers, largest },
        load: Load { visits, per_visit, requests },
        rounds,
        duration: Duration::from_secs_f64(seconds),
        others: true,
    };
    let own = std::env::current_exe()?;
    // Which counts processors, so before this program keeps to one.
    let head = head("Tracker: processor time per answer");
    let mut comparison = comparison::run(&options, &own, &arguments.tools.folder, tell)?;
    let page = format!("{head}\n{}{}", profile()?, comparison.page()?);
    publish(&page, arguments.out.as_deref())
}

fn own(arguments: &Own) -> Result<()> {
    const BATCHES: usize = 1500;
    let population = Population::new(Shape::Zipf { swarms: 200_000, peers: 1_000_000, largest: 100_000 });
    let mut own = own::Own::new(&population, 4, BATCHES)?;
    let mut page = head("Tracker: its own work per answer");
    writeln!(page, "\n{}; {BATCHES} batches, half connects and half announces.\n", population.described())?;
    page += "| round | ns per answer, the batch in the middle |\n|---|---|\n";
    let mut rounds_ns = Vec::new();
    for round in 1..=arguments.rounds {
        let each_ns = own.round_ns()?;
        tell(&format!("{each_ns:.1} ns per answer"));
        writeln!(page, "| {round} | {each_ns:.1} |")?;
        rounds_ns.push(each_ns);
    }
    writeln!(page, "| the one in the middle | {:.1} |", median(&rounds_ns))?;
    publish(&page, arguments.out.as_deref())
}

fn memory(arguments: &Memory) -> Result<()> {
    let tools = Some(&*arguments.tools.folder);
    let mut page = head("Tracker: memory per peer, and expiry");
    write!(page, "\n{}", profile()?)?;
    let fill = |shape| memory::fill(&Population::new(shape), tools, tell, |_| Ok(()));
    let singles = fill(Shape::Even { swarms: 500_000, each: 1 })?;
    let crowds = fill(Shape::Even { swarms: 20, each: 25_000 })?;
    let shape = Shape::Zipf { swarms: arguments.peers / 5 * 2, peers: arguments.peers, largest: 100_000 };
    let (population, mut watched) = (Population::new(shape), Vec::new());
    let all = memory::fill(&population, tools, tell, |server| {
        if !arguments.no_expiry {
            watched.push(expiry::watch_quiet(server, &population, arguments.rate)?);
        }
        Ok(())
    })?;
    if !arguments.no_expiry {
        watched.push(expiry::watch_expiring(&population, arguments.rate)?);
    }
    for run in &watched {
        tell(&run.row());
    }
    let each = |filling: &Filling| filling.held[0].bytes_each(filling.peers);
    let longest = |of: fn(&Watched) -> Duration| watched.iter().map(|run| of(run).as_secs_f64() * 1e3).reduce(f64::max);
    let goals = [
        ("one IPv4 peer in a swarm of its own, 500,000 such: bytes", 90.0, Some(each(&singles))),
        ("each further IPv4 peer, 20 swarms of 25,000: bytes", 10.0, Some(each(&crowds))),
        ("longest time that expiry holds a lock: ms", 5.0, longest(|run| run.longest)),
        ("longest that it runs meanwhile: ms", 5.0, longest(|run| run.longest_running)),
    ];
    page += "\n## Goals\n\n| what | at most | measured | |\n|---|---|---|---|\n";
    for (what, most, value) in goals {
        let Some(value) = value else { continue };
        let verdict = if value <= most { "holds" } else { "missed" };
        writeln!(page, "| {what} | {most:.0} | {value:.1} | {verdict} |")?;
    }
    for (title, filling) in [("Swarms of one", &singles), ("Large swarms", &crowds), ("Swarms as in the field", &all)] {
        writeln!(page, "\n## {title}\n\n{}", filling.page())?;
    }
    if !watched.is_empty() {
        writeln!(page, "## Expiry\n\n{}", expiry::page(&mut watched, arguments.rate))?;
    }
    publish(&page, arguments.out.as_deref())
}

/// In which profile ours is built, in a paragraph.
fn profile() -> Result<String> {
    let folder = Programs::find()?.tracker.parent().and_then(Path::file_name);
    let profile = folder.context("the tracker is in no folder")?.to_string_lossy();
    Ok(format!("Our tracker and the floors are built with the profile `{profile}` of `Cargo.toml`.\n\n"))
}

fn tell(line: &str) {
    // Nobody may be reading any more; the page is written all the same.
    let _ = writeln!(std::io::stderr(), "{line}");
}
