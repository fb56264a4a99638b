//! aria2 as a seeder and as a client, which find each other through a tracker.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Cargo, Contestant, Torrent, Transfer, name_of, run_to_its_end, sync};
use crate::daemon::Daemon;
use crate::stock;

/// aria2, seeding.
#[derive(Debug)]
pub struct Aria2 {
    cargo: Cargo,
    torrent: Torrent,
    seeder: Daemon,
}

impl Aria2 {
    /// Starts the seeder; `None` where aria2 is not installed.
    pub fn start(cargo: &Cargo, torrent: &Torrent) -> Result<Option<Self>> {
        if stock::find("aria2c", "aria2")?.is_none() {
            return Ok(None);
        }
        let files = cargo.file.parent().context("a file without a folder")?;
        // It does not check the file, so that it seeds at once.
        let mut command = aria2(torrent.path(), files)?;
        command.args(["--seed-ratio=0", "--bt-seed-unverified=true", "--allow-overwrite=true"]);
        let mut seeder = Daemon::start("aria2", &mut command)?;
        seeder.wait_for("to be seeding", Duration::from_secs(30), |text| text.contains("SEED(").then_some(()))?;
        Ok(Some(Self { cargo: cargo.clone(), torrent: torrent.clone(), seeder }))
    }
}

impl Contestant for Aria2 {
    fn name(&self) -> &'static str {
        "aria2"
    }

    fn carry(&self, round: usize) -> Result<Transfer> {
        let into = self.cargo.folder.join(format!("aria2-{round}"));
        fs::create_dir(&into)?;
        let before = self.seeder.cpu_seconds()?;
        let (seconds, receiver_cpu) = run_to_its_end(aria2(self.torrent.path(), &into)?.arg("--seed-time=0"))?;
        let sender_cpu = self.seeder.cpu_seconds()? - before;
        let synced_seconds = seconds + sync(&self.cargo, &into.join(name_of(&self.cargo)?))?;
        fs::remove_dir_all(&into)?;
        Ok(Transfer { seconds, synced_seconds, sender_cpu, receiver_cpu })
    }
}

/// aria2 that knows the tracker of the torrent and nobody else.
fn aria2(torrent: &Path, files: &Path) -> Result<Command> {
    let mut command = Command::new("aria2c");
    command
        .args(["--no-conf", "--bt-enable-lpd=false", "--enable-peer-exchange=false", "--enable-dht=false"])
        .args(["--enable-dht6=false", "--summary-interval=0", "--console-log-level=info", "--enable-color=false"])
        .arg(format!("--listen-port={}", stock::free_port()?))
        .arg(format!("--dir={}", files.display()))
        .arg(torrent);
    Ok(command)
}
