//! A post on its way to many connected followers: from the author's commit, over three seeders, until each has it verified.
//!
//! The author is a node of this process, so that the moment of the commit is known; the seeders are the real program, and
//! the followers are in a process of their own. Everything shares the processors of one machine.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use peerfeed::author::{self, Audience, Author, Draft};
use peerfeed::node::{Listen, Node, NodeOptions};
use peerfeed::store::Reading as _;
use peerfeed_load_tests::crowd::{self, Crowd, Plan};
use peerfeed_load_tests::daemon::{Daemon, until};
use peerfeed_load_tests::person::Person;
use peerfeed_load_tests::results::{head, publish};
use peerfeed_protocol::feed::{Link, LinkSeeder};
use tokio::runtime::Runtime;

/// Measures how long a live post takes to many followers, and what it costs.
#[derive(Debug, Parser)]
struct Arguments {
    /// Followers in all.
    #[arg(long, default_value_t = 1_000)]
    followers: u32,
    /// Seeders, each of which has its part of the followers.
    #[arg(long, default_value_t = 3)]
    seeders: usize,
    /// Posts, one at a time.
    #[arg(long, default_value_t = 50)]
    posts: usize,
    /// Write the page of results here too.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Be the followers.
    #[arg(long, hide = true)]
    as_crowd: Option<Plan>,
}

const PATIENCE: Duration = Duration::from_secs(180);

/// Between two posts: nothing of the one before is under way any more.
const PAUSE: Duration = Duration::from_millis(300);

/// What was seen of all posts.
#[derive(Default)]
struct Measured {
    /// From the author's commit until a follower had the post.
    seen_us: Vec<u64>,
    /// The author's commits.
    commit_us: Vec<u64>,
    received_bytes: u64,
    seeders_cpu: f64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(plan) = &arguments.as_crowd {
        return crowd::be(plan);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let folder = tempfile::tempdir()?;
    let (node, author) = start_author(&runtime, &folder.path().join("author"))?;
    let seeders = start_seeders(folder.path(), &node, &author, arguments.seeders)?;
    let measured = measure(&arguments, &node, &author, &seeders)?;

    let page = page(&arguments, measured)?;
    publish(&page, arguments.out.as_deref())?;
    runtime.block_on(node.shutdown());
    for (seeder, _) in seeders {
        seeder.stop(Duration::from_secs(60))?;
    }
    Ok(())
}

fn start_author(runtime: &Runtime, data: &Path) -> Result<(Node, Author)> {
    let options = NodeOptions {
        listen: Listen::On(vec!["127.0.0.1:0".parse()?]),
        announce: false,
        ..NodeOptions::daemon(data.to_owned())
    };
    let node = runtime.block_on(Node::start(options))?;
    let author = author::init(node.store(), None, &[])?.author;
    node.feeds_changed();
    Ok((node, author))
}

/// The seeders, each with its address; they hold what the author has so far.
fn start_seeders(folder: &Path, node: &Node, author: &Author, count: usize) -> Result<Vec<(Daemon, SocketAddr)>> {
    let source = LinkSeeder { address: node.listen_addrs()[0].to_string(), witness: None };
    let link = Link {
        feed: author.feed(),
        key: None,
        expiry: None,
        name: None,
        seeders: vec![source],
        trackers: Vec::new(),
        invitation: None,
    };
    let link = link.to_text()?;
    let start = |number: usize| {
        let seeder = Person::new(&folder.join(format!("seeder-{number}")), &[]);
        seeder.ok(&["seed", link.as_str()])?;
        let daemon = seeder.start("a seeder", "127.0.0.1:0")?;
        let address = seeder.listens()?.first().context("the seeder listens on nothing")?.parse()?;
        until("the seeder holds the feed", PATIENCE, || {
            let status = seeder.status()?;
            let held = status["feeds"][0]["entries_held"].as_u64().unwrap_or(0);
            Ok((held > 0).then_some(()))
        })?;
        Ok((daemon, address))
    };
    (0..count).map(start).collect()
}

fn measure(arguments: &Arguments, node: &Node, author: &Author, seeders: &[(Daemon, SocketAddr)]) -> Result<Measured> {
    let plan = Plan {
        followers: arguments.followers,
        feed: author.feed(),
        seeders: seeders.iter().map(|(_, address)| *address).collect(),
        listening: false,
    };
    let mut crowd = Crowd::start(&plan, PATIENCE)?;
    let cpu = || seeders.iter().map(|(seeder, _)| seeder.cpu_seconds()).sum::<Result<f64>>();
    let mut measured = Measured::default();
    let mut received_before = None;
    let mut cpu_before = 0.0;
    // The first is not counted: it brings every connection into the state in which all others find it.
    for number in 0..=arguments.posts {
        sleep(PAUSE);
        if number == 1 {
            cpu_before = cpu()?;
        }
        let text = format!("live post number {number}, as short as most are");
        let draft = Draft { text, audience: Audience::Friends, ..Draft::default() };
        let begun = Instant::now();
        author.post(&draft, &mut |_| {})?;
        let (took, committed_us) = (begun.elapsed(), unix_us());
        node.notify_appended(author.feed());
        let size = node.store().read()?.logs(author.feed())?.first().context("the author has a log")?.size;
        let seen = crowd.wait_for(size, PATIENCE)?;
        if let Some(before) = received_before.replace(seen.received_bytes) {
            measured.commit_us.push(u64::try_from(took.as_micros())?);
            measured.seen_us.extend(seen.at_us.iter().map(|at_us| at_us.saturating_sub(committed_us)));
            measured.received_bytes += seen.received_bytes - before;
        }
    }
    sleep(PAUSE);
    measured.seeders_cpu = cpu()? - cpu_before;
    let lost = crowd.lost();
    ensure!(lost.is_empty(), "connections were lost: {lost:?}");
    Ok(measured)
}

#[allow(clippy::cast_precision_loss, reason = "microseconds are shown as milliseconds")]
fn page(arguments: &Arguments, mut measured: Measured) -> Result<String> {
    let times = measured.seen_us.len() as u64;
    let mut page = head("Live fan-out");
    writeln!(
        page,
        "\nOne author, {} seeders, {} connected followers, {} short posts one after the other, no delay on any link. From the author's commit until a follower has the post, proven against the signed head; each seeder syncs it to disk before it passes it on.\n",
        arguments.seeders, arguments.followers, arguments.posts
    )?;
    let mut ms = |percent: usize| {
        measured.seen_us.sort_unstable();
        let at = (measured.seen_us.len() * percent / 100).min(measured.seen_us.len() - 1);
        measured.seen_us[at] as f64 / 1_000.0
    };
    writeln!(page, "| what | |\n|---|---|")?;
    writeln!(page, "| seen, of {} | {times} |", arguments.posts * arguments.followers as usize)?;
    writeln!(page, "| half of them within | {:.1} ms |", ms(50))?;
    writeln!(page, "| 99 of 100 within | {:.1} ms |", ms(99))?;
    writeln!(page, "| the last one after | {:.1} ms |", ms(100))?;
    measured.commit_us.sort_unstable();
    let commit_us = measured.commit_us[measured.commit_us.len() / 2];
    writeln!(page, "| the author's own commit, median, before | {:.1} ms |", commit_us as f64 / 1_000.0)?;
    writeln!(page, "| bytes to each follower for each post | {} |", measured.received_bytes / times)?;
    let each_us = measured.seeders_cpu * 1_000_000.0 / times as f64;
    writeln!(page, "| processor of the seeders, for each follower and post | {each_us:.1} \u{b5}s |")?;
    Ok(page)
}

fn unix_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
