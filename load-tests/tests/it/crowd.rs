//! Short runs of the programs that measure many connections: what they count must be right; how long it takes is left to
//! machines that do nothing else.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use peerfeed_load_tests::programs::Programs;

/// Runs a measuring program beside the programs under test that are built already; its page.
fn page(program: &str, arguments: &[&str]) -> Result<String> {
    let programs = Programs::find()?.peerfeed.parent().map(Path::to_owned).context("programs are in a folder")?;
    let output = Command::new(program).args(arguments).env("PEERFEED_PROGRAMS", programs).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// The whole number in the row of this name.
fn number(page: &str, row: &str) -> Result<u64> {
    let line = page.lines().find_map(|line| line.strip_prefix(&format!("| {row} | ")));
    let word = line.with_context(|| format!("no row {row} in {page}"))?.split(' ').next();
    Ok(word.unwrap_or_default().parse()?)
}

#[test]
fn an_idle_connection_costs_a_seeder_little_memory() -> Result<()> {
    let page = page(env!("CARGO_BIN_EXE_idle-connections"), &["--connections", "400", "--seconds", "1"])?;
    let bytes = number(&page, "for each of them")?;
    // A buffer of 64 KiB for each, held while nothing comes, would be far above; 10,000 are to fit into 160 MiB.
    assert!(bytes < 24_000, "{page}");
    Ok(())
}

#[test]
fn every_connected_follower_sees_every_live_post_for_a_few_hundred_bytes() -> Result<()> {
    let page = page(env!("CARGO_BIN_EXE_live-fan-out"), &["--followers", "40", "--posts", "3"])?;
    assert_eq!(number(&page, "seen, of 120")?, 120, "{page}");
    let bytes = number(&page, "bytes to each follower for each post")?;
    assert!((400..1_200).contains(&bytes), "{page}");
    Ok(())
}
