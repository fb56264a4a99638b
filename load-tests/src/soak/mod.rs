//! A tracker under attack from everywhere, and honest clients beside it that must not notice.
//!
//! Everything comes from addresses of 127.0.0.0/8, which the tracker is told to treat as strangers. Attackers have a
//! great many of them, honest clients one each.

mod attack;
mod honest;
mod outcome;
mod watch;
mod wire;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

pub use attack::Attack;
pub use honest::Answers;
pub use outcome::Outcome;

use self::watch::Watch;
use self::wire::Target;
use crate::tracker::Tracker;

/// How hard and how long.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long the attacks go on.
    pub duration: Duration,
    /// The tracker's memory budget.
    pub memory_mib: u64,
    /// Pairs of honest clients, each in a swarm of its own.
    pub pairs: u8,
    /// Threads for each kind of attack.
    pub attackers: u8,
    /// From which everything random follows.
    pub seed: u64,
}

/// Starts a tracker, lets everybody at it, and tells how it went; `say` gets a line whenever there is something to show.
pub fn run(options: &Options, mut say: impl FnMut(&str)) -> Result<Outcome> {
    let memory = format!("{}MiB", options.memory_mib);
    let flags = ["--memory", &memory, "--limit-loopback", "true", "--status", "127.0.0.1:0"];
    let tracker = Tracker::start_with("127.0.0.1", &flags)?;
    let target = Target::of(&tracker)?;
    let watch = Watch::new(tracker.daemon.pid(), target.status);
    let answers: Vec<_> = (0..2 * options.pairs).map(|_| Answers::default()).collect();
    let unproven_bytes = AtomicU64::new(0);
    let (over, target) = (AtomicBool::new(false), &target);
    let (over, unproven) = (&over, &unproven_bytes);
    say("| second | resident MiB | swarms | asked | served right | p50 ms | p99 ms |\n|---|---|---|---|---|---|---|");
    thread::scope(|scope| -> Result<()> {
        let _ends = EndOnDrop(over);
        for (number, answers) in (0..).zip(&answers) {
            honest::introduce(target, number)?;
            scope.spawn(move || honest::ask_until(over, target, number, answers));
        }
        for attack in Attack::ALL {
            for number in 0..options.attackers {
                let seed = options.seed.wrapping_add(u64::from(number));
                scope.spawn(move || attack.go_on_until(over, target, seed, unproven));
            }
        }
        let (started, step) = (Instant::now(), (options.duration / 10).max(Duration::from_secs(1)));
        let mut row = 1;
        while started.elapsed() < options.duration {
            thread::sleep(step.min(options.duration.saturating_sub(started.elapsed())));
            let second = started.elapsed().as_secs_f64();
            say(&format!("| {second:.1} | {} |", outcome::row(&watch.look()?, answers.iter(), row - 1)));
            row += 1;
        }
        Ok(())
    })?;
    let stats = watch.stats().context("the tracker no longer tells its counts")?;
    let outcome = Outcome::new(&watch, &stats, options, &answers, unproven_bytes.load(Ordering::Relaxed))?;
    tracker.daemon.stop(Duration::from_secs(60)).context("the tracker did not end properly")?;
    Ok(outcome)
}

/// Ends the other threads also when this one fails.
struct EndOnDrop<'a>(&'a AtomicBool);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
