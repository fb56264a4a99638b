//! Our tracker as a child process.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::daemon::Daemon;
use crate::programs::Programs;

const START_PATIENCE: Duration = Duration::from_secs(90);

/// A running `peerfeed-tracker` on free ports.
#[derive(Debug)]
pub struct Tracker {
    /// Its process.
    pub daemon: Daemon,
    /// `http://HOST:PORT/announce`.
    pub http_url: String,
    /// `udp://HOST:PORT`.
    pub udp_url: String,
}

impl Tracker {
    /// Starts it on this host address (`127.0.0.1` or `[::1]`), HTTP and UDP.
    pub fn start(host: &str) -> Result<Self> {
        Self::start_with(host, &[])
    }

    /// The same with further flags.
    pub fn start_with(host: &str, flags: &[&str]) -> Result<Self> {
        let address = format!("{host}:0");
        let mut command = Command::new(&Programs::find()?.tracker);
        command.args(["--http", &address, "--udp", &address]).args(flags).envs(environment());
        let mut daemon = Daemon::start("peerfeed-tracker", &mut command)?;
        let http_url = daemon.wait_for("its HTTP address", START_PATIENCE, |text| bound(text, "http", host))?;
        let udp_url = daemon.wait_for("its UDP address", START_PATIENCE, |text| bound(text, "udp", host))?;
        Ok(Self { daemon, http_url: format!("{http_url}/announce"), udp_url })
    }

    /// The URL for a scheme, `http` or `udp`.
    pub fn url(&self, scheme: &str) -> Result<&str> {
        match scheme {
            "http" => Ok(&self.http_url),
            "udp" => Ok(&self.udp_url),
            _ => Err(anyhow::anyhow!(scheme.to_owned())).context("no such scheme"),
        }
    }
}

/// What its service unit sets.
fn environment() -> impl Iterator<Item = (&'static str, &'static str)> {
    let unit = include_str!("../../deploy/peerfeed-tracker.service");
    unit.lines().filter_map(|line| line.strip_prefix("Environment=")?.split_once('='))
}

/// `SCHEME://HOST:PORT` as the output names it, with a real port.
fn bound(text: &str, scheme: &str, host: &str) -> Option<String> {
    let start = format!("{scheme}://{host}:");
    let at = text.find(&start)?;
    let port: String = text[at + start.len()..].chars().take_while(char::is_ascii_digit).collect();
    // The line may still be on its way.
    let complete = text[at..].contains(['\n', '/', ' ']);
    (complete && port != "0" && !port.is_empty()).then(|| format!("{start}{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_runs_in_the_environment_of_its_service() {
        assert_eq!(environment().collect::<Vec<_>>(), [("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")]);
    }

    #[test]
    fn the_bound_address_is_read_from_the_output() {
        let text = "listening on http://127.0.0.1:40001/announce\nlistening on udp://[::1]:40002\n";
        assert_eq!(bound(text, "http", "127.0.0.1").as_deref(), Some("http://127.0.0.1:40001"));
        assert_eq!(bound(text, "udp", "[::1]").as_deref(), Some("udp://[::1]:40002"));
        assert_eq!(bound(text, "udp", "127.0.0.1"), None);
    }
}
