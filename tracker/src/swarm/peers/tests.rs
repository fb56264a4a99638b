use std::collections::HashSet;
use std::hash::Hasher as _;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng as _;
use siphasher::sip::SipHasher13;

use super::*;
use crate::swarm::record::Tick;

type V4 = Peers<6, 2>;

fn peer(n: u16, is_seed: bool) -> Peer<6> {
    let [high, low] = n.to_be_bytes();
    Peer::new([10, 0, high, low, 0, 1], is_seed, Tick::at(0))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what the buckets ask for, whatever the family")]
fn hash(address: &[u8; 6]) -> u64 {
    let mut hasher = SipHasher13::new_with_key(&[3; 16]);
    hasher.write(&address[..4]);
    hasher.finish()
}

fn room(may_grow: bool, seconds: u64) -> Room<'static> {
    let crowding = Crowding { site_peers_max: 8, around_peers_max: 32 };
    Room { hash: 0, may_grow: if may_grow { &|| true } else { &|| false }, crowding, now: Tick::at(seconds) }
}

fn insert(peers: &mut V4, peer: Peer<6>, room: &Room<'_>) -> Insertion {
    peers.insert(peer, &Room { hash: hash(&peer.address), ..*room }, hash)
}

fn remove(peers: &mut V4, peer: Peer<6>) -> Before {
    peers.remove(&peer.address, hash(&peer.address))
}

fn swarm(count: u16, is_seed: impl Fn(u16) -> bool) -> V4 {
    let mut peers = V4::one(peer(0, is_seed(0)));
    for n in 1..count {
        assert_eq!(insert(&mut peers, peer(n, is_seed(n)), &room(true, 0)).before, Before::Absent);
    }
    peers
}

fn drawn(peers: &V4, want: usize, asker: Option<u16>, skip_seeds: bool) -> HashSet<[u8; 6]> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let asker = asker.map(|n| peer(n, false).address);
    let asker = asker.unwrap_or_default();
    let draw = Draw { asker, asker_hash: hash(&asker), skip_seeds, now: Tick::at(0), lifetime_ticks: u16::MAX };
    let mut given = Vec::new();
    peers.draw(want, &draw, &mut rng, &mut given);
    let once: HashSet<_> = given.iter().copied().collect();
    assert_eq!(once.len(), given.len(), "nobody twice");
    once
}

#[test]
fn a_small_swarm_takes_24_bytes_and_no_allocation() {
    assert_eq!((size_of::<Peers<6, 2>>(), size_of::<Peers<18, 1>>()), (24, 24));
    assert_eq!(swarm(2, |_| true).heap_bytes(), 0);
    assert_eq!(swarm(3, |_| true).heap_bytes(), 32, "24 bytes, and what the allocator takes");
}

#[test]
fn at_every_size_peers_are_counted_found_and_removed() {
    for count in [1, 2, 3, 63, 64, 65, 66, 500] {
        let mut peers = swarm(count, |n| n % 3 == 0);
        assert_eq!((peers.len(), peers.seeds()), (usize::from(count), usize::from(count.div_ceil(3))), "{count}");
        for n in 0..count {
            let before = if n % 3 == 0 { Before::Seed } else { Before::Other };
            assert_eq!(insert(&mut peers, peer(n, n % 3 != 0), &room(false, 0)).before, before, "{n} of {count}");
        }
        assert_eq!(peers.seeds(), usize::from(count - count.div_ceil(3)), "all have changed sides");
        for n in 0..count {
            assert_ne!(remove(&mut peers, peer(n, true)), Before::Absent, "{n} of {count}");
            assert_eq!(remove(&mut peers, peer(n, true)), Before::Absent, "{n} of {count}");
        }
        assert_eq!(peers.len(), 0);
    }
}

#[test]
fn a_swarm_that_may_not_grow_takes_nobody_new() {
    for count in [1, 2, 40, 200] {
        let mut peers = swarm(count, |_| false);
        let refused = Insertion { before: Before::Absent, is_kept: false };
        assert_eq!(insert(&mut peers, peer(9999, false), &room(false, 0)), refused);
        assert_eq!(peers.len(), usize::from(count));
    }
}

#[test]
fn a_site_has_a_few_peers_and_a_new_one_takes_the_place_of_its_stalest() {
    for count in [1, 50, 300] {
        let mut peers = swarm(count, |_| false);
        let at_site = |port: u8, seconds| Peer::new([192, 0, 2, 1, 1, port], port.is_multiple_of(2), Tick::at(seconds));
        for port in 0..100 {
            let seconds = u64::from(port) * Tick::SECONDS;
            assert!(insert(&mut peers, at_site(port, seconds), &room(port < 8, seconds)).is_kept, "{port} of {count}");
        }
        assert_eq!(peers.len(), usize::from(count) + 8);
        let ports: HashSet<_> = drawn(&peers, 1000, None, false)
            .into_iter()
            .filter_map(|address| (address[0] == 192).then_some(address[5]))
            .collect();
        assert_eq!(ports, (92..100).collect(), "of {count}");
    }
}

#[test]
fn the_asker_is_never_among_the_peers_given() {
    for count in [1, 2, 3, 64, 200] {
        let given = drawn(&swarm(count, |_| false), 1000, Some(0), false);
        assert_eq!(given.len(), usize::from(count) - 1);
        assert!(!given.contains(&peer(0, false).address));
    }
}

#[test]
fn seeds_are_not_given_to_seeds() {
    for count in [2, 60, 300] {
        let given = drawn(&swarm(count, |n| n % 2 == 0), 1000, None, true);
        assert_eq!(given.len(), usize::from(count / 2));
    }
}

#[test]
fn a_downloader_of_a_large_swarm_is_given_both_seeds_and_others() {
    for (count, one_in) in [(300, 2), (300, 50)] {
        let given = drawn(&swarm(count, |n| n % one_in == 0), 50, None, false);
        assert_eq!(given.len(), 50);
        let seeds = given.iter().filter(|address| u16::from_be_bytes([address[2], address[3]]).is_multiple_of(one_in));
        assert_eq!(seeds.count(), usize::from(50 / one_in));
    }
}

fn sweep(peers: &mut V4, keep: impl Fn(&Peer<6>) -> bool) {
    let mut bucket = None;
    while !peers.sweep(&mut bucket, &keep, &mut GonePeers::new()).is_all {}
}

#[test]
fn a_large_swarm_is_swept_in_many_short_steps_while_others_come_and_go() {
    let mut peers = swarm(20_000, |n| n % 2 == 0);
    let mut bucket = None;
    let (mut steps, mut new) = (0, 20_000);
    loop {
        let keep = |peer: &Peer<6>| peer.address[3].is_multiple_of(64) || peer.address[2] >= 0x4e;
        let part = peers.sweep(&mut bucket, keep, &mut GonePeers::new());
        assert!(part.work < 4096, "{}", part.work);
        if part.is_all {
            break;
        }
        steps += 1;
        insert(&mut peers, peer(new, false), &room(true, 0));
        remove(&mut peers, peer(new - 300, false));
        new += 1;
    }
    assert!(steps > 10, "{steps}");
    for n in (0..19_000).filter(|n| n % 64 == 0) {
        assert_eq!(remove(&mut peers, peer(n, n % 2 == 0)), Before::Seed, "{n}");
    }
    for n in 20_000..new {
        assert_eq!(remove(&mut peers, peer(n, false)), Before::Other, "{n}");
    }
    assert!(peers.heap_bytes() < 20_000, "{}", peers.heap_bytes());
}

#[test]
fn a_shrunken_swarm_goes_back_to_the_small_forms() {
    let mut peers = swarm(500, |n| n % 2 == 0);
    sweep(&mut peers, |peer| peer.address[2] == 0 && peer.address[3] < 20);
    assert!(matches!(peers, Peers::Few(_)));
    assert_eq!((peers.len(), peers.seeds()), (20, 10));
    sweep(&mut peers, |peer| peer.address[3] < 2);
    assert!(matches!(peers, Peers::Inline { len: 2, .. }));
    sweep(&mut peers, |_| false);
    assert_eq!(peers.len(), 0);
}
