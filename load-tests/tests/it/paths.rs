//! Documents name files; the files must be there.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

const DOCUMENTS: [&str; 7] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "fixtures/README.md",
    "deploy/README.md",
    "protocol/spec/README.md",
];

#[test]
fn every_file_that_a_document_names_exists() -> Result<()> {
    let mut missing = Vec::new();
    let mut named = 0;
    for document in DOCUMENTS {
        let text = fs::read_to_string(root().join(document)).with_context(|| format!("cannot read {document}"))?;
        for path in paths_in(&text) {
            named += 1;
            if !root().join(path).exists() {
                missing.push(format!("{document} names {path}"));
            }
        }
    }
    ensure!(missing.is_empty(), "{}", missing.join("\n"));
    ensure!(named > 20, "only {named} paths were recognised");
    Ok(())
}

#[test]
fn the_walk_of_a_post_passes_through_all_three_packages() -> Result<()> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md"))?;
    let walk = text.split("\n## ").find(|section| section.starts_with("The walk of one post")).context("no walk")?;
    let files: Vec<_> = paths_in(walk).filter(|path| !path.ends_with('/')).collect();
    for package in [
        "seeder/src/cli/",
        "seeder/src/store/",
        "seeder/src/swarm/",
        "seeder/src/net/",
        "protocol/src/feed/",
        "protocol/src/peer/",
        "tracker/src/",
    ] {
        ensure!(files.iter().any(|file| file.starts_with(package)), "the walk passes no file of {package}: {files:?}");
    }
    Ok(())
}

/// What stands between backticks and is a path of this repository.
fn paths_in(text: &str) -> impl Iterator<Item = &str> {
    const FOLDERS: [&str; 7] = ["protocol/", "tracker/", "seeder/", "load-tests/", "fixtures/", "deploy/", ".ci/"];
    text.split('`')
        .skip(1)
        .step_by(2)
        .filter(|quoted| FOLDERS.iter().any(|folder| quoted.starts_with(folder)) && !quoted.contains([' ', '*', '\n']))
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn paths_are_told_from_other_quoted_words() {
    let text = "See `seeder/src/main.rs` and `peerfeed run`, `read/write`, then `fixtures/`.";
    assert_eq!(paths_in(text).collect::<Vec<_>>(), ["seeder/src/main.rs", "fixtures/"]);
}
