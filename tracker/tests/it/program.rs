//! A running `peerfeed-tracker`.

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long a line of the log is waited for.
const LOG_PATIENCE: Duration = Duration::from_secs(90);

/// Where the program is.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_peerfeed-tracker");

/// The program, ended and reaped when dropped.
pub(crate) struct Program {
    child: Child,
    log: Log,
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
        let log = Log::of(child.stderr.take().unwrap());
        Self { child, log, lines }
    }

    /// One HTTP and one UDP listener on 127.0.0.1.
    pub(crate) fn on_ipv4() -> Self {
        Self::start(&[("http", "127.0.0.1:0"), ("udp", "127.0.0.1:0")])
    }

    /// Where listener `n` is, in the order given to [`start`](Self::start), HTTP first.
    pub(crate) fn url(&self, n: usize) -> &str {
        self.lines[n].split_once(" on ").expect("a line per listener").1
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
        let log = self.log.whole();
        (status, took, log)
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal that does not end it.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Waits for a line that it logs from now on, or has logged and nobody waited for yet.
    pub(crate) fn wait_for_log(&self, text: &str) {
        self.log.wait_for(text);
    }
}

/// What it writes to standard error, read as it comes.
struct Log {
    lines: Receiver<String>,
    read: RefCell<String>,
}

impl Log {
    fn of(stderr: ChildStderr) -> Self {
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                // Nobody waits any more once the test has ended.
                let _ = sender.send(line);
            }
        });
        Self { lines, read: RefCell::default() }
    }

    fn wait_for(&self, text: &str) {
        loop {
            let line = self.lines.recv_timeout(LOG_PATIENCE);
            let Ok(line) = line else { panic!("{text:?} was not logged:\n{}", self.read.borrow()) };
            self.read.borrow_mut().push_str(&(line.clone() + "\n"));
            if line.contains(text) {
                return;
            }
        }
    }

    /// Everything until it ended.
    fn whole(&self) -> String {
        let rest: String = self.lines.iter().map(|line| line + "\n").collect();
        self.read.borrow().clone() + &rest
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
