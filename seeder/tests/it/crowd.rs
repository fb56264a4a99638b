//! Engines that fetch from each other what none of them has all of, and feeds that have a rate of their own.

use std::time::Duration;

use peerfeed::store::{FeedRow, Roles};

use crate::world::{World, hint};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn parts_of_a_file_pass_through_a_peer_that_does_not_have_all_of_it() {
    let mut world = World::new(20 * MS, 60);
    let [ana, bob, cem] = std::array::from_fn(|_| world.machine());
    let author = world.author(ana);
    let feed = author.feed();
    world.post(ana, &author, "film", 6_000_000);
    // Ana and Cem cannot reach each other.
    world.machines[ana].hidden = true;
    world.machines[cem].hidden = true;
    world.machines[ana].upload = Some(500_000);
    world.machines[bob].upload = Some(750_000);
    world.hold(ana, feed, Roles { own: true, ..Roles::default() }, vec![hint(bob)]);
    world.seed(bob, feed, &[]);
    world.seed(cem, feed, &[bob]);
    let bobs = world.until("Bob has the film", 60 * SECOND, |world| world.holds_all_of(bob, ana, feed));
    assert!(bobs >= 11 * SECOND, "{bobs:?}");
    let later = world.until("Cem has the film", 60 * SECOND, |world| world.holds_all_of(cem, ana, feed));
    // One after the other it would take him eight seconds more.
    assert!(later <= 4 * SECOND, "{later:?}");
}

#[test]
fn at_the_end_a_fast_peer_takes_over_what_a_slow_one_has_begun() {
    let mut world = World::new(20 * MS, 61);
    let [ana, slow, bob] = std::array::from_fn(|_| world.machine());
    let author = world.author(ana);
    let feed = author.feed();
    world.post(ana, &author, "film", 40_000_000);
    world.hold(ana, feed, Roles { own: true, ..Roles::default() }, vec![]);
    world.seed(slow, feed, &[ana]);
    world.until("the slow one has the film", 60 * SECOND, |world| world.holds_all_of(slow, ana, feed));
    world.machines[ana].upload = Some(1_000_000);
    world.machines[slow].upload = Some(60_000);
    world.seed(bob, feed, &[ana, slow]);
    // Every megabyte takes the slow one 17 seconds, and the fast one is done with all others after 38.
    let took = world.until("Bob has the film", 60 * SECOND, |world| world.holds_all_of(bob, ana, feed));
    assert!(took < 46 * SECOND, "{took:?}");
}

/// Seconds until Bob holds a film of each of two feeds of one seeder, the first of which has these rates.
fn fetch_two_films(up: Option<u64>, down: Option<u64>) -> [f64; 2] {
    let mut world = World::new(5 * MS, 62);
    let [ana, ben, seeder, bob] = std::array::from_fn(|_| world.machine());
    let authors = [(ana, world.author(ana)), (ben, world.author(ben))];
    for (machine, author) in &authors {
        world.post(*machine, author, "film", 4_000_000);
        world.seed(seeder, author.feed(), &[*machine]);
    }
    world.until("the seeder holds both", 60 * SECOND, |world| {
        authors.iter().all(|(machine, author)| world.holds_all_of(seeder, *machine, author.feed()))
    });
    world.kill(ana);
    world.kill(ben);
    let first = authors[0].1.feed();
    let roles = Roles { seed: true, ..Roles::default() };
    world.hold_as(seeder, first, FeedRow { roles, up, ..FeedRow::default() });
    world.hold_as(bob, first, FeedRow { roles, down, seeders: vec![hint(seeder)], ..FeedRow::default() });
    world.seed(bob, authors[1].1.feed(), &[seeder]);
    let began = world.now;
    [1, 0].map(|at: usize| {
        let (machine, author) = &authors[at];
        world.until("Bob has the film", 300 * SECOND, |world| world.holds_all_of(bob, *machine, author.feed()));
        world.now.since(began).as_secs_f64()
    })
}

#[test]
fn a_feed_with_a_rate_of_its_own_is_sent_and_fetched_no_faster_and_other_feeds_are() {
    let [other, free] = fetch_two_films(None, None);
    assert!(other < 8.0 && free < 8.0, "{other} and {free}");
    for (up, down) in [(Some(200_000), None), (None, Some(200_000))] {
        let [other, bounded] = fetch_two_films(up, down);
        assert!(other < 8.0, "{other}");
        // 4 MB at 200 kB/s take 20 seconds, and the last answer may come as soon as it is begun.
        assert!((14.0..26.0).contains(&bounded), "{bounded} at {up:?} and {down:?}");
    }
}
