//! libtorrent, through its Python package.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::{Cargo, Contestant, Transfer};
use crate::daemon::Daemon;

const PYTHON: &str = "/usr/bin/python3";
const EXCHANGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/libtorrent/exchange.py");

/// A torrent of the file.
#[derive(Clone, Debug)]
pub struct Torrent(PathBuf);

impl Torrent {
    /// Makes it under a name, for a tracker.
    pub fn make(cargo: &Cargo, name: &str, announce_url: &str) -> Result<Self> {
        let path = cargo.folder.join(name).with_extension("torrent");
        exchange(&["make", &shown(&cargo.file), &shown(&path), announce_url])?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

/// libtorrent, seeding.
#[derive(Debug)]
pub struct Libtorrent {
    cargo: Cargo,
    torrent: Torrent,
    seeder: Daemon,
    port: String,
}

impl Libtorrent {
    /// Starts the seeder.
    pub fn start(cargo: &Cargo, torrent: &Torrent) -> Result<Self> {
        let arguments = [EXCHANGE, "seed", &shown(&cargo.file), &shown(torrent.path())];
        let mut seeder = Daemon::start("libtorrent", Command::new(PYTHON).args(arguments))?;
        let port = seeder.wait_for("its port", Duration::from_secs(60), |text| {
            text.lines().find_map(|line| line.strip_prefix("listening ").map(str::to_owned))
        })?;
        Ok(Self { cargo: cargo.clone(), torrent: torrent.clone(), seeder, port })
    }
}

impl Contestant for Libtorrent {
    fn name(&self) -> &'static str {
        "libtorrent"
    }

    /// The time counts from adding the peer to a running session.
    fn carry(&self, round: usize) -> Result<Transfer> {
        let into = self.cargo.folder.join(format!("libtorrent-{round}"));
        fs::create_dir(&into)?;
        let before = self.seeder.cpu_seconds()?;
        let said = exchange(&["fetch", &shown(&into), &shown(self.torrent.path()), &self.port])?;
        let numbers: Vec<f64> = said.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let [seconds, synced_seconds, receiver_cpu] = numbers[..] else { bail!("libtorrent said {said:?}") };
        let sender_cpu = self.seeder.cpu_seconds()? - before;
        fs::remove_dir_all(&into)?;
        Ok(Transfer { seconds, synced_seconds, sender_cpu, receiver_cpu })
    }
}

fn exchange(arguments: &[&str]) -> Result<String> {
    let output = Command::new(PYTHON).arg(EXCHANGE).args(arguments).output().context("cannot run python3")?;
    ensure!(output.status.success(), "libtorrent: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
