//! The simulated swarm, small enough for every run of the tests.

use std::time::Duration;

use anyhow::Result;
use peerfeed_load_tests::simulation::{Content, Plan, World};

const SECOND: Duration = Duration::from_secs(1);
const FILM_BYTES: u64 = 20_000_000;

/// A world with one post and its file, and peers that want it, a quarter of them liars if there are any, and a tracker that
/// names so many at a time.
fn crowd(seed: u64, peers: usize, file_bytes: u64, liars: bool, named: usize) -> Result<World> {
    println!("seed {seed}");
    let mut content = Content::new()?;
    content.post("a post with its file", usize::try_from(file_bytes)?)?;
    let mut world = World::new(Plan { one_way: Duration::from_millis(30), seed }, content, 1_000_000, named)?;
    for number in 0..peers {
        world.join(500_000, liars && number % 4 == 3);
    }
    Ok(world)
}

/// Lets time pass until all honest machines hold everything; how long it took.
fn until_all_hold_all(world: &mut World, within: Duration) -> Result<Duration> {
    let began = world.now;
    let all = world.run(began.after(within), |world| {
        let mut honest = world.machines.iter().filter(|machine| machine.alive && !machine.lies);
        honest.all(|machine| machine.shelf.is_complete(&world.content))
    });
    anyhow::ensure!(all, "not everybody had all within {within:?}");
    Ok(world.now.since(began))
}

#[test]
fn a_crowd_with_liars_in_it_gets_what_it_wants_and_the_author_sends_few_copies() -> Result<()> {
    const SEEDS: u64 = 3;
    let wanted = FILM_BYTES * 12;
    let mut honest = 0;
    for seed in 1..=SEEDS {
        let mut world = crowd(seed, 12, FILM_BYTES, true, 30)?;
        until_all_hold_all(&mut world, 300 * SECOND)?;
        assert!(world.violations() > 0, "somebody met a liar");
        let sent: Vec<u64> = world.machines.iter().map(|machine| machine.sent_bytes).collect();
        assert!(sent[0] < 4 * FILM_BYTES, "{sent:?}");
        honest += world.machines.iter().filter(|machine| !machine.lies).map(|machine| machine.sent_bytes).sum::<u64>();
    }
    println!("{honest} bytes for {SEEDS} times {wanted}");
    // A film of 20 parts over slow lines is mostly its end, where the slow lose their requests to the fast.
    assert!(honest < SEEDS * wanted * 21 / 20, "little is sent twice: {honest} for {SEEDS} times {wanted}");
    Ok(())
}

#[test]
fn a_crowd_is_done_soon_after_the_fluid_bound() -> Result<()> {
    let mut world = crowd(2, 8, FILM_BYTES, false, 30)?;
    let took = until_all_hold_all(&mut world, 300 * SECOND)?.as_secs_f64();
    // 8 copies over lines of 1,000 and 8 times 500 kB/s together take 32 seconds. A file of 20 groups is short: the first
    // group has to reach everybody, and so has the last.
    assert!(took < 1.75 * 32.0, "{took}");
    let sent = world.machines[0].sent_bytes;
    assert!(sent < 3 * FILM_BYTES, "the author sent {sent}");
    // What is asked of two peers is sent by who begins first.
    let sent: u64 = world.machines.iter().map(|machine| machine.sent_bytes).sum();
    assert!(sent < 8 * FILM_BYTES * 23 / 20, "all together sent {sent}");
    Ok(())
}

#[test]
fn a_tracker_that_dies_in_the_middle_of_a_transfer_is_not_noticed_and_is_found_again_with_jitter() -> Result<()> {
    let mut world = crowd(3, 8, FILM_BYTES, false, 30)?;
    let begun = world.now;
    world.run(begun.after(10 * SECOND), |_| false);
    world.tracker = None;
    until_all_hold_all(&mut world, 50 * SECOND)?;
    // Long enough for everybody to have asked in vain.
    world.run(begun.after(3_600 * SECOND), |_| false);
    world.start_tracker(30);
    let back = world.now;
    let machines = world.machines.len();
    let met = |world: &World| world.tracker.as_ref().map_or(0, |tracker| tracker.met.len());
    assert!(world.run(back.after(3_600 * SECOND), |world| met(world) == machines), "{} of {machines}", met(&world));
    let mut times: Vec<u64> =
        world.tracker.iter().flat_map(|tracker| tracker.met.values()).map(|at| at.as_micros()).collect();
    times.sort_unstable();
    let close = times.windows(2).filter(|pair| pair[1] - pair[0] < 1_000_000).count();
    assert!(close <= 2, "they do not come all at once: {times:?}");
    Ok(())
}

#[test]
fn a_swarm_of_200_outlives_its_only_tracker_and_half_of_its_peers() -> Result<()> {
    const PEERS: usize = 200;
    let mut world = crowd(4, 0, 0, false, 6)?;
    for _ in 0..PEERS {
        world.join(500_000, false);
        world.run(world.now.after(SECOND / 10), |_| false);
    }
    until_all_hold_all(&mut world, 120 * SECOND)?;
    world.tracker = None;
    // Whom they know by now they know from each other.
    world.run(world.now.after(70 * SECOND), |_| false);
    for number in (1..=PEERS).step_by(2) {
        world.leave(number);
    }
    world.run(world.now.after(30 * SECOND), |_| false);
    world.post("after the tracker", 0)?;
    let took = until_all_hold_all(&mut world, 60 * SECOND)?;
    let alive = world.machines.iter().filter(|machine| machine.alive).count();
    assert_eq!(alive, PEERS / 2 + 1);
    println!("the next post reached {} after {took:?}", alive - 1);
    Ok(())
}

/// A swarm of readers without a seeder, all of whom have what there is.
fn readers(seed: u64, count: usize) -> Result<World> {
    let mut world = crowd(seed, 0, 0, false, 50)?;
    for _ in 0..count {
        world.read(500_000, false);
        world.run(world.now.after(SECOND / 10), |_| false);
    }
    until_all_hold_all(&mut world, 60 * SECOND)?;
    Ok(world)
}

/// Bytes that all send for another post, and how long it takes to the last one.
fn post(world: &mut World) -> Result<(u64, Duration)> {
    let sent = |world: &World| world.machines.iter().map(|machine| machine.sent_bytes).sum::<u64>();
    let (before, began) = (sent(world), world.now);
    world.post("another one", 0)?;
    let size = world.content.size();
    let all = |world: &World| world.machines.iter().all(|machine| !machine.alive || machine.shelf.size == size);
    let mut last = None;
    while last.is_none() && world.now.since(began) < 30 * SECOND {
        world.run(world.now.after(SECOND / 50), |_| false);
        last = all(world).then(|| world.now.since(began));
    }
    // What is said about it later belongs to it.
    world.run(began.after(35 * SECOND), |_| false);
    Ok((sent(world) - before, last.ok_or_else(|| anyhow::anyhow!("not everybody has the post"))?))
}

#[test]
fn what_is_new_comes_from_two_neighbours_as_soon_as_before_and_the_others_mention_it() -> Result<()> {
    let mut world = readers(5, 60)?;
    let (flooded, first) = post(&mut world)?;
    post(&mut world)?;
    let (sent, last) = post(&mut world)?;
    println!("{flooded} bytes in {first:?}, then {sent} in {last:?}");
    assert!(sent < flooded / 3, "{sent} after {flooded}");
    assert!(last <= first + SECOND / 20, "{last:?} after {first:?}");
    Ok(())
}

#[test]
fn what_is_new_comes_at_once_after_half_of_a_swarm_is_gone() -> Result<()> {
    let mut world = readers(8, 60)?;
    post(&mut world)?;
    post(&mut world)?;
    // Most of those who stay lose one of the two from whom new posts come, and a quarter lose both.
    for number in (1..=60).step_by(2) {
        world.leave(number);
    }
    world.run(world.now.after(5 * SECOND), |_| false);
    let (_, last) = post(&mut world)?;
    // Who waited for somebody to mention it would have it after more than a second.
    assert!(last < SECOND, "{last:?}");
    Ok(())
}

#[test]
fn who_keeps_what_is_new_to_itself_delays_it_for_the_others_and_no_more() -> Result<()> {
    let mut world = readers(6, 40)?;
    post(&mut world)?;
    post(&mut world)?;
    // Nearly everybody has one of these among the two from whom new posts come, and some have two.
    world.withholding = (1..=40).step_by(3).collect();
    let (_, last) = post(&mut world)?;
    assert!(last < 10 * SECOND, "{last:?}");
    let (_, last) = post(&mut world)?;
    assert!(last < 10 * SECOND, "{last:?}");
    Ok(())
}

#[test]
fn any_order_of_starting_works_and_the_first_of_a_swarm_stays_though_it_finds_nobody() -> Result<()> {
    let mut content = Content::new()?;
    content.post("for who comes late", 0)?;
    let mut world = World::new(Plan { one_way: Duration::from_millis(30), seed: 7 }, content, 1_000_000, 50)?;
    // The author is there before the tracker, and so are two readers.
    world.tracker = None;
    world.read(500_000, false);
    world.read(500_000, false);
    world.run(world.now.after(100 * SECOND), |_| false);
    world.start_tracker(50);
    until_all_hold_all(&mut world, 600 * SECOND)?;
    // Alone for a day, and still found.
    world.leave(1);
    world.leave(2);
    world.run(world.now.after(24 * 3_600 * SECOND), |_| false);
    world.start_tracker(50);
    let came = world.now;
    let named = |world: &World| world.tracker.as_ref().map_or(0, |tracker| tracker.met.len());
    assert!(world.run(came.after(3_600 * SECOND), |world| named(world) == 1), "the author announces itself alone");
    world.read(500_000, false);
    until_all_hold_all(&mut world, 60 * SECOND)?;
    Ok(())
}
