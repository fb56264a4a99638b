//! The swarm map against a plain model: a map of maps that does everything the slow way.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use peerfeed_protocol::announce::{AnnounceReply, InfoHash, ScrapeEntry};
use proptest::prelude::*;

use super::{Announcement, Asked, Gone, Luck, Presence, SwarmMap, SwarmOptions};

const LIFETIME_TICKS: u64 = 90;
const TICK_SECONDS: u64 = 30;
const SITE_PEERS_MAX: usize = 3;
const AROUND_PEERS_MAX: usize = 7;

#[derive(Clone, Copy, Debug)]
enum Step {
    Announce { swarm: u8, peer: SocketAddr, presence: Presence, has_completed: bool, asked: Asked },
    Wait { ticks: u64 },
    Sweep,
}

#[derive(Debug)]
struct Held {
    address: SocketAddr,
    is_seed: bool,
    seen: u64,
}

/// The peers of each swarm and how many have completed, IPv4 and IPv6 apart.
#[derive(Debug, Default)]
struct Model {
    swarms: BTreeMap<(u8, bool), (Vec<Held>, u32)>,
    now: u64,
}

impl Model {
    /// Notes a peer. Returns the stalest near it, of whom one must have made place.
    fn announce(&mut self, swarm: u8, peer: SocketAddr, presence: Presence, has_completed: bool) -> Vec<SocketAddr> {
        let (peers, downloaded) = self.swarms.entry((swarm, peer.is_ipv4())).or_default();
        let position = peers.iter().position(|held| held.address == peer);
        if presence == Presence::Gone {
            position.map(|position| peers.swap_remove(position));
            return vec![];
        }
        let was_seed = position.is_some_and(|position| peers[position].is_seed);
        *downloaded += u32::from(has_completed && !was_seed);
        let held = Held { address: peer, is_seed: presence == Presence::Seed, seen: self.now };
        if let Some(position) = position {
            peers[position] = held;
            return vec![];
        }
        let near = |prefix_len, max| {
            let prefix = prefix_of(peer, prefix_len);
            let near: Vec<_> = peers.iter().filter(|held| prefix_of(held.address, prefix_len) == prefix).collect();
            let stalest = near.iter().map(|held| held.seen).min().filter(|_| near.len() >= max)?;
            Some(near.iter().filter(|held| held.seen == stalest).map(|held| held.address).collect())
        };
        let candidates = near(64, SITE_PEERS_MAX).or_else(|| near(48, AROUND_PEERS_MAX)).unwrap_or_default();
        peers.push(held);
        candidates
    }

    fn remove(&mut self, swarm: u8, peer: SocketAddr) {
        let (peers, _) = self.swarms.get_mut(&(swarm, peer.is_ipv4())).expect("it was there");
        peers.retain(|held| held.address != peer);
    }

    fn sweep(&mut self) {
        let now = self.now;
        for (peers, _) in self.swarms.values_mut() {
            peers.retain(|held| now - held.seen <= LIFETIME_TICKS);
        }
    }

    /// A swarm without peers is forgotten, with its count of completed downloads.
    fn forget_empty(&mut self) {
        self.swarms.retain(|_, (peers, _)| !peers.is_empty());
    }

    fn counts(&self, swarm: u8) -> ScrapeEntry {
        let mut sum = ScrapeEntry::default();
        for (peers, downloaded) in [true, false].iter().filter_map(|&is_v4| self.swarms.get(&(swarm, is_v4))) {
            sum.downloaded += downloaded;
            for held in peers {
                *if held.is_seed { &mut sum.complete } else { &mut sum.incomplete } += 1;
            }
        }
        sum
    }

    /// Whom `asker` may be told of.
    fn eligible(&self, swarm: u8, asker: SocketAddr, presence: Presence, wants: Asked) -> Vec<SocketAddr> {
        let skips_seeds = matches!(presence, Presence::Seed | Presence::PartialSeed);
        let families = match wants {
            Asked::Own(_) => vec![asker.is_ipv4()],
            Asked::Both(_) => vec![true, false],
        };
        let peers = families.iter().filter_map(|&is_v4| self.swarms.get(&(swarm, is_v4))).flat_map(|(peers, _)| peers);
        peers
            .filter(|held| held.address != asker && !(skips_seeds && held.is_seed))
            .filter(|held| self.now - held.seen <= LIFETIME_TICKS)
            .map(|held| held.address)
            .collect()
    }
}

/// The network of an IPv6 address, or an IPv4 address.
fn prefix_of(address: SocketAddr, prefix_len: u32) -> u128 {
    match address.ip() {
        IpAddr::V4(ip) => u128::from(ip.to_bits()),
        IpAddr::V6(ip) => ip.to_bits() >> (128 - prefix_len),
    }
}

fn hash(swarm: u8) -> InfoHash {
    InfoHash([swarm; 20])
}

/// Few swarms and addresses, so that they meet, but enough peers for every form of storage.
fn step() -> impl Strategy<Value = Step> {
    let v4 = (0u8..120, 1u16..5).prop_map(|(last, port)| SocketAddr::from(([10, 0, 0, last], port)));
    let v6 = (0u16..30, 0u16..4, 0u16..3, 1u16..3)
        .prop_map(|(net, subnet, host, port)| SocketAddr::from(([0x2001, 0xdb8, net, subnet, 0, 0, 0, host], port)));
    let presence = prop_oneof![
        3 => Just(Presence::Seed),
        6 => Just(Presence::Downloader),
        1 => Just(Presence::PartialSeed),
        2 => Just(Presence::Gone),
    ];
    let asked = prop_oneof![(0usize..300).prop_map(Asked::Own), (0usize..300).prop_map(Asked::Both)];
    let announce = (0u8..2, prop_oneof![2 => v4, 1 => v6], presence, prop::bool::weighted(0.1), asked).prop_map(
        |(swarm, peer, presence, has_completed, asked)| Step::Announce { swarm, peer, presence, has_completed, asked },
    );
    prop_oneof![200 => announce, 4 => (1u64..40).prop_map(|ticks| Step::Wait { ticks }), 1 => Just(Step::Sweep)]
}

fn map(memory_bytes: usize) -> SwarmMap {
    SwarmMap::new(&SwarmOptions {
        peer_lifetime: Duration::from_secs(LIFETIME_TICKS * TICK_SECONDS),
        memory_bytes,
        swarm_peers_max: 10_000,
        site_peers_max: SITE_PEERS_MAX,
        around_peers_max: AROUND_PEERS_MAX,
        limit_loopback: true,
        hash_key: [3; 16],
    })
}

pub(super) fn sweep_all(map: &SwarmMap, now: Duration) {
    let mut gone = Gone::new();
    for n in 0..SwarmMap::SHARDS {
        let mut pass = map.pass(n);
        while !pass.is_over() {
            map.sweep(&mut pass, now, &mut gone, || ());
            gone.let_go();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_map_does_what_a_plain_model_does(steps in prop::collection::vec(step(), 0..1500), seed: u64) {
        let (map, mut model, mut luck) = (map(1 << 30), Model::default(), Luck::new(seed));
        for step in steps {
            match step {
                Step::Wait { ticks } => model.now += ticks,
                Step::Sweep => {
                    sweep_all(&map, Duration::from_secs(model.now * TICK_SECONDS));
                    model.sweep();
                }
                Step::Announce { swarm, peer, presence, has_completed, asked } => {
                    let info_hash = hash(swarm);
                    let announcement = Announcement {
                        info_hash,
                        address: peer,
                        presence,
                        has_completed,
                        asked,
                        may_add: &|| true,
                        keys: map.keys(&info_hash, peer),
                        is_foreseen: false,
                    };
                    let mut reply = AnnounceReply::default();
                    let now = Duration::from_secs(model.now * TICK_SECONDS);
                    let held_before = map.totals();
                    let noted = map.announce(&announcement, now, &mut luck, &mut reply);
                    let candidates = model.announce(swarm, peer, presence, has_completed);
                    prop_assert!(noted.is_kept);
                    if !candidates.is_empty() {
                        // Which of equally stale ones goes is the map's choice: it is the one that it no longer gives.
                        let held_after = map.totals();
                        prop_assert_eq!(held_before.peers_v4 + held_before.peers_v6, held_after.peers_v4 + held_after.peers_v6);
                        let mut all = AnnounceReply::default();
                        let looks = Announcement {
                            address: SocketAddr::new(peer.ip(), 9999),
                            keys: map.keys(&info_hash, SocketAddr::new(peer.ip(), 9999)),
                            presence: Presence::Gone,
                            asked: Asked::Both(100_000),
                            ..announcement
                        };
                        // Everybody must be seen, also who has expired: looked at before time began to run.
                        map.set_peer_lifetime(Duration::from_secs(14_400 * TICK_SECONDS));
                        map.announce(&looks, now, &mut luck, &mut all);
                        map.set_peer_lifetime(Duration::from_secs(LIFETIME_TICKS * TICK_SECONDS));
                        let gone: Vec<_> =
                            candidates.into_iter().filter(|&held| !all.peers.iter().any(|given| given == held)).collect();
                        prop_assert_eq!(gone.len(), 1, "one of the stalest has made place");
                        model.remove(swarm, gone[0]);
                    }
                    let counts = model.counts(swarm);
                    prop_assert_eq!((reply.complete, reply.incomplete), (counts.complete, counts.incomplete));
                    let eligible = model.eligible(swarm, peer, presence, asked);
                    let mut given: Vec<_> = reply.peers.iter().collect();
                    prop_assert!(given.iter().all(|peer| eligible.contains(peer)), "only living peers, no seeds for seeds");
                    given.sort();
                    given.dedup();
                    prop_assert_eq!(given.len(), reply.peers.len(), "nobody twice");
                    let wanted = match asked { Asked::Own(wanted) | Asked::Both(wanted) => wanted };
                    prop_assert!(given.len() <= wanted);
                    let all = counts.complete + counts.incomplete;
                    if usize::try_from(all).unwrap() <= wanted {
                        prop_assert_eq!(given.len(), eligible.len(), "everybody who may be given");
                    }
                }
            }
            model.forget_empty();
            for swarm in 0..2 {
                prop_assert_eq!(map.scrape(&hash(swarm)), model.counts(swarm));
            }
        }
        prop_assert_eq!(map.totals().bytes, map.bytes());
    }

    #[test]
    fn whatever_comes_the_memory_is_kept_to_and_accounted(
        announces in prop::collection::vec((0u16..3000, 0u32..5000, 0u8..8), 0..6000),
        memory_kib in 0usize..800,
    ) {
        let (map, mut luck) = (map(memory_kib << 10), Luck::new(1));
        for (swarm, peer, kind) in announces {
            let mut info_hash = [0; 20];
            // A few swarms are large.
            info_hash[..2].copy_from_slice(&(if kind < 4 { swarm % 3 } else { swarm }).to_be_bytes());
            let [_, a, b, c] = peer.to_be_bytes();
            let address = if kind % 2 == 0 {
                SocketAddr::from(([10, a, b, c], 1))
            } else {
                SocketAddr::from(([0x2001, 0xdb8, u16::from_be_bytes([b, c]), 0, 0, 0, 0, 1], 1))
            };
            let announcement = Announcement {
                info_hash: InfoHash(info_hash),
                address,
                presence: if peer % 7 == 0 { Presence::Gone } else { Presence::Downloader },
                has_completed: false,
                asked: Asked::Both(10),
                may_add: &|| true,
                keys: map.keys(&InfoHash(info_hash), address),
                is_foreseen: false,
            };
            map.announce(&announcement, Duration::ZERO, &mut luck, &mut AnnounceReply::default());
            prop_assert!(map.bytes() <= memory_kib << 10, "{} bytes", map.bytes());
        }
        prop_assert_eq!(map.totals().bytes, map.bytes());
    }
}
