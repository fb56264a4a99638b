//! Engines among themselves, in simulated time.

use std::time::Duration;

use peerfeed::store::{FeedRow, Reading, Roles};
use peerfeed::swarm::{Progress, SyncFailure, SyncGoal};

use crate::world::{Lie, Tracker, World, address, hint};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_reader_fetches_posts_and_files_from_a_seeder_and_a_second_reader_from_the_first() {
    let mut world = World::new(20 * MS, 1);
    let [ana, seeder, bob, cem] = std::array::from_fn(|_| world.machine());
    let author = world.author(ana);
    let feed = author.feed();
    for number in 0..20 {
        world.post(ana, &author, &format!("post {number}"), 0);
    }
    world.post(ana, &author, "film", 2_200_000);
    world.seed(seeder, feed, &[ana]);
    world.until("the seeder holds all", 20 * SECOND, |world| world.holds_all_of(seeder, ana, feed));
    world.kill(ana);
    world.follow(bob, feed, &[seeder]);
    let task = world.sync(bob, feed, 30 * SECOND);
    world.until("Bob's sync ends", 40 * SECOND, |world| world.ended(bob, task).is_some());
    assert!(matches!(world.ended(bob, task), Some(Progress::Done(_))), "{:?}", world.ended(bob, task));
    assert!(world.holds_all_of(bob, ana, feed));
    world.kill(seeder);
    world.follow(cem, feed, &[seeder, bob]);
    let task = world.sync(cem, feed, 30 * SECOND);
    world.until("Cem's sync ends", 40 * SECOND, |world| world.ended(cem, task).is_some());
    assert!(world.holds_all_of(cem, ana, feed));
}

#[test]
fn seeders_fetch_from_each_other() {
    let mut world = World::new(5 * MS, 2);
    let [ana, one, two, three] = std::array::from_fn(|_| world.machine());
    let author = world.author(ana);
    let feed = author.feed();
    world.post(ana, &author, "film", 3_000_000);
    world.seed(one, feed, &[ana]);
    world.until("the first seeder holds all", 20 * SECOND, |world| world.holds_all_of(one, ana, feed));
    world.kill(ana);
    world.seed(two, feed, &[one]);
    world.seed(three, feed, &[two]);
    world.until("the third seeder holds all", 30 * SECOND, |world| world.holds_all_of(three, ana, feed));
    assert!(world.holds_all_of(two, ana, feed));
}

/// A fetch from a liar and an honest seeder.
fn fetch_beside_a_liar(lie: Lie, seed: u64) {
    let mut world = World::new(5 * MS, seed);
    let [ana, liar, honest, bob] = std::array::from_fn(|_| world.machine());
    let author = world.author(ana);
    let feed = author.feed();
    world.post(ana, &author, "film", 6_000_000);
    for seeder in [liar, honest] {
        world.seed(seeder, feed, &[ana]);
    }
    world.until("both seeders hold all", 20 * SECOND, |world| {
        world.holds_all_of(liar, ana, feed) && world.holds_all_of(honest, ana, feed)
    });
    world.kill(ana);
    world.machines[liar].lies = Some(lie);
    world.machines[honest].upload = Some(1_000_000);
    world.follow(bob, feed, &[liar, honest]);
    let task = world.sync(bob, feed, 30 * SECOND);
    world.until("Bob's sync ends", 60 * SECOND, |world| world.ended(bob, task).is_some());
    assert!(matches!(world.ended(bob, task), Some(Progress::Done(_))), "{:?}", world.ended(bob, task));
    assert!(world.holds_all_of(bob, honest, feed));
    let liar_address = hint(liar).address;
    // It is dropped, and not dialled again while the ban lasts.
    for _ in 0..2 {
        let status = world.machines[bob].engine.status(world.now);
        assert!(status.totals.violations >= 1);
        assert!(status.peers.iter().all(|peer| peer.address.to_string() != liar_address), "{:?}", status.peers);
        world.pass(120 * SECOND);
    }
}

#[test]
fn who_sends_a_wrong_chunk_is_banned_at_once_and_the_honest_complete_the_fetch() {
    fetch_beside_a_liar(Lie::Chunks, 3);
}

#[test]
fn who_sends_a_wrong_body_is_banned_at_once_and_the_honest_complete_the_fetch() {
    fetch_beside_a_liar(Lie::Entries, 30);
}

#[test]
fn who_sends_a_forged_head_is_banned_at_once_and_the_honest_complete_the_fetch() {
    fetch_beside_a_liar(Lie::Heads, 31);
}

#[test]
fn several_feeds_of_one_seeder_share_one_connection() {
    let mut world = World::new(20 * MS, 32);
    let [ana, ben, seeder, bob] = std::array::from_fn(|_| world.machine());
    let authors = [(ana, world.author(ana)), (ben, world.author(ben))];
    for (machine, author) in &authors {
        world.post(*machine, author, "hello", 0);
        world.seed(seeder, author.feed(), &[*machine]);
    }
    world.until("the seeder holds both", 20 * SECOND, |world| {
        authors.iter().all(|(machine, author)| world.holds_all_of(seeder, *machine, author.feed()))
    });
    for (_, author) in &authors {
        world.follow(bob, author.feed(), &[seeder]);
    }
    world.until("Bob holds both", 20 * SECOND, |world| {
        authors.iter().all(|(machine, author)| world.holds_all_of(bob, *machine, author.feed()))
    });
    assert_eq!(world.peers(bob), 1);
}

#[test]
fn a_file_that_does_not_fit_in_a_quota_is_left_out_with_a_reason_and_all_else_comes() {
    let mut world = World::new(5 * MS, 33);
    let [ana, bob] = std::array::from_fn(|_| world.machine());
    let author = world.author(ana);
    let feed = author.feed();
    world.post(ana, &author, "photo", 1_500_000);
    world.post(ana, &author, "film", 6_000_000);
    let row = FeedRow {
        roles: Roles { follow: true, ..Roles::default() },
        seeders: vec![hint(ana)],
        quota_bytes: Some(2_500_000),
        ..FeedRow::default()
    };
    world.hold_as(bob, feed, row);
    let task = world.sync(bob, feed, 30 * SECOND);
    world.until("Bob's sync ends", 60 * SECOND, |world| world.ended(bob, task).is_some());
    let Some(Progress::Failed(SyncFailure::Store(reason))) = world.ended(bob, task) else {
        panic!("{:?}", world.ended(bob, task));
    };
    assert!(reason.contains("quota"), "{reason}");
    assert_eq!(world.entries(bob, feed), world.entries(ana, feed));
    let status = |world: &World| world.machines[bob].engine.status(world.now).feeds.remove(0);
    assert_eq!((status(&world).blobs_held, status(&world).left_out.len()), (1, 1));
    assert!(status(&world).stopped.is_none());
    world.post(ana, &author, "what comes after it", 0);
    world.until("it comes", 60 * SECOND, |world| world.entries(bob, feed) == world.entries(ana, feed));
}

#[test]
fn dead_addresses_do_not_keep_a_fetch_from_ending() {
    let mut world = World::new(5 * MS, 4);
    let [ana, seeder, dead, bob] = std::array::from_fn(|_| world.machine());
    let author = world.author(ana);
    let feed = author.feed();
    world.post(ana, &author, "hello", 0);
    world.seed(seeder, feed, &[ana]);
    world.until("the seeder holds all", 20 * SECOND, |world| world.holds_all_of(seeder, ana, feed));
    world.kill(ana);
    world.kill(dead);
    world.follow(bob, feed, &[ana, dead, 77, seeder]);
    let task = world.sync(bob, feed, 30 * SECOND);
    let took = world.until("Bob's sync ends", 40 * SECOND, |world| world.ended(bob, task).is_some());
    assert!(matches!(world.ended(bob, task), Some(Progress::Done(_))), "{:?}", world.ended(bob, task));
    assert!(took < 2 * SECOND, "{took:?}");
}

#[test]
fn two_seeders_share_the_load_of_one_file() {
    const RATE: u64 = 2_000_000;
    let fetch = |seeders: usize| {
        let mut world = World::new(20 * MS, 5);
        let ana = world.machine();
        let author = world.author(ana);
        let feed = author.feed();
        world.post(ana, &author, "film", 16_000_000);
        let seeders: Vec<usize> = (0..seeders).map(|_| world.machine()).collect();
        for seeder in &seeders {
            world.seed(*seeder, feed, &[ana]);
        }
        world.until("all seeders hold all", 60 * SECOND, |world| {
            seeders.iter().all(|seeder| world.holds_all_of(*seeder, ana, feed))
        });
        world.kill(ana);
        let bob = world.machine();
        for seeder in &seeders {
            world.machines[*seeder].upload = Some(RATE);
        }
        world.follow(bob, feed, &seeders);
        let task = world.sync(bob, feed, 60 * SECOND);
        let took = world.until("Bob's sync ends", 100 * SECOND, |world| world.ended(bob, task).is_some());
        assert!(world.holds_all_of(bob, seeders[0], feed));
        let served: Vec<u64> = seeders.iter().map(|seeder| world.served_bytes(*seeder)).collect();
        (took.as_secs_f64(), served)
    };
    let (alone, _) = fetch(1);
    let (together, served) = fetch(2);
    assert!(alone > 8.0, "16 MB at 2 MB/s: {alone}");
    assert!(together < 0.65 * alone, "{together} against {alone}");
    assert!(served.iter().all(|bytes| *bytes > 5_000_000), "{served:?}");
}

#[test]
fn a_slow_seeder_loses_its_requests_to_a_fast_one() {
    let mut world = World::new(10 * MS, 6);
    let [ana, slow, fast, bob] = std::array::from_fn(|_| world.machine());
    let author = world.author(ana);
    let feed = author.feed();
    world.post(ana, &author, "film", 12_000_000);
    for seeder in [slow, fast] {
        world.seed(seeder, feed, &[ana]);
    }
    world.until("both seeders hold all", 60 * SECOND, |world| {
        world.holds_all_of(slow, ana, feed) && world.holds_all_of(fast, ana, feed)
    });
    world.kill(ana);
    world.machines[slow].upload = Some(20_000);
    world.machines[fast].upload = Some(4_000_000);
    world.follow(bob, feed, &[slow, fast]);
    let task = world.sync(bob, feed, 60 * SECOND);
    let took = world.until("Bob's sync ends", 200 * SECOND, |world| world.ended(bob, task).is_some());
    // The slow one alone would need 50 s for the first group that it was asked for.
    assert!(took < 8 * SECOND, "{took:?}");
    assert_eq!(world.machines[bob].engine.status(world.now).totals.violations, 0, "nobody is banned for being slow");
}

#[test]
fn a_live_post_travels_at_one_delay_per_hop() {
    let delay = 50 * MS;
    let mut world = World::new(delay, 7);
    let [ana, seeder, bob] = std::array::from_fn(|_| world.machine());
    let author = world.author(ana);
    let feed = author.feed();
    world.post(ana, &author, "before", 0);
    // The two cannot reach each other.
    world.machines[ana].hidden = true;
    world.machines[bob].hidden = true;
    world.hold(ana, feed, Roles { own: true, ..Roles::default() }, vec![hint(seeder)]);
    world.seed(seeder, feed, &[]);
    world.follow(bob, feed, &[seeder]);
    world.until("Bob is up to date", 20 * SECOND, |world| world.holds_all_of(bob, ana, feed));
    world.pass(5 * SECOND);
    let posted = world.now;
    world.post(ana, &author, "live", 0);
    world.until("Bob has it", 5 * SECOND, |world| world.holds_all_of(bob, ana, feed));
    let index = world.entries(ana, feed) - 1;
    let seen = |machine: usize, world: &World| {
        let arrived = world.machines[machine].arrived.iter().find(|(at, _)| *at == index);
        arrived.expect("it arrived").1.since(posted)
    };
    assert_eq!(seen(seeder, &world), delay);
    assert_eq!(seen(bob, &world), 2 * delay);
}

#[test]
fn two_that_dial_each_other_keep_one_connection_and_nobody_dials_itself() {
    let mut world = World::new(10 * MS, 8);
    let [ana, bob] = std::array::from_fn(|_| world.machine());
    let author = world.author(ana);
    let feed = author.feed();
    world.post(ana, &author, "one", 0);
    world.hold(ana, feed, Roles { own: true, ..Roles::default() }, vec![hint(ana), hint(bob)]);
    world.follow(bob, feed, &[ana, bob]);
    world.until("Bob has it", 10 * SECOND, |world| world.holds_all_of(bob, ana, feed));
    world.pass(30 * SECOND);
    assert_eq!((world.peers(ana), world.peers(bob)), (1, 1));
    world.post(ana, &author, "two", 0);
    world.until("Bob has the second", 10 * SECOND, |world| world.holds_all_of(bob, ana, feed));
}

#[test]
fn a_broken_connection_is_made_again_and_what_is_new_comes_over() {
    let mut world = World::new(10 * MS, 9);
    let [ana, bob] = std::array::from_fn(|_| world.machine());
    let author = world.author(ana);
    let feed = author.feed();
    world.post(ana, &author, "one", 0);
    world.follow(bob, feed, &[ana]);
    world.until("Bob has it", 10 * SECOND, |world| world.holds_all_of(bob, ana, feed));
    world.kill(ana);
    world.pass(60 * SECOND);
    assert_eq!(world.peers(bob), 0);
    world.post(ana, &author, "while away", 0);
    world.machines[ana].dead = false;
    world.until("Bob has what was new", 900 * SECOND, |world| world.holds_all_of(bob, ana, feed));
}

#[test]
fn what_was_fetched_in_part_is_not_fetched_again() {
    let mut world = World::new(10 * MS, 10);
    let [ana, bob] = std::array::from_fn(|_| world.machine());
    let author = world.author(ana);
    let feed = author.feed();
    world.post(ana, &author, "film", 10_000_000);
    world.machines[ana].upload = Some(1_000_000);
    world.seed(bob, feed, &[ana]);
    let held = |world: &World| {
        let txn = world.machines[bob].store.read().unwrap();
        let blobs = txn.blobs(feed).unwrap();
        blobs.iter().map(|blob| txn.blob(feed, *blob).unwrap().map_or(0, |row| row.held_bytes)).sum::<u64>()
    };
    world.until("Bob has half of it", 30 * SECOND, |world| held(world) > 5_000_000);
    let before = held(&world);
    world.kill(ana);
    world.pass(10 * SECOND);
    world.machines[ana].dead = false;
    world.until("Bob has all of it", 900 * SECOND, |world| world.holds_all_of(bob, ana, feed));
    let received: u64 = world.machines[bob].engine.status(world.now).peers.iter().map(|peer| peer.received_bytes).sum();
    assert!(received < 10_100_000 - before + 1_100_000, "{received} after {before}");
}

#[test]
fn a_cold_fetch_brings_the_first_post_in_three_round_trips_and_fifty_in_four() {
    let delay = 50 * MS;
    let mut world = World::new(delay, 34);
    let [ana, seeder, bob] = std::array::from_fn(|_| world.machine());
    let author = world.author(ana);
    let feed = author.feed();
    for number in 0..200 {
        world.post(ana, &author, &format!("post {number}"), 0);
    }
    world.seed(seeder, feed, &[ana]);
    world.until("the seeder holds all", 60 * SECOND, |world| world.holds_all_of(seeder, ana, feed));
    world.kill(ana);
    let began = world.now;
    world.follow(bob, feed, &[seeder]);
    world.until("Bob holds all", 20 * SECOND, |world| world.holds_all_of(bob, ana, feed));
    let newest = world.entries(seeder, feed) - 1;
    let seen = |index: u64| {
        let arrived = world.machines[bob].arrived.iter().find(|(at, _)| *at == index);
        arrived.expect("it arrived").1.since(began).as_secs_f64() / (2 * delay).as_secs_f64()
    };
    assert!(seen(newest) <= 3.0, "the first post after {} round trips", seen(newest));
    assert!(seen(newest - 49) <= 4.0, "50 posts after {} round trips", seen(newest - 49));
}

#[test]
fn a_swarm_outlives_its_only_tracker_and_half_of_its_peers() {
    const FOLLOWERS: usize = 24;
    let mut world = World::new(20 * MS, 40);
    world.tracker = Some(Tracker::new(2, 40));
    let ana = world.machine();
    let author = world.author(ana);
    let feed = author.feed();
    world.post(ana, &author, "before", 0);
    let followers: Vec<usize> = (0..FOLLOWERS)
        .map(|_| {
            let follower = world.machine();
            world.follow(follower, feed, &[]);
            world.pass(SECOND);
            follower
        })
        .collect();
    world.until("all have it", 60 * SECOND, |world| followers.iter().all(|at| world.entries(*at, feed) > 0));
    world.tracker = None;
    // Whom they know by now they know from each other.
    world.pass(130 * SECOND);
    for follower in followers.iter().step_by(2) {
        world.kill(*follower);
    }
    world.pass(60 * SECOND);
    world.post(ana, &author, "after", 0);
    let alive: Vec<usize> = followers.iter().copied().filter(|at| !world.machines[*at].dead).collect();
    assert_eq!(alive.len(), FOLLOWERS / 2);
    world.until("all who are left have what is new", 60 * SECOND, |world| {
        alive.iter().all(|at| world.holds_all_of(*at, ana, feed))
    });
}

#[test]
fn what_is_sought_in_passing_is_found_by_a_tracker_and_not_waited_for_where_nobody_has_it() {
    let mut world = World::new(50 * MS, 44);
    world.tracker = Some(Tracker::new(2, 44));
    let ana = world.machine();
    let author = world.author(ana);
    let feed = author.feed();
    let in_passing = SyncGoal { in_passing: true, ..SyncGoal::default() };
    let alone = world.sync_for(ana, feed, in_passing.clone(), 60 * SECOND);
    let took = world.until("the tracker names nobody", 60 * SECOND, |world| world.ended(ana, alone).is_some());
    assert!(matches!(world.ended(ana, alone), Some(Progress::Failed(SyncFailure::NobodyAnswered { .. }))));
    assert!(took < SECOND, "{took:?}");
    // Whoever is waited for may be just about to start.
    let bob = world.machine();
    world.follow(bob, feed, &[]);
    let task = world.sync_for(bob, feed, in_passing, 60 * SECOND);
    world.until("Bob's sync ends", 60 * SECOND, |world| world.ended(bob, task).is_some());
    assert!(matches!(world.ended(bob, task), Some(Progress::Done(_))), "{:?}", world.ended(bob, task));
    assert!(world.holds_all_of(bob, ana, feed));
}

#[test]
fn two_who_know_only_the_seeder_learn_of_each_other_from_it() {
    let mut world = World::new(5 * MS, 41);
    let [ana, bob, cem] = std::array::from_fn(|_| world.machine());
    let author = world.author(ana);
    let feed = author.feed();
    world.post(ana, &author, "hello", 0);
    world.follow(bob, feed, &[ana]);
    world.follow(cem, feed, &[ana]);
    // Both know only Ana, who has met both.
    world.until("Bob and Cem are connected", 30 * SECOND, |world| {
        let addresses = |at: usize| {
            let peers = world.machines[at].engine.status(world.now).peers;
            peers.into_iter().map(|peer| peer.address.ip()).collect::<Vec<_>>()
        };
        addresses(bob).contains(&address(cem).ip()) && addresses(cem).contains(&address(bob).ip())
    });
}

#[test]
fn when_there_are_as_many_as_there_may_be_some_give_way_to_newcomers() {
    const PLACES: usize = 10;
    let mut world = World::new(5 * MS, 42);
    let ana = world.machine();
    let author = world.author(ana);
    let feed = author.feed();
    world.post(ana, &author, "hello", 0);
    world.connections_max = PLACES;
    let seeder = world.machine();
    world.connections_max = 1_000;
    world.machines[ana].hidden = true;
    world.hold(ana, feed, Roles { own: true, ..Roles::default() }, vec![hint(seeder)]);
    world.seed(seeder, feed, &[]);
    world.until("the seeder has it", 20 * SECOND, |world| world.holds_all_of(seeder, ana, feed));
    let followers: Vec<usize> = (0..PLACES + 2)
        .map(|_| {
            let follower = world.machine();
            world.machines[follower].hidden = true;
            world.follow(follower, feed, &[seeder]);
            follower
        })
        .collect();
    world.pass(60 * SECOND);
    let have = |world: &World| followers.iter().filter(|at| world.entries(**at, feed) > 0).count();
    assert!(have(&world) < followers.len(), "not all find room");
    assert_eq!(world.peers(seeder), PLACES);
    world.until("everybody had a turn", 4 * 3_600 * SECOND, |world| have(world) == followers.len());
}

#[test]
fn a_feed_that_stopped_on_a_full_disk_goes_on_by_itself_when_there_is_room() {
    let mut world = World::new(5 * MS, 43);
    let [ana, bob] = std::array::from_fn(|_| world.machine());
    let author = world.author(ana);
    let feed = author.feed();
    world.post(ana, &author, "film", 6_000_000);
    world.seed(bob, feed, &[ana]);
    world.until("Bob has the post", 20 * SECOND, |world| world.entries(bob, feed) == world.entries(ana, feed));
    world.machines[bob].disk_full = true;
    let stopped = |world: &World| world.machines[bob].engine.status(world.now).feeds[0].stopped.is_some();
    world.until("Bob's disk is full", 20 * SECOND, stopped);
    world.pass(30 * 60 * SECOND);
    let wasted: u64 = world.machines[bob].engine.status(world.now).peers.iter().map(|peer| peer.received_bytes).sum();
    assert!(wasted < 60_000_000, "{wasted} bytes were fetched to be thrown away");
    assert!(!world.holds_all_of(bob, ana, feed));
    world.machines[bob].disk_full = false;
    world.until("Bob holds all", 3_600 * SECOND, |world| world.holds_all_of(bob, ana, feed));
}

#[test]
fn posts_come_at_once_though_a_film_comes_over_the_same_connection() {
    const RATE: u64 = 1_000_000;
    let mut world = World::new(20 * MS, 44);
    let [ana, ben, seeder, bob] = std::array::from_fn(|_| world.machine());
    let films = world.author(ana);
    world.post(ana, &films, "film", 16_000_000);
    let posts = world.author(ben);
    for number in 0..200 {
        world.post(ben, &posts, &format!("post {number}"), 0);
    }
    for (machine, author) in [(ana, &films), (ben, &posts)] {
        world.seed(seeder, author.feed(), &[machine]);
    }
    world.until("the seeder holds both", 60 * SECOND, |world| {
        world.holds_all_of(seeder, ana, films.feed()) && world.holds_all_of(seeder, ben, posts.feed())
    });
    world.kill(ana);
    world.kill(ben);
    world.machines[seeder].upload = Some(RATE);
    world.follow(bob, films.feed(), &[seeder]);
    let task = world.sync(bob, films.feed(), 60 * SECOND);
    world.pass(4 * SECOND);
    assert!(world.ended(bob, task).is_none(), "the film is still coming");
    world.follow(bob, posts.feed(), &[seeder]);
    let took = world.until("Bob has the posts", 60 * SECOND, |world| world.holds_all_of(bob, ben, posts.feed()));
    assert_eq!(world.peers(bob), 1);
    // The group of chunks that was begun, and the posts themselves; what else was buffered for Bob took four seconds.
    assert!(took < 2 * SECOND, "{took:?}");
}

#[test]
fn two_who_download_have_the_same_share_though_one_asks_for_more_feeds() {
    let mut world = World::new(20 * MS, 45);
    let [ana, ben, seeder, bob, cem] = std::array::from_fn(|_| world.machine());
    let authors = [(ana, world.author(ana)), (ben, world.author(ben))];
    for (machine, author) in &authors {
        world.post(*machine, author, "film", 6_000_000);
        world.seed(seeder, author.feed(), &[*machine]);
    }
    world.until("the seeder holds both", 60 * SECOND, |world| {
        authors.iter().all(|(machine, author)| world.holds_all_of(seeder, *machine, author.feed()))
    });
    world.kill(ana);
    world.kill(ben);
    world.machines[seeder].upload = Some(500_000);
    for (_, author) in &authors {
        world.seed(bob, author.feed(), &[seeder]);
        world.machines[bob].hidden = true;
        world.machines[cem].hidden = true;
    }
    world.seed(cem, authors[0].1.feed(), &[seeder]);
    world.pass(8 * SECOND);
    let received = |at: usize| {
        let peers = world.machines[at].engine.status(world.now).peers;
        peers.iter().map(|peer| peer.received_bytes).sum::<u64>()
    };
    let (many, one) = (received(bob), received(cem));
    assert!(many.abs_diff(one) <= 2_100_000, "{many} and {one}");
}
