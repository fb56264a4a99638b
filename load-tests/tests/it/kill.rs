//! `kill -9` at any moment: what was acknowledged is there, and nothing half-written is visible.

use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use peerfeed_load_tests::person::{Person, text};
use peerfeed_load_tests::tracker::Tracker;

use crate::story::{HELD, path_text, sha256, stop};

const ROUNDS: usize = 24;
const FILE_BYTES: usize = 2_000_000;

#[test]
fn killing_posts_at_random_moments_loses_nothing_acknowledged() -> Result<()> {
    let mut moments = Moments::new()?;
    let folder = tempfile::tempdir()?;
    let author = Person::new(&folder.path().join("author"), &[]);
    author.ok(&["init"])?;
    let usual = time_of(|| author.ok(&["post", "to see how long it takes"]))?;
    let mut acknowledged = 0;
    for round in 0..ROUNDS {
        let text = format!("post number {round}");
        let file = folder.path().join(format!("{round}.bin"));
        fs::write(&file, content(round))?;
        let mut command = author.command(&["post", &text, "--attach", &path_text(&file)])?;
        // Beyond the usual time too, so that some of them are acknowledged.
        acknowledged += usize::from(killed_after(&mut command, moments.within(usual * 3))?);
        check(&author, folder.path(), acknowledged, round, &moments)?;
    }
    Ok(())
}

/// Every entry is whole, and there are as many as were acknowledged or more.
fn check(
    author: &Person,
    folder: &std::path::Path,
    acknowledged: usize,
    round: usize,
    moments: &Moments,
) -> Result<()> {
    let entries = author.read::<&str>(&[]).with_context(|| moments.to_string())?;
    let numbered: Vec<_> = entries
        .iter()
        .filter(|entry| entry["text"].as_str().is_some_and(|text| text.starts_with("post number")))
        .collect();
    ensure!(numbered.len() >= acknowledged, "{acknowledged} acknowledged, {} there; {moments}", numbered.len());
    let Some(last) = numbered.iter().find(|entry| entry["text"] == format!("post number {round}")) else {
        return Ok(());
    };
    let out = folder.join("out");
    let file = author.event("file", &["get", &text(last, "id")?, "--out", &path_text(&out)])?;
    let written = fs::read(text(&file, "path")?)?;
    ensure!(sha256(&written) == sha256(&content(round)), "the file of post {round} is damaged; {moments}");
    Ok(())
}

#[test]
fn killing_fetches_at_random_moments_leaves_a_store_that_goes_on() -> Result<()> {
    let mut moments = Moments::new()?;
    let folder = tempfile::tempdir()?;
    let tracker = Tracker::start("127.0.0.1")?;
    let author = Person::new(&folder.path().join("author"), &[&tracker.http_url]);
    author.ok(&["init"])?;
    let file = folder.path().join("file.bin");
    fs::write(&file, content(0))?;
    for number in 0..10 {
        author.ok(&["post", &format!("post number {number}")])?;
    }
    author.ok(&["post", "the file", "--attach", &path_text(&file)])?;
    let link = author.link_with_key()?;
    let seeder = Person::new(&folder.path().join("seeder"), &[&tracker.http_url]);
    seeder.ok(&["seed", &link])?;
    let serving = seeder.start("the seeder", "127.0.0.1:0")?;
    let handing = author.start("the author", "none")?;
    author.wait_until_held(HELD)?;
    stop(handing, "the author")?;

    let warm = Person::new(&folder.path().join("warm"), &[]);
    warm.ok(&["add", &link])?;
    let usual = time_of(|| warm.ok(&["fetch"]))?;
    let reader = Person::new(&folder.path().join("reader"), &[]);
    reader.ok(&["add", &link])?;
    let mut seen = 0;
    for _ in 0..ROUNDS {
        let mut command = reader.command(&["fetch"])?;
        killed_after(&mut command, moments.within(usual * 2))?;
        let now = reader.read::<&str>(&[]).with_context(|| moments.to_string())?.len();
        ensure!(now >= seen, "{seen} entries were there, now {now}; {moments}");
        seen = now;
    }
    reader.ok(&["fetch"]).with_context(|| moments.to_string())?;
    let entries = reader.read::<&str>(&[])?;
    let with_file = entries.iter().find(|entry| entry["text"] == "the file").context("the last post is missing")?;
    let (id, out) = (text(with_file, "id")?, path_text(&folder.path().join("out")));
    for _ in 0..ROUNDS / 2 {
        killed_after(&mut reader.command(&["get", &id, "--out", &out])?, moments.within(usual * 2))?;
    }
    let got = reader.event("file", &["get", &id, "--out", &out]).with_context(|| moments.to_string())?;
    let written = fs::read(text(&got, "path")?)?;
    ensure!(sha256(&written) == sha256(&content(0)), "the file is damaged; {moments}");
    let posts = entries.iter().filter(|entry| entry["text"].as_str().is_some_and(|text| text.starts_with("post ")));
    ensure!(posts.count() == 10, "not all posts are there: {entries:?}");
    stop(serving, "the seeder")?;
    Ok(())
}

/// Starts a command, kills it after this time; whether it had ended well before.
fn killed_after(command: &mut std::process::Command, delay: Duration) -> Result<bool> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let due = Instant::now() + delay;
    while Instant::now() < due {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        thread::sleep(Duration::from_millis(1));
    }
    child.kill()?;
    Ok(child.wait()?.success())
}

fn time_of<T>(act: impl FnOnce() -> Result<T>) -> Result<Duration> {
    let started = Instant::now();
    act()?;
    Ok(started.elapsed())
}

/// Another content for each round, of another length too.
fn content(round: usize) -> Vec<u8> {
    let length = FILE_BYTES + round * 7919;
    (0..length).map(|at| u8::try_from((at * (round + 3) / 7) % 251).expect("below 251")).collect()
}

/// Random moments from a seed that a failure names.
struct Moments {
    seed: u64,
    state: u64,
}

impl Moments {
    fn new() -> Result<Self> {
        let seed = match std::env::var("PEERFEED_SEED") {
            Ok(text) => text.parse().context("PEERFEED_SEED is no number")?,
            Err(_) => getrandom::u64().context("no randomness")?,
        };
        Ok(Self { seed, state: seed })
    }

    /// A moment before `most`.
    fn within(&mut self, most: Duration) -> Duration {
        // SplitMix64: enough to spread moments.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX).max(1);
        Duration::from_micros((mixed ^ mixed >> 31) % micros)
    }
}

impl std::fmt::Display for Moments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "run again with PEERFEED_SEED={}", self.seed)
    }
}
