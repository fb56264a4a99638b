//! One seeder, one client, one large blob, on one machine: how fast it is verified and synced in the receiver's store,
//! beside libtorrent in the same run.
//!
//! The seeder is the author's own daemon; the receiver is a second data folder that only seeds. Both programs speak TCP
//! over loopback. Rounds alternate, so that a change of the machine's mood meets both.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use peerfeed::api::Feed;
use peerfeed_load_tests::asking::Asking;
use peerfeed_load_tests::daemon::{Daemon, until};
use peerfeed_load_tests::film::write_film;
use peerfeed_load_tests::person::Person;
use peerfeed_load_tests::results::{head, median, publish};
use peerfeed_load_tests::tracker::Tracker;

/// How long one transfer may take before the run is given up.
const PATIENCE: Duration = Duration::from_secs(600);
const MIB: u64 = 1 << 20;
const PYTHON: &str = "/usr/bin/python3";
const EXCHANGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/libtorrent/exchange.py");

/// Measures one seeder to one client, next to libtorrent.
#[derive(Debug, Parser)]
struct Arguments {
    /// Size of the file, MiB.
    #[arg(long, default_value_t = 1024)]
    mib: u32,
    /// Transfers of each kind.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Folder for everything; a temporary one by default.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Write the page of results here too.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// One transfer.
struct Transfer {
    seconds: f64,
    sender_cpu: f64,
    receiver_cpu: f64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = match &arguments.dir {
        Some(parent) => tempfile::tempdir_in(parent)?,
        None => tempfile::tempdir()?,
    };
    let file = folder.path().join("cargo.bin");
    write_film(&file, arguments.mib)?;

    let tracker = Tracker::start("127.0.0.1")?;
    let author = Person::new(&folder.path().join("author"), &[&tracker.http_url]);
    author.ok(&["init"])?;
    let started = Instant::now();
    author.ok(&["post", "one large file", "--attach", &file.display().to_string()])?;
    let sealing = started.elapsed().as_secs_f64();
    let link = author.link_with_key()?;
    let seeding = author.start("the author", "127.0.0.1:0")?;

    let torrent = folder.path().join("cargo.torrent");
    python(&["make", &shown(&file), &shown(&torrent)])?;
    let mut lt_seeder =
        Daemon::start("libtorrent", Command::new(PYTHON).args([EXCHANGE, "seed", &shown(&file), &shown(&torrent)]))?;
    let port = lt_seeder.wait_for("its port", Duration::from_secs(60), |text| {
        text.lines().find_map(|line| line.strip_prefix("listening ").map(str::to_owned))
    })?;

    let (mut ours, mut theirs, mut theirs_synced) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..arguments.rounds {
        let receiver = Person::new(&folder.path().join(format!("receiver-{round}")), &[]);
        ours.push(peerfeed_transfer(&receiver, &link, &seeding, arguments.mib)?);
        fs::remove_dir_all(receiver.data())?;
        let into = folder.path().join(format!("libtorrent-{round}"));
        fs::create_dir(&into)?;
        let (transfer, synced) = libtorrent_transfer(&into, &torrent, &port, &lt_seeder)?;
        theirs.push(transfer);
        theirs_synced.push(synced);
        fs::remove_dir_all(&into)?;
        eprintln!("round {}: {:.2} s, libtorrent {:.2} s", round + 1, ours[round].seconds, theirs[round].seconds);
    }

    let page = page(&arguments, sealing, &ours, &theirs, &theirs_synced)?;
    publish(&page, arguments.out.as_deref())?;
    Ok(())
}

fn peerfeed_transfer(receiver: &Person, link: &str, seeding: &Daemon, mib: u32) -> Result<Transfer> {
    receiver.ok(&["seed", link, "--quota", "100GiB"])?;
    let sender_before = seeding.cpu_seconds()?;
    let started = Instant::now();
    let receiving = receiver.start("the receiver", "127.0.0.1:0")?;
    let asking = Asking::new(receiver)?;
    until("the receiver holds the file", PATIENCE, || {
        let status = asking.status()?;
        let whole = |feed: &Feed| (feed.files, feed.files_held) == (1, 1) && feed.held_bytes >= u64::from(mib) * MIB;
        Ok(status.feeds.first().is_some_and(whole).then_some(()))
    })?;
    let seconds = started.elapsed().as_secs_f64();
    let receiver_cpu = receiving.cpu_seconds()?;
    let sender_cpu = seeding.cpu_seconds()? - sender_before;
    receiving.stop(Duration::from_secs(30))?;
    Ok(Transfer { seconds, sender_cpu, receiver_cpu })
}

fn libtorrent_transfer(into: &Path, torrent: &Path, port: &str, seeder: &Daemon) -> Result<(Transfer, f64)> {
    let sender_before = seeder.cpu_seconds()?;
    let said = python(&["fetch", &shown(into), &shown(torrent), port])?;
    let numbers: Vec<f64> = said.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let [seconds, synced, receiver_cpu] = numbers[..] else { anyhow::bail!("libtorrent said {said:?}") };
    let sender_cpu = seeder.cpu_seconds()? - sender_before;
    Ok((Transfer { seconds, sender_cpu, receiver_cpu }, synced))
}

fn page(
    arguments: &Arguments,
    sealing: f64,
    ours: &[Transfer],
    theirs: &[Transfer],
    theirs_synced: &[f64],
) -> Result<String> {
    let mib = f64::from(arguments.mib);
    let gib = mib / 1024.0;
    let rate = |seconds: f64| mib * 1.048_576 / seconds;
    let of =
        |transfers: &[Transfer], what: fn(&Transfer) -> f64| median(&transfers.iter().map(what).collect::<Vec<_>>());
    let (our_seconds, their_seconds) = (of(ours, |transfer| transfer.seconds), of(theirs, |transfer| transfer.seconds));
    let mut page = head("One seeder to one client");
    writeln!(page, "\nA file of {} MiB over loopback, {} rounds, alternating.\n", arguments.mib, arguments.rounds)?;
    writeln!(page, "| | MB/s, median | seconds of each round | CPU s per GiB, sender | CPU s per GiB, receiver |")?;
    writeln!(page, "|---|---|---|---|---|")?;
    let ours_each: Vec<f64> = ours.iter().map(|transfer| transfer.seconds).collect();
    let theirs_each: Vec<f64> = theirs.iter().map(|transfer| transfer.seconds).collect();
    for (name, transfers, each) in
        [("peerfeed, verified and synced", ours, &ours_each), ("libtorrent", theirs, &theirs_each)]
    {
        writeln!(
            page,
            "| {name} | {:.0} | {} | {:.2} | {:.2} |",
            rate(median(each)),
            each.iter().map(|seconds| format!("{seconds:.2}")).collect::<Vec<_>>().join(" "),
            of(transfers, |transfer| transfer.sender_cpu) / gib,
            of(transfers, |transfer| transfer.receiver_cpu) / gib,
        )?;
    }
    writeln!(
        page,
        "\nRatio of medians, peerfeed to libtorrent: {:.2} (goal 1.5). libtorrent with a final fsync: {:.0} MB/s.",
        their_seconds / our_seconds,
        rate(median(theirs_synced)),
    )?;
    writeln!(
        page,
        "Sealing and storing the file at the author (`post --attach`): {sealing:.2} s, {:.0} MB/s.",
        rate(sealing)
    )?;
    writeln!(
        page,
        "The time counts from the start of the receiving process (for libtorrent: from adding the peer to a running session)."
    )?;
    Ok(page)
}

fn python(arguments: &[&str]) -> Result<String> {
    let output = Command::new(PYTHON).arg(EXCHANGE).args(arguments).output().context("cannot run python3")?;
    ensure!(output.status.success(), "libtorrent: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
