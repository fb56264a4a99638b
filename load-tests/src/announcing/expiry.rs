//! What clients feel of expiry while a large map is emptied.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use peerfeed_protocol::announce::Event;
use serde_json::Value;

use super::contestant::Contestant;
use super::latency::Latencies;
use super::measure::fill_udp;
use super::memory::OUR_FLAGS;
use super::population::Population;
use super::process::Sides;
use super::udp::{Loader, Pace};
use super::visitors::Passers;
use crate::daemon::until;

/// One run.
#[derive(Debug)]
pub struct Watched {
    name: &'static str,
    peers_before: u64,
    peers_after: u64,
    /// The longest time that the sweep has held a lock, as the tracker measured it.
    pub longest: Duration,
    /// The longest that it has run meanwhile: the rest of the time it waited for a processor.
    pub longest_running: Duration,
    latencies: Latencies,
    lost: u64,
}

/// How long to watch where nothing expires: the sweep passes over all once.
const QUIET: Duration = Duration::from_secs(62);

/// The shortest life that the tracker grants, and the time in which the sweep passes over all.
const LIFE: Duration = Duration::from_secs(72 + 30 + 60);

/// Watches `server`, in which everybody is and nobody expires, with so many visits per second.
pub fn watch_quiet(server: &Contestant, population: &Population, rate: f64) -> Result<Watched> {
    watch("nothing expires", server, population, rate, QUIET)
}

/// Watches a tracker in which everybody expires.
pub fn watch_expiring(population: &Population, rate: f64) -> Result<Watched> {
    let sides = Sides::of_this_machine()?;
    sides.map_or(Ok(()), Sides::be_server)?;
    let short = ["--interval", "1min", "--min-interval", "1min", "--peer-lifetime", "72s"];
    let server = Contestant::peerfeed(&[&OUR_FLAGS[..], &short].concat())?;
    sides.map_or(Ok(()), Sides::be_loader)?;
    fill_udp(&server, population)?;
    watch("all expire", &server, population, rate, LIFE)
}

fn watch(
    name: &'static str,
    server: &Contestant,
    population: &Population,
    rate: f64,
    duration: Duration,
) -> Result<Watched> {
    let before = stats(server)?;
    let to = server.udp.context("a tracker without UDP")?;
    let pace = Pace { visits: 512, until: Some(Instant::now() + duration), rate: Some(rate), repeats: false };
    let tally = Loader::new(to, population, Event::None)?.run(&mut Passers::of(population, 1, 1), &pace)?;
    let after = stats(server)?;
    let peers = |stats: &Value| stats["peers"]["ipv4"].as_u64().context("no count of peers");
    let longest = |field| after["sweep"][field].as_f64().map(Duration::from_secs_f64).context("no time of the sweep");
    Ok(Watched {
        name,
        peers_before: peers(&before)?,
        peers_after: peers(&after)?,
        longest: longest("longest_seconds")?,
        longest_running: longest("longest_running_seconds")?,
        latencies: tally.latencies,
        lost: tally.lost,
    })
}

fn stats(server: &Contestant) -> Result<Value> {
    until("the status page answers", Duration::from_secs(10), || {
        let output = String::from_utf8(server.output())?;
        let page = output.lines().find_map(|line| line.strip_prefix("status page on http://"));
        let Some(address) = page.map(|url| url.trim_end_matches('/').to_owned()) else { return Ok(None) };
        let mut stream = TcpStream::connect(&address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(stream, "GET /stats.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply)?;
        let (_, body) = reply.split_once("\r\n\r\n").context("no answer from the status page")?;
        Ok(Some(serde_json::from_str(body)?))
    })
}

impl Watched {
    /// In a line.
    pub fn row(&self) -> String {
        let Self { name, peers_before, peers_after, longest, longest_running, .. } = self;
        format!(
            "{name}: {peers_before} peers became {peers_after}, a lock held for {longest:?}, running {longest_running:?}"
        )
    }
}

/// For a page of results.
pub fn page(runs: &mut [Watched], rate: f64) -> String {
    let mut page = format!("{rate:.0} connects and announces per second meanwhile.\n\n");
    page +=
        "| | peers before | after | longest hold of a lock, ms | running, ms | p50 µs | p99 µs | p99.9 µs | lost |\n";
    page += "|---|---|---|---|---|---|---|---|---|\n";
    for run in runs {
        let [half, most, nearly_all] = [0.5, 0.99, 0.999].map(|share| run.latencies.within(share).as_micros());
        let (name, before, after, lost) = (run.name, run.peers_before, run.peers_after, run.lost);
        let [longest, running] = [run.longest, run.longest_running].map(|time| time.as_secs_f64() * 1e3);
        // Writing to a string cannot fail.
        let _ = writeln!(
            page,
            "| {name} | {before} | {after} | {longest:.2} | {running:.2} | {half} | {most} | {nearly_all} | {lost} |"
        );
    }
    page += "\nA lock is held from when the sweep has it until it has given it back. Running is the longest that the sweep's thread had \
             a processor meanwhile; where a hold is longer, others had it.\n";
    page
}
