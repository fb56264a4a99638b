//! A cold fetch over a link with a delay: a newcomer with a link, one seeder, the newest posts.
//!
//! The link carries no tracker and names only the delaying proxy as seeder. The time counts from the start of the
//! `fetch` command to its end; the same without delay is taken off to see what the delay alone costs.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use peerfeed_load_tests::delay::DelayedLink;
use peerfeed_load_tests::person::Person;
use peerfeed_load_tests::results::{head, median};
use peerfeed_protocol::feed::{Link, LinkSeeder};

/// Measures a cold fetch at several delays.
#[derive(Debug, Parser)]
struct Arguments {
    /// Posts in the feed.
    #[arg(long, default_value_t = 50)]
    posts: usize,
    /// Round-trip times, milliseconds.
    #[arg(long, value_delimiter = ',', default_value = "0,20,100,300")]
    rtt_ms: Vec<u32>,
    /// Fetches at each delay.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Write the page of results here too.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// One fetch.
struct Fetch {
    seconds: f64,
    flights: u32,
    up_bytes: u32,
    down_bytes: u32,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir()?;
    let author = Person::new(&folder.path().join("author"), &[]);
    author.ok(&["init"])?;
    for number in 0..arguments.posts {
        author.ok(&["post", &format!("post number {number}, as short as most are")])?;
    }
    let link: Link = author.link_with_key()?.parse()?;
    let serving = author.start("the seeder", "127.0.0.1:0")?;
    let address: SocketAddr = author.listens()?.first().context("the seeder listens on nothing")?.parse()?;

    let mut page = head("Cold fetch");
    writeln!(
        page,
        "\nA newcomer with a link fetches a feed of {} posts from one seeder over a delaying proxy; {} rounds each, medians.\n",
        arguments.posts, arguments.rounds
    )?;
    writeln!(
        page,
        "| round-trip time | seconds of `fetch` | beyond no delay, in round trips | flights of the client | bytes up | bytes down |"
    )?;
    writeln!(page, "|---|---|---|---|---|---|")?;
    let mut without_delay = None;
    for &rtt_ms in &arguments.rtt_ms {
        let fetches = (0..arguments.rounds)
            .map(|round| {
                let data = folder.path().join(format!("reader-{rtt_ms}-{round}"));
                cold_fetch(&data, &link, address, Duration::from_millis(rtt_ms.into()), arguments.posts)
            })
            .collect::<Result<Vec<_>>>()?;
        let of = |what: fn(&Fetch) -> f64| median(&fetches.iter().map(what).collect::<Vec<_>>());
        let seconds = of(|fetch| fetch.seconds);
        let base = *without_delay.get_or_insert(seconds);
        let round_trips = if rtt_ms == 0 { 0.0 } else { (seconds - base) * 1000.0 / f64::from(rtt_ms) };
        writeln!(
            page,
            "| {rtt_ms} ms | {seconds:.3} | {round_trips:.2} | {} | {} | {} |",
            of(|fetch| fetch.flights.into()),
            of(|fetch| fetch.up_bytes.into()),
            of(|fetch| fetch.down_bytes.into()),
        )?;
    }
    writeln!(page, "\nThe proxy charges the round trip of the TCP handshake to a connection's first bytes.")?;
    print!("{page}");
    if let Some(out) = &arguments.out {
        fs::write(out, page).with_context(|| format!("cannot write {}", out.display()))?;
    }
    serving.stop(Duration::from_secs(5))?;
    Ok(())
}

fn cold_fetch(data: &Path, link: &Link, address: SocketAddr, rtt: Duration, posts: usize) -> Result<Fetch> {
    let proxy = DelayedLink::start(address, rtt / 2)?;
    let seeders = vec![LinkSeeder { address: proxy.address.to_string(), witness: None }];
    let link = Link { seeders, trackers: Vec::new(), ..link.clone() };
    let reader = Person::new(data, &[]);
    reader.ok(&["add", link.to_text()?.as_str()])?;
    let started = Instant::now();
    reader.ok(&["fetch"])?;
    let seconds = started.elapsed().as_secs_f64();
    let (up, down) = proxy.bytes();
    let (up_bytes, down_bytes, flights) = (up.try_into()?, down.try_into()?, proxy.flights().try_into()?);
    let limit = posts.to_string();
    let read = reader.read(&["--limit", limit.as_str()])?;
    let shown = read.iter().filter(|entry| entry["text"].is_string()).count();
    ensure!(shown >= posts, "only {shown} of {posts} posts arrived");
    Ok(Fetch { seconds, flights, up_bytes, down_bytes })
}
