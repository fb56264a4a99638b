//! Other people's programs: found on this machine, or said to be missing.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::daemon::{Daemon, until};

/// Finds a program that a test needs. When it is missing: an error if `PEERFEED_REQUIRE_PEERS=1`, as in `./check`;
/// otherwise a line on the real standard error, which the test harness does not capture, and `None`: the test ends
/// there without having shown anything.
pub fn find(program: &str, package: &str) -> Result<Option<PathBuf>> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(["/usr/bin", "/usr/sbin", "/sbin"].map(PathBuf::from));
    if let Some(found) = folders.into_iter().map(|folder| folder.join(program)).find(|path| path.is_file()) {
        return Ok(Some(found));
    }
    if std::env::var_os("PEERFEED_REQUIRE_PEERS").is_some_and(|value| value == "1") {
        bail!("{program} is missing: install the package {package}");
    }
    let line = format!("SKIPPED: {program} is missing (package {package}); nothing was shown\n");
    // The harness captures what goes through `eprint!`, not what is written to the stream itself.
    std::io::stderr().write_all(line.as_bytes()).context("cannot write to standard error")?;
    Ok(None)
}

/// Runs as root: directly, or through sudo where this is an ordinary user.
pub fn as_root(program: &Path) -> Command {
    if nix::unistd::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.arg("-n").arg(program);
    command
}

/// A running Debian opentracker.
#[derive(Debug)]
pub struct Opentracker {
    /// Its process.
    pub daemon: Daemon,
    /// `http://127.0.0.1:PORT/announce`.
    pub http_url: String,
    /// `udp://127.0.0.1:PORT`.
    pub udp_url: String,
}

impl Opentracker {
    /// Starts it in `folder` for these swarms. Debian builds it for IPv4, with a whitelist that it needs, and it
    /// changes its root to the folder given with `-d`, to which the whitelist's path is relative then.
    pub fn start(program: &Path, folder: &Path, swarm_ids_hex: &[String]) -> Result<Self> {
        let whitelist = folder.join("whitelist");
        fs::write(&whitelist, swarm_ids_hex.join("\n") + "\n").context("cannot write the whitelist")?;
        // It gives up root and then reads the whitelist again as another user.
        make_readable(folder, 0o755)?;
        make_readable(&whitelist, 0o644)?;
        let port = free_port()?;
        let port_text = port.to_string();
        let mut command = as_root(program);
        command.args(["-i", "127.0.0.1", "-p", &port_text, "-P", &port_text, "-w", "whitelist", "-d"]).arg(folder);
        let mut daemon = Daemon::start("opentracker", command.current_dir(folder))?;
        // Millions of hashes take it a while.
        until("opentracker accepts connections", Duration::from_secs(60), || {
            daemon.wait_for("to be running", Duration::from_secs(1), |_| Some(()))?;
            Ok(std::net::TcpStream::connect(("127.0.0.1", port)).ok().map(drop))
        })?;
        Ok(Self {
            daemon,
            http_url: format!("http://127.0.0.1:{port}/announce"),
            udp_url: format!("udp://127.0.0.1:{port}"),
        })
    }
}

/// A port that is free for both TCP and UDP now: for programs that take no port 0. None of those that the system gives to
/// whoever asks for any, so that nobody gets it before the program does.
pub fn free_port() -> Result<u16> {
    const PORTS: std::ops::Range<u16> = 21_000..32_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in PORTS {
        // Another process begins somewhere else.
        let number = std::process::id().wrapping_mul(97).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = PORTS.start + u16::try_from(number % u32::from(PORTS.end - PORTS.start))?;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() && UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port is free for TCP and UDP alike")
}

fn make_readable(path: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .with_context(|| format!("cannot make {} readable", path.display()))
}
