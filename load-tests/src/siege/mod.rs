//! A seeder under attack by peers that know the feed, and honest people beside them who must not notice.
//!
//! An author posts text and files, the seeder fetches them, a reader fetches from the seeder; all are real programs. The
//! attackers speak the protocol as far as it serves them.

mod attack;
mod puppet;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use peerfeed::api::Status;

pub use attack::Attack;

use self::attack::Target;
use peerfeed_protocol::feed::blob::BlobSize;

use crate::asking::Asking;
use crate::daemon::until;
use crate::film::write_film;
use crate::person::{Person, text};
use crate::results::{head, ratio};

/// Posts that have to get through.
const POSTS_MIN: usize = 3;
/// A siege that has not shown everything by then failed.
const LONGEST: Duration = Duration::from_secs(180);

/// How hard and how long.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long the attacks go on.
    pub duration: Duration,
    /// Threads for each kind of attack.
    pub attackers: u8,
    /// Size of the files that are posted, MiB.
    pub mib: u32,
    /// Most resident memory of the seeder, MiB.
    pub memory_mib: u64,
    /// From which everything random follows.
    pub seed: u64,
    /// One kind of attack alone; all of them if none is named.
    pub only: Option<Attack>,
}

/// What came of it.
pub struct Outcome {
    options: Options,
    /// Seconds from each post until the reader had it.
    pub fetched: Vec<f64>,
    /// Most resident memory that the seeder had, bytes.
    pub resident_bytes: u64,
    /// Processor time of the seeder, seconds.
    pub cpu_seconds: f64,
    /// What the seeder said at the end.
    pub status: Status,
    /// Times that each attack began.
    pub begun: Vec<(Attack, u64)>,
}

/// Starts everybody, lets the attackers at the seeder, and tells how it went.
pub fn run(options: &Options, folder: &Path) -> Result<Outcome> {
    let film = folder.join("film.bin");
    write_film(&film, options.mib)?;
    let author = Person::new(&folder.join("author"), &[]);
    author.ok(&["init"])?;
    author.ok(&["post", "the first", "--to", "public"])?;
    let seeder = Person::new(&folder.join("seeder"), &[]);
    let plain = text(&author.event("link", &["invite"])?, "link")?;
    seeder.ok(&["seed", &plain, "--quota", "20GiB"])?;
    let seeding = seeder.start("the seeder", "127.0.0.1:0")?;
    let asking = Asking::new(&seeder)?;
    let status = asking.status()?;
    let code = status.seeder_code.context("the seeder has no code")?;
    let _writing = author.start("the author", "none")?;
    author.ok(&["seeders", "add", &code])?;
    author.wait_until_held(Duration::from_secs(180))?;
    let reader = Person::new(&folder.join("reader"), &[]);
    reader.ok(&["add", &text(&author.event("link", &["invite"])?, "link")?])?;

    let target = Target {
        address: status.listen.first().context("the seeder listens on nothing")?.parse()?,
        feed: status.feeds.first().context("the seeder has no feed")?.feed.parse()?,
        file_bytes: BlobSize::of_file(u64::from(options.mib) << 20)?.bytes(),
        wanted: Mutex::new(None),
        over: AtomicBool::new(false),
        begun: std::array::from_fn(|_| AtomicU64::new(0)),
    };
    let mut fetched = Vec::new();
    let mut resident_bytes = 0;
    thread::scope(|scope| -> Result<()> {
        let target = &target;
        let _ends = EndOnDrop(&target.over);
        let wanted = |attack: &Attack| options.only.is_none_or(|only| only == *attack);
        for (kind, attack) in (0_u8..).zip(Attack::ALL).filter(|(_, attack)| wanted(attack)) {
            for number in 0..options.attackers {
                let mut seed = [kind; 32];
                seed[..8].copy_from_slice(&options.seed.to_be_bytes());
                seed[8] = number;
                scope.spawn(move || attack.go_on(target, seed));
            }
        }
        let began = Instant::now();
        let mut number = 0_u64;
        // On a machine that is slow everything takes longer to be seen.
        while began.elapsed() < options.duration
            || began.elapsed() < LONGEST
                && !(fetched.len() >= POSTS_MIN && uncounted(&asking.status()?, options.only).is_empty())
        {
            number += 1;
            let words = format!("post {number}");
            // A new file every few posts keeps the seeder asking whoever says that they have it.
            let path = film.display().to_string();
            let attached: &[&str] = if number % 4 == 1 { &["--attach", &path] } else { &[] };
            let posted = Instant::now();
            author.ok(&[&["post", words.as_str(), "--to", "public"], attached].concat())?;
            until("the reader has the post", Duration::from_secs(180), || {
                reader.run(&["fetch", "--timeout", "20s"])?;
                let entries = reader.read(&["--limit", "3"])?;
                Ok(entries.iter().any(|entry| entry["text"] == words.as_str()).then_some(()))
            })?;
            fetched.push(posted.elapsed().as_secs_f64());
            resident_bytes = resident_bytes.max(resident(seeding.pid())?);
            thread::sleep(Duration::from_millis(500));
        }
        Ok(())
    })?;
    // Nobody lies any more, but the files are to have come in spite of them.
    until("the seeder has all files", Duration::from_secs(240), || {
        let status = asking.status()?;
        Ok(status.feeds.iter().all(|feed| feed.files_held == feed.files && feed.files > 0).then_some(()))
    })?;
    let status = asking.status()?;
    let cpu_seconds = seeding.cpu_seconds()?;
    let stopped = seeding.stop(Duration::from_secs(60))?;
    ensure!(stopped.status.success(), "the seeder ended with {}", stopped.status);
    let begun = Attack::ALL.into_iter().zip(target.begun.iter().map(|count| count.load(Ordering::Relaxed))).collect();
    Ok(Outcome { options: *options, fetched, resident_bytes, cpu_seconds, status, begun })
}

impl Outcome {
    /// What is not as it has to be, one line each.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.fetched.len() < POSTS_MIN {
            faults.push(format!("the reader got only {} posts", self.fetched.len()));
        }
        if self.resident_bytes > self.options.memory_mib << 20 {
            faults.push(format!("the seeder had {} MiB", self.resident_bytes >> 20));
        }
        faults.extend(uncounted(&self.status, self.options.only).iter().map(|what| format!("no {what} were counted")));
        faults
    }

    /// The page of results.
    pub fn page(&self) -> Result<String> {
        let mut page = head("A seeder under attack by peers");
        writeln!(page, "\n`{:?}`\n\n| what | |\n|---|---|", self.options)?;
        let mut times = self.fetched.clone();
        times.sort_by(f64::total_cmp);
        let at = |of: usize, out_of: usize| times.get(times.len().saturating_sub(1) * of / out_of).copied();
        writeln!(page, "| posts that an honest reader fetched | {} |", times.len())?;
        writeln!(
            page,
            "| half of them, from before `post` to after `fetch` and `read`, within | {:.2} s |",
            at(1, 2).unwrap_or(f64::NAN)
        )?;
        writeln!(page, "| the slowest | {:.2} s |", at(1, 1).unwrap_or(f64::NAN))?;
        writeln!(
            page,
            "| files that the seeder got in spite of liars | {} |",
            self.status.feeds.first().map_or(0, |feed| feed.files_held)
        )?;
        writeln!(
            page,
            "| most memory of the seeder | {:.0} of {} MiB |",
            ratio(self.resident_bytes, 1 << 20),
            self.options.memory_mib
        )?;
        writeln!(page, "| its processor time | {:.0} s |", self.cpu_seconds)?;
        writeln!(page, "| it sent | {:.0} MB |", ratio(self.status.traffic.sent_bytes, 1_000_000))?;
        writeln!(page, "\n| attack | times begun |\n|---|---|")?;
        for (attack, count) in &self.begun {
            writeln!(page, "| {attack:?} | {count} |")?;
        }
        writeln!(page, "\n| counted by `status` | |\n|---|---|")?;
        let refused = &self.status.refused;
        for (name, count) in [
            ("violations", refused.violations),
            ("banned", refused.banned),
            ("turned_away", refused.turned_away),
            ("strangers", refused.strangers),
            ("over_limit", refused.over_limit),
            ("stalled", refused.stalled),
            ("late", refused.late),
            ("ignored_addresses", refused.ignored_addresses),
        ] {
            writeln!(page, "| {name} | {count} |")?;
        }
        Ok(page)
    }
}

/// What such a siege shows, and this one does not yet.
fn uncounted(status: &Status, only: Option<Attack>) -> Vec<&'static str> {
    let refused = &status.refused;
    let counts: [(_, _, &[Attack]); 5] = [
        ("liars", refused.violations, &[Attack::Lie]),
        ("strangers", refused.strangers, &[Attack::Flood]),
        ("connections turned away", refused.turned_away, &[Attack::Flood]),
        ("addresses out of reach", refused.ignored_addresses, &[Attack::FalseAddresses]),
        ("requests and questions too many", refused.over_limit, &[Attack::Greed, Attack::TinyFrames, Attack::Pings]),
    ];
    let raised = |attacks: &[Attack]| only.is_none_or(|only| attacks.contains(&only));
    counts.into_iter().filter(|(_, count, by)| *count == 0 && raised(by)).map(|(what, ..)| what).collect()
}

/// Resident memory of a process, bytes.
fn resident(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib << 10)
}

/// Ends the other threads also when this one fails.
struct EndOnDrop<'a>(&'a AtomicBool);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
