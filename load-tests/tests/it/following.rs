//! Many feeds on few seeders: one connection to each seeder, and over it only what is new.

use std::time::Duration;

use anyhow::Result;
use peerfeed_load_tests::daemon::until;
use peerfeed_load_tests::delay::DelayedLink;
use peerfeed_load_tests::following::{Case, Following};

const PATIENCE: Duration = Duration::from_secs(180);

/// What opening a feed on one connection may cost: its name, the proofs of knowing it, and a word about each log.
const OPEN_BYTES: u64 = 500;

/// A short post with all that goes with it: records of the frames, the signed head, the proof.
const POST_BYTES: u64 = 2_000;

#[test]
fn who_follows_500_feeds_on_3_seeders_has_3_connections_and_fetches_only_what_changed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let case = Case { feeds: 500, seeders: 3, copies: 3, old_posts: 20, changed: 5, new_posts: 1 };
    let following = Following::start(folder.path(), case)?;

    let back = following.come_back(&folder.path().join("once"), Duration::ZERO)?;
    println!("{back:?}");
    let opens = (case.feeds * case.copies) as u64;
    let new = (case.changed * case.new_posts * case.copies) as u64;
    // All that is held has 10,005 posts, or more than 4 MB.
    assert!(back.up_bytes < opens * OPEN_BYTES, "{back:?}");
    assert!(back.down_bytes < opens * OPEN_BYTES + new * POST_BYTES, "{back:?}");

    let links = following.links(Duration::ZERO)?;
    let follower = following.follower(&folder.path().join("staying"), &links)?;
    let daemon = follower.start("the follower", "none")?;
    until("the follower has everything", PATIENCE, || {
        let status = follower.status()?;
        let feeds = status["feeds"].as_array().cloned().unwrap_or_default();
        let held = feeds.iter().filter_map(|feed| feed["entries_held"].as_u64()).sum::<u64>();
        Ok((held == case.entries() as u64).then_some(()))
    })?;
    // Two of the seeders may have brought everything before the third connection stood.
    until("the follower is connected to every seeder", PATIENCE, || {
        Ok((follower.status()?["peers"] == case.seeders).then_some(()))
    })?;
    // On a busy machine a handshake may take too long and be begun anew; with one for each feed it would be 500.
    let made: Vec<u64> = links.iter().map(DelayedLink::connections).collect();
    assert!(made.iter().all(|made| (1..=30).contains(made)), "connections made to each seeder: {made:?}");
    daemon.stop(PATIENCE)?;
    following.stop()
}
