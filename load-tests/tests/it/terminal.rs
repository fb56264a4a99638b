//! What a person at a terminal is asked, and what the terminal shows of it.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use peerfeed_load_tests::person::Person;
use peerfeed_load_tests::programs::Programs;
use peerfeed_load_tests::stock;

use crate::paths::root;

const PASSPHRASE: &str = "correct horse battery";

/// What a terminal showed, and the exit code.
struct Session {
    shown: String,
    code: i32,
}

/// A command on a terminal; prompts and what is typed when they come.
fn on_terminal(person: &Person, arguments: &[&str], said: &[(&str, &str)]) -> Result<Session> {
    let mut command = Command::new("/usr/bin/python3");
    command.arg(root().join("load-tests/src/terminal.py"));
    for (prompt, typed) in said {
        command.args([prompt, typed]);
    }
    command.arg("--").arg(&Programs::find()?.peerfeed).arg("--data").arg(person.data()).args(arguments);
    command.env_remove("NO_COLOR").env("TERM", "xterm");
    let output = command.output().context("cannot run python3")?;
    let shown = String::from_utf8(output.stdout)?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(said.is_empty(), "{said}");
    Ok(Session { shown, code: output.status.code().context("a signal ended it")? })
}

#[test]
fn a_passphrase_is_asked_for_without_echo_and_a_wrong_one_is_one_clear_line() -> Result<()> {
    if stock::find("python3", "python3")?.is_none() {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let ann = Person::new(&folder.path().join("ann"), &[]);
    ann.ok(&["init", "--name", "Ann"])?;
    ann.ok(&["post", "read me"])?;

    let twice = [("new passphrase: ", PASSPHRASE), ("once more: ", "correct horse batterx")];
    let session = on_terminal(&ann, &["passwd"], &twice)?;
    ensure!(session.code == 2 && session.shown.contains("not the same: nothing was changed"), "{}", session.shown);
    let session = on_terminal(&ann, &["passwd"], &[twice[0], ("once more: ", PASSPHRASE)])?;
    ensure!(session.code == 0, "{}", session.shown);
    ensure!(!session.shown.contains("correct"), "what was typed is shown: {}", session.shown);

    // Without a terminal nobody is asked.
    let refused = ann.run(&["read"])?;
    ensure!(refused.status.code() == Some(2));
    let session = on_terminal(&ann, &["read"], &[("passphrase: ", PASSPHRASE)])?;
    ensure!(session.code == 0 && session.shown.contains("read me"), "{}", session.shown);
    ensure!(!session.shown.contains("correct"), "what was typed is shown: {}", session.shown);

    let before = fs::read(ann.data().join("device.key"))?;
    let session = on_terminal(&ann, &["read"], &[("passphrase: ", "battery staple")])?;
    ensure!(session.code == 2, "{}", session.shown);
    let errors: Vec<&str> = session.shown.lines().filter(|line| line.contains("error")).collect();
    ensure!(errors.len() == 1 && errors[0].contains("passphrase"), "{}", session.shown);
    ensure!(!session.shown.contains("staple") && !session.shown.contains("read me"), "{}", session.shown);
    ensure!(fs::read(ann.data().join("device.key"))? == before);
    Ok(())
}
