//! A swarm in one process and in virtual time: a crowd that wants one post with its file, liars among it, a tracker that
//! dies, half of the peers leaving, and another post after that.
//!
//! Prints the seed; the same seed gives the same run. Ends with 1 when somebody honest does not get what was published.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Parser;
use peerfeed::swarm::Chance;
use peerfeed_load_tests::results::head;
use peerfeed_load_tests::simulation::{Content, Plan, World};

const SECOND: Duration = Duration::from_secs(1);

/// Simulates a swarm.
#[derive(Debug, Parser)]
struct Arguments {
    /// Peers that come.
    #[arg(long, default_value_t = 200)]
    peers: usize,
    /// Seconds within which they come.
    #[arg(long, default_value_t = 60)]
    within: u64,
    /// Percent of them that send wrong chunks.
    #[arg(long, default_value_t = 30)]
    liars: u64,
    /// Size of the file, KiB.
    #[arg(long, default_value_t = 1024)]
    file: usize,
    /// What the author can send, KB per second.
    #[arg(long, default_value_t = 1_000)]
    author_up: u64,
    /// What a peer can send, KB per second.
    #[arg(long, default_value_t = 250)]
    up: u64,
    /// From one machine to another, ms.
    #[arg(long, default_value_t = 30)]
    one_way: u64,
    /// Peers that the tracker names at a time.
    #[arg(long, default_value_t = 30)]
    named: usize,
    /// Everything that is left to chance follows from it; drawn when not given.
    #[arg(long)]
    seed: Option<u64>,
    /// Write the page of results here too.
    #[arg(long)]
    out: Option<PathBuf>,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let seed = arguments
        .seed
        .unwrap_or_else(|| u64::from(std::process::id()) << 20 | u64::from(Instant::now().elapsed().subsec_nanos()));
    println!("seed {seed}");
    let began = Instant::now();
    let mut content = Content::new()?;
    content.post("a post with its file", arguments.file << 10)?;
    let plan = Plan { one_way: Duration::from_millis(arguments.one_way), seed };
    let mut world = World::new(plan, content, arguments.author_up * 1_000, arguments.named)?;
    let mut chance = Chance::new([7; 32]);
    let mut page = head("A swarm in virtual time");
    writeln!(page, "\n`{arguments:?}`, seed {seed}\n\n| | |\n|---|---|")?;

    // A crowd comes.
    let start = world.now;
    let mut done: Vec<Option<f64>> = vec![None];
    for number in 0..arguments.peers {
        let comes = start.after(
            SECOND * u32::try_from(arguments.within)? / u32::try_from(arguments.peers)? * u32::try_from(number)?,
        );
        world.run(comes, |world| {
            note(world, start, &mut done);
            false
        });
        world.join(arguments.up * 1_000, chance.below(100) < arguments.liars);
        done.push(None);
    }
    let came = world.run(start.after(3_600 * SECOND), |world| note(world, start, &mut done));
    let mut times: Vec<f64> = honest(&world).filter_map(|at| done[at]).collect();
    times.sort_by(f64::total_cmp);
    let bytes: u64 = world.machines.iter().map(|machine| machine.sent_bytes).sum();
    let wanted = (arguments.file << 10) as u64 * arguments.peers as u64;
    let honest_peers = honest(&world).count() - 1;
    writeln!(page, "| honest peers that have all | {} of {honest_peers} |", times.len().saturating_sub(1))?;
    for (name, share) in [("half have all after", 2), ("nine of ten", 10), ("99 of 100", 100)] {
        let at = (times.len() - times.len().div_ceil(share)).min(times.len() - 1);
        let at = if share == 2 { times.len() / 2 } else { at };
        writeln!(page, "| {name} | {:.0} s |", times[at])?;
    }
    writeln!(page, "| the last one | {:.0} s |", times.last().copied().unwrap_or(f64::NAN))?;
    writeln!(page, "| bytes sent by all, per byte wanted | {:.2} |", ratio(bytes, wanted))?;
    writeln!(
        page,
        "| sent by the author, in copies of the file | {:.1} |",
        ratio(world.machines[0].sent_bytes, (arguments.file << 10) as u64)
    )?;
    writeln!(page, "| lies found | {} |", world.violations())?;
    writeln!(page, "| announces answered | {} |", world.tracker.as_ref().map_or(0, |tracker| tracker.answered))?;

    // The tracker dies, then half of the peers do.
    world.tracker = None;
    world.run(world.now.after(130 * SECOND), |_| false);
    for number in 1..world.machines.len() {
        if chance.below(2) == 0 {
            world.leave(number);
        }
    }
    world.run(world.now.after(60 * SECOND), |_| false);
    let connections = world.connections();
    let left: Vec<usize> = honest(&world).collect();
    let sum: usize = connections.values().sum();
    writeln!(
        page,
        "| connections per peer, tracker and half of the peers gone | {:.1} |",
        ratio(sum as u64, connections.len() as u64)
    )?;
    world.post("after the tracker", 0)?;
    let posted = world.now;
    let reached = world.run(posted.after(600 * SECOND), |world| has_newest(world) == left.len());
    writeln!(page, "| of those who are left, the next post reached | {} of {} |", has_newest(&world), left.len())?;
    writeln!(page, "| within | {:.0} s |", world.now.since(posted).as_secs_f64())?;
    writeln!(
        page,
        "| simulated | {:.0} s in {:.0} s |",
        world.now.since(start).as_secs_f64(),
        began.elapsed().as_secs_f64()
    )?;
    print!("{page}");
    if let Some(path) = &arguments.out {
        std::fs::write(path, &page)?;
    }
    Ok(if came && reached { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Those who are there and send what they should.
fn honest(world: &World) -> impl Iterator<Item = usize> {
    world.machines.iter().enumerate().filter(|(_, machine)| machine.alive && !machine.lies).map(|(at, _)| at)
}

/// Notes who has all by now, and whether all have.
fn note(world: &World, start: peerfeed_protocol::peer::Moment, done: &mut [Option<f64>]) -> bool {
    let mut all = true;
    for at in honest(world) {
        if done[at].is_none() && world.machines[at].shelf.is_complete(&world.content) {
            done[at] = Some(world.now.since(start).as_secs_f64());
        }
        all &= done[at].is_some();
    }
    all
}

fn has_newest(world: &World) -> usize {
    honest(world).filter(|at| world.machines[*at].shelf.size == world.content.size()).count()
}

#[expect(clippy::cast_precision_loss, reason = "figures for a page")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}
