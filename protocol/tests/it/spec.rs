//! The specification and the code name the same requirements.
//!
//! A requirement is defined where its id stands in bold in a chapter of `protocol/spec` (`**BEN-3**`). Code and tests cite
//! it as `spec: BEN-3`, vectors in their `spec` list.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::vector::workspace;

#[test]
fn every_requirement_is_cited_and_every_citation_has_its_requirement() {
    let root = workspace();
    let mut defined = BTreeMap::new();
    for path in files(&root.join("protocol/spec"), "md") {
        let text = fs::read_to_string(&path).unwrap();
        for bold in text.split("**").skip(1).step_by(2).filter(|bold| is_id(bold)) {
            let before = defined.insert(bold.to_owned(), path.clone());
            assert_eq!(before, None, "{bold} is defined twice");
        }
    }
    assert!(defined.contains_key("BEN-1"), "the chapters were read");
    let chapters: BTreeSet<&str> = defined.keys().map(|id| prefix(id)).collect();

    let mut cited = BTreeMap::new();
    for folder in ["protocol/src", "protocol/tests", "tracker/src", "tracker/tests", "seeder/src", "seeder/tests"] {
        for path in files(&root.join(folder), "rs") {
            let text = fs::read_to_string(&path).unwrap();
            for line in text.lines().filter_map(|line| line.split_once("spec: ")) {
                cited.extend(ids(line.1).into_iter().map(|id| (id, path.clone())));
            }
        }
    }
    for path in files(&root.join("fixtures/vectors"), "json") {
        let vector: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        for id in vector["spec"].as_array().into_iter().flatten().filter_map(|id| id.as_str()) {
            cited.insert(id.to_owned(), path.clone());
        }
    }

    for (id, path) in cited.iter().filter(|(id, _)| chapters.contains(prefix(id))) {
        assert!(defined.contains_key(id), "{} cites {id}, which no chapter defines", path.display());
    }
    for (id, path) in &defined {
        assert!(cited.contains_key(id), "{} defines {id}, which nothing cites", path.display());
    }
}

/// The ids in a citation, with `A-1 to A-4` spelled out.
fn ids(citation: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut range = false;
    for word in citation.split_whitespace() {
        let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        if is_id(word) {
            if let (true, Some(first)) = (range, found.last().cloned()) {
                let (from, to) = (number(&first), number(word));
                found.extend((from + 1..to).map(|between| format!("{}-{between}", prefix(word))));
            }
            found.push(word.to_owned());
            range = false;
        } else {
            range = word == "to";
        }
    }
    found
}

fn is_id(text: &str) -> bool {
    text.split_once('-').is_some_and(|(letters, digits)| {
        letters.len() >= 2
            && letters.chars().all(|c| c.is_ascii_uppercase())
            && !digits.is_empty()
            && digits.chars().all(|c| c.is_ascii_digit())
    })
}

fn prefix(id: &str) -> &str {
    id.split('-').next().unwrap_or_default()
}

fn number(id: &str) -> u32 {
    id.rsplit('-').next().and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|held| held == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn a_range_of_ids_names_each_of_them() {
    assert_eq!(ids("BEN-1 to BEN-3, ID-7"), ["BEN-1", "BEN-2", "BEN-3", "ID-7"]);
    assert_eq!(ids("(SHA-256 of TREE-1)."), ["SHA-256", "TREE-1"]);
}
