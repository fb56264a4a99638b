//! A child process of the demo.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child as Process, ChildStdin, Command};
use tokio::sync::watch;

use crate::api::Failure;

/// How long a child may take to end after SIGTERM.
const END_PATIENCE: Duration = Duration::from_secs(20);

/// A long-running child. Killed when dropped; ends on its own when this process is gone, because its input ends.
pub(super) struct Child {
    what: String,
    process: Process,
    _input: ChildStdin,
    lines: Arc<Mutex<Vec<String>>>,
    news: watch::Receiver<usize>,
}

impl Child {
    /// Starts this executable with arguments; what it prints is kept.
    pub(super) fn start(what: &str, exe: &Path, args: &[String]) -> Result<Self, Failure> {
        let failed = |error| Failure::failed(format!("cannot start the {what}: {error}"));
        let mut process = Command::new(exe)
            .args(args)
            .env_remove("PEERFEED_DATA")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let input = process.stdin.take().expect("it was asked for");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (sender, news) = watch::channel(0);
        keep(process.stdout.take().expect("it was asked for"), Arc::clone(&lines), sender.clone());
        keep(process.stderr.take().expect("it was asked for"), Arc::clone(&lines), sender);
        Ok(Self { what: what.into(), process, _input: input, lines, news })
    }

    /// Waits for a line that `pick` makes something of.
    pub(super) async fn line<T>(&mut self, patience: Duration, pick: impl Fn(&str) -> Option<T>) -> Result<T, Failure> {
        let search = async {
            loop {
                let found = self.lines.lock().expect("no holder panics").iter().find_map(|line| pick(line));
                if let Some(found) = found {
                    return Ok(found);
                }
                if self.news.changed().await.is_err() {
                    return Err("ended");
                }
            }
        };
        let outcome = tokio::time::timeout(patience, search).await.unwrap_or(Err("did not say what was awaited"));
        outcome
            .map_err(|problem| Failure::failed(format!("the {} {problem}; it printed:\n{}", self.what, self.output())))
    }

    /// All that it printed so far.
    pub(super) fn output(&self) -> String {
        self.lines.lock().expect("no holder panics").join("\n")
    }

    /// Ends it as a service manager does, and tells how.
    pub(super) async fn stop(mut self) -> Result<String, Failure> {
        self.signal(Signal::SIGTERM);
        let status = self.wait(END_PATIENCE).await?;
        if !status.success() {
            return Err(Failure::failed(format!(
                "the {} ended with {status}; it printed:\n{}",
                self.what,
                self.output()
            )));
        }
        Ok(self.output())
    }

    /// Ends it as a power failure does.
    pub(super) async fn kill(mut self) -> Result<String, Failure> {
        self.signal(Signal::SIGKILL);
        self.wait(END_PATIENCE).await?;
        Ok(self.output())
    }

    fn signal(&self, signal: Signal) {
        let Some(id) = self.process.id().and_then(|id| i32::try_from(id).ok()) else { return };
        // It may have ended on its own, which `wait` tells.
        kill(Pid::from_raw(id), signal).ok();
    }

    async fn wait(&mut self, patience: Duration) -> Result<ExitStatus, Failure> {
        match tokio::time::timeout(patience, self.process.wait()).await {
            Ok(Ok(status)) => Ok(status),
            Ok(Err(error)) => Err(Failure::failed(format!("cannot wait for the {}: {error}", self.what))),
            Err(_) => Err(Failure::failed(format!("the {} did not end within {END_PATIENCE:?}", self.what))),
        }
    }
}

fn keep(stream: impl AsyncRead + Send + Unpin + 'static, lines: Arc<Mutex<Vec<String>>>, news: watch::Sender<usize>) {
    tokio::spawn(async move {
        let mut stream = BufReader::new(stream).lines();
        while let Ok(Some(line)) = stream.next_line().await {
            lines.lock().expect("no holder panics").push(line);
            news.send_modify(|count| *count += 1);
        }
    });
}

/// A person or machine with a data folder.
pub(super) struct Party {
    /// Name in the story.
    pub(super) name: &'static str,
    /// Its folder.
    pub(super) data: PathBuf,
}

impl Party {
    /// The arguments of one of its commands.
    pub(super) fn args(&self, words: &[&str]) -> Vec<String> {
        let data = self.data.display().to_string();
        ["--data", &data].into_iter().chain(words.iter().copied()).map(str::to_owned).collect()
    }
}
