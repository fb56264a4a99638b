use std::collections::HashSet;

use super::*;
use crate::swarm::gone::GonePeers;
use crate::swarm::model::sweep_all;

const MINUTE: Duration = Duration::from_secs(60);

struct World {
    map: SwarmMap,
    luck: Luck,
    now: Duration,
}

impl World {
    fn new() -> Self {
        Self::with_memory(1 << 30)
    }

    fn with_memory(memory_bytes: usize) -> Self {
        let options = SwarmOptions {
            peer_lifetime: 45 * MINUTE,
            memory_bytes,
            swarm_peers_max: 100_000,
            site_peers_max: 8,
            around_peers_max: 32,
            limit_loopback: false,
            hash_key: [5; 16],
        };
        Self { map: SwarmMap::new(&options), luck: Luck::new(1), now: Duration::ZERO }
    }

    fn announce(&mut self, swarm: u32, peer: &str, presence: Presence) -> AnnounceReply {
        self.ask(swarm, peer.parse().unwrap(), presence, Asked::Both(50), false)
    }

    fn ask(
        &mut self,
        swarm: u32,
        address: SocketAddr,
        presence: Presence,
        asked: Asked,
        has_completed: bool,
    ) -> AnnounceReply {
        let info_hash = hash(swarm);
        let keys = self.map.keys(&info_hash, address);
        let announcement = Announcement {
            info_hash,
            address,
            presence,
            has_completed,
            asked,
            may_add: &|| true,
            keys,
            is_foreseen: false,
        };
        let mut reply = AnnounceReply::default();
        self.map.announce(&announcement, self.now, &mut self.luck, &mut reply);
        reply
    }

    fn sweep_all(&self) {
        sweep_all(&self.map, self.now);
    }
}

fn hash(swarm: u32) -> InfoHash {
    let mut hash = [0; 20];
    hash[..4].copy_from_slice(&swarm.to_be_bytes());
    InfoHash(hash)
}

fn peer(n: u32) -> SocketAddr {
    SocketAddr::from(((n | 1 << 24).to_be_bytes(), 6881))
}

fn addresses(reply: &AnnounceReply) -> Vec<String> {
    let mut addresses: Vec<_> = reply.peers.iter().map(|peer| peer.to_string()).collect();
    addresses.sort();
    addresses
}

#[test]
fn peers_of_a_swarm_hear_of_each_other_and_not_of_themselves() {
    let mut world = World::new();
    assert_eq!(addresses(&world.announce(1, "10.0.0.1:1", Presence::Seed)), [""; 0]);
    assert_eq!(addresses(&world.announce(1, "10.0.0.2:2", Presence::Downloader)), ["10.0.0.1:1"]);
    let reply = world.announce(1, "[2001:db8::3]:3", Presence::Downloader);
    assert_eq!(addresses(&reply), ["10.0.0.1:1", "10.0.0.2:2"]);
    assert_eq!((reply.complete, reply.incomplete), (1, 2));
    let reply = world.announce(1, "10.0.0.1:1", Presence::Downloader);
    assert_eq!(addresses(&reply), ["10.0.0.2:2", "[2001:db8::3]:3"]);
    assert_eq!((reply.complete, reply.incomplete), (0, 3));
    assert_eq!(addresses(&world.announce(2, "10.0.0.9:9", Presence::Downloader)), [""; 0], "another swarm");
}

#[test]
fn two_clients_behind_one_address_are_two_peers() {
    let mut world = World::new();
    world.announce(1, "10.0.0.1:1", Presence::Downloader);
    assert_eq!(addresses(&world.announce(1, "10.0.0.1:2", Presence::Downloader)), ["10.0.0.1:1"]);
}

#[test]
fn a_udp_client_is_given_its_own_family_only() {
    let mut world = World::new();
    world.announce(1, "10.0.0.1:1", Presence::Downloader);
    world.announce(1, "[2001:db8::1]:1", Presence::Downloader);
    let mut ask = |peer: &str| world.ask(1, peer.parse().unwrap(), Presence::Downloader, Asked::Own(50), false);
    assert_eq!(addresses(&ask("10.0.0.2:2")), ["10.0.0.1:1"]);
    assert_eq!(addresses(&ask("[2001:db8::2]:2")), ["[2001:db8::1]:1"]);
}

#[test]
fn a_seed_and_a_partial_seed_are_given_downloaders_only() {
    let mut world = World::new();
    world.announce(1, "10.0.0.1:1", Presence::Seed);
    world.announce(1, "10.0.0.2:2", Presence::Downloader);
    assert_eq!(addresses(&world.announce(1, "10.0.0.3:3", Presence::Seed)), ["10.0.0.2:2"]);
    let reply = world.announce(1, "10.0.0.4:4", Presence::PartialSeed);
    assert_eq!(addresses(&reply), ["10.0.0.2:2"]);
    assert_eq!((reply.complete, reply.incomplete), (2, 2));
}

#[test]
fn who_leaves_is_gone_and_the_last_one_takes_the_swarm_along() {
    let mut world = World::new();
    world.announce(1, "10.0.0.1:1", Presence::Seed);
    world.announce(1, "10.0.0.2:2", Presence::Downloader);
    let reply = world.announce(1, "10.0.0.1:1", Presence::Gone);
    assert_eq!((reply.complete, reply.incomplete), (0, 1));
    world.announce(1, "10.0.0.2:2", Presence::Gone);
    let totals = world.map.totals();
    assert_eq!((totals.swarms_v4, totals.peers_v4), (0, 0));
}

#[test]
fn who_only_looks_is_told_the_peers_and_not_kept() {
    let mut world = World::new();
    world.announce(1, "10.0.0.1:1", Presence::Seed);
    assert_eq!(addresses(&world.announce(1, "10.0.0.2:2", Presence::Gone)), ["10.0.0.1:1"]);
    assert_eq!(world.map.totals().peers_v4, 1);
    world.announce(2, "10.0.0.2:2", Presence::Gone);
    assert_eq!(world.map.totals().swarms_v4, 1);
}

#[test]
fn a_silent_peer_is_not_given_after_its_lifetime_and_forgotten_by_the_next_sweep() {
    let mut world = World::new();
    world.announce(1, "10.0.0.1:1", Presence::Seed);
    world.now += 45 * MINUTE;
    world.sweep_all();
    assert_eq!(addresses(&world.announce(1, "10.0.0.2:2", Presence::Downloader)), ["10.0.0.1:1"]);
    world.now += MINUTE;
    assert_eq!(addresses(&world.announce(1, "10.0.0.2:2", Presence::Downloader)), [""; 0]);
    assert_eq!(world.map.totals().peers_v4, 2);
    world.sweep_all();
    assert_eq!(world.map.totals().peers_v4, 1);
    world.now += 46 * MINUTE;
    world.sweep_all();
    assert_eq!((world.map.totals().swarms_v4, world.map.totals().peers_v4), (0, 0));
}

#[test]
fn a_completed_download_is_counted_once_per_peer() {
    let mut world = World::new();
    world.announce(1, "10.0.0.1:1", Presence::Downloader);
    for _ in 0..3 {
        world.ask(1, "10.0.0.1:1".parse().unwrap(), Presence::Seed, Asked::Both(0), true);
    }
    let expected = ScrapeEntry { complete: 1, downloaded: 1, incomplete: 0 };
    assert_eq!(world.map.scrape(&hash(1)), expected);
    assert_eq!(world.map.scrape(&hash(2)), ScrapeEntry::default());
}

#[test]
fn a_large_swarm_gives_everybody_in_time_in_the_number_asked_for() {
    let mut world = World::new();
    for n in 0..300 {
        world.ask(1, peer(n), Presence::Downloader, Asked::Own(0), false);
    }
    let mut seen = HashSet::new();
    for _ in 0..200 {
        let reply = world.ask(1, peer(0), Presence::Downloader, Asked::Own(30), false);
        assert_eq!(reply.peers.len(), 30);
        seen.extend(reply.peers.iter());
    }
    assert_eq!(seen.len(), 299);
}

#[test]
fn both_families_are_given_in_proportion() {
    let mut world = World::new();
    for n in 0..90 {
        world.ask(1, peer(n), Presence::Downloader, Asked::Own(0), false);
    }
    for n in 0..30 {
        world.announce(1, &format!("[2001:db8:{n:x}::1]:1"), Presence::Downloader);
    }
    let reply = world.announce(1, "192.0.2.1:1", Presence::Downloader);
    assert_eq!(reply.peers.len(), 50);
    let v4 = reply.peers.iter().filter(SocketAddr::is_ipv4).count();
    assert!((37..=39).contains(&v4), "{v4} of 91 in 121");
}

#[test]
fn made_up_swarms_stay_within_the_memory_and_push_out_each_other_but_none_that_is_alive() {
    let limit = 4 << 20;
    let mut world = World::with_memory(limit);
    for n in 0..1000 {
        world.announce(n, "192.0.2.1:1", Presence::Seed);
        world.announce(n, "192.0.2.2:1", Presence::Downloader);
    }
    for n in 1000..300_000 {
        let reply = world.ask(n, peer(n), Presence::Downloader, Asked::Own(50), false);
        assert_eq!(reply.incomplete, 1, "the newest is kept");
        assert!(world.map.bytes() <= limit, "{} bytes", world.map.bytes());
    }
    let totals = world.map.totals();
    assert_eq!(totals.bytes, world.map.bytes(), "what is accounted is what is there");
    assert!(totals.swarms_v4 > 25_000, "{} swarms", totals.swarms_v4);
    for n in 0..1000 {
        assert_eq!(world.map.scrape(&hash(n)).complete, 1, "{n}");
    }
    for n in 10..600 {
        let reply = world.ask(1, peer(n), Presence::Downloader, Asked::Own(50), false);
        assert_eq!(reply.incomplete, n - 8, "a swarm that is alive may grow");
    }
}

#[test]
fn a_swarm_has_no_more_peers_than_it_may_and_the_others_are_answered() {
    let mut world = World::new();
    world.map.swarm_peers_max = 100;
    for n in 0..300 {
        let reply = world.ask(1, peer(n), Presence::Downloader, Asked::Own(50), false);
        assert_eq!(reply.incomplete, (n + 1).min(100));
        assert_eq!(reply.peers.len(), usize::try_from(n).unwrap().min(50));
    }
    world.ask(1, peer(5), Presence::Seed, Asked::Own(0), false);
    assert_eq!(world.map.scrape(&hash(1)).complete, 1, "who is there can be refreshed");
}

#[test]
fn a_swarm_to_which_somebody_comes_back_is_alive() {
    let mut world = World::with_memory(1 << 20);
    world.announce(1, "192.0.2.1:1", Presence::Seed);
    world.now += 30 * MINUTE;
    world.announce(1, "192.0.2.1:1", Presence::Seed);
    world.announce(2, "192.0.2.1:1", Presence::Seed);
    world.announce(2, "192.0.2.1:2", Presence::Seed);
    for n in 1000..100_000 {
        world.ask(n, peer(n), Presence::Downloader, Asked::Own(50), false);
    }
    assert_eq!([1, 2].map(|n| world.map.scrape(&hash(n)).complete > 0), [true, true]);
}

#[test]
fn when_every_swarm_is_alive_a_new_one_is_answered_and_not_kept() {
    let limit = 1 << 20;
    let mut world = World::with_memory(limit);
    for n in 0..20_000 {
        world.announce(n, "192.0.2.1:1", Presence::Seed);
        let reply = world.announce(n, "192.0.2.2:1", Presence::Downloader);
        assert!(reply.complete == 1 || n > 5_000, "{n}");
    }
    assert!(world.map.bytes() <= limit);
    let before = world.map.totals();
    let reply = world.announce(99_999, "192.0.2.9:1", Presence::Seed);
    assert_eq!((reply.complete, world.map.totals()), (0, before));
}

#[test]
fn memory_that_is_taken_away_is_given_back_by_the_next_sweep() {
    let mut world = World::with_memory(64 << 20);
    for n in 0..200_000 {
        world.ask(n, peer(n), Presence::Seed, Asked::Own(0), false);
    }
    world.announce(7, "192.0.2.1:1", Presence::Downloader);
    world.map.set_memory(4 << 20);
    world.sweep_all();
    assert!(world.map.bytes() <= 4 << 20, "{} bytes", world.map.bytes());
    assert_eq!(world.map.scrape(&hash(7)).complete, 1, "a swarm that is alive stays");
    assert_eq!(world.map.totals().bytes, world.map.bytes());
}

#[test]
fn a_step_of_the_sweep_does_bounded_work_whatever_expires_and_gives_nothing_back_by_itself() {
    let mut world = World::with_memory(1 << 30);
    world.map.hashes.limit_loopback = false;
    // All in one shard: most swarms of one peer, some of many, and one that is large.
    let here: Vec<_> = (0..).filter(|&n| shard_of(world.map.hashes.of_swarm(&hash(n))) == 7).take(6_000).collect();
    for (n, &swarm) in (0..).zip(&here) {
        let peers = if n == 3_000 { 20_000 } else { 1 + n % 50 * u32::from(n % 3 == 0) };
        for peer in 0..peers {
            let address = SocketAddr::from(([127, 0, 0, 1], u16::try_from(1 + peer).unwrap()));
            let presence = if peer % 3 == 0 { Presence::Seed } else { Presence::Downloader };
            world.ask(swarm, address, presence, Asked::Own(0), false);
        }
    }
    // First some come back, then nobody.
    for &swarm in here.iter().step_by(5) {
        world.now = 40 * MINUTE;
        world.announce(swarm, "127.0.0.1:2", Presence::Seed);
    }
    for minutes in [60, 90] {
        world.now = minutes * MINUTE;
        let (mut pass, mut steps) = (world.map.pass(7), 0);
        while !pass.is_over() {
            let (before, mut gone) = (world.map.totals(), Gone::new());
            let rooms = |gone: &Gone| {
                let GonePeers { runs, buckets, large } = &gone.v4.peers;
                [runs.capacity(), buckets.capacity(), large.capacity(), gone.v4.table.blocks.capacity()]
            };
            let prepared = rooms(&gone);
            world.map.sweep(&mut pass, world.now, &mut gone, || ());
            let after = world.map.totals();
            let (swarms, peers) = (before.swarms_v4 - after.swarms_v4, before.peers_v4 - after.peers_v4);
            assert!(swarms <= 512 && peers <= 8_192, "{swarms} swarms, {peers} peers");
            assert_eq!(rooms(&gone), prepared, "no list has grown under the lock");
            steps += 1;
        }
        assert!(steps > 3, "{steps}");
    }
    assert_eq!((world.map.totals().swarms_v4, world.map.totals().peers_v4), (0, 0));
}

#[test]
fn one_address_fills_no_swarm_unless_it_is_loopback() {
    for (limit_loopback, address, kept) in
        [(true, "127.0.0.1", 8), (false, "127.0.0.1", 200), (false, "::1", 200), (false, "192.0.2.1", 8)]
    {
        let mut world = World::new();
        world.map.hashes.limit_loopback = limit_loopback;
        for port in 1..=200 {
            let address = SocketAddr::new(address.parse().unwrap(), port);
            world.ask(1, address, Presence::Seed, Asked::Own(0), false);
        }
        assert_eq!(world.map.scrape(&hash(1)).complete, kept, "{address}");
    }
}

#[test]
fn one_network_of_ipv6_has_a_few_peers_in_a_swarm_whatever_its_subnets() {
    let mut world = World::new();
    for subnet in 0..1000 {
        world.announce(1, &format!("[2001:db8:1:{subnet:x}::1]:1"), Presence::Seed);
    }
    assert_eq!(world.map.scrape(&hash(1)).complete, 32);
    for net in 2..200 {
        world.announce(1, &format!("[2001:db8:{net:x}::1]:1"), Presence::Downloader);
    }
    world.announce(1, "[2001:db8:1:ffff::1]:1", Presence::Seed);
    let reply = world.announce(1, "[2001:db8:ffff::1]:1", Presence::Gone);
    assert_eq!((reply.complete, reply.incomplete), (32, 198), "also in a large swarm");
}

#[test]
fn who_may_add_nothing_is_answered_and_can_refresh_what_it_has() {
    let mut world = World::new();
    world.announce(1, "192.0.2.1:1", Presence::Seed);
    let mut announce = |address: &str, swarm| {
        let (info_hash, address) = (hash(swarm), address.parse().unwrap());
        let announcement = Announcement {
            info_hash,
            address,
            presence: Presence::Downloader,
            has_completed: false,
            asked: Asked::Own(50),
            may_add: &|| false,
            keys: world.map.keys(&info_hash, address),
            is_foreseen: false,
        };
        let mut reply = AnnounceReply::default();
        (world.map.announce(&announcement, world.now, &mut world.luck, &mut reply), reply)
    };
    let (noted, reply) = announce("192.0.2.2:1", 1);
    assert_eq!((noted, reply.peers.len(), reply.incomplete), (Noted::default(), 1, 0));
    let (noted, reply) = announce("192.0.2.1:1", 1);
    assert_eq!((noted.is_kept, noted.is_new_peer, reply.incomplete), (true, false, 1));
    assert_eq!(announce("192.0.2.1:1", 2).0, Noted::default());
}

#[test]
fn a_swarm_of_one_takes_at_most_ninety_bytes_and_each_further_peer_ten() {
    // Wherever between two doublings of a table that is.
    let mut world = World::new();
    for n in 1..=800_000 {
        world.ask(n, peer(n), Presence::Seed, Asked::Own(0), false);
        if n >= 400_000 && n % 50_000 == 0 {
            let per_swarm = world.map.totals().bytes / usize::try_from(n).unwrap();
            assert!(per_swarm <= 60, "{per_swarm} bytes per swarm, {n} swarms");
        }
    }

    let mut world = World::new();
    for n in 0..100_000 {
        world.ask(1, peer(n), Presence::Downloader, Asked::Own(0), false);
    }
    let per_peer = world.map.totals().bytes / 100_000;
    assert!(per_peer <= 10, "{per_peer} bytes per peer");
}

#[test]
fn a_look_ahead_changes_nothing_and_waits_for_nobody() {
    let mut world = World::new();
    for n in 0..500 {
        let presence = if n % 3 == 0 { Presence::Seed } else { Presence::Downloader };
        world.announce(if n < 100 { n % 30 } else { 7 }, &peer(n).to_string(), presence);
    }
    let before = world.map.totals();
    let ahead = |n| Ahead {
        info_hash: hash(n % 60),
        address: peer(n),
        presence: if n % 2 == 0 { Presence::Seed } else { Presence::Downloader },
        want: 50,
        luck: Luck::new(n.into()),
        keys: world.map.keys(&hash(n % 60), peer(n)),
    };
    let known_and_unknown: Vec<_> = (0..120).map(ahead).collect();
    {
        let _others: Vec<_> = world.map.shards.iter().step_by(2).map(lock).collect();
        world.map.foresee(&known_and_unknown);
    }
    assert_eq!(world.map.totals(), before);
}
