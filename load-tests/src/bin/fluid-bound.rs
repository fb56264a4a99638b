//! One slow seeder and a crowd of clients with limited uplinks, real programs over loopback: how long until the last one
//! has the file, against the fluid bound, with libtorrent under the same limits beside it.
//!
//! The seeder is the author's own daemon; each client is a data folder of its own that only seeds. They find each other
//! through a tracker. Ends with 1 when a crowd takes longer than is asked for.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use peerfeed_load_tests::asking::Asking;
use peerfeed_load_tests::bound::{Line, fluid_seconds};
use peerfeed_load_tests::daemon::Daemon;
use peerfeed_load_tests::film::write_film;
use peerfeed_load_tests::person::Person;
use peerfeed_load_tests::results::{head, median, publish, ratio};
use peerfeed_load_tests::tracker::Tracker;

const PYTHON: &str = "/usr/bin/python3";
const EXCHANGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/libtorrent/exchange.py");
const CROWD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/libtorrent/crowd.py");

/// Measures crowds of real programs against the fluid bound.
#[derive(Debug, Parser)]
struct Arguments {
    /// Clients, one run for each number.
    #[arg(long, value_delimiter = ',', default_value = "2,5,20,50")]
    clients: Vec<usize>,
    /// Size of the file, MiB.
    #[arg(long, default_value_t = 256)]
    mib: u32,
    /// What the seeder may send, KB per second.
    #[arg(long, default_value_t = 4_000)]
    seeder_up: u64,
    /// What a client may send, KB per second.
    #[arg(long, default_value_t = 2_000)]
    up: u64,
    /// Times the fluid bound that a crowd may take.
    #[arg(long, default_value_t = 1.15)]
    at_most: f64,
    /// Leave libtorrent out.
    #[arg(long)]
    alone: bool,
    /// Folder for everything; a temporary one by default.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Write the page of results here too.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// What came of one crowd.
struct Outcome {
    seconds: f64,
    median_seconds: f64,
    seeder_copies: f64,
    cpu_seconds: f64,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let folder = match &arguments.dir {
        Some(parent) => tempfile::tempdir_in(parent)?,
        None => tempfile::tempdir()?,
    };
    let film = folder.path().join("film.bin");
    write_film(&film, arguments.mib)?;
    let torrent = folder.path().join("film.torrent");
    if !arguments.alone {
        python(&[EXCHANGE, "make", &shown(&film), &shown(&torrent)])?;
    }
    let mut page = head("One slow seeder, many clients");
    writeln!(
        page,
        "\nA file of {} MiB over loopback; the seeder may send {} KB/s, each client {} KB/s.\n",
        arguments.mib, arguments.seeder_up, arguments.up
    )?;
    writeln!(
        page,
        "| clients | | fluid bound | the last one | of the bound | half of them | copies sent by the seeder | CPU s |"
    )?;
    writeln!(page, "|---|---|---|---|---|---|---|---|")?;
    let mut within = true;
    for clients in &arguments.clients {
        let lines = vec![Line { up: arguments.up * 1_000, down: None }; *clients];
        let bound = fluid_seconds(u64::from(arguments.mib) << 20, arguments.seeder_up * 1_000, &lines);
        let mut tell = |name: &str, outcome: &Outcome| -> Result<()> {
            let line = format!(
                "| {clients} | {name} | {bound:.1} s | {:.1} s | {:.3} | {:.1} s | {:.2} | {:.0} |",
                outcome.seconds,
                outcome.seconds / bound,
                outcome.median_seconds,
                outcome.seeder_copies,
                outcome.cpu_seconds
            );
            eprintln!("{line}");
            Ok(writeln!(page, "{line}")?)
        };
        let into = folder.path().join(format!("crowd-{clients}"));
        fs::create_dir(&into)?;
        let ours = peerfeed(&arguments, *clients, bound, &film, &into)?;
        within &= ours.seconds <= arguments.at_most * bound;
        tell("peerfeed", &ours)?;
        fs::remove_dir_all(&into)?;
        if !arguments.alone {
            fs::create_dir(&into)?;
            tell("libtorrent", &libtorrent(&arguments, *clients, &film, &torrent, &into)?)?;
            fs::remove_dir_all(&into)?;
        }
    }
    publish(&page, arguments.out.as_deref())?;
    Ok(if within { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn peerfeed(arguments: &Arguments, clients: usize, bound: f64, film: &Path, into: &Path) -> Result<Outcome> {
    let tracker = Tracker::start("127.0.0.1")?;
    let author = Person::new(&into.join("author"), &[&tracker.http_url]);
    author.ok(&["init"])?;
    author.ok(&["post", "a film", "--attach", &shown(film)])?;
    let link = author.link_with_key()?;
    let crowd: Vec<Person> =
        (0..clients).map(|number| Person::new(&into.join(number.to_string()), &[&tracker.http_url])).collect();
    for client in &crowd {
        client.ok(&["seed", &link, "--quota", "100GiB"])?;
    }
    let seeding = running(&author, "the author", arguments.seeder_up)?;
    let began = Instant::now();
    let daemons = crowd.iter().map(|client| running(client, "a client", arguments.up)).collect::<Result<Vec<_>>>()?;
    let patience = Duration::from_secs_f64(bound * 4.0 + 60.0);
    let asking = crowd.iter().map(Asking::new).collect::<Result<Vec<_>>>()?;
    let mut times: Vec<Option<f64>> = vec![None; clients];
    // Asking costs processor time that the crowd could use, and nobody is done before.
    std::thread::sleep(Duration::from_secs_f64(bound * 0.9).saturating_sub(began.elapsed()));
    while times.iter().any(Option::is_none) {
        ensure!(began.elapsed() < patience, "not everybody has the file after {patience:?}");
        for (client, time) in asking.iter().zip(&mut times).filter(|(_, time)| time.is_none()) {
            let status = client.status()?;
            if status.feeds.iter().any(|feed| (feed.files, feed.files_held) == (1, 1)) {
                *time = Some(began.elapsed().as_secs_f64());
            }
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    let times: Vec<f64> = times.into_iter().flatten().collect();
    let mut cpu_seconds = seeding.cpu_seconds()?;
    for daemon in &daemons {
        cpu_seconds += daemon.cpu_seconds()?;
    }
    let served = Asking::new(&author)?.status()?.traffic.sent_bytes;
    Ok(Outcome {
        seconds: times.iter().copied().fold(0.0, f64::max),
        median_seconds: median(&times),
        seeder_copies: ratio(served, u64::from(arguments.mib) << 20),
        cpu_seconds,
    })
}

fn running(person: &Person, name: &str, up: u64) -> Result<Daemon> {
    let up = format!("{up}KB");
    Daemon::start(name, &mut person.command(&["--listen", "127.0.0.1:0", "run", "--up", &up])?)
}

fn libtorrent(arguments: &Arguments, clients: usize, film: &Path, torrent: &Path, into: &Path) -> Result<Outcome> {
    let (seeder_up, up) = ((arguments.seeder_up * 1_000).to_string(), (arguments.up * 1_000).to_string());
    let said = python(&[CROWD, &shown(film), &shown(torrent), &shown(into), &clients.to_string(), &seeder_up, &up])?;
    let numbers: Vec<f64> = said.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let [seconds, median_seconds, sent, cpu_seconds] = numbers[..] else { anyhow::bail!("it said {said:?}") };
    let seeder_copies = sent / (f64::from(arguments.mib) * 1_048_576.0);
    Ok(Outcome { seconds, median_seconds, seeder_copies, cpu_seconds })
}

fn python(arguments: &[&str]) -> Result<String> {
    let output = Command::new(PYTHON).args(arguments).output().context("cannot run python3")?;
    ensure!(output.status.success(), "libtorrent: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
