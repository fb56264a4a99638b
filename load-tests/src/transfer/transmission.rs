//! Transmission's daemon as a seeder and as a client, which find each other through a tracker. It drops peers whose address
//! is a loopback one, so both have another.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;

use super::{Cargo, Contestant, PATIENCE, Torrent, Transfer, name_of, network, sync};
use crate::daemon::{Daemon, until};
use crate::stock;
use crate::tracker::Tracker;

/// Transmission, seeding.
#[derive(Debug)]
pub struct Transmission {
    cargo: Cargo,
    torrent: Torrent,
    seeder: Daemon,
    _tracker: Tracker,
}

impl Transmission {
    /// Starts the seeder, which looks through the file first, in a network of the run's own; `None` where Transmission is not
    /// installed.
    pub fn start(cargo: &Cargo) -> Result<Option<Self>> {
        if stock::find("transmission-daemon", "transmission-daemon")?.is_none() {
            return Ok(None);
        }
        let files = cargo.file.parent().context("a file without a folder")?;
        let tracker = Tracker::start(network::ADDRESS)?;
        let torrent = Torrent::make(cargo, "transmission", &tracker.http_url)?;
        let folder = cargo.folder.join("transmission");
        let mut seeder = start(&folder, torrent.path(), files)?;
        seeder
            .wait_for("to look through the file", PATIENCE, |text| text.contains("Verifying torrent").then_some(()))?;
        // It does not say when it has; it rests then.
        until("the file is looked through", PATIENCE, || {
            let before = seeder.cpu_seconds()?;
            std::thread::sleep(Duration::from_secs(1));
            Ok((seeder.cpu_seconds()? - before < 0.1).then_some(()))
        })?;
        Ok(Some(Self { cargo: cargo.clone(), torrent, seeder, _tracker: tracker }))
    }
}

impl Contestant for Transmission {
    fn name(&self) -> &'static str {
        "Transmission"
    }

    fn rounds_at_most(&self) -> usize {
        1
    }

    fn carry(&self, round: usize) -> Result<Transfer> {
        let folder = self.cargo.folder.join(format!("transmission-{round}"));
        let into = folder.join("files");
        fs::create_dir_all(&into)?;
        let before = self.seeder.cpu_seconds()?;
        let mut receiver = start(&folder, self.torrent.path(), &into)?;
        let file = into.join(name_of(&self.cargo)?);
        // It asks the tracker and connects when it thinks fit.
        until("the file begins to come", PATIENCE, || {
            Ok(fs::metadata(&file).is_ok_and(|file| file.blocks() > 0).then_some(()))
        })?;
        let started = Instant::now();
        wait(&mut receiver)?;
        let seconds = started.elapsed().as_secs_f64();
        let receiver_cpu = receiver.cpu_seconds()?;
        let sender_cpu = self.seeder.cpu_seconds()? - before;
        let synced_seconds = seconds + sync(&self.cargo, &file)?;
        receiver.kill();
        fs::remove_dir_all(&folder)?;
        Ok(Transfer { seconds, synced_seconds, sender_cpu, receiver_cpu })
    }
}

/// Transmission that knows the tracker of the torrent and nobody else.
fn start(folder: &Path, torrent: &Path, files: &Path) -> Result<Daemon> {
    let watched = folder.join("watched");
    fs::create_dir_all(&watched)?;
    // Taken as its own, and renamed when added.
    fs::copy(torrent, watched.join("cargo.torrent"))?;
    let settings = json!({
        "dht-enabled": false, "pex-enabled": false, "lpd-enabled": false, "utp-enabled": false,
        "port-forwarding-enabled": false, "rpc-enabled": false, "start-added-torrents": true,
        "bind-address-ipv4": network::ADDRESS, "peer-port": stock::free_port()?, "peer-port-random-on-start": false,
        "message-level": 2, "encryption": 0, "preallocation": 0, "rename-partial-files": false,
        "watch-dir-enabled": true, "watch-dir": watched, "download-dir": files, "incomplete-dir-enabled": false,
    });
    fs::write(folder.join("settings.json"), settings.to_string())?;
    Daemon::start(
        "Transmission",
        Command::new("transmission-daemon").arg("--foreground").arg("--config-dir").arg(folder),
    )
}

/// Waits until it has the whole file.
fn wait(daemon: &mut Daemon) -> Result<()> {
    daemon.wait_for("the whole file", PATIENCE, |text| text.contains("to \"Complete\"").then_some(()))
}
