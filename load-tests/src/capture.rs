//! All loopback traffic of a stretch of time, as tshark writes it.

use std::fs;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::daemon::{Daemon, until};
use crate::stock;

const PATIENCE: Duration = Duration::from_secs(120);

/// A capture under way.
#[derive(Debug)]
pub struct Capture {
    daemon: Daemon,
    file: PathBuf,
}

impl Capture {
    /// Starts capturing into `file` and returns when packets arrive there.
    pub fn start(tshark: &Path, file: &Path) -> Result<Self> {
        let mut command = stock::as_root(tshark);
        // A large kernel buffer, so that nothing is dropped while a file is transferred at full speed.
        command.args(["-i", "lo", "-B", "256", "-q", "-w"]).arg(file);
        let daemon = Daemon::start("tshark", &mut command)?;
        let mut capture = Self { daemon, file: file.to_path_buf() };
        capture.wait_for_marker("peerfeed capture begins")?;
        Ok(capture)
    }

    /// Ends it; the bytes of the file, in which each packet's payload stands unbroken.
    pub fn stop(mut self) -> Result<Vec<u8>> {
        self.wait_for_marker("peerfeed capture ends")?;
        let stopped = self.daemon.stop(PATIENCE)?;
        let said = String::from_utf8_lossy(&stopped.output).into_owned();
        ensure!(!said.contains("packets dropped"), "the capture has holes:\n{said}");
        fs::read(&self.file).with_context(|| format!("cannot read {}", self.file.display()))
    }

    /// Sends a marker until the file holds it.
    fn wait_for_marker(&mut self, marker: &str) -> Result<()> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let sink = UdpSocket::bind("127.0.0.1:0")?;
        let mut seen_bytes = 0;
        until(&format!("tshark has written \"{marker}\""), PATIENCE, || {
            self.daemon.wait_for("to be running", Duration::from_secs(1), |_| Some(()))?;
            socket.send_to(marker.as_bytes(), sink.local_addr()?)?;
            let Ok(bytes) = fs::read(&self.file) else {
                return Ok(None);
            };
            // A marker may lie across the place where the last look ended.
            let from = seen_bytes.min(bytes.len()).saturating_sub(marker.len());
            seen_bytes = bytes.len();
            Ok(memchr::memmem::find(&bytes[from..], marker.as_bytes()).map(|_| ()))
        })
    }
}
