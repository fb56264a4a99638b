//! All programs in one run, in turn and again, so that what disturbs the machine disturbs all of them alike.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use super::contestant::{Contestant, OURS};
use super::http::Connections;
use super::latency::Latencies;
use super::measure::{Load, Measure, Traffic, fill_http, fill_udp, number};
use super::population::{Population, Shape};
use super::process::Sides;
use crate::programs::Programs;
use crate::results::median;

/// How a comparison is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who announces.
    pub shape: Shape,
    /// How much is under way.
    pub load: Load,
    /// Runs of each program and kind of traffic.
    pub rounds: u64,
    /// Length of each.
    pub duration: Duration,
    /// Whether other people's programs take part.
    pub others: bool,
}

/// All runs of one program under one kind of traffic.
#[derive(Debug)]
pub struct Row {
    /// The program.
    pub name: &'static str,
    /// One per round.
    pub runs: Vec<Measure>,
}

/// What a comparison showed.
#[derive(Debug)]
pub struct Comparison {
    population: String,
    /// Our tracker first.
    pub udp: Vec<Row>,
    /// The same.
    pub kept: Vec<Row>,
    /// The same.
    pub new: Vec<Row>,
    resident: Vec<(&'static str, u64)>,
    missing: Vec<&'static str>,
}

/// Traffic, beside which program, and how many times its cost at most.
const GOALS: [(&str, &str, f64); 6] = [
    ("UDP", "aquatic_udp", 0.87),
    ("UDP", "opentracker", 0.67),
    ("UDP", "floor", 1.15),
    ("HTTP, kept connections", "aquatic_http", 0.5),
    ("HTTP, kept connections", "bare hyper", 1.5),
    ("HTTP, a new connection each", "opentracker", 1.2),
];

/// `aquatic_http` knows one in so many of all peers before it is measured: all of them would take it minutes.
const AQUATIC_HTTP_ONE_IN: u32 = 16;

/// Runs all of it. `own` is a program that is a floor when told so, `tools` where the others are.
pub fn run(options: &Options, own: &Path, tools: &Path, mut tell: impl FnMut(&str)) -> Result<Comparison> {
    // Before this thread is bound to one processor: cargo may have to build.
    Programs::find()?;
    let population = Population::new(options.shape);
    tell(&population.described());
    let sides = Sides::of_this_machine()?;
    let be = |side: fn(Sides) -> Result<()>| sides.map_or(Ok(()), side);
    be(Sides::be_server)?;
    let mut missing = Vec::new();
    let mut servers = vec![Contestant::peerfeed(&[])?];
    let mut aquatic_http = None;
    if options.others {
        let aquatic_udp = Contestant::aquatic_udp(tools)?;
        aquatic_http = Contestant::aquatic_http(tools)?;
        let opentracker = Contestant::opentracker(&population)?;
        missing.extend(aquatic_udp.is_none().then_some("aquatic_udp"));
        missing.extend(aquatic_http.is_none().then_some("aquatic_http"));
        missing.extend(opentracker.is_none().then_some("opentracker"));
        servers.extend(aquatic_udp.into_iter().chain(opentracker));
    }
    let mut resident = Vec::new();
    be(Sides::be_loader)?;
    for server in std::mem::take(&mut servers) {
        let before = server.resident_bytes()?;
        match fill_udp(&server, &population) {
            Err(error) if server.name != OURS => {
                tell(&format!("{} is left out: {error:#}", server.name));
                missing.push(server.name);
                continue;
            }
            took => tell(&format!("{}: filled in {:.1} s", server.name, took?.as_secs_f64())),
        }
        resident.push((server.name, server.resident_bytes()?.saturating_sub(before)));
        servers.push(server);
    }
    let probe = Measure::run(&servers[0], &population, Traffic::Udp, &options.load, options.duration / 4, 0)?;
    let peers = u32::try_from(probe.peers / probe.announces.max(1))?;
    be(Sides::be_server)?;
    let floor_udp = Contestant::floor_udp(own, peers)?;
    let bare_hyper = Contestant::floor_http(own, peers)?;
    be(Sides::be_loader)?;
    if let Some(server) = &aquatic_http {
        match fill_http(server, &population, AQUATIC_HTTP_ONE_IN) {
            Ok(took) => tell(&format!("{}: filled in {:.1} s", server.name, took.as_secs_f64())),
            Err(error) => tell(&format!("not all are in: {error:#}")),
        }
    }
    let of_udp: Vec<_> = servers.iter().chain([&floor_udp]).collect();
    let of_http = servers.iter().filter(|server| server.http.is_some());
    let of_http: Vec<_> = of_http.chain(&aquatic_http).chain([&bare_hyper]).collect();
    // opentracker closes behind every answer.
    let keeping: Vec<_> = of_http.iter().copied().filter(|server| server.name != "opentracker").collect();
    let mut measure = |servers: &[&Contestant], traffic| -> Result<Vec<Row>> {
        let mut rows: Vec<_> = servers.iter().map(|server| Row { name: server.name, runs: vec![] }).collect();
        for round in 0..options.rounds {
            for (server, row) in servers.iter().zip(&mut rows) {
                let run = Measure::run(server, &population, traffic, &options.load, options.duration, round)?;
                tell(&format!(
                    "{} {traffic:?}: {:.2} µs per answer, {:.0} answers/s, busy {:.0}%",
                    server.name,
                    run.per_answer_us(),
                    run.rate(),
                    run.busy() * 100.0
                ));
                row.runs.push(run);
            }
        }
        Ok(rows)
    };
    let udp = measure(&of_udp, Traffic::Udp)?;
    let kept = measure(&keeping, Traffic::Http(Connections::Kept))?;
    let new = measure(&of_http, Traffic::Http(Connections::New))?;
    Ok(Comparison { population: population.described(), udp, kept, new, resident, missing })
}

impl Row {
    fn median(&self, of: impl Fn(&Measure) -> f64) -> f64 {
        median(&self.runs.iter().map(of).collect::<Vec<_>>())
    }

    /// The cost per answer of `self` in that of `other`, round by round; the middle one.
    pub fn ratio_to(&self, other: &Self) -> f64 {
        let ratios = self.runs.iter().zip(&other.runs).map(|(a, b)| a.per_answer_us() / b.per_answer_us());
        median(&ratios.collect::<Vec<_>>())
    }
}

impl Comparison {
    /// The kinds of traffic by name.
    fn tables(&mut self) -> [(&'static str, &mut Vec<Row>); 3] {
        [(GOALS[0].0, &mut self.udp), (GOALS[3].0, &mut self.kept), (GOALS[5].0, &mut self.new)]
    }

    /// For a page of results.
    pub fn page(&mut self) -> Result<String> {
        let mut page = format!("{}; each answer may hold 50.\n\n", self.population);
        writeln!(
            page,
            "aquatic_http is filled by HTTP only, and with one peer in {AQUATIC_HTTP_ONE_IN}; the loader never sleeps.\n"
        )?;
        for name in &self.missing {
            writeln!(page, "**{name} was not there and is left out.**\n")?;
        }
        page += "## Goals\n\nProcessor time of the server per answer, ours divided by theirs; the middle one of the rounds.\n\n";
        page += "| traffic | beside | at most | measured | |\n|---|---|---|---|---|\n";
        for (traffic, beside, most) in GOALS {
            let (_, rows) = self.tables().into_iter().find(|(name, _)| *name == traffic).context("no such table")?;
            let Some(other) = rows.iter().find(|row| row.name == beside) else { continue };
            let ratio = rows[0].ratio_to(other);
            let verdict = if ratio <= most { "holds" } else { "missed" };
            writeln!(page, "| {traffic} | {beside} | {most:.2}x | {ratio:.2}x | {verdict} |")?;
        }
        for (traffic, rows) in self.tables() {
            writeln!(page, "\n## {traffic}\n")?;
            page +=
                "| program | µs per answer | µs per announce | answers/s | peers | lost | p50 ms | p99 ms | busy |\n";
            page += "|---|---|---|---|---|---|---|---|---|\n";
            let mut waits = Vec::new();
            for row in rows.iter_mut() {
                let lost: u64 = row.runs.iter().map(|run| run.lost + run.refused).sum();
                let mut latencies = Latencies::default();
                for run in &mut row.runs {
                    latencies.extend(std::mem::take(&mut run.latencies));
                }
                let [half, most] = [0.5, 0.99].map(|share| latencies.within(share).as_secs_f64() * 1e3);
                let (answer, announce) = (row.median(Measure::per_answer_us), row.median(Measure::per_announce_us));
                let (rate, busy) = (row.median(Measure::rate), row.median(Measure::busy) * 100.0);
                let peers = row.median(|run| number(run.peers) / number(run.announces.max(1)));
                let name = row.name;
                writeln!(
                    page,
                    "| {name} | {answer:.2} | {announce:.2} | {rate:.0} | {peers:.1} | {lost} | {half:.2} | {most:.2} | {busy:.0}% |"
                )?;
                if row.runs.iter().any(Measure::is_loader_bound) {
                    waits.push(row.name);
                }
            }
            if !waits.is_empty() {
                writeln!(page, "\n**The loader was the bottleneck for {}.**", waits.join(", "))?;
            }
        }
        page += "\n## Memory\n\nWhat the process grew by while everybody announced once.\n\n| program | MiB | bytes per peer |\n|---|---|---|\n";
        let peers: u64 = self.population.split(' ').next().unwrap_or_default().parse()?;
        for (name, bytes) in &self.resident {
            let (mib, each) = (number(*bytes) / f64::from(1 << 20), number(*bytes) / number(peers));
            writeln!(page, "| {name} | {mib:.1} | {each:.1} |")?;
        }
        Ok(page)
    }
}
