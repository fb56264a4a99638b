//! Peerfeed: an author's daemon, to a seeder that cannot read the file, and to a reader who writes it out.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use peerfeed::api::Feed;

use super::{Cargo, Contestant, PATIENCE, Transfer, name_of, run_to_its_end, sync};
use crate::asking::Asking;
use crate::daemon::{Daemon, until};
use crate::person::{Person, text};

/// The author, seeding.
#[derive(Debug)]
pub struct Author {
    cargo: Cargo,
    link: String,
    entry: String,
    daemon: Daemon,
    /// How long sealing and storing the file took.
    pub sealing_seconds: f64,
}

/// To a second data folder that only seeds.
#[derive(Debug)]
pub struct Seed<'a>(pub &'a Author);

/// To a reader's `get`, which writes the decrypted file.
#[derive(Debug)]
pub struct Get<'a>(pub &'a Author);

impl Author {
    /// Posts the file and starts the daemon.
    pub fn start(cargo: &Cargo, tracker_url: &str) -> Result<Self> {
        let author = Person::new(&cargo.folder.join("author"), &[tracker_url]);
        author.ok(&["init"])?;
        let started = Instant::now();
        let posted = author.event("posted", &["post", "one large file", "--attach", &shown(&cargo.file)])?;
        let sealing_seconds = started.elapsed().as_secs_f64();
        let link = author.link_with_key()?;
        let daemon = author.start("the author", "127.0.0.1:0")?;
        Ok(Self { cargo: cargo.clone(), link, entry: text(&posted, "id")?, daemon, sealing_seconds })
    }
}

impl Contestant for Seed<'_> {
    fn name(&self) -> &'static str {
        "peerfeed, a second `seed`"
    }

    fn carry(&self, round: usize) -> Result<Transfer> {
        let Self(author) = self;
        let receiver = Person::new(&author.cargo.folder.join(format!("receiver-{round}")), &[]);
        receiver.ok(&["seed", &author.link, "--quota", "100GiB"])?;
        let before = author.daemon.cpu_seconds()?;
        let started = Instant::now();
        let receiving = receiver.start("the receiver", "127.0.0.1:0")?;
        let asking = Asking::new(&receiver)?;
        let due = u64::from(author.cargo.mib) << 20;
        until("the receiver holds the file", PATIENCE, || {
            let status = asking.status()?;
            let whole = |feed: &Feed| (feed.files, feed.files_held) == (1, 1) && feed.held_bytes >= due;
            Ok(status.feeds.first().is_some_and(whole).then_some(()))
        })?;
        let seconds = started.elapsed().as_secs_f64();
        let receiver_cpu = receiving.cpu_seconds()?;
        let sender_cpu = author.daemon.cpu_seconds()? - before;
        receiving.stop(Duration::from_secs(30))?;
        fs::remove_dir_all(receiver.data())?;
        Ok(Transfer { seconds, synced_seconds: seconds, sender_cpu, receiver_cpu })
    }
}

impl Contestant for Get<'_> {
    fn name(&self) -> &'static str {
        "peerfeed, `get`"
    }

    fn carry(&self, round: usize) -> Result<Transfer> {
        let Self(author) = self;
        let reader = Person::new(&author.cargo.folder.join(format!("reader-{round}")), &[]);
        reader.ok(&["add", &author.link])?;
        reader.ok(&["fetch"])?;
        let before = author.daemon.cpu_seconds()?;
        let out = reader.data().join("files");
        let (seconds, receiver_cpu) =
            run_to_its_end(&mut reader.command(&["get", &author.entry, "--out", &shown(&out)])?)?;
        let sender_cpu = author.daemon.cpu_seconds()? - before;
        let synced_seconds = seconds + sync(&author.cargo, &out.join(name_of(&author.cargo)?))?;
        fs::remove_dir_all(reader.data())?;
        Ok(Transfer { seconds, synced_seconds, sender_cpu, receiver_cpu })
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
