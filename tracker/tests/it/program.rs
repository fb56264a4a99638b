//! A running `peerfeed-tracker`.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Where the program is.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_peerfeed-tracker");

/// The program, ended and reaped when dropped.
pub(crate) struct Program {
    child: Child,
    stderr: Option<ChildStderr>,
    /// The lines it printed when everything was bound.
    pub(crate) lines: Vec<String>,
}

impl Program {
    /// Starts it with one listener per address (`http` or `udp`, address) and waits until all are bound.
    pub(crate) fn start(listeners: &[(&str, &str)]) -> Self {
        Self::start_as(command(), listeners)
    }

    /// The same, by a command that runs the program, with its output caught.
    pub(crate) fn start_as(mut command: Command, listeners: &[(&str, &str)]) -> Self {
        for (transport, address) in listeners {
            command.arg(format!("--{transport}")).arg(address);
        }
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let lines = listeners
            .iter()
            .map(|_| {
                let mut line = String::new();
                stdout.read_line(&mut line).unwrap();
                line.trim_end().to_owned()
            })
            .collect();
        let stderr = child.stderr.take();
        Self { child, stderr, lines }
    }

    /// One HTTP and one UDP listener on 127.0.0.1.
    pub(crate) fn on_ipv4() -> Self {
        Self::start(&[("http", "127.0.0.1:0"), ("udp", "127.0.0.1:0")])
    }

    /// Where listener `n` is, in the order given to [`start`](Self::start), HTTP first.
    pub(crate) fn url(&self, n: usize) -> &str {
        self.lines[n].strip_prefix("listening on ").expect("a line per listener")
    }

    /// The address of listener `n`.
    pub(crate) fn address(&self, n: usize) -> SocketAddr {
        let (_, rest) = self.url(n).split_once("://").unwrap();
        rest.split('/').next().unwrap().parse().unwrap()
    }

    /// Sends a signal and returns how it ended, after how long, and all that it wrote to standard error.
    pub(crate) fn end(mut self, signal: Signal) -> (ExitStatus, Duration, String) {
        let start = Instant::now();
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
        let status = self.child.wait().unwrap();
        let took = start.elapsed();
        let mut log = String::new();
        self.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (status, took, log)
    }
}

/// The program, not yet started, with its output caught and no setting from the environment of the tests.
pub(crate) fn command() -> Command {
    let mut command = Command::new(PROGRAM);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PEERFEED_TRACKER_") {
            command.env_remove(name);
        }
    }
    command.env_remove("RUST_LOG").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
