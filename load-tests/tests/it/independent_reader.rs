//! What the program writes today, a reader that shares no code with it can open.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use peerfeed_load_tests::sample;
use peerfeed_load_tests::stock;

use crate::paths::root;

#[test]
fn a_reader_in_another_language_opens_a_feed_that_was_just_made() -> Result<()> {
    let Some(python) = stock::find("python3", "python3-nacl")? else { return Ok(()) };
    // Debian's interpreter has Debian's PyNaCl; another one on the path need not.
    let python = if fs::exists("/usr/bin/python3")? { "/usr/bin/python3".into() } else { python };
    let folder = tempfile::tempdir()?;
    let now = folder.path().join("feeds/now");
    fs::create_dir_all(&now)?;
    fs::write(now.join("feed.json"), sample::make()?.to_string())?;
    let output = Command::new(python).arg(root().join("fixtures/reader/read.py")).arg(folder.path()).output();
    let output = output.context("cannot run python3")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && said.contains("3 files opened"), "{said}");
    Ok(())
}
