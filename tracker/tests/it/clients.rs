//! Other people's clients: a real file travels from one to another, which meet through this tracker alone.
//!
//! DHT, peer exchange and local discovery are off, and the torrent is private. Tracker and clients run on machines of
//! their own (network namespaces), because trackers and clients treat loopback addresses apart. Where something is
//! missing for that, the test says so and passes, unless `PEERFEED_REQUIRE_PEERS=1`.

mod client;
mod network;
mod torrent;

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use peerfeed_protocol::announce::InfoHash;
use peerfeed_protocol::announce::http::{decode_scrape, scrape_target};
use rcgen::{CertifiedKey, generate_simple_self_signed};

use self::client::{Client, Job, Running};
use self::network::{Machine, Network};
use self::torrent::Payload;
use super::program::{PROGRAM, Program};

const PATIENCE: Duration = Duration::from_secs(180);

/// How a client reaches the tracker.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
    Udp,
}

/// The network, if everything is there for a test with these clients.
fn network(clients: &[Client]) -> Option<Network> {
    let missing: Vec<_> = clients
        .iter()
        .map(|client| client.needs())
        .filter(|(program, _, question)| {
            let answer = Command::new(program).args(*question).stdin(Stdio::null()).output();
            !answer.is_ok_and(|output| output.status.success())
        })
        .map(|(_, package, _)| package)
        .collect();
    let problem = if missing.is_empty() {
        match Network::make() {
            Ok(network) => return Some(network),
            Err(problem) => format!("no network of its own (needs root or passwordless sudo, iproute2): {problem}"),
        }
    } else {
        format!("not installed: apt-get install {}", missing.join(" "))
    };
    assert!(std::env::var_os("PEERFEED_REQUIRE_PEERS").is_none_or(|value| value != "1"), "{problem}");
    // Not through the macro, whose output the test harness swallows.
    let _ = writeln!(std::io::stderr(), "not tested: {problem}");
    None
}

/// The tracker on its machine, on the ports of every tracker.
struct Tracker<'a> {
    machine: &'a Machine,
    certificate: PathBuf,
    _program: Program,
}

impl<'a> Tracker<'a> {
    /// Starts it with a certificate of its own, which it puts into `folder`.
    fn start(machine: &'a Machine, folder: &Path) -> Self {
        let names = [false, true].map(|is_v6| machine.address(is_v6).to_string());
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
        let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
        fs::write(&certificate, cert.pem()).unwrap();
        fs::write(&key, signing_key.serialize_pem()).unwrap();
        let mut command = machine.command(&[], PROGRAM);
        command.arg("--tls-certificate").arg(&certificate).arg("--tls-key").arg(&key);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let listeners = [("http", "[::]:6969"), ("https", "[::]:443"), ("udp", "[::]:6969")];
        Self { machine, certificate, _program: Program::start_as(command, &listeners) }
    }

    /// How clients call it.
    fn url(&self, scheme: Scheme, is_v6: bool) -> String {
        let port = if scheme == Scheme::Https { 443 } else { 6969 };
        let address = SocketAddr::new(self.machine.address(is_v6), port);
        match scheme {
            Scheme::Http => format!("http://{address}/announce"),
            Scheme::Https => format!("https://{address}/announce"),
            Scheme::Udp => format!("udp://{address}/announce"),
        }
    }

    /// Seeds, downloaders, and how often the file was completed.
    fn counts(&self, info_hash: InfoHash) -> Option<(u32, u32, u32)> {
        let url = self.url(Scheme::Http, false);
        let target = scrape_target(&url.parse().unwrap(), &[info_hash]).unwrap();
        // Asked from its own machine, by what every machine has.
        let request = format!("GET {target} HTTP/1.0\\r\\n\\r\\n").replace('%', "%%");
        let dialogue = format!("exec 3<>/dev/tcp/127.0.0.1/6969; printf '{request}' >&3; cat <&3");
        let output = self.machine.command(&[], "bash").args(["-c", &dialogue]).output().unwrap();
        let body = output.stdout.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
        let entry = decode_scrape(&output.stdout[body..], &[info_hash]).ok()?.entries[0];
        Some((entry.complete, entry.incomplete, entry.downloaded))
    }

    /// Waits until the counts are these.
    fn wait_for(&self, info_hash: InfoHash, counts: (u32, u32, u32), what: &str, clients: &[&Running]) {
        let start = Instant::now();
        loop {
            let seen = self.counts(info_hash);
            if seen == Some(counts) {
                return;
            }
            if start.elapsed() > PATIENCE {
                let logs: Vec<_> = clients.iter().map(|client| client.log()).collect();
                panic!("{what}: the counts are {seen:?} and not {counts:?}\n{}", logs.join("\n\n"));
            }
            sleep(Duration::from_millis(100));
        }
    }
}

/// A file goes from `seeder` to `fetcher`; after each step the tracker's counts are what they have to be.
fn a_file_travels(seeder: Client, fetcher: Client, scheme: Scheme, is_v6: bool) {
    let Some(network) = network(&[seeder, fetcher]) else { return };
    let dir = tempfile::tempdir().unwrap();
    let folder = |name: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(&path).unwrap();
        path
    };
    let tracker = Tracker::start(&network.tracker, dir.path());
    let payload = Payload::new();
    let info_hash = InfoHash(payload.info_hash());
    let torrent = dir.path().join("payload.torrent");
    payload.write_torrent(&tracker.url(scheme, is_v6), &torrent);
    let (source, sink) = (folder("source"), folder("sink"));
    payload.write_into(&source);
    let start = |client: Client, machine: usize, state: &str, files: &Path| {
        let machine = &network.clients[machine];
        let folder = folder(state);
        let address = machine.address(is_v6);
        let certificate = (scheme == Scheme::Https).then_some(&*tracker.certificate);
        client.start(&Job { machine, address, folder: &folder, torrent: &torrent, files, certificate })
    };

    // The fetcher comes first, so that its waiting can be seen, and is found by the seeder.
    let fetching = start(fetcher, 0, "fetching", &sink);
    tracker.wait_for(info_hash, (0, 1, 0), "one waits", &[&fetching]);
    let seeding = start(seeder, 1, "seeding", &source);
    tracker.wait_for(info_hash, (2, 0, 1), "`completed` was said", &[&fetching, &seeding]);
    assert!(payload.is_in(&sink), "the file did not arrive whole");
    fetcher.leave(&network.clients[0]);
    tracker.wait_for(info_hash, (1, 0, 1), "the fetcher said `stopped`", &[&fetching, &seeding]);
    seeder.leave(&network.clients[1]);
    // A swarm without peers is forgotten, with how often it was completed.
    tracker.wait_for(info_hash, (0, 0, 0), "the seeder said `stopped`", &[&fetching, &seeding]);
}

#[test]
fn a_stock_clients_announce_is_answered_and_a_real_torrent_travels_over_http() {
    a_file_travels(Client::Libtorrent, Client::Rtorrent, Scheme::Http, false);
}

#[test]
fn a_file_travels_between_clients_that_announce_over_http_and_ipv6() {
    a_file_travels(Client::Aria2, Client::Transmission, Scheme::Http, true);
}

#[test]
fn a_file_travels_between_clients_that_announce_over_udp() {
    a_file_travels(Client::Aria2, Client::Transmission, Scheme::Udp, false);
    a_file_travels(Client::Rtorrent, Client::Libtorrent, Scheme::Udp, false);
}

#[test]
fn a_file_travels_between_clients_that_announce_over_udp_and_ipv6() {
    a_file_travels(Client::Libtorrent, Client::Rtorrent, Scheme::Udp, true);
}

#[test]
fn a_file_travels_between_clients_that_announce_over_https() {
    a_file_travels(Client::Transmission, Client::Aria2, Scheme::Https, false);
}

#[test]
fn a_file_travels_between_clients_that_announce_over_https_and_ipv6() {
    a_file_travels(Client::Rtorrent, Client::Libtorrent, Scheme::Https, true);
}
