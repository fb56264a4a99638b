//! The tracker itself, below its transports: an announce in, a reply out.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use peerfeed_protocol::announce::connection_id::ConnectionIdKey;
use peerfeed_protocol::announce::{AnnounceReply, AnnounceRequest, Event};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};

use crate::config::Config;
use crate::limit::SWARM_PEERS_MAX;
use crate::metrics::{Counter, Metrics};
use crate::swarm::{Announcement, Asked, Presence, SwarmMap, SwarmOptions};

/// What all listeners share.
#[derive(Debug)]
pub struct Tracker {
    /// Who is in which swarm.
    pub swarms: SwarmMap,
    /// What has happened.
    pub metrics: Metrics,
    /// Under which UDP connection ids are given; one for all listeners, since clients share ids among them.
    pub connection_ids: ConnectionIdKey,
    answers: Answers,
    started: Instant,
    started_unix: Duration,
}

/// What replies say besides peers.
#[derive(Clone, Copy, Debug)]
struct Answers {
    interval: Duration,
    min_interval: Duration,
    numwant_default: usize,
    numwant_max: usize,
}

/// The time, as handlers need it.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Since the tracker started.
    pub up: Duration,
    /// Since the Unix epoch: trackers that share a key must agree on it.
    pub unix: Duration,
}

/// Which peers a transport can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carries {
    /// Those of the client's own family, at most so many.
    OwnFamily(usize),
    /// Both families.
    BothFamilies,
}

/// The operating system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gives no random bytes")]
pub struct NoRandomness(#[source] getrandom::Error);

impl Tracker {
    /// A tracker without swarms and with fresh keys.
    pub fn new(config: &Config) -> Result<Self, NoRandomness> {
        let swarms = SwarmOptions {
            peer_lifetime: config.peer_lifetime.0,
            memory_bytes: usize::try_from(config.memory.0).unwrap_or(usize::MAX),
            swarm_peers_max: SWARM_PEERS_MAX,
            hash_key: random_bytes()?,
        };
        Ok(Self {
            swarms: SwarmMap::new(&swarms),
            metrics: Metrics::new(),
            connection_ids: ConnectionIdKey::new(random_bytes()?),
            answers: Answers {
                interval: config.interval.0,
                min_interval: config.min_interval.0,
                numwant_default: usize::from(config.numwant_default),
                numwant_max: usize::from(config.numwant_max),
            },
            started: Instant::now(),
            started_unix: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        })
    }

    /// Now, by a clock that never jumps.
    pub fn moment(&self) -> Moment {
        let up = self.started.elapsed();
        Moment { up, unix: self.started_unix + up }
    }

    /// When to announce again, on average.
    pub fn interval(&self) -> Duration {
        self.answers.interval
    }

    /// Shortest time between two requests of a client.
    pub fn min_interval(&self) -> Duration {
        self.answers.min_interval
    }

    /// Notes an announce that came from `ip` and fills `reply`. spec: ANN-7, ANN-8, ANN-19
    pub fn announce(
        &self,
        request: &AnnounceRequest,
        ip: IpAddr,
        carries: Carries,
        now: Moment,
        rng: &mut ChaCha8Rng,
        reply: &mut AnnounceReply,
    ) {
        let ip = ip.to_canonical();
        let presence = match request.event {
            Event::Stopped => Presence::Gone,
            // Nobody can be reached at port 0: such a client only looks.
            _ if request.port == 0 => Presence::Gone,
            _ if request.is_seed() => Presence::Seed,
            Event::Paused => Presence::PartialSeed,
            _ => Presence::Downloader,
        };
        let default = if request.event == Event::Stopped { 0 } else { self.answers.numwant_default };
        let wanted = request.numwant.map_or(default, |wanted| usize::try_from(wanted).unwrap_or(usize::MAX));
        let wanted = wanted.min(self.answers.numwant_max);
        let announcement = Announcement {
            info_hash: request.info_hash,
            address: SocketAddr::new(ip, request.port),
            presence,
            has_completed: request.event == Event::Completed,
            asked: match carries {
                Carries::OwnFamily(most) => Asked::Own(wanted.min(most)),
                Carries::BothFamilies => Asked::Both(wanted),
            },
        };
        if self.swarms.announce(&announcement, now.up, rng, reply) {
            self.metrics.count(Counter::NoRoom);
        }
        reply.interval = jittered(self.answers.interval, rng);
        reply.min_interval = Some(self.answers.min_interval);
        reply.external_ip = Some(ip);
    }
}

/// Source of randomness for one worker.
pub fn worker_rng() -> Result<ChaCha8Rng, NoRandomness> {
    Ok(ChaCha8Rng::from_seed(random_bytes()?))
}

/// Up to a tenth more or less, so that clients that came together do not come back together.
fn jittered(interval: Duration, rng: &mut ChaCha8Rng) -> Duration {
    let tenth = interval.as_secs() / 10;
    let offset = (u64::from(rng.next_u32()) * (2 * tenth + 1)) >> 32;
    Duration::from_secs(interval.as_secs() - tenth + offset)
}

fn random_bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(NoRandomness)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use peerfeed_protocol::announce::{InfoHash, PeerId};

    use super::*;

    struct World(Tracker, ChaCha8Rng);

    impl World {
        fn new() -> Self {
            Self(Tracker::new(&Config::default()).unwrap(), ChaCha8Rng::seed_from_u64(1))
        }

        fn announce(&mut self, last: u8, change: impl Fn(&mut AnnounceRequest)) -> AnnounceReply {
            let mut request = AnnounceRequest::new(InfoHash([1; 20]), PeerId([2; 20]), 6881);
            change(&mut request);
            let mut reply = AnnounceReply::default();
            let ip = IpAddr::from([10, 0, 0, last]);
            let now = Moment { up: Duration::ZERO, unix: Duration::ZERO };
            self.0.announce(&request, ip, Carries::BothFamilies, now, &mut self.1, &mut reply);
            reply
        }
    }

    #[test]
    fn a_client_that_names_no_number_gets_the_default_and_nobody_more_than_the_most() {
        let mut world = World::new();
        for last in 0..=255 {
            world.announce(last, |_| ());
        }
        for (numwant, given) in [(None, 50), (Some(0), 0), (Some(7), 7), (Some(100_000), 200)] {
            assert_eq!(world.announce(1, |request| request.numwant = numwant).peers.len(), given);
        }
    }

    #[test]
    fn who_leaves_gets_no_peers_unless_it_asks_for_some() {
        let mut world = World::new();
        world.announce(1, |_| ());
        assert_eq!(world.announce(2, |request| request.event = Event::Stopped).peers.len(), 0);
        let look = |request: &mut AnnounceRequest| (request.event, request.numwant) = (Event::Stopped, Some(5));
        assert_eq!(world.announce(2, look).peers.len(), 1);
        assert_eq!(world.announce(1, |_| ()).incomplete, 1);
    }

    #[test]
    fn who_listens_on_nothing_is_told_the_peers_and_not_listed() {
        let mut world = World::new();
        world.announce(1, |_| ());
        for event in [Event::None, Event::Started, Event::Completed] {
            let reply = world.announce(2, |request| (request.port, request.event) = (0, event));
            assert_eq!((reply.peers.len(), reply.incomplete), (1, 1), "{event:?}");
        }
        assert_eq!(world.0.swarms.totals().peers_v4, 1);
    }

    #[test]
    fn intervals_scatter_by_a_tenth_around_the_one_set() {
        let mut world = World::new();
        let intervals: Vec<_> = (0..1000).map(|_| world.announce(1, |_| ()).interval.as_secs()).collect();
        assert!(intervals.iter().all(|interval| (1620..=1980).contains(interval)));
        assert!(intervals.iter().min() < Some(&1650) && intervals.iter().max() > Some(&1950));
    }

    #[test]
    fn the_client_is_told_the_address_it_was_seen_with() {
        assert_eq!(World::new().announce(9, |_| ()).external_ip, Some(IpAddr::from([10, 0, 0, 9])));
    }

    #[test]
    fn a_partial_seed_counts_as_incomplete() {
        let mut world = World::new();
        let reply = world.announce(1, |request| request.event = Event::Paused);
        assert_eq!((reply.complete, reply.incomplete), (0, 1));
    }
}
