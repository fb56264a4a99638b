//! The table of features says what shows each of them; that must be there.

use std::collections::BTreeSet;
use std::fs;
use std::ops::RangeInclusive;

use anyhow::{Context, Result, ensure};
use peerfeed_load_tests::programs::Programs;

use crate::paths::root;

const TABLE: &str = "protocol/spec/features.md";

struct Row {
    id: String,
    mark: String,
    command: String,
    shown_by: String,
}

#[test]
fn no_feature_of_the_list_is_left_out() -> Result<()> {
    let due: [(&str, &[RangeInclusive<u32>]); 4] =
        [("S", &[1..=48]), ("P", &[1..=27, 30..=56, 60..=78, 80..=91]), ("M", &[1..=31]), ("N", &[1..=73])];
    let due: BTreeSet<String> = due
        .iter()
        .flat_map(|(letter, ranges)| ranges.iter().cloned().flatten().map(move |number| format!("{letter}{number}")))
        .collect();
    let rows = rows()?;
    let there: BTreeSet<String> = rows.iter().map(|row| row.id.clone()).collect();
    ensure!(there == due, "not the same: {:?}", there.symmetric_difference(&due).collect::<Vec<_>>());
    ensure!(rows.len() == due.len(), "a row is there twice");
    for row in &rows {
        let marked = ["K", "R", "O", "X"].contains(&row.mark.as_str()) || row.id == "M31";
        ensure!(marked, "{} is marked {:?}", row.id, row.mark);
    }
    Ok(())
}

#[test]
fn what_shows_a_feature_exists() -> Result<()> {
    let check = fs::read_to_string(root().join("check"))?;
    let mut missing = Vec::new();
    for row in rows()? {
        if row.shown_by == "open" {
            continue;
        }
        let shown: Vec<&str> = row.shown_by.split('`').skip(1).step_by(2).collect();
        if shown.is_empty() {
            missing.push(format!("{}: neither open nor shown by anything: {}", row.id, row.shown_by));
        }
        for place in shown {
            if let Err(error) = exists(place, &row.shown_by, &check) {
                missing.push(format!("{}: {error:#}", row.id));
            }
        }
    }
    ensure!(missing.is_empty(), "{}", missing.join("\n"));
    Ok(())
}

#[test]
fn a_command_that_a_shown_feature_names_exists() -> Result<()> {
    let help = std::process::Command::new(&Programs::find()?.peerfeed).arg("--help").output()?;
    let help = String::from_utf8(help.stdout)?;
    let known: BTreeSet<&str> = help
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    ensure!(known.contains("post"), "no list of commands in the help:\n{help}");
    for row in rows()?.iter().filter(|row| row.shown_by != "open") {
        for quoted in row.command.split('`').skip(1).step_by(2) {
            let mut words = quoted.split_whitespace();
            if words.next() == Some("peerfeed") {
                let word = words.next().context("a command without a word")?;
                ensure!(word.starts_with('-') || known.contains(word), "{} names `{quoted}`: no such command", row.id);
            }
        }
    }
    Ok(())
}

/// `file: test`, or a path; `./check` is followed by the name of a step outside of the backticks.
fn exists(place: &str, shown_by: &str, check: &str) -> Result<()> {
    if place == "./check" {
        let steps = shown_by.split("`./check`: ").skip(1).map(|rest| rest.split(';').next().unwrap_or(rest).trim());
        for step in steps {
            ensure!(check.contains(&format!("step \"{step}\"")), "./check has no step {step:?}");
        }
        return Ok(());
    }
    let (path, test) = place.split_once(": ").map_or((place, None), |(path, test)| (path, Some(test)));
    let file = root().join(path);
    ensure!(file.exists(), "{path} does not exist");
    if let Some(test) = test {
        ensure!(fs::read_to_string(file)?.contains(&format!("fn {test}(")), "{path} has no test {test}");
    }
    Ok(())
}

fn rows() -> Result<Vec<Row>> {
    let text = fs::read_to_string(root().join(TABLE)).with_context(|| format!("cannot read {TABLE}"))?;
    let cells = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
        let id = cells.first()?;
        let numbered = id.len() > 1 && id[1..].bytes().all(|byte| byte.is_ascii_digit());
        (numbered && "SPMN".contains(&id[..1])).then_some(cells)
    });
    cells
        .map(|cells| {
            let [id, mark, _here, command, shown_by] = cells[..] else { anyhow::bail!("not five cells: {cells:?}") };
            Ok(Row {
                id: id.to_owned(),
                mark: mark.to_owned(),
                command: command.to_owned(),
                shown_by: shown_by.to_owned(),
            })
        })
        .collect()
}
