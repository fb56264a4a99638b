//! Makes a sample feed for `fixtures/feeds/`: runs the commands, writes out what the store holds.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;

/// Makes a sample feed.
#[derive(Debug, Parser)]
struct Arguments {
    /// Folder to write `feed.json` to.
    folder: PathBuf,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let sample = peerfeed_load_tests::sample::make()?;
    fs::create_dir_all(&arguments.folder)?;
    let file = arguments.folder.join("feed.json");
    fs::write(&file, serde_json::to_string_pretty(&sample)? + "\n")
        .with_context(|| format!("cannot write {}", file.display()))
}
