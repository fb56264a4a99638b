//! The tracker itself, below its transports: an announce in, a reply out.

use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use peerfeed_protocol::announce::{AnnounceReply, AnnounceRequest, Event, InfoHash, ScrapeEntry, ScrapeReply};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng as _};

use crate::access::Access;
use crate::budget::Budget;
use crate::config::Config;
use crate::guard::{Ask, Customer, Guard, GuardOptions, Load};
use crate::host::Host;
use crate::limit::{AROUND_PEERS_MAX, MEMORY_BYTES_MIN, SITE_PEERS_MAX, SWARM_PEERS_MAX, THROTTLED_INTERVAL};
use crate::metrics::{Counter, Longest, Metrics};
use crate::swarm::{Ahead, Announcement, Asked, Keys, Luck, Presence, SwarmMap, SwarmOptions};
use crate::terms::{Answers, Moment, Terms};
use crate::udp::ConnectionKeys;

/// What all listeners share.
#[derive(Debug)]
pub struct Tracker {
    /// Who is in which swarm.
    pub swarms: SwarmMap,
    /// What has happened.
    pub metrics: Metrics,
    /// Under which UDP connection ids are given; one for all listeners, since clients share ids among them.
    pub connection_ids: ConnectionKeys,
    /// What one customer may ask for.
    pub guard: Guard,
    /// The longest time that a step of the sweep has held the lock of a shard.
    pub sweep_longest: Longest,
    /// The longest that it has run meanwhile: on a busy machine it may have to wait for a processor.
    pub sweep_longest_running: Longest,
    /// How busy the listeners are.
    pub load: Load,
    /// Which hashes are served.
    pub access: Access,
    budget: Budget,
    answers: ArcSwap<Answers>,
    started: Instant,
    started_unix: Duration,
}

/// Which peers a transport can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carries {
    /// Those of the client's own family, at most so many.
    OwnFamily(usize),
    /// Both families.
    BothFamilies,
}

/// From whom an announce comes, and where in the tables what it says belongs.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    ip: IpAddr,
    customer: Customer,
    keys: Keys,
    is_foreseen: bool,
}

impl Origin {
    /// The same, with what will be looked at for it fetched ahead or not.
    #[must_use]
    pub fn foreseen(self, is_foreseen: bool) -> Self {
        Self { is_foreseen, ..self }
    }

    /// The address, IPv4 where it is one.
    pub fn ip(&self) -> IpAddr {
        self.ip
    }
}

/// The operating system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gives no random bytes")]
pub struct NoRandomness(#[source] getrandom::Error);

/// A client asks for more than one customer may, in the words that it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("your network asks this tracker too often")]
pub struct TooOften;

impl Tracker {
    /// A tracker without swarms and with fresh keys, which serves every hash.
    pub fn new(config: &Config) -> Result<Self, NoRandomness> {
        Self::with_secret(config, random_bytes()?, Access::open())
    }

    /// A tracker without swarms whose connection ids are made under `secret`, and that serves what `access` lets through.
    pub fn with_secret(config: &Config, secret: [u8; 16], access: Access) -> Result<Self, NoRandomness> {
        let budget = Budget::new(config.memory.bytes(&Host::new()).max(MEMORY_BYTES_MIN));
        let swarms = SwarmOptions {
            peer_lifetime: config.peer_lifetime.0,
            memory_bytes: budget.swarms_bytes(),
            swarm_peers_max: SWARM_PEERS_MAX,
            site_peers_max: SITE_PEERS_MAX,
            around_peers_max: AROUND_PEERS_MAX,
            limit_loopback: config.limit_loopback,
            hash_key: random_bytes()?,
        };
        let guard = GuardOptions {
            memory_bytes: budget.guard_bytes(),
            peer_lifetime: config.peer_lifetime.0,
            limit_loopback: config.limit_loopback,
            hash_key: random_bytes()?,
        };
        Ok(Self {
            swarms: SwarmMap::new(&swarms),
            metrics: Metrics::new(),
            connection_ids: ConnectionKeys::new(secret),
            guard: Guard::new(&guard),
            sweep_longest: Longest::default(),
            sweep_longest_running: Longest::default(),
            load: Load::new(),
            access,
            budget,
            answers: ArcSwap::from_pointee(Answers::new(config)),
            started: Instant::now(),
            started_unix: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        })
    }

    /// Now, by a clock that never jumps.
    pub fn moment(&self) -> Moment {
        let up = self.started.elapsed();
        Moment { up, unix: self.started_unix + up }
    }

    /// By what requests are answered now.
    pub fn terms(&self) -> Terms {
        self.terms_at(self.moment())
    }

    /// By what they are answered now, but as if it were `now`.
    pub fn terms_at(&self, now: Moment) -> Terms {
        Terms { now, lists: self.access.in_force(), answers: self.answers.load() }
    }

    /// Answers from now on as `config` says.
    pub fn answer_by(&self, config: &Config) {
        self.answers.store(Answers::new(config).into());
    }

    /// When to announce again, on average.
    pub fn interval(&self) -> Duration {
        self.answers.load().interval
    }

    /// Shortest time between two requests of a client.
    pub fn min_interval(&self) -> Duration {
        self.answers.load().min_interval
    }

    /// What the parts of the tracker may take of the machine's memory.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Adapts the interval to the load and the swarms' memory to what the process takes, where that is known. To be called
    /// once per [`LOOK_PERIOD`](crate::limit::LOOK_PERIOD), by a caller who tells whether it came too late.
    pub fn look(&self, is_late: bool, resident_bytes: Option<u64>) {
        self.load.look(is_late);
        // Who was told to come back later must still be there then.
        self.swarms.set_peer_lifetime(self.load.stretched_lifetime(self.answers.load().peer_lifetime));
        if let Some(resident_bytes) = resident_bytes {
            self.swarms.set_memory(self.budget.adapted(self.swarms.bytes_max(), resident_bytes));
        }
    }

    /// Of an announce that comes from `ip`, who belongs to `customer`.
    pub fn origin(&self, request: &AnnounceRequest, ip: IpAddr, customer: Customer) -> Origin {
        let ip = ip.to_canonical();
        let keys = self.swarms.keys(&request.info_hash, SocketAddr::new(ip, request.port));
        Origin { ip, customer, keys, is_foreseen: false }
    }

    /// Fetches what an announce of this origin looks at first.
    pub fn approach(&self, origin: &Origin) {
        self.guard.foresee(&origin.customer);
        self.swarms.approach(&origin.keys);
    }

    /// What an announce that will be [made](Self::announce) with this luck is going to look at.
    pub fn ahead(terms: &Terms, request: &AnnounceRequest, origin: &Origin, luck: Luck) -> Ahead {
        let &Origin { ip, keys, .. } = origin;
        let address = SocketAddr::new(ip, request.port);
        let want = terms.answers.wanted(request);
        Ahead { info_hash: request.info_hash, address, presence: presence_of(request), want, luck, keys }
    }

    /// Notes an announce and fills `reply`. Who asks too often gets nothing and a long interval, and
    /// false is returned. spec: ANN-7, ANN-8, ANN-19, ANN-37
    pub fn announce(
        &self,
        request: &AnnounceRequest,
        origin: &Origin,
        carries: Carries,
        terms: &Terms,
        luck: &mut Luck,
        reply: &mut AnnounceReply,
    ) -> bool {
        let Origin { ip, customer, keys, is_foreseen } = *origin;
        let Terms { now, answers, .. } = terms;
        if !is_foreseen {
            self.swarms.approach_swarm(&keys);
        }
        reply.external_ip = Some(ip);
        reply.tracker_id.clone_from(&answers.tracker_id);
        if !self.guard.admits(&customer, Ask::Announce, now.up) {
            reply.peers.clear();
            (reply.complete, reply.incomplete) = (0, 0);
            reply.interval = jittered(THROTTLED_INTERVAL, luck);
            reply.min_interval = Some(reply.interval);
            reply.warning = Some(TooOften.to_string());
            return false;
        }
        let is_refused = Cell::new(false);
        let may_add = || {
            let may_add = self.guard.may_add(&customer, now.up);
            is_refused.set(!may_add);
            may_add
        };
        let announcement = Announcement {
            info_hash: request.info_hash,
            address: SocketAddr::new(ip, request.port),
            presence: presence_of(request),
            has_completed: request.event == Event::Completed,
            asked: match carries {
                Carries::OwnFamily(most) => Asked::Own(answers.wanted(request).min(most)),
                Carries::BothFamilies => Asked::Both(answers.wanted(request)),
            },
            may_add: &may_add,
            keys,
            is_foreseen,
        };
        let noted = self.swarms.announce(&announcement, now.up, luck, reply);
        if noted.is_new_peer {
            self.guard.charge_added(&customer, noted.is_new_swarm, now.up);
        }
        if !noted.is_kept {
            self.metrics.count(if is_refused.get() { Counter::PeerShare } else { Counter::NoRoom });
        }
        for _ in 0..noted.evicted {
            self.metrics.count(Counter::Evicted);
        }
        reply.interval = jittered(self.load.stretched(answers.interval), luck);
        reply.min_interval = Some(self.load.stretched(answers.min_interval));
        reply.warning.clone_from(&answers.warning);
        true
    }

    /// The counts of swarms, in the order asked, for a client at `ip`; of a hash that is not served, zeros. spec: ANN-9
    pub fn scrape(
        &self,
        hashes: impl ExactSizeIterator<Item = InfoHash>,
        ip: IpAddr,
        now: Moment,
    ) -> Result<ScrapeReply, TooOften> {
        if !self.guard.admits(&self.guard.customer(ip), Ask::Scrape(hashes.len()), now.up) {
            return Err(TooOften);
        }
        let entry = |hash| match self.access.check(&hash) {
            Ok(()) => self.swarms.scrape(&hash),
            Err(_) => ScrapeEntry::default(),
        };
        Ok(ScrapeReply { entries: hashes.map(entry).collect() })
    }
}

fn presence_of(request: &AnnounceRequest) -> Presence {
    match request.event {
        Event::Stopped => Presence::Gone,
        // Nobody can be reached at port 0: such a client only looks.
        _ if request.port == 0 => Presence::Gone,
        _ if request.is_seed() => Presence::Seed,
        Event::Paused => Presence::PartialSeed,
        _ => Presence::Downloader,
    }
}

/// Source of randomness for one worker.
pub fn worker_rng() -> Result<ChaCha8Rng, NoRandomness> {
    Ok(ChaCha8Rng::from_seed(random_bytes()?))
}

/// Up to a tenth more or less, so that clients that came together do not come back together.
fn jittered(interval: Duration, rng: &mut impl Rng) -> Duration {
    let tenth = interval.as_secs() / 10;
    let offset = (u64::from(rng.next_u32()) * (2 * tenth + 1)) >> 32;
    Duration::from_secs(interval.as_secs() - tenth + offset)
}

/// Bytes that nobody knows.
pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(NoRandomness)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use peerfeed_protocol::announce::{InfoHash, PeerId};

    use super::*;

    struct World(Tracker, Luck);

    impl World {
        fn new() -> Self {
            Self(Tracker::new(&Config::default()).unwrap(), Luck::new(1))
        }

        fn announce(&mut self, last: u8, change: impl Fn(&mut AnnounceRequest)) -> AnnounceReply {
            let mut request = AnnounceRequest::new(InfoHash([1; 20]), PeerId([2; 20]), 6881);
            change(&mut request);
            let mut reply = AnnounceReply::default();
            let ip = IpAddr::from([10, 0, 0, last]);
            let now = Moment { up: Duration::ZERO, unix: Duration::ZERO };
            let terms = self.0.terms_at(now);
            let origin = self.0.origin(&request, ip, self.0.guard.customer(ip));
            self.0.announce(&request, &origin, Carries::BothFamilies, &terms, &mut self.1, &mut reply);
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
    fn under_load_clients_are_told_to_come_back_later_and_are_still_listed_then() {
        let mut world = World::new();
        for _ in 0..60 {
            world.0.look(true, None);
        }
        let reply = world.announce(1, |_| ());
        assert!(reply.interval > Duration::from_secs(6000), "{:?}", reply.interval);
        assert_eq!(reply.min_interval, Some(Duration::from_secs(3600)));
        assert_eq!(reply.warning, None, "nobody has done anything wrong");
        let back = Moment { up: reply.interval, unix: Duration::ZERO };
        let request = AnnounceRequest::new(InfoHash([1; 20]), PeerId([2; 20]), 6881);
        let mut reply = AnnounceReply::default();
        let ip = IpAddr::from([10, 0, 0, 2]);
        let terms = world.0.terms_at(back);
        let origin = world.0.origin(&request, ip, world.0.guard.customer(ip));
        world.0.announce(&request, &origin, Carries::BothFamilies, &terms, &mut world.1, &mut reply);
        assert_eq!(reply.peers.len(), 1);
    }

    #[test]
    fn memory_is_taken_from_the_swarms_when_the_process_takes_too_much() {
        let world = World::new();
        let part = world.0.swarms.bytes_max();
        world.0.look(false, Some(u64::MAX / 2));
        assert_eq!(world.0.swarms.bytes_max(), part / 2);
        world.0.look(false, Some(0));
        assert!(world.0.swarms.bytes_max() > part / 2);
    }

    #[test]
    fn the_client_is_told_the_address_it_was_seen_with() {
        assert_eq!(World::new().announce(9, |_| ()).external_ip, Some(IpAddr::from([10, 0, 0, 9])));
    }

    #[test]
    fn a_partial_seed_counts_as_incomplete() {
        let reply = World::new().announce(1, |request| request.event = Event::Paused);
        assert_eq!((reply.complete, reply.incomplete), (0, 1));
    }
}
