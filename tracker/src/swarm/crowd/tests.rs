use std::collections::HashSet;
use std::hash::Hasher as _;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng as _;
use siphasher::sip::SipHasher13;

use super::*;
use crate::swarm::Luck;
use crate::swarm::record::Tick;

fn address(n: u32) -> [u8; 6] {
    let mut address = [0, 0, 0, 0, 0, 1];
    address[..4].copy_from_slice(&n.to_be_bytes());
    address
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what the buckets ask for, whatever the family")]
fn hash(address: &[u8; 6]) -> u64 {
    let mut hasher = SipHasher13::new_with_key(&[3; 16]);
    hasher.write(address);
    hasher.finish()
}

fn crowd(count: u32) -> Crowd<6> {
    let mut crowd = Crowd::new();
    for n in 0..count {
        crowd.insert(Peer::new(address(n), false, Tick::at(0)), hash);
    }
    crowd
}

#[test]
fn every_peer_is_found_whatever_the_number_of_buckets() {
    let mut crowd = crowd(0);
    for n in 0..2000 {
        crowd.insert(Peer::new(address(n), false, Tick::at(0)), hash);
        assert!(crowd.refresh(Peer::new(address(n / 2), true, Tick::at(0)), hash(&address(n / 2))));
    }
    for n in 0..2000 {
        assert!(crowd.remove(&address(n), hash(&address(n))), "{n}");
        assert!(!crowd.remove(&address(n), hash(&address(n))), "{n}");
    }
    assert_eq!(crowd.len(), 0);
}

#[test]
fn the_bytes_counted_along_are_those_of_all_buckets() {
    let mut crowd = crowd(0);
    let check = |crowd: &Crowd<6>| {
        assert_eq!(crowd.bucket_bytes, crowd.buckets.iter().map(bytes_of).sum::<usize>(), "{}", crowd.len());
    };
    for n in 0..2000 {
        crowd.insert(Peer::new(address(n), false, Tick::at(0)), hash);
        check(&crowd);
    }
    for kept in [1500, 900, 100, 0] {
        for bucket in 0..crowd.buckets() {
            let keep = |peer: &Peer<6>| u16::from_be_bytes([peer.address[2], peer.address[3]]) < kept;
            crowd.retain_in(bucket, keep, &mut GonePeers::new());
            check(&crowd);
        }
        assert_eq!(crowd.len(), usize::from(kept));
        while !crowd.is_dense() {
            crowd.merge_some(&mut GonePeers::new());
            check(&crowd);
        }
        check(&crowd);
        for n in 0..kept.into() {
            let seed = Peer::new(address(n), true, Tick::at(0));
            assert!(crowd.refresh(seed, hash(&address(n))), "{n} of {kept} is where it is looked for");
        }
    }
}

#[test]
fn a_peer_of_a_large_crowd_takes_less_than_ten_bytes() {
    let crowd = crowd(100_000);
    assert!(crowd.heap_bytes() < 1_000_000, "{} bytes", crowd.heap_bytes());
}

#[test]
fn memory_is_given_back_when_most_have_gone() {
    let mut crowd = crowd(100_000);
    for bucket in 0..crowd.buckets() {
        crowd.retain_in(bucket, |peer| peer.address[3] == 0, &mut GonePeers::new());
    }
    while !crowd.is_dense() {
        crowd.merge_some(&mut GonePeers::new());
    }
    assert_eq!(crowd.len(), 391);
    assert!(crowd.heap_bytes() < 10_000, "{} bytes", crowd.heap_bytes());
    assert!(crowd.refresh(Peer::new(address(256), true, Tick::at(0)), hash(&address(256))));
}

#[test]
fn what_is_looked_at_is_what_the_same_luck_draws() {
    let crowd = crowd(1000);
    let draw = Draw { asker: [0; 6], asker_hash: 0, skip_seeds: false, now: Tick::at(0), lifetime_ticks: 90 };
    for n in 0..100 {
        let luck = Luck::new(n);
        crowd.approach_runs(50, &mut luck.clone());
        let Runs { first, starts, ahead } = crowd.fetch_runs(50, &mut luck.clone());
        let mut given = Vec::new();
        crowd.draw(50, &draw, &mut luck.clone(), &mut given);
        for (n, &start) in starts[..ahead].iter().enumerate() {
            assert!(given.contains(&crowd.bucket_from(first, n)[start].address), "run {n}");
        }
    }
}

#[test]
fn in_time_everybody_is_drawn_and_nobody_twice_at_once() {
    let crowd = crowd(1000);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let asker = address(17);
    let draw = Draw { asker, asker_hash: hash(&asker), skip_seeds: false, now: Tick::at(0), lifetime_ticks: 90 };
    let mut seen = HashSet::new();
    for _ in 0..500 {
        let mut given = Vec::new();
        crowd.draw(50, &draw, &mut rng, &mut given);
        let given: HashSet<_> = given.into_iter().collect();
        assert_eq!(given.len(), 50, "nobody twice");
        seen.extend(given);
    }
    assert_eq!(seen.len(), 999, "everybody but the asker");
}
