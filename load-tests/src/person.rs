//! A data folder and the commands that its owner types.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::daemon::{Daemon, until};
use crate::programs::Programs;

/// How long a daemon may take to answer: long, for a machine that has other work.
const START_PATIENCE: Duration = Duration::from_secs(90);

/// One person, or one home server: a data folder of their own.
#[derive(Clone, Debug)]
pub struct Person {
    data: PathBuf,
    trackers: Vec<String>,
}

impl Person {
    /// Somebody whose data folder is `data` and who names these trackers with each command.
    pub fn new(data: &Path, trackers: &[&str]) -> Self {
        Self { data: data.to_path_buf(), trackers: trackers.iter().map(|&url| url.to_owned()).collect() }
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// A command line: `peerfeed --data DIR [--tracker URL]... ARGUMENTS`.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Command> {
        let mut command = Command::new(&Programs::find()?.peerfeed);
        command.arg("--data").arg(&self.data);
        for url in &self.trackers {
            command.args(["--tracker", url]);
        }
        // What the surrounding shell has set is not what this person typed.
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PEERFEED_")) {
            command.env_remove(name);
        }
        command.args(arguments);
        Ok(command)
    }

    /// Runs a command to its end, whatever that is.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Output> {
        self.command(arguments)?.output().context("cannot run peerfeed")
    }

    /// Runs a command that must succeed; what it printed on standard output.
    pub fn ok<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<String> {
        let output = self.run(arguments)?;
        ensure!(
            output.status.success(),
            "peerfeed {} ended with {}:\n{}{}",
            shown(arguments),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Runs a command with `--json` that must succeed; one value per line.
    pub fn json<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Vec<Value>> {
        let mut all: Vec<&OsStr> = vec![OsStr::new("--json")];
        all.extend(arguments.iter().map(AsRef::as_ref));
        let text = self.ok(&all)?;
        text.lines()
            .map(|line| serde_json::from_str(line).with_context(|| format!("not a JSON line: {line}")))
            .collect()
    }

    /// The one line of a kind that a command with `--json` prints.
    pub fn event<S: AsRef<OsStr>>(&self, event: &str, arguments: &[S]) -> Result<Value> {
        let lines = self.json(arguments)?;
        lines
            .iter()
            .find(|line| line["event"] == event)
            .cloned()
            .with_context(|| format!("peerfeed {} printed no {event}: {lines:?}", shown(arguments)))
    }

    /// A link to this person's feed that carries the friends key.
    pub fn link_with_key(&self) -> Result<String> {
        text(&self.event("link", &["invite", "--with-key"])?, "link")
    }

    /// Starts `peerfeed run`, listening on `listen` (`none`: on nothing), and waits until it answers commands.
    pub fn start(&self, name: &str, listen: &str) -> Result<Daemon> {
        let mut daemon = Daemon::start(name, &mut self.command(&["--listen", listen, "run"])?)?;
        // A daemon that ended says why; one that has no socket yet is given time.
        until(&format!("{name} answers"), START_PATIENCE, || {
            daemon.wait_for("to be running", START_PATIENCE, |_| Some(()))?;
            Ok(self.status()?["running"].as_bool().unwrap_or(false).then_some(()))
        })?;
        Ok(daemon)
    }

    /// What `status --json` says.
    pub fn status(&self) -> Result<Value> {
        self.event("status", &["status"])
    }

    /// Addresses on which a running daemon listens.
    pub fn listens(&self) -> Result<Vec<String>> {
        let status = self.status()?;
        let addresses = status["listen"].as_array().context("status names no addresses")?;
        Ok(addresses.iter().filter_map(|address| address.as_str().map(str::to_owned)).collect())
    }

    /// Waits until a tracker that this person's daemon asks has answered, and so can name it to others.
    pub fn wait_until_announced(&self, patience: Duration) -> Result<()> {
        let mut last = Value::Null;
        until("a tracker has answered", patience, || {
            last = self.status()?;
            let feeds = last["feeds"].as_array().cloned().unwrap_or_default();
            let trackers = feeds.iter().filter_map(|feed| feed["trackers"].as_array()).flatten();
            let mut states = trackers.filter_map(|tracker| tracker["state"].as_str());
            Ok(states.any(|state| state.starts_with("works")).then_some(()))
        })
        .with_context(|| format!("the last status was {last:#}"))
    }

    /// Waits until a seeder says that it holds all of this person's own feed.
    pub fn wait_until_held(&self, patience: Duration) -> Result<()> {
        let mut last = Value::Null;
        until("a seeder holds all of the feed", patience, || {
            last = self.status()?;
            let own = last["feed"].clone();
            let feeds = last["feeds"].as_array().cloned().unwrap_or_default();
            let held = feeds
                .iter()
                .filter(|feed| feed["feed"] == own)
                .flat_map(|feed| feed["seeders"].as_array().cloned().unwrap_or_default())
                .any(|seeder| seeder["holds_all"] == true);
            Ok(held.then_some(()))
        })
        .with_context(|| format!("the last status was {last:#}"))
    }

    /// The entries that `read --json` shows, newest first or as the program orders them.
    pub fn read<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Vec<Value>> {
        let mut all: Vec<&OsStr> = vec![OsStr::new("read")];
        all.extend(arguments.iter().map(AsRef::as_ref));
        Ok(self.json(&all)?.into_iter().filter(|line| line["event"] == "entry").collect())
    }
}

/// A text field of a JSON line.
pub fn text(value: &Value, field: &str) -> Result<String> {
    value[field].as_str().map(str::to_owned).with_context(|| format!("no text {field} in {value}"))
}

fn shown<S: AsRef<OsStr>>(arguments: &[S]) -> String {
    arguments.iter().map(|argument| argument.as_ref().to_string_lossy()).collect::<Vec<_>>().join(" ")
}
