//! A short hostile soak; `hostile-soak` makes longer ones.

use std::time::Duration;

use anyhow::Result;
use peerfeed_load_tests::soak::{Options, run};

#[test]
fn a_tracker_under_attack_keeps_within_its_memory_and_serves_honest_clients() -> Result<()> {
    let options = Options { duration: Duration::from_secs(12), memory_mib: 32, pairs: 4, attackers: 1, seed: 1 };
    let mut lines = String::new();
    let outcome = run(&options, |line| lines = format!("{lines}{line}\n"))?;
    assert!(outcome.faults().is_empty(), "{:?}\n{lines}\n{}", outcome.faults(), outcome.page());
    // That the attacks came through at all.
    for cause in ["udp_announce", "udp_stale_id", "udp_malformed", "http_announce", "http_scrape", "http_reset"] {
        let count = outcome.counts.iter().find(|(name, _)| name == cause).map_or(0, |(_, count)| *count);
        assert!(count > 10, "{cause}: {count}\n{}", outcome.page());
    }
    Ok(())
}
