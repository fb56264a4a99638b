//! A cold fetch over a link with a delay: a newcomer with a link, one seeder, the newest posts.
//!
//! The link carries no tracker and names only the delaying proxy as seeder. The time counts from the start of the
//! `fetch --newest` command to its end; the same without delay is taken off to see what the delay alone costs. The feed is
//! made without a command for each post, since it is long.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use peerfeed::store::{Options, Reading as _, Roles, Store};
use peerfeed_load_tests::delay::{self, DelayedLink, Passage};
use peerfeed_load_tests::made::{self, MadeFeed};
use peerfeed_load_tests::person::Person;
use peerfeed_load_tests::results::{head, publish};
use peerfeed_protocol::feed::{Link, LinkSeeder};
use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::merkle::range_proof;

/// Measures a cold fetch at several delays.
#[derive(Debug, Parser)]
struct Arguments {
    /// Posts in the feed.
    #[arg(long, default_value_t = 100_000)]
    entries: usize,
    /// Of these, the newest that are fetched.
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

/// The proof of one log has fewer.
const PROOF_BYTES_MAX: usize = 1_024;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir()?;
    let seeder = Person::new(&folder.path().join("seeder"), &[]);
    let mut feed = MadeFeed::new(1, Vec::new())?;
    let posts = feed.post(arguments.entries)?;
    made::put(seeder.data(), &[feed.note(Roles { seed: true, ..Roles::default() }, Vec::new())], &[posts])?;
    let proof_bytes = proof_bytes(seeder.data(), &feed, arguments.posts)?;
    let serving = seeder.start("the seeder", "127.0.0.1:0")?;
    let address: SocketAddr = seeder.listens()?.first().context("the seeder listens on nothing")?.parse()?;

    let mut page = head("Cold fetch");
    writeln!(
        page,
        "\nA newcomer with a link fetches the newest {} posts of a feed of {} from one seeder over a delaying proxy; {} rounds each, medians. The proof of these entries in the log's tree has {proof_bytes} bytes.\n",
        arguments.posts, arguments.entries, arguments.rounds
    )?;
    page.push_str(&delay::table(&arguments.rtt_ms, arguments.rounds, |round_trip, name| {
        cold_fetch(&folder.path().join(name), feed.feed(), address, round_trip, arguments.posts)
    })?);
    publish(&page, arguments.out.as_deref())?;
    serving.stop(Duration::from_secs(5))?;
    Ok(())
}

fn cold_fetch(data: &Path, feed: FeedId, address: SocketAddr, rtt: Duration, posts: usize) -> Result<Passage> {
    let proxy = DelayedLink::start(address, rtt / 2)?;
    let seeders = vec![LinkSeeder { address: proxy.address.to_string(), witness: None }];
    let link = Link { feed, key: None, expiry: None, name: None, seeders, trackers: Vec::new(), invitation: None };
    let reader = Person::new(data, &[]);
    reader.ok(&["add", link.to_text()?.as_str()])?;
    let newest = posts.to_string();
    let started = Instant::now();
    reader.ok(&["fetch", "--newest", newest.as_str()])?;
    let seconds = started.elapsed().as_secs_f64();
    let (up_bytes, down_bytes) = proxy.bytes();
    let read = reader.read(&["--limit", "100000"])?;
    let shown = read.iter().filter(|entry| entry["text"].is_string()).count();
    ensure!(shown == posts, "{shown} posts arrived, and {posts} were wanted");
    Ok(Passage { seconds, flights: proxy.flights(), up_bytes, down_bytes })
}

/// Bytes of the proof that the newest entries are in the log's tree.
fn proof_bytes(data: &Path, feed: &MadeFeed, newest: usize) -> Result<usize> {
    let store = Store::open(data, &Options::default())?;
    let view = store.read()?;
    let logs = view.logs(feed.feed())?;
    let log = logs.first().context("the feed has a log")?;
    let from = log.size.saturating_sub(u64::try_from(newest)?);
    let proof = range_proof(&view.nodes(log), from, log.size, log.size).context("its tree is held")?;
    let bytes = std::mem::size_of_val(proof.hashes());
    ensure!(bytes < PROOF_BYTES_MAX, "the proof has {bytes} bytes");
    Ok(bytes)
}
