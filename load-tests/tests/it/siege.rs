//! A short siege of a seeder; the program `siege` makes longer ones.

use std::time::Duration;

use anyhow::Result;
use peerfeed_load_tests::siege::{Attack, Options, run};

const SHORT: Options =
    Options { duration: Duration::from_secs(1), attackers: 1, mib: 3, memory_mib: 512, seed: 1, only: None };

/// Beside the other attacks nobody could tell whose requests are counted.
#[test]
fn who_pings_on_and_on_is_counted_and_nobody_else_notices() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let outcome = run(&Options { only: Some(Attack::Pings), ..SHORT }, folder.path())?;
    assert!(outcome.faults().is_empty(), "{:?}\n{}", outcome.faults(), outcome.page()?);
    assert_eq!(outcome.status.refused.violations, 0, "{}", outcome.page()?);
    Ok(())
}

#[test]
fn a_seeder_under_attack_by_peers_drops_liars_counts_them_and_serves_honest_readers() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let options = Options { duration: Duration::from_secs(12), ..SHORT };
    let outcome = run(&options, folder.path())?;
    assert!(outcome.faults().is_empty(), "{:?}\n{}", outcome.faults(), outcome.page()?);
    for attack in Attack::ALL {
        let begun = outcome.begun.iter().find(|(kind, _)| *kind == attack).map_or(0, |(_, count)| *count);
        assert!(begun > 0, "{attack:?} never began");
    }
    Ok(())
}
