//! One large file from one program to another of its kind, over TCP on loopback: ours, and other people's.

mod aria2;
mod libtorrent;
pub mod network;
mod ours;
mod transmission;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

pub use aria2::Aria2;
pub use libtorrent::{Libtorrent, Torrent};
pub use ours::{Author, Get, Seed};
pub use transmission::Transmission;

/// How long one transfer may take before the run is given up.
const PATIENCE: Duration = Duration::from_secs(600);

/// What is carried.
#[derive(Clone, Debug)]
pub struct Cargo {
    /// A folder for whatever the programs keep.
    pub folder: PathBuf,
    /// The file.
    pub file: PathBuf,
    /// Its size.
    pub mib: u32,
}

/// How one transfer went.
#[derive(Clone, Copy, Debug)]
pub struct Transfer {
    /// From the start of the receiver to the last byte.
    pub seconds: f64,
    /// The same with the file synced to the disk, where that is another moment.
    pub synced_seconds: f64,
    /// Processor time of the sender.
    pub sender_cpu: f64,
    /// Processor time of the receiver.
    pub receiver_cpu: f64,
}

/// A program whose sender is running.
pub trait Contestant {
    /// As the page calls it.
    fn name(&self) -> &'static str;

    /// Rounds in which it takes part: one that needs minutes is in the first alone.
    fn rounds_at_most(&self) -> usize {
        usize::MAX
    }

    /// Starts a receiver, lets it have the file, and removes what it has got.
    fn carry(&self, round: usize) -> Result<Transfer>;
}

/// Runs a receiver that ends when it has the file: how long it took, and its processor time.
fn run_to_its_end(command: &mut Command) -> Result<(f64, f64)> {
    let before = children_cpu_seconds()?;
    let started = Instant::now();
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    let seconds = started.elapsed().as_secs_f64();
    ensure!(
        output.status.success(),
        "{command:?} ended with {}: {}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok((seconds, children_cpu_seconds()? - before))
}

/// Processor time of all children that have ended.
fn children_cpu_seconds() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(micros.unsigned_abs()).as_secs_f64())
}

/// Checks that a receiver wrote the file that was sent, and syncs it; how long the sync took.
fn sync(cargo: &Cargo, received: &Path) -> Result<f64> {
    let started = Instant::now();
    let file = fs::File::open(received).with_context(|| format!("{} did not come", received.display()))?;
    file.sync_all()?;
    let seconds = started.elapsed().as_secs_f64();
    let (due, length) = (fs::metadata(&cargo.file)?.len(), file.metadata()?.len());
    ensure!(length == due, "{} has {length} bytes instead of {due}", received.display());
    Ok(seconds)
}

/// The name of the file that is carried.
fn name_of(cargo: &Cargo) -> Result<&std::ffi::OsStr> {
    cargo.file.file_name().context("a file without a name")
}
