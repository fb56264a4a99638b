//! What the tracker takes and tells, seen from outside.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

/// A tracker's process and its status page.
pub(super) struct Watch {
    process: u32,
    status: SocketAddr,
}

/// A look at it.
pub(super) struct Look {
    pub(super) resident_bytes: u64,
    pub(super) swarms: u64,
}

impl Watch {
    pub(super) fn new(process: u32, status: SocketAddr) -> Self {
        Self { process, status }
    }

    pub(super) fn look(&self) -> Result<Look> {
        let stats = self.stats()?;
        let swarms = stats["swarms"]["ipv4"].as_u64().context("no count of swarms")?;
        Ok(Look { resident_bytes: self.resident("VmRSS")?, swarms })
    }

    /// The most memory that the process ever had.
    pub(super) fn most_resident_bytes(&self) -> Result<u64> {
        self.resident("VmHWM")
    }

    /// `/stats.json`.
    pub(super) fn stats(&self) -> Result<Value> {
        let mut stream = TcpStream::connect(self.status)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(stream, "GET /stats.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply)?;
        let (_, body) = reply.split_once("\r\n\r\n").context("no answer from the status page")?;
        serde_json::from_str(body).with_context(|| format!("no numbers on the status page: {reply}"))
    }

    fn resident(&self, name: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no such number of a process")?;
        let kib: u64 = line.trim_matches([':', ' ', '\t', 'k', 'B']).parse()?;
        Ok(kib << 10)
    }
}
