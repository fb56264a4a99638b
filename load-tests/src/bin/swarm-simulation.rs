//! A swarm in one process and in virtual time: a crowd that wants one post with its file, liars among it, peers that come
//! and go, a post to all who are connected, a tracker that dies, half of the peers leaving, and a post after that; and what
//! follows from the figures for a million readers.
//!
//! Prints the seed; the same seed gives the same run. Ends with 1 when somebody honest does not get what was published.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Parser;
use peerfeed::swarm::Chance;
use peerfeed_load_tests::million::{Measured, million};
use peerfeed_load_tests::results::{head, publish, ratio};
use peerfeed_load_tests::simulation::{Content, Plan, World};
use peerfeed_protocol::peer::Moment;

const SECOND: Duration = Duration::from_secs(1);

/// How long everybody is given, in virtual time.
const PATIENCE: Duration = Duration::from_secs(900);

/// How long a post is given.
const POST_PATIENCE: Duration = Duration::from_secs(180);

/// How long after everybody has a post it is still spoken of.
const POST_TAIL: Duration = Duration::from_secs(4);

/// Simulates a swarm.
#[derive(Clone, Debug, Parser)]
struct Arguments {
    /// Peers that come.
    #[arg(long, default_value_t = 1_000)]
    peers: usize,
    /// Seconds within which they come.
    #[arg(long, default_value_t = 60)]
    within: u64,
    /// Seeders that hold everything before, as fast as the author.
    #[arg(long, default_value_t = 3)]
    seeders: usize,
    /// Percent of the peers that send wrong chunks.
    #[arg(long, default_value_t = 30)]
    liars: u64,
    /// Percent of the peers that leave in a minute, as many others coming in their place.
    #[arg(long, default_value_t = 10)]
    churn: u64,
    /// Size of the file, KiB.
    #[arg(long, default_value_t = 256)]
    file: usize,
    /// What the author and each seeder can send, KB per second.
    #[arg(long, default_value_t = 2_000)]
    author_up: u64,
    /// What a peer can send, KB per second.
    #[arg(long, default_value_t = 250)]
    up: u64,
    /// From one machine to another, ms.
    #[arg(long, default_value_t = 30)]
    one_way: u64,
    /// Peers that the tracker names at a time.
    #[arg(long, default_value_t = 50)]
    named: usize,
    /// Everything that is left to chance follows from it; drawn when not given.
    #[arg(long)]
    seed: Option<u64>,
    /// Write the page of results here too.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Write the page about a million readers here.
    #[arg(long)]
    million: Option<PathBuf>,
}

/// A run under way.
struct Run {
    world: World,
    chance: Chance,
    uplink: u64,
    liars: u64,
    /// When each machine came.
    came: Vec<Moment>,
    /// When it had everything.
    done: Vec<Option<Moment>>,
    /// The machines before are the author's and those of seeders.
    seeders_end: usize,
    /// When everybody was looked at last.
    noted: Moment,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let seed = arguments.seed.unwrap_or_else(|| u64::from(std::process::id()));
    println!("seed {seed}");
    let began = Instant::now();
    let mut content = Content::new()?;
    content.post("a post with its file", arguments.file << 10)?;
    let plan = Plan { one_way: Duration::from_millis(arguments.one_way), seed };
    let world = World::new(plan, content, arguments.author_up * 1_000, arguments.named)?;
    let start = world.now;
    let mut run = Run {
        came: vec![start],
        done: vec![Some(start)],
        seeders_end: 1 + arguments.seeders,
        noted: start,
        world,
        chance: Chance::new([7; 32]),
        uplink: arguments.up * 1_000,
        liars: arguments.liars,
    };
    let mut page = head("A swarm in virtual time");
    // Where the pages go is nobody's business.
    let shown = Arguments { out: None, million: None, ..arguments.clone() };
    writeln!(page, "\n`{shown:?}`, seed {seed}\n\n| | |\n|---|---|")?;

    for _ in 0..arguments.seeders {
        run.join_seeder(arguments.author_up * 1_000);
    }
    run.until_all_have_all();
    let first = run.world.machines.len();
    let before: Vec<u64> = run.sent();

    // A crowd comes.
    let start = run.world.now;
    for number in 0..arguments.peers {
        let comes = start.after(
            Duration::from_micros(arguments.within * 1_000_000 / arguments.peers as u64) * u32::try_from(number)?,
        );
        run.pass_until(comes);
        run.join_stranger();
    }
    let came = run.until_all_have_all();
    let file_bytes = (arguments.file << 10) as u64;
    run.tell_times(&mut page, first)?;
    let sent = run.sent();
    let by_all: u64 = sent.iter().sum::<u64>() - before.iter().sum::<u64>();
    let by_first: Vec<u64> = (0..first).map(|at| sent[at] - before[at]).collect();
    writeln!(
        page,
        "| bytes sent by all, per byte wanted | {:.2} |",
        ratio(by_all, file_bytes * arguments.peers as u64)
    )?;
    writeln!(page, "| copies of the file sent by the author | {:.1} |", ratio(by_first[0], file_bytes))?;
    let most = by_first[1..].iter().max().copied().unwrap_or_default();
    writeln!(page, "| copies sent by a seeder, the most | {:.1} |", ratio(most, file_bytes))?;
    writeln!(page, "| lies found | {} |", run.world.violations())?;
    let announces = run.world.tracker.as_ref().map_or(0, |tracker| tracker.answered);
    writeln!(page, "| announces answered | {announces} |")?;
    let crowd_seconds = run.world.now.since(start).as_secs_f64();

    // Some leave and others come, and then everybody who is there gets a post.
    run.churn(arguments.churn, 120 * SECOND);
    let churned = run.until_all_have_all();
    writeln!(page, "| after two minutes of coming and going, all who are there have all | {churned} |")?;
    let posting = run.post("to all who are connected")?;
    posting.tell(&mut page, "a post")?;
    let next = run.more_posts(4)?;
    next.tell(&mut page, "the fifth one, once each knows who brings it first,")?;
    let quiet = run.idle_bytes(120 * SECOND);
    writeln!(page, "| sent in a quiet minute, bytes per peer | {:.0} |", quiet * 60.0)?;

    let (mean, reached) = run.outlive(&mut page, first)?;
    writeln!(
        page,
        "| simulated | {:.0} s in {:.0} s |",
        run.world.now.since(start).as_secs_f64(),
        began.elapsed().as_secs_f64()
    )?;
    publish(&page, arguments.out.as_deref())?;
    if let Some(path) = &arguments.million {
        let measured = Measured {
            peers: arguments.peers as u64,
            file_bytes,
            crowd_seconds,
            announces,
            file_bytes_sent: by_all,
            seeder_bytes: by_first.iter().max().copied().unwrap_or_default(),
            first_post_bytes_per_reader: posting.bytes_per_reader(),
            post_bytes_per_reader: next.bytes_per_reader(),
            author_post_bytes: next.author_bytes,
            seeder_post_bytes: next.seeder_bytes,
            quiet_bytes_per_second: quiet,
            connections: mean,
        };
        std::fs::write(path, million(&measured)?)?;
    }
    Ok(if came && churned && reached { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What came of a post.
struct Posting {
    peers: usize,
    reached: usize,
    half_seconds: f64,
    most_seconds: f64,
    last_seconds: f64,
    bytes: u64,
    author_bytes: u64,
    /// What a seeder sent for it on each of its connections.
    seeder_bytes: f64,
}

impl Posting {
    fn bytes_per_reader(&self) -> u64 {
        self.bytes / self.peers.max(1) as u64
    }

    fn tell(&self, page: &mut String, what: &str) -> Result<()> {
        writeln!(page, "| {what} has reached half of {} after | {:.2} s |", self.peers, self.half_seconds)?;
        writeln!(page, "| 99 of 100 | {:.2} s |", self.most_seconds)?;
        writeln!(page, "| all | {} of {}, {:.2} s |", self.reached, self.peers, self.last_seconds)?;
        writeln!(page, "| bytes sent for it by all, per reader | {} |", self.bytes_per_reader())?;
        writeln!(page, "| by the author | {} |", self.author_bytes)?;
        Ok(writeln!(page, "| by a seeder, on each of its connections | {:.0} |", self.seeder_bytes)?)
    }
}

impl Run {
    fn join_seeder(&mut self, uplink: u64) {
        self.world.join(uplink, false);
        self.came.push(self.world.now);
        self.done.push(None);
    }

    fn join_stranger(&mut self) {
        let lies = self.chance.below(100) < self.liars;
        self.world.read(self.uplink, lies);
        self.came.push(self.world.now);
        self.done.push(None);
    }

    fn sent(&self) -> Vec<u64> {
        self.world.machines.iter().map(|machine| machine.sent_bytes).collect()
    }

    fn pass(&mut self, time: Duration) {
        self.pass_until(self.world.now.after(time));
    }

    fn pass_until(&mut self, moment: Moment) {
        let (done, noted) = (&mut self.done, &mut self.noted);
        self.world.run(moment, |world| {
            if world.now.since(*noted) >= SECOND {
                note(world, done);
                *noted = world.now;
            }
            false
        });
    }

    fn until_all_have_all(&mut self) -> bool {
        let done = &mut self.done;
        self.world.run(self.world.now.after(PATIENCE), |world| note(world, done))
    }

    /// Some leave each second and as many others come.
    fn churn(&mut self, percent_per_minute: u64, time: Duration) {
        let until = self.world.now.after(time);
        let first = self.world.machines.len() - self.came.len() + 1;
        while self.world.now < until {
            let there: Vec<usize> =
                (first..self.world.machines.len()).filter(|at| self.world.machines[*at].alive).collect();
            let go = (there.len() as u64 * percent_per_minute).div_ceil(6_000);
            for _ in 0..go {
                self.world.leave(there[self.chance.index(there.len())]);
                self.join_stranger();
            }
            self.pass(SECOND);
        }
    }

    /// A post to everybody, and when they had it.
    fn post(&mut self, text: &str) -> Result<Posting> {
        const LOOK: Duration = Duration::from_millis(50);
        let before = self.sent();
        self.world.post(text, 0)?;
        let (began, size) = (self.world.now, self.world.content.size());
        let readers: Vec<usize> = honest(&self.world).skip(1).collect();
        let mut times: Vec<f64> = Vec::new();
        let mut missing = readers.clone();
        while !missing.is_empty() && self.world.now.since(began) < POST_PATIENCE {
            self.world.run(self.world.now.after(LOOK), |_| false);
            let seconds = self.world.now.since(began).as_secs_f64();
            let before = missing.len();
            missing.retain(|at| self.world.machines[*at].shelf.size < size);
            times.extend(std::iter::repeat_n(seconds, before - missing.len()));
        }
        // What is said about it later belongs to it.
        self.world.run(self.world.now.after(POST_TAIL), |_| false);
        let sent = self.sent();
        let connections = self.world.connections();
        let seeders: Vec<usize> = (1..self.seeders_end).collect();
        let by_seeders: u64 = seeders.iter().map(|at| sent[*at] - before[*at]).sum();
        let their_connections: usize = seeders.iter().filter_map(|at| connections.get(at)).sum();
        let at = |of: usize, out_of: usize| times.get(times.len().saturating_sub(1) * of / out_of).copied();
        Ok(Posting {
            peers: readers.len(),
            reached: times.len(),
            half_seconds: at(1, 2).unwrap_or(f64::NAN),
            most_seconds: at(99, 100).unwrap_or(f64::NAN),
            last_seconds: at(1, 1).unwrap_or(f64::NAN),
            bytes: sent.iter().sum::<u64>() - before.iter().sum::<u64>(),
            author_bytes: sent[0] - before[0],
            seeder_bytes: ratio(by_seeders, their_connections as u64),
        })
    }

    /// Some more posts; what came of the last one.
    fn more_posts(&mut self, count: usize) -> Result<Posting> {
        for number in 1..count {
            self.post(&format!("and another one, number {number}"))?;
        }
        self.post("and the last one of them")
    }

    /// The tracker dies, then half of the peers do: connections that each had before, and whether a post still reaches all.
    fn outlive(&mut self, page: &mut String, first: usize) -> Result<(f64, bool)> {
        self.world.tracker = None;
        self.pass(70 * SECOND);
        let connections = self.world.connections();
        let busiest = connections.values().max().copied().unwrap_or_default();
        let mean = ratio(connections.values().sum::<usize>() as u64, connections.len() as u64);
        writeln!(page, "| connections per peer; the most | {mean:.1}; {busiest} |")?;
        for number in first..self.world.machines.len() {
            if self.chance.below(2) == 0 {
                self.world.leave(number);
            }
        }
        self.pass(60 * SECOND);
        let last = self.post("after the tracker")?;
        let reached = last.reached == last.peers;
        writeln!(
            page,
            "| tracker and half of the peers gone, the next post has reached | {} of {} after {:.1} s |",
            last.reached, last.peers, last.last_seconds
        )?;
        Ok((mean, reached))
    }

    /// Bytes that a peer sends in a second while nothing happens.
    fn idle_bytes(&mut self, time: Duration) -> f64 {
        let before: u64 = self.sent().iter().sum();
        self.pass(time);
        let alive = self.world.machines.iter().filter(|machine| machine.alive).count();
        ratio(self.sent().iter().sum::<u64>() - before, alive as u64) / time.as_secs_f64()
    }

    /// How long those who came after the first took to have everything.
    fn tell_times(&self, page: &mut String, first: usize) -> Result<()> {
        let mut times: Vec<f64> = honest(&self.world)
            .filter(|at| *at >= first)
            .filter_map(|at| Some(self.done[at]?.since(self.came[at]).as_secs_f64()))
            .collect();
        times.sort_by(f64::total_cmp);
        let peers = honest(&self.world).filter(|at| *at >= first).count();
        writeln!(page, "| honest peers that have all | {} of {peers} |", times.len())?;
        for (name, of, out_of) in [
            ("half had all, after they came, within", 1, 2),
            ("nine of ten", 9, 10),
            ("99 of 100", 99, 100),
            ("the last one", 1, 1),
        ] {
            let at = times.get(times.len().saturating_sub(1) * of / out_of).copied().unwrap_or(f64::NAN);
            writeln!(page, "| {name} | {at:.0} s |")?;
        }
        Ok(())
    }
}

/// Those who are there and send what they should.
fn honest(world: &World) -> impl Iterator<Item = usize> {
    world.machines.iter().enumerate().filter(|(_, machine)| machine.alive && !machine.lies).map(|(at, _)| at)
}

/// Notes who has all by now, and whether all have.
fn note(world: &World, done: &mut [Option<Moment>]) -> bool {
    let mut all = true;
    for at in honest(world) {
        if done[at].is_none() && world.machines[at].shelf.is_complete(&world.content) {
            done[at] = Some(world.now);
        }
        all &= done[at].is_some();
    }
    all
}
