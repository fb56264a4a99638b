//! What the fuzzers start from, and what they once found, goes through the same functions in every test run.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::fuzz::{TARGETS, run};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(name)
}

/// What is in a folder, by its name without an ending.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let stem = |path: PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
    entries.map(|entry| stem(entry.unwrap().path())).collect()
}

#[test]
fn every_target_has_a_program_and_a_corpus() {
    let targets: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&folder("fuzz_targets")), targets);
    assert_eq!(names(&folder("corpus")), targets);
}

#[test]
fn no_input_of_the_corpora_breaks_a_promise() {
    for (name, _) in TARGETS {
        let inputs = names(&folder("corpus").join(name));
        assert!(inputs.len() > 2, "{name} has a corpus");
        for input in inputs {
            let bytes = fs::read(folder("corpus").join(name).join(&input)).unwrap();
            let outcome = std::panic::catch_unwind(|| run(name, &bytes));
            assert!(outcome.is_ok(), "{name} breaks a promise with {input}");
        }
    }
}
