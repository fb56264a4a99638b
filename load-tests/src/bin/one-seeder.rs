//! One seeder, one client, one large file, on one machine: how fast it is verified and synced in the receiver's store, and how
//! fast a reader writes it out, beside libtorrent, aria2 and Transmission in the same run.
//!
//! All speak TCP over loopback. Rounds alternate, so that a change of the machine's mood meets all.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;
use peerfeed_load_tests::film::write_film;
use peerfeed_load_tests::results::{head, median, publish};
use peerfeed_load_tests::tracker::Tracker;
use peerfeed_load_tests::transfer::{
    Aria2, Author, Cargo, Contestant, Get, Libtorrent, Seed, Torrent, Transfer, Transmission, network,
};

/// Measures one seeder to one client, next to other people's programs.
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

/// The transfers of one program.
struct Column {
    name: &'static str,
    transfers: Vec<Transfer>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let has_network = network::enter()?;
    let folder = match &arguments.dir {
        Some(parent) => tempfile::tempdir_in(parent)?,
        None => tempfile::tempdir()?,
    };
    let cargo = Cargo { folder: folder.path().to_owned(), file: folder.path().join("cargo.bin"), mib: arguments.mib };
    write_film(&cargo.file, arguments.mib)?;

    let tracker = Tracker::start("127.0.0.1")?;
    let author = Author::start(&cargo, &tracker.http_url)?;
    let torrent = Torrent::make(&cargo, "cargo", &tracker.http_url)?;
    let libtorrent = Libtorrent::start(&cargo, &torrent)?;
    let aria2 = Aria2::start(&cargo, &torrent)?;
    let transmission = if has_network { Transmission::start(&cargo)? } else { None };
    let (seed, get) = (Seed(&author), Get(&author));
    let mut contestants: Vec<&dyn Contestant> = vec![&seed, &libtorrent, &get];
    contestants.extend(aria2.as_ref().map(|aria2| aria2 as &dyn Contestant));
    contestants.extend(transmission.as_ref().map(|transmission| transmission as &dyn Contestant));

    let mut columns: Vec<Column> =
        contestants.iter().map(|contestant| Column { name: contestant.name(), transfers: Vec::new() }).collect();
    for round in 0..arguments.rounds {
        for (contestant, column) in contestants.iter().zip(&mut columns) {
            if round >= contestant.rounds_at_most() {
                continue;
            }
            let transfer = contestant.carry(round).with_context(|| format!("{} carried nothing", column.name))?;
            eprintln!("round {}: {} {:.2} s", round + 1, column.name, transfer.seconds);
            column.transfers.push(transfer);
        }
    }
    publish(&page(&arguments, author.sealing_seconds, &columns)?, arguments.out.as_deref())
}

fn page(arguments: &Arguments, sealing: f64, columns: &[Column]) -> Result<String> {
    let mib = f64::from(arguments.mib);
    let gib = mib / 1024.0;
    let rate = |seconds: f64| mib * 1.048_576 / seconds;
    let mut page = head("One seeder to one client");
    writeln!(page, "\nA file of {} MiB over loopback, {} rounds, alternating.\n", arguments.mib, arguments.rounds)?;
    writeln!(
        page,
        "| to | MB/s, median | MB/s, synced | seconds of each round | CPU s per GiB, sender | CPU s per GiB, receiver |"
    )?;
    writeln!(page, "|---|---|---|---|---|---|")?;
    for column in columns {
        let each: Vec<_> = column.transfers.iter().map(|transfer| format!("{:.2}", transfer.seconds)).collect();
        writeln!(
            page,
            "| {} | {:.0} | {:.0} | {} | {:.2} | {:.2} |",
            column.name,
            rate(column.median(|transfer| transfer.seconds)),
            rate(column.median(|transfer| transfer.synced_seconds)),
            each.join(" "),
            column.median(|transfer| transfer.sender_cpu) / gib,
            column.median(|transfer| transfer.receiver_cpu) / gib,
        )?;
    }
    let [seed, libtorrent, get, ..] = columns else { anyhow::bail!("too few programs took part") };
    let beside = |column: &Column, until: fn(&Transfer) -> f64| libtorrent.median(until) / column.median(until);
    let (done, synced) = (|transfer: &Transfer| transfer.seconds, |transfer: &Transfer| transfer.synced_seconds);
    writeln!(
        page,
        "\nRates beside libtorrent's, of medians, until all is synced to the disk: `seed` {:.2} (goal 1.5), `get` {:.2} (goal 1.0).",
        beside(seed, synced),
        beside(get, synced),
    )?;
    writeln!(
        page,
        "Until each says that it is done, which libtorrent does before it has synced anything: `seed` {:.2}, `get` {:.2}.",
        beside(seed, done),
        beside(get, done),
    )?;
    writeln!(
        page,
        "A `seed` counts when every chunk is verified and synced in its store, still sealed. `get` counts from its start to its end, the\ndecrypted file written. Sealing and storing the file at the author (`post --attach`): {sealing:.2} s, {:.0} MB/s.",
        rate(sealing)
    )?;
    writeln!(
        page,
        "The time counts from the start of the receiving process (for libtorrent: from adding the peer to a running session; for\nTransmission, which takes seconds to look for peers: from the first bytes on the disk)."
    )?;
    Ok(page)
}

impl Column {
    fn median(&self, what: impl Fn(&Transfer) -> f64) -> f64 {
        median(&self.transfers.iter().map(what).collect::<Vec<_>>())
    }
}
