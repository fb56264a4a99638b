//! A child process that is stopped whatever happens.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How often a condition is looked at while waiting for it.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A running program and everything it has printed. Dropping it kills the program.
#[derive(Debug)]
pub struct Daemon {
    name: String,
    child: Child,
    output: Arc<Mutex<Vec<u8>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Daemon {
    /// Starts the program and collects what it prints on both streams.
    pub fn start(name: &str, command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {name}: {command:?}"))?;
        let output = Arc::new(Mutex::new(Vec::new()));
        let readers = vec![
            collect(child.stdout.take().expect("stdout is piped"), &output),
            collect(child.stderr.take().expect("stderr is piped"), &output),
        ];
        Ok(Self { name: name.to_owned(), child, output, readers })
    }

    /// Everything printed so far.
    pub fn output(&self) -> Vec<u8> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Processor time that the program has used so far, in seconds.
    pub fn cpu_seconds(&self) -> Result<f64> {
        /// The unit of these fields of Linux on every platform: `USER_HZ`.
        const TICKS_PER_SECOND: f64 = 100.0;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid()))?;
        // The name in parentheses may hold spaces; user and system time are the 12th and 13th field after it.
        let (_, fields) = stat.rsplit_once(')').context("no name in /proc/PID/stat")?;
        let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u32>).sum::<Result<u32, _>>()?;
        Ok(f64::from(ticks) / TICKS_PER_SECOND)
    }

    /// Memory of the program that is in use now, in bytes: its resident set.
    pub fn resident_bytes(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line =
            status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS in /proc/PID/status")?;
        let kib: u64 = line.trim().trim_end_matches("kB").trim_end().parse()?;
        Ok(kib << 10)
    }

    /// Waits until the output holds what `find` looks for.
    pub fn wait_for<T>(&mut self, what: &str, patience: Duration, find: impl Fn(&str) -> Option<T>) -> Result<T> {
        let started = Instant::now();
        loop {
            let ended = self.child.try_wait()?;
            let output = self.output();
            let text = String::from_utf8_lossy(&output);
            if let Some(found) = find(&text) {
                return Ok(found);
            }
            if let Some(status) = ended {
                bail!("{} ended ({status}) before {what}:\n{text}", self.name);
            }
            if started.elapsed() > patience {
                bail!("{} has not shown {what} within {patience:?}:\n{text}", self.name);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Asks the program to end (SIGTERM) and waits; an error if it takes longer than `patience`.
    pub fn stop(mut self, patience: Duration) -> Result<Stopped> {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id fits"));
        kill(pid, Signal::SIGTERM).with_context(|| format!("cannot stop {}", self.name))?;
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            if started.elapsed() > patience {
                let output = self.output();
                bail!("{} has not ended within {patience:?}:\n{}", self.name, String::from_utf8_lossy(&output));
            }
            std::thread::sleep(LOOK_EVERY);
        };
        self.join_readers();
        Ok(Stopped { status, took: started.elapsed(), output: self.output() })
    }

    /// Ends the program without a warning (SIGKILL).
    pub fn kill(mut self) -> Vec<u8> {
        self.end();
        self.output()
    }

    fn end(&mut self) {
        // Both fail only when it has ended already.
        self.child.kill().ok();
        self.child.wait().ok();
        self.join_readers();
    }

    fn join_readers(&mut self) {
        for reader in self.readers.drain(..) {
            reader.join().expect("a reader thread does not panic");
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.end();
    }
}

/// How a program ended after it was asked to.
#[derive(Debug)]
pub struct Stopped {
    /// Exit status.
    pub status: ExitStatus,
    /// From the signal to the end.
    pub took: Duration,
    /// All it printed.
    pub output: Vec<u8>,
}

/// Looks again and again until `check` gives something, an error after `patience`.
pub fn until<T>(what: &str, patience: Duration, mut check: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(found) = check()? {
            return Ok(found);
        }
        if started.elapsed() > patience {
            bail!("not within {patience:?}: {what}");
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn collect(mut stream: impl Read + Send + 'static, output: &Arc<Mutex<Vec<u8>>>) -> JoinHandle<()> {
    let output = Arc::clone(output);
    std::thread::spawn(move || {
        let mut buffer = [0; 8192];
        while let Ok(count) = stream.read(&mut buffer) {
            if count == 0 {
                break;
            }
            output.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..count]);
        }
    })
}
