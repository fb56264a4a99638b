//! An author who listens on nothing, a blind seeder, two readers: over each kind of tracker and address.

use anyhow::{Context, Result};
use peerfeed_load_tests::tracker::Tracker;

use crate::story::{HELD, Scene, stop};

const FILE_BYTES: usize = 700_000;

#[test]
fn a_feed_goes_from_hand_to_hand_over_http_and_ipv4() -> Result<()> {
    hand_to_hand("http", "127.0.0.1")
}

#[test]
fn a_feed_goes_from_hand_to_hand_over_udp_and_ipv4() -> Result<()> {
    hand_to_hand("udp", "127.0.0.1")
}

#[test]
fn a_feed_goes_from_hand_to_hand_over_http_and_ipv6() -> Result<()> {
    hand_to_hand("http", "[::1]")
}

#[test]
fn a_feed_goes_from_hand_to_hand_over_udp_and_ipv6() -> Result<()> {
    hand_to_hand("udp", "[::1]")
}

#[test]
fn a_tracker_and_a_seeder_may_be_named_by_host_name() -> Result<()> {
    let tracker = Tracker::start("127.0.0.1")?;
    let scene = Scene::new(&[&tracker.http_url.replace("127.0.0.1", "localhost")], FILE_BYTES)?;
    let link = scene.author.link_with_key()?;
    let seeder = scene.hand_over(&link, "127.0.0.1")?;
    let first = scene.newcomer("first");
    first.ok(&["init"])?;
    scene.reads_everything(&first, &link)?;

    // Without a tracker there is only the seeder's name.
    let listens = scene.seeder.listens()?;
    let port = listens.first().and_then(|at| at.rsplit(':').next()).context("the seeder listens on nothing")?;
    scene.author.ok(&["seeders", "add", &format!("localhost:{port}")])?;
    let link = scene.author.link_with_key()?;
    stop(tracker.daemon, "the tracker")?;
    let second = scene.newcomer("second");
    scene.reads_everything(&second, &link)?;
    stop(seeder, "the seeder")?;
    Ok(())
}

fn hand_to_hand(scheme: &str, host: &str) -> Result<()> {
    let tracker = Tracker::start(host)?;
    let scene = Scene::new(&[tracker.url(scheme)?], FILE_BYTES)?;
    let link = scene.author.link_with_key()?;
    let seeder = scene.hand_over(&link, host)?;

    // The author is gone: the first reader has only the seeder.
    let first = scene.newcomer("first");
    first.ok(&["init"])?;
    scene.reads_everything(&first, &link)?;

    // The seeder goes too: the second reader has only the first.
    let serving = first.start("the first reader", &format!("{host}:0"))?;
    first.wait_until_announced(HELD)?;
    stop(seeder, "the seeder")?;
    let second = scene.newcomer("second");
    scene.reads_everything(&second, &link)?;
    stop(serving, "the first reader")?;
    stop(tracker.daemon, "the tracker")?;
    Ok(())
}
