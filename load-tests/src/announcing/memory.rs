//! What peers cost in memory, as the kernel sees the whole process.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;

use super::contestant::{Contestant, OURS};
use super::measure::{fill_udp, number};
use super::population::{Population, Shape};
use super::process::Sides;
use crate::programs::Programs;

/// One population in one program.
#[derive(Clone, Debug)]
pub struct Held {
    /// The program.
    pub name: &'static str,
    /// What it took when only a few had come; opentracker's whitelist is in this.
    pub empty_bytes: u64,
    /// What it took with everybody in.
    pub full_bytes: u64,
}

/// One population in all programs, ours first.
#[derive(Clone, Debug)]
pub struct Filling {
    population: String,
    /// Peers.
    pub peers: u32,
    /// By program.
    pub held: Vec<Held>,
}

/// With room for ten million peers, and a status page that tells of the sweep.
pub(super) const OUR_FLAGS: [&str; 4] = ["--memory", "4GiB", "--status", "127.0.0.1:0"];

/// Who comes before: a program that has answered has its code and its buffers in memory, which are no peer's. Their swarms
/// are among those of every population.
const FIRST: Shape = Shape::Even { swarms: 20, each: 50 };

impl Held {
    /// What everybody took together, per peer.
    pub fn bytes_each(&self, peers: u32) -> f64 {
        number(self.full_bytes.saturating_sub(self.empty_bytes)) / f64::from(peers.max(1))
    }
}

/// Fills each program with this population, one program after the other; those of other people only where `tools` says
/// where these are. `look` sees ours when everybody is in.
pub fn fill(
    population: &Population,
    tools: Option<&Path>,
    mut tell: impl FnMut(&str),
    look: impl FnOnce(&Contestant) -> Result<()>,
) -> Result<Filling> {
    // Before this thread is bound to one processor: cargo may have to build.
    Programs::find()?;
    tell(&population.described());
    let sides = Sides::of_this_machine()?;
    let be = |side: fn(Sides) -> Result<()>| sides.map_or(Ok(()), side);
    let opentracker = || Contestant::opentracker(population);
    let starts: [&dyn Fn() -> Result<Option<Contestant>>; 3] =
        [&|| Contestant::peerfeed(&OUR_FLAGS).map(Some), &|| tools.map_or(Ok(None), Contestant::aquatic_udp), &|| {
            tools.map_or(Ok(None), |_| opentracker())
        }];
    let (mut held, mut look) = (Vec::new(), Some(look));
    for start in starts {
        be(Sides::be_server)?;
        let server = start();
        be(Sides::be_loader)?;
        let server = match server {
            Ok(Some(server)) => server,
            Ok(None) => continue,
            Err(error) if held.is_empty() => return Err(error),
            Err(error) => {
                tell(&format!("one is left out: {error:#}"));
                continue;
            }
        };
        let mut empty_bytes = 0;
        let filled = fill_udp(&server, &Population::new(FIRST)).and_then(|_| {
            empty_bytes = server.resident_bytes()?;
            fill_udp(&server, population)
        });
        let took = match filled {
            Err(error) if server.name != OURS => {
                tell(&format!("{} is left out: {error:#}", server.name));
                continue;
            }
            took => took?,
        };
        let row = Held { name: server.name, empty_bytes, full_bytes: server.resident_bytes()? };
        let each = row.bytes_each(population.peers());
        tell(&format!("{}: {each:.1} bytes per peer, filled in {:.1} s", row.name, took.as_secs_f64()));
        held.push(row);
        if let Some(look) = look.take() {
            look(&server)?;
        }
    }
    Ok(Filling { population: population.described(), peers: population.peers(), held })
}

impl Filling {
    /// For a page of results.
    pub fn page(&self) -> String {
        let mut page = format!("{}.\n\n", self.population);
        page += "| program | empty MiB | full MiB | bytes per peer, grown by | bytes per peer, all in |\n|---|---|---|---|---|\n";
        for held in &self.held {
            let mib = |bytes| number(bytes) / f64::from(1 << 20);
            let whole = number(held.full_bytes) / f64::from(self.peers.max(1));
            let each = held.bytes_each(self.peers);
            let (name, empty, full) = (held.name, mib(held.empty_bytes), mib(held.full_bytes));
            // Writing to a string cannot fail.
            let _ = writeln!(page, "| {name} | {empty:.1} | {full:.1} | {each:.1} | {whole:.1} |");
        }
        page
    }
}
