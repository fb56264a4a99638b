//! A person with a data folder, and what the program says to them.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use peerfeed_protocol::feed::Link;
use serde_json::Value;

/// A data folder that goes away with the test.
pub(super) struct Folder {
    pub(super) root: tempfile::TempDir,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

impl Folder {
    /// A folder in which nothing was done yet.
    pub(super) fn empty() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    /// A folder with an identity.
    pub(super) fn of(name: &str) -> Self {
        let folder = Self::empty();
        folder.does(&["init", "--name", name]);
        folder
    }

    pub(super) fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }

    /// A file beside the data folder.
    pub(super) fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.root.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    pub(super) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peerfeed"));
        command.env("PEERFEED_DATA", self.data()).env_remove("NO_COLOR").args(args).stdin(Stdio::null());
        command
    }

    /// Runs a command, however it ends.
    pub(super) fn tries(&self, args: &[&str]) -> Said {
        said(&mut self.command(args))
    }

    /// Runs a command that must work; what it printed.
    pub(super) fn does(&self, args: &[&str]) -> String {
        let said = self.tries(args);
        assert_eq!(said.code, 0, "{args:?}: {said:?}");
        said.out
    }

    /// Runs a command that must work; its JSON lines.
    pub(super) fn json(&self, args: &[&str]) -> Vec<Value> {
        let out = self.does(&[&["--json"], args].concat());
        out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect()
    }

    /// The only JSON line of a command that must work.
    pub(super) fn one(&self, args: &[&str]) -> Value {
        let mut lines = self.json(args);
        assert_eq!(lines.len(), 1, "{args:?}: {lines:?}");
        lines.remove(0)
    }

    /// The link of a feed of one's own, which invites nobody in particular.
    pub(super) fn link(&self, args: &[&str]) -> String {
        self.one(&[&["invite", "--open"], args].concat())["link"].as_str().unwrap().to_owned()
    }

    /// What is in a link that carries the friends key.
    pub(super) fn link_with_key(&self) -> Link {
        self.one(&["invite", "--with-key"])["link"].as_str().unwrap().parse().unwrap()
    }

    /// A link with an invitation.
    pub(super) fn invitation(&self, args: &[&str]) -> String {
        self.one(&[&["invite"], args].concat())["link"].as_str().unwrap().to_owned()
    }
}

pub(super) fn said(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

impl Said {
    /// Asserts how it ended and that standard error says all of this.
    #[track_caller]
    pub(super) fn ends(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        for word in words {
            assert!(self.err.contains(word), "`{word}` is missing: {self:?}");
        }
    }
}
