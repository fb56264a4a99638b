//! What a running program has used, as the kernel counts it.

use std::fs;
use std::ops::Sub;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// Time of all threads of a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Time {
    /// On a processor.
    pub running: Duration,
    /// Ready to run, while others had the processor.
    pub waiting: Duration,
}

impl Time {
    /// So far.
    pub fn of(pid: u32) -> Result<Self> {
        let mut sum = Self::default();
        for thread in fs::read_dir(format!("/proc/{pid}/task")).context("the program has ended")? {
            // A thread may end between the two looks.
            let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
            let mut fields = text.split_whitespace().map(|field| field.parse().map(Duration::from_nanos));
            sum.running += fields.next().context("an empty schedstat")??;
            sum.waiting += fields.next().context("a short schedstat")??;
        }
        Ok(sum)
    }
}

impl Sub for Time {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            running: self.running.saturating_sub(earlier.running),
            waiting: self.waiting.saturating_sub(earlier.waiting),
        }
    }
}

/// Memory that a program has in use now.
pub fn resident_bytes(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("a process without memory")?;
    let kib: u64 = line.trim_matches([' ', '\t', 'k', 'B']).parse()?;
    Ok(kib << 10)
}

/// One processor for the servers and another one for the loader; `None` where there is only one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sides {
    server: usize,
    loader: usize,
}

impl Sides {
    /// The first two processors that this process may use.
    pub fn of_this_machine() -> Result<Option<Self>> {
        let allowed = sched_getaffinity(Pid::from_raw(0))?;
        let mut usable = (0..CpuSet::count()).filter(|&cpu| allowed.is_set(cpu).unwrap_or(false));
        Ok(usable.next().zip(usable.next()).map(|(server, loader)| Self { server, loader }))
    }

    /// Binds this thread, and what it starts from now on, to the servers' processor.
    pub fn be_server(self) -> Result<()> {
        be_on(self.server)
    }

    /// Binds this thread to the loader's processor.
    pub fn be_loader(self) -> Result<()> {
        be_on(self.loader)
    }
}

fn be_on(cpu: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &set).context("cannot bind to a processor")
}
