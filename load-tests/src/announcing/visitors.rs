//! In which order peers announce.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};

use super::population::{HOSTS, Population};
use super::udp::{VISIT_PEERS_MAX, Visitors};

/// Everybody once, address by address: fills a tracker.
#[derive(Debug)]
pub struct Everybody<'a> {
    population: &'a Population,
    host: u32,
    at_host: Box<[u32]>,
    given: usize,
}

impl<'a> Everybody<'a> {
    /// All of `population`.
    pub fn of(population: &'a Population) -> Self {
        Self { population, host: 0, at_host: population.peers_at(0).collect(), given: 0 }
    }
}

impl Visitors for Everybody<'_> {
    fn next(&mut self, peers: &mut Vec<u32>) {
        peers.clear();
        while self.given == self.at_host.len() {
            self.host += 1;
            if self.host >= HOSTS {
                return;
            }
            (self.at_host, self.given) = (self.population.peers_at(self.host).collect(), 0);
        }
        let left = &self.at_host[self.given..];
        peers.extend_from_slice(&left[..left.len().min(VISIT_PEERS_MAX)]);
        self.given += peers.len();
    }

    fn each_connects(&self) -> bool {
        false
    }
}

/// Peers at random for ever, some of one address at a time.
#[derive(Debug)]
pub struct Passers<'a> {
    population: &'a Population,
    per_visit: u32,
    rng: ChaCha8Rng,
}

impl<'a> Passers<'a> {
    /// Of this population; so many peers of an address, each with a connect of its own.
    pub fn of(population: &'a Population, per_visit: u32, seed: u64) -> Self {
        Self { population, per_visit, rng: ChaCha8Rng::seed_from_u64(seed) }
    }
}

impl Visitors for Passers<'_> {
    fn next(&mut self, peers: &mut Vec<u32>) {
        peers.clear();
        let all = self.population.peers();
        let first = below(all, &mut self.rng);
        peers.push(first);
        let further =
            (1..self.per_visit).map(|n| (u64::from(first) + u64::from(n) * u64::from(HOSTS)) % u64::from(all));
        let further = further.map(|peer| u32::try_from(peer).expect("below a number of 32 bits"));
        peers.extend(further.filter(|peer| peer % HOSTS == first % HOSTS));
    }

    fn each_connects(&self) -> bool {
        true
    }
}

/// A number below `bound`.
pub(super) fn below(bound: u32, rng: &mut ChaCha8Rng) -> u32 {
    let product = u64::from(rng.next_u32()) * u64::from(bound);
    u32::try_from(product >> 32).expect("below the bound")
}
