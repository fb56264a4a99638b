//! The simulated swarm, small.

use std::time::Duration;

use anyhow::Result;
use peerfeed_load_tests::simulation::{Content, Plan, World};

const SECOND: Duration = Duration::from_secs(1);

/// A small crowd fetches a post with its file; who has it by when, and the bytes sent by each.
fn crowd(seed: u64) -> Result<(bool, u64, Vec<u64>)> {
    let mut content = Content::new()?;
    content.post("a post with its file", 3_000_000)?;
    let mut world = World::new(Plan { one_way: Duration::from_millis(30), seed }, content, 1_000_000, 10)?;
    let peers: Vec<usize> = (0..12).map(|number| world.join(250_000, number % 4 == 3)).collect();
    let all = world.run(world.now.after(300 * SECOND), |world| {
        let honest = peers.iter().filter(|at| !world.machines[**at].lies);
        honest.into_iter().all(|at| world.machines[*at].shelf.is_complete(&world.content))
    });
    Ok((all, world.violations(), world.machines.iter().map(|machine| machine.sent_bytes).collect()))
}

#[test]
fn a_crowd_with_liars_in_it_gets_what_it_wants() -> Result<()> {
    let (all, violations, sent) = crowd(1)?;
    assert!(all, "{sent:?}");
    assert!(violations > 0, "somebody met a liar");
    assert!(sent[0] < 12 * 3_000_000, "the author sends less than a copy to each: {sent:?}");
    Ok(())
}
