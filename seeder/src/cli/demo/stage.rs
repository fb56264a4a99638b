//! Where the demo plays: a folder that goes away, the executable, and what is told.

use std::io::IsTerminal as _;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::process::Command;

use super::child::{Child, Party};
use crate::api::Failure;
use crate::ui::{Paint, Terminal, hex};

/// How long one command of the demo may take.
const COMMAND_PATIENCE: Duration = Duration::from_secs(40);

/// Where the demo plays.
pub(super) struct Stage {
    folder: PathBuf,
    exe: PathBuf,
    terminal: Terminal,
    begun: Instant,
}

impl Stage {
    /// Makes the folder.
    pub(super) fn build(terminal: Terminal) -> Result<Self, Failure> {
        let exe = std::env::current_exe()
            .map_err(|error| Failure::failed(format!("cannot tell where this program is: {error}")))?;
        let mut name = [0; 6];
        getrandom::fill(&mut name).map_err(|error| Failure::failed(format!("no randomness: {error}")))?;
        let folder = std::env::temp_dir().join(format!("peerfeed-demo-{}", hex(&name)));
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&folder)
            .map_err(|error| Failure::failed(format!("cannot make {}: {error}", folder.display())))?;
        sweep_on_panic(folder.clone());
        Ok(Self { folder, exe, terminal, begun: Instant::now() })
    }

    /// Takes the folder away.
    pub(super) async fn strike(self) -> Result<(), Failure> {
        let failed = |error| Failure::failed(format!("cannot remove {}: {error}", self.folder.display()));
        // A child that was killed a moment ago may still be closing its files.
        for _ in 0..20 {
            if std::fs::remove_dir_all(&self.folder).is_ok() || !self.folder.exists() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        std::fs::remove_dir_all(&self.folder).map_err(failed)
    }

    /// Time since the beginning.
    pub(super) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// A place in the folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A party with a folder of its own.
    pub(super) fn party(&self, name: &'static str) -> Party {
        Party { name, data: self.path(name) }
    }

    /// Tells what happens next and does it; an error names the step.
    pub(super) async fn step<T>(
        &self,
        text: &str,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        if self.terminal.json() {
            self.terminal.object(&serde_json::json!({ "event": "step", "text": text, "ms": self.millis() }));
        } else {
            let time = self.terminal.paint(Paint::Dim, format_args!("{:>5.1}s", self.elapsed().as_secs_f32()));
            self.terminal.line(format_args!("\n{time} {}", self.terminal.paint(Paint::Strong, text)));
        }
        let named = |failure: Failure| Failure { message: format!("step \"{text}\": {}", failure.message), ..failure };
        work.await.map_err(named)
    }

    /// Tells a result within a step.
    pub(super) fn tell(&self, text: &str) {
        if self.terminal.json() {
            return self.terminal.object(&serde_json::json!({ "event": "result", "text": text, "ms": self.millis() }));
        }
        for line in text.lines() {
            self.terminal.line(format_args!("       {line}"));
        }
    }

    /// The terminal.
    pub(super) fn terminal(&self) -> &Terminal {
        &self.terminal
    }

    /// Starts a child that goes on.
    pub(super) fn start(&self, what: &str, args: &[String]) -> Result<Child, Failure> {
        Child::start(what, &self.exe, args)
    }

    /// Starts a party's daemon; the daemon and its listening event.
    pub(super) async fn daemon(&self, party: &Party, listen: &str) -> Result<(Child, Value), Failure> {
        let args = party.args(&["--listen", listen, "--json", "run", "--until-eof"]);
        let mut child = self.start(&format!("daemon of {}", party.name), &args)?;
        let event = child.line(Duration::from_secs(15), |line| event(line, "listening")).await?;
        Ok((child, event))
    }

    /// Runs a party's command and gives its JSON lines.
    pub(super) async fn command(&self, party: &Party, words: &[&str]) -> Result<Vec<Value>, Failure> {
        let args = party.args(&[&["--json"], words].concat());
        let (status, output, errors) = self.run(&args, Stdio::piped()).await?;
        if !status {
            let shown: Vec<_> = words.iter().map(|word| word.chars().take(60).collect::<String>()).collect();
            return Err(Failure::failed(format!("{}: `peerfeed {}` failed:\n{errors}", party.name, shown.join(" "))));
        }
        output
            .lines()
            .map(|line| serde_json::from_str(line).map_err(|_| Failure::failed(format!("no JSON line: {line}"))))
            .collect()
    }

    /// Runs a party's command as a person would, and tells what it says.
    pub(super) async fn show(&self, party: &Party, words: &[&str]) -> Result<(), Failure> {
        self.show_with(party, words, Stdio::piped()).await
    }

    /// The same with a command that takes its time: on a terminal its progress moves.
    pub(super) async fn show_moving(&self, party: &Party, words: &[&str]) -> Result<(), Failure> {
        let errors = if std::io::stderr().is_terminal() { Stdio::inherit() } else { Stdio::piped() };
        self.show_with(party, words, errors).await
    }

    async fn show_with(&self, party: &Party, words: &[&str], errors: Stdio) -> Result<(), Failure> {
        let typed: Vec<_> = words.iter().map(|word| as_typed(word)).collect();
        let spoken = format!("{}$ peerfeed {}", party.name, typed.join(" "));
        self.tell(&self.terminal.paint(Paint::Dim, spoken));
        let (status, output, errors) = self.run(&party.args(words), errors).await?;
        self.tell(errors.trim_end());
        self.tell(output.trim_end());
        if status { Ok(()) } else { Err(Failure::failed(format!("{}: `peerfeed {}` failed", party.name, words[0]))) }
    }

    async fn run(&self, args: &[String], errors: Stdio) -> Result<(bool, String, String), Failure> {
        let child = Command::new(&self.exe)
            .args(args)
            .env_remove("PEERFEED_DATA")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Failure::failed(format!("cannot start a command: {error}")))?;
        let output = tokio::time::timeout(COMMAND_PATIENCE, child.wait_with_output())
            .await
            .map_err(|_| Failure::failed(format!("a command took longer than {COMMAND_PATIENCE:?}")))?
            .map_err(|error| Failure::failed(format!("cannot wait for a command: {error}")))?;
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Ok((output.status.success(), text(&output.stdout), text(&output.stderr)))
    }

    fn millis(&self) -> u64 {
        crate::api::milliseconds(self.elapsed())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

/// An argument as a person would type it; the story has none with quotes.
fn as_typed(word: &str) -> String {
    if word.contains(' ') { format!("\"{word}\"") } else { word.to_owned() }
}

/// The JSON of a line, if it is an event of this name.
pub(super) fn event(line: &str, name: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(line).ok()?;
    (value["event"] == name).then_some(value)
}

/// A release build aborts on panic, which skips `Drop`.
fn sweep_on_panic(folder: PathBuf) {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        before(panic);
        std::fs::remove_dir_all(Path::new(&folder)).ok();
    }));
}
