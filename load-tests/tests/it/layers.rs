//! Which part of the code may know which: what ARCHITECTURE.md says never happens.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::paths::root;

/// A folder, and what its code must not name.
const FORBIDDEN: [(&str, &[&str]); 7] = [
    ("seeder/src/store", &["swarm", "net", "node", "author", "reader", "service", "api", "cli", "ui", "daemon"]),
    ("seeder/src/swarm", &["net", "node", "author", "reader", "service", "api", "cli", "ui", "daemon"]),
    ("seeder/src/net", &["store", "node", "author", "reader", "service", "api", "cli", "ui", "daemon"]),
    ("seeder/src/node", &["service", "api", "cli", "ui", "daemon"]),
    ("seeder/src/author", &["swarm", "net", "node", "service", "api", "cli", "ui", "daemon"]),
    ("seeder/src/reader", &["swarm", "net", "node", "author", "service", "api", "cli", "ui", "daemon"]),
    ("seeder/src/cli", &["store", "swarm", "net", "author", "reader", "service"]),
];

#[test]
fn the_seeders_parts_know_only_what_lies_below_them() -> Result<()> {
    let mut findings = Vec::new();
    for (folder, parts) in FORBIDDEN {
        for (file, line) in code_of(&root().join(folder))? {
            for part in parts {
                if line.contains(&format!("crate::{part}::")) {
                    findings.push(format!("{} uses {part}: {}", file.display(), line.trim()));
                }
            }
        }
    }
    ensure!(findings.is_empty(), "{}", findings.join("\n"));
    Ok(())
}

#[test]
fn tracker_and_seeder_meet_only_in_the_demo() -> Result<()> {
    for (file, line) in code_of(&root().join("seeder/src"))? {
        let is_demo = file.components().any(|part| part.as_os_str().to_string_lossy().starts_with("demo"));
        ensure!(is_demo || !line.contains("peerfeed_tracker"), "{} uses the tracker: {line}", file.display());
    }
    let tracker = fs::read_to_string(root().join("tracker/Cargo.toml"))?;
    ensure!(!tracker.lines().any(|line| line.starts_with("peerfeed.") || line.starts_with("peerfeed =")), "it depends");
    Ok(())
}

/// All lines of code below a folder, comments left out.
pub(crate) fn code_of(folder: &Path) -> Result<Vec<(PathBuf, String)>> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            lines.extend(code_of(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path)?;
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            lines.extend(code.map(|line| (path.clone(), line.to_owned())));
        }
    }
    ensure!(!lines.is_empty(), "no code below {}", folder.display());
    Ok(lines)
}
