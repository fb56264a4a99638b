//! What thousands of idle connections cost the seeder that holds them.
//!
//! A seeder, the real program, holds a feed that it cannot read. A second process has so many followers of it, each with a
//! connection of its own, who say nothing but what keeps a connection alive.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use peerfeed::store::Roles;
use peerfeed_load_tests::crowd::{self, Crowd, Plan};
use peerfeed_load_tests::made::{self, MadeFeed};
use peerfeed_load_tests::person::Person;
use peerfeed_load_tests::results::{head, publish};

/// Measures memory and processor time of idle connections.
#[derive(Debug, Parser)]
struct Arguments {
    /// Connections.
    #[arg(long, default_value_t = 10_000)]
    connections: u32,
    /// How long they are watched, seconds; a connection says something once a minute.
    #[arg(long, default_value_t = 90)]
    seconds: u64,
    /// The followers listen on nothing, so that peers are not told of each other.
    #[arg(long)]
    hidden: bool,
    /// Write the page of results here too.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Be the followers.
    #[arg(long, hide = true)]
    as_crowd: Option<Plan>,
}

/// How long it may take until all are connected.
const PATIENCE: Duration = Duration::from_secs(180);

/// What follows the last handshake is over by then.
const SETTLE: Duration = Duration::from_secs(5);

#[allow(clippy::cast_precision_loss, reason = "bytes are shown as MiB")]
fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(plan) = &arguments.as_crowd {
        return crowd::be(plan);
    }
    let folder = tempfile::tempdir()?;
    let seeder = Person::new(&folder.path().join("seeder"), &[]);
    let feed = make(seeder.data())?;
    let daemon = seeder.start("the seeder", "127.0.0.1:0")?;
    let address: SocketAddr = seeder.listens()?.first().context("the seeder listens on nothing")?.parse()?;
    let alone_bytes = daemon.resident_bytes()?;

    let plan = Plan { followers: arguments.connections, feed, seeders: vec![address], listening: !arguments.hidden };
    let (started, before) = (Instant::now(), daemon.cpu_seconds()?);
    let crowd = Crowd::start(&plan, PATIENCE)?;
    let connecting_seconds = started.elapsed().as_secs_f64();
    sleep(SETTLE);
    let connecting_cpu = daemon.cpu_seconds()? - before;

    let (began, before) = (Instant::now(), daemon.cpu_seconds()?);
    sleep(Duration::from_secs(arguments.seconds));
    let percent = (daemon.cpu_seconds()? - before) / began.elapsed().as_secs_f64() * 100.0;
    let resident_bytes = daemon.resident_bytes()?;
    let lost = crowd.lost();
    ensure!(lost.is_empty(), "{} connections were lost: {:?}", lost.len(), &lost[..lost.len().min(5)]);

    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let each = resident_bytes.saturating_sub(alone_bytes) / u64::from(arguments.connections.max(1));
    let mut page = head("Idle connections");
    writeln!(
        page,
        "\nOne seeder of one feed, and {} followers in a second process who say nothing{}.\n",
        arguments.connections,
        if arguments.hidden { "" } else { "; each says that it listens, so that they are told of each other" }
    )?;
    writeln!(page, "| what | |\n|---|---|")?;
    writeln!(page, "| memory of the seeder without them | {:.1} MiB |", mib(alone_bytes))?;
    writeln!(page, "| memory with them | {:.1} MiB |", mib(resident_bytes))?;
    writeln!(page, "| for each of them | {each} bytes |")?;
    writeln!(page, "| processor while they are idle, over {} s | {percent:.2}% of a core |", arguments.seconds)?;
    writeln!(page, "| until all were connected | {connecting_seconds:.1} s, {connecting_cpu:.1} s of processor |")?;
    publish(&page, arguments.out.as_deref())?;
    daemon.stop(Duration::from_secs(60))?;
    Ok(())
}

/// A data folder of who seeds a feed of some posts.
fn make(data: &Path) -> Result<peerfeed_protocol::ids::FeedId> {
    let mut feed = MadeFeed::new(1, Vec::new())?;
    let posts = feed.post(20)?;
    let roles = Roles { seed: true, ..Roles::default() };
    made::put(data, &[feed.note(roles, Vec::new())], &[posts])?;
    Ok(feed.feed())
}
