//! One run of one loader against one server, as the kernel accounts for it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use peerfeed_protocol::announce::Event;

use super::contestant::Contestant;
use super::http::{Connections, HttpLoader, Order};
use super::latency::Latencies;
use super::population::{HOSTS, Population};
use super::process::Time;
use super::udp::{Loader, Pace};
use super::visitors::{Everybody, Passers};

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// A connect and an announce each time.
    Udp,
    /// An announce.
    Http(Connections),
}

/// How much is under way at once.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Of UDP: addresses that visit at a time.
    pub visits: usize,
    /// Of UDP: peers of an address that announce at a time.
    pub per_visit: u32,
    /// Of HTTP: requests.
    pub requests: u32,
}

/// What was measured.
#[derive(Debug, Default)]
pub struct Measure {
    /// Announces answered.
    pub announces: u64,
    /// Answers of any kind.
    pub answers: u64,
    /// Requests without an answer.
    pub lost: u64,
    /// Refusals and nonsense.
    pub refused: u64,
    /// Peers in all answers.
    pub peers: u64,
    /// How long it took.
    pub took: Duration,
    /// What the server used.
    pub server: Time,
    /// Of announces.
    pub latencies: Latencies,
}

/// A server that had less to do than this part of the time waited for the loader.
const BUSY: f64 = 0.95;

impl Measure {
    /// Loads `server` for `duration`.
    pub fn run(
        server: &Contestant,
        population: &Population,
        traffic: Traffic,
        load: &Load,
        duration: Duration,
        seed: u64,
    ) -> Result<Self> {
        let begun = Instant::now();
        let until = begun + duration;
        let before = server.time()?;
        let mut measure = Self::default();
        match traffic {
            Traffic::Udp => {
                let pace = Pace { visits: load.visits, until: Some(until), rate: None, repeats: false };
                let mut passers = Passers::of(population, load.per_visit, seed);
                let to = server.udp.context("a server without UDP")?;
                let tally = Loader::new(to, population, Event::None)?.run(&mut passers, &pace)?;
                (measure.announces, measure.answers, measure.peers) = (tally.announces, tally.answers(), tally.peers);
                (measure.lost, measure.refused, measure.latencies) = (tally.lost, tally.refused, tally.latencies);
            }
            Traffic::Http(connections) => {
                let to = server.http.context("a server without HTTP")?;
                let loader = HttpLoader::new(to, population, connections, seed);
                let tally = loader.run(load.requests, Order::Until(until))?;
                (measure.announces, measure.answers, measure.peers) = (tally.announces, tally.announces, tally.peers);
                (measure.lost, measure.refused, measure.latencies) = (tally.lost, tally.refused, tally.latencies);
            }
        }
        (measure.took, measure.server) = (begun.elapsed(), server.time()? - before);
        Ok(measure)
    }

    /// Microseconds of the server's processor time per answer of any kind.
    pub fn per_answer_us(&self) -> f64 {
        self.server.running.as_secs_f64() * 1e6 / number(self.answers.max(1))
    }

    /// The same per answered announce: over UDP its connect is paid too.
    pub fn per_announce_us(&self) -> f64 {
        self.server.running.as_secs_f64() * 1e6 / number(self.announces.max(1))
    }

    /// Answers per second.
    pub fn rate(&self) -> f64 {
        number(self.answers) / self.took.as_secs_f64()
    }

    /// The part of the time in which the server had something to do.
    pub fn busy(&self) -> f64 {
        (self.server.running + self.server.waiting).as_secs_f64() / self.took.as_secs_f64()
    }

    /// Whether the loader was slower than the server.
    pub fn is_loader_bound(&self) -> bool {
        self.busy() < BUSY
    }
}

/// Lets everybody announce once over UDP; an error when not all were answered.
pub fn fill_udp(server: &Contestant, population: &Population) -> Result<Duration> {
    let begun = Instant::now();
    let pace = Pace { visits: 8, until: None, rate: None, repeats: true };
    let to = server.udp.context("a server without UDP")?;
    let tally = Loader::new(to, population, Event::Started)?.run(&mut Everybody::of(population), &pace)?;
    let all = u64::from(population.peers());
    anyhow::ensure!(tally.announces >= all, "{} answered {} of {all} announces", server.name, tally.announces);
    Ok(begun.elapsed())
}

/// Lets one in so many announce once over HTTP, on kept connections.
pub fn fill_http(server: &Contestant, population: &Population, one_in: u32) -> Result<Duration> {
    let begun = Instant::now();
    let to = server.http.context("a server without HTTP")?;
    let loader = HttpLoader::new(to, population, Connections::Kept, 0);
    let tally = loader.run(64, Order::Everybody { hosts: HOSTS / one_in })?;
    let all: usize = (0..HOSTS / one_in).map(|host| population.peers_at(host).count()).sum();
    anyhow::ensure!(
        usize::try_from(tally.announces).is_ok_and(|announces| announces == all),
        "{} answered {} of {all} announces",
        server.name,
        tally.announces
    );
    Ok(begun.elapsed())
}

/// A count, as far as a `f64` tells it exactly.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub fn number(count: u64) -> f64 {
    count as f64
}
