//! Other people's clients: how each is started so that it knows its tracker and nobody else.

use std::fs::{self, File};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::network::Machine;

/// Where a client listens. Each has a machine of its own.
const PORT: u16 = 6881;

/// A client that Debian has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    Transmission,
    Aria2,
    Libtorrent,
    Rtorrent,
}

/// What a client works on.
pub(crate) struct Job<'a> {
    /// Where it runs.
    pub(crate) machine: &'a Machine,
    /// The machine's address that it listens on.
    pub(crate) address: IpAddr,
    /// For its settings, state and log; exists.
    pub(crate) folder: &'a Path,
    /// What it downloads or seeds.
    pub(crate) torrent: &'a Path,
    /// Where the file is or comes; exists.
    pub(crate) files: &'a Path,
    /// The certificate to be trusted.
    pub(crate) certificate: Option<&'a Path>,
}

/// A client at work, reaped when dropped; its machine ends it.
pub(crate) struct Running {
    child: Child,
    log: PathBuf,
}

impl Client {
    /// What has to be installed for it: a program, its Debian package, and how to ask the program whether it is there.
    pub(crate) fn needs(self) -> (&'static str, &'static str, &'static [&'static str]) {
        match self {
            Self::Transmission => ("transmission-daemon", "transmission-daemon transmission-cli", &["--version"]),
            Self::Aria2 => ("aria2c", "aria2", &["--version"]),
            Self::Libtorrent => ("/usr/bin/python3", "python3-libtorrent", &["-c", "import libtorrent"]),
            Self::Rtorrent => ("rtorrent", "rtorrent", &["-h"]),
        }
    }

    /// Starts it on a job, of which it does its part: seeding when the file is there, else fetching and then seeding.
    pub(crate) fn start(self, job: &Job<'_>) -> Running {
        let mut command = match self {
            Self::Transmission => transmission(job),
            Self::Aria2 => aria2(job),
            Self::Libtorrent => libtorrent(job),
            Self::Rtorrent => rtorrent(job),
        };
        let log = job.folder.join("log");
        let file = File::create(&log).unwrap();
        let child = command.stdout(Stdio::from(file.try_clone().unwrap())).stderr(file).spawn().unwrap();
        Running { child, log }
    }
}

impl Client {
    /// Lets it say `stopped`, as a person would: most say it when they end.
    pub(crate) fn leave(self, machine: &Machine) {
        match self {
            // When it ends, it waits for UDP trackers only.
            Self::Transmission => {
                let mut command = machine.command(&[], "transmission-remote");
                let output = command.args(["--torrent", "all", "--stop"]).output().unwrap();
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            }
            Self::Aria2 | Self::Libtorrent | Self::Rtorrent => machine.interrupt(),
        }
    }
}

impl Running {
    /// What it printed, for a test that fails.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn transmission(job: &Job<'_>) -> Command {
    let watched = job.folder.join("watched");
    fs::create_dir(&watched).unwrap();
    // Taken as its own, and renamed when added.
    fs::copy(job.torrent, watched.join("payload.torrent")).unwrap();
    let settings = serde_json::json!({
        "dht-enabled": false, "pex-enabled": false, "lpd-enabled": false, "utp-enabled": false,
        "port-forwarding-enabled": false, "rpc-enabled": true, "start-added-torrents": true,
        "peer-port": PORT, "peer-port-random-on-start": false, "message-level": 3,
        "watch-dir-enabled": true, "watch-dir": watched, "download-dir": job.files, "incomplete-dir-enabled": false,
    });
    fs::write(job.folder.join("settings.json"), settings.to_string()).unwrap();
    let trusted: Vec<_> = job.certificate.iter().map(|file| ("CURL_CA_BUNDLE", file.as_os_str())).collect();
    let mut command = job.machine.command(&trusted, "transmission-daemon");
    command.arg("--foreground").arg("--config-dir").arg(job.folder);
    command
}

fn aria2(job: &Job<'_>) -> Command {
    let mut command = job.machine.command(&[], "aria2c");
    command
        .args(["--no-conf", "--bt-enable-lpd=false", "--enable-peer-exchange=false", "--summary-interval=0"])
        // It reaches UDP trackers through the socket of its DHT only, which knows nobody here and is not asked for a
        // private torrent.
        .args(["--enable-dht=true", "--enable-dht6=false", "--console-log-level=info", "--enable-color=false"])
        .arg(format!("--dht-listen-port={PORT}"))
        .arg(format!("--dht-file-path={}", job.folder.join("dht").display()))
        .arg(format!("--listen-port={PORT}"))
        // For ever.
        .args(["--seed-ratio=0", "--check-integrity=true"])
        .args(job.certificate.map(|file| format!("--ca-certificate={}", file.display())))
        .arg(format!("--dir={}", job.files.display()))
        .arg(job.torrent);
    command
}

fn libtorrent(job: &Job<'_>) -> Command {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/clients/session.py");
    let trusted: Vec<_> = job.certificate.iter().map(|file| ("SSL_CERT_FILE", file.as_os_str())).collect();
    let mut command = job.machine.command(&trusted, "/usr/bin/python3");
    let listen = std::net::SocketAddr::new(job.address, PORT);
    command.arg(script).arg(job.torrent).arg(job.files).arg(listen.to_string());
    command
}

fn rtorrent(job: &Job<'_>) -> Command {
    let session = job.folder.join("session");
    fs::create_dir(&session).unwrap();
    let mut command = job.machine.command(&[], "rtorrent");
    // Reads no settings of whoever runs the test.
    command.arg("-n");
    let mut set = |name: &str, value: &str| {
        command.arg("-o").arg(format!("{name}.set={value}"));
    };
    set("system.daemon", "true");
    set("session.path", &session.display().to_string());
    set("directory.default", &job.files.display().to_string());
    set("network.port_range", &format!("{PORT}-{PORT}"));
    set("network.port_random", "no");
    set("dht.mode", "disable");
    set("protocol.pex", "no");
    // With a check at the end it forgets to say `completed`.
    set("pieces.hash.on_completion", "no");
    if let Some(file) = job.certificate {
        set("network.http.cacert", &file.display().to_string());
    }
    command.arg(job.torrent);
    command
}
