//! What one `post` costs: time, processor time and disk, without a daemon and with one.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Parser;
use peerfeed_load_tests::person::Person;
use peerfeed_load_tests::results::{head, median, publish};

const TEXT: &str = "A hundred and forty characters are what a short post has had since the days of the first ones, so that is what is posted here, again, again, again.";

/// Measures one `post`.
#[derive(Debug, Parser)]
struct Arguments {
    /// Posts of each kind.
    #[arg(long, default_value_t = 200)]
    posts: u32,
    /// Write the page of results here too.
    #[arg(long)]
    out: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir()?;
    let author = Person::new(&folder.path().join("author"), &[]);
    author.ok(&["init"])?;
    let help = times(arguments.posts, || author.ok(&["--version"]))?;
    let disk_before = disk_bytes(author.data())?;
    let alone = times(arguments.posts, || author.ok(&["post", TEXT]))?;
    let disk_each = disk_bytes(author.data())?.saturating_sub(disk_before) / u64::from(arguments.posts);
    let running = author.start("the daemon", "127.0.0.1:0")?;
    let cpu_before = running.cpu_seconds()?;
    let with_daemon = times(arguments.posts, || author.ok(&["post", TEXT]))?;
    let cpu_each = (running.cpu_seconds()? - cpu_before) * 1000.0 / f64::from(arguments.posts);
    running.stop(Duration::from_secs(5))?;

    let mut page = head("The cost of one post");
    writeln!(page, "\n{} posts of {} bytes, one command each, until the command ends.\n", arguments.posts, TEXT.len())?;
    writeln!(page, "| | ms, median | ms, 99 of 100 |\n|---|---|---|")?;
    for (name, times) in [
        ("a command that does nothing (`--version`)", &help),
        ("`post`, no daemon: opens the store, commits, syncs, closes", &alone),
        ("`post` through a running daemon", &with_daemon),
    ] {
        writeln!(page, "| {name} | {:.1} | {:.1} |", median(times), percentile(times, 99))?;
    }
    writeln!(
        page,
        "\nDisk blocks per post, no daemon: {disk_each} bytes. Processor time in the daemon per post: {cpu_each:.2} ms."
    )?;
    publish(&page, arguments.out.as_deref())?;
    Ok(())
}

/// Milliseconds of each call.
fn times<T>(count: u32, mut act: impl FnMut() -> Result<T>) -> Result<Vec<f64>> {
    (0..count)
        .map(|_| {
            let started = Instant::now();
            act()?;
            Ok(started.elapsed().as_secs_f64() * 1000.0)
        })
        .collect()
}

fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

/// Blocks on disk of all files in a folder, in bytes.
fn disk_bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        // A block of `st_blocks` has 512 bytes on Linux, whatever the file system.
        bytes += entry?.metadata()?.blocks() * 512;
    }
    Ok(bytes)
}
