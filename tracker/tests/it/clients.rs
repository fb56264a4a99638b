//! Stock BitTorrent clients: a real torrent travels from Transmission to aria2, which meet through this tracker alone.
//!
//! DHT, peer exchange and local discovery are off. aria2 does the dialling, because Transmission never dials
//! 127.0.0.0/8. Where a program is missing, the test says so and passes, unless `PEERFEED_REQUIRE_PEERS=1`.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use peerfeed_protocol::announce::ScrapeEntry;
use peerfeed_protocol::announce::udp::{Family, Reply, Request, Scrape};

use super::program::Program;

const PAYLOAD_BYTES: usize = 3 << 20;

/// A client that is ended when dropped.
struct Client(Child);

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether all the programs are there.
fn have(programs: &[&str]) -> bool {
    let missing: Vec<_> =
        programs.iter().filter(|program| Command::new(program).arg("--version").output().is_err()).collect();
    if missing.is_empty() {
        return true;
    }
    let text = format!("{missing:?} not installed (apt-get install aria2 transmission-daemon transmission-cli)");
    assert!(std::env::var_os("PEERFEED_REQUIRE_PEERS").is_none_or(|value| value != "1"), "{text}");
    // Not through the macro, whose output the test harness swallows.
    let _ = writeln!(std::io::stderr(), "not tested: {text}");
    false
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn torrent(payload: &Path, tracker: &str, to: &Path) {
    // Private: announced to its tracker and nowhere else.
    let made =
        Command::new("transmission-create").arg("-p").arg("-o").arg(to).arg("-t").arg(tracker).arg(payload).output();
    assert!(made.unwrap().status.success());
}

fn transmission(dir: &Path, watch: &Path, downloads: &Path, log: &Path) -> Client {
    let settings = serde_json::json!({
        "dht-enabled": false, "pex-enabled": false, "lpd-enabled": false, "utp-enabled": false,
        "port-forwarding-enabled": false, "rpc-enabled": false, "bind-address-ipv4": "127.0.0.1",
        "peer-port": free_port(), "peer-port-random-on-start": false, "start-added-torrents": true,
        "watch-dir-enabled": true, "watch-dir": watch, "download-dir": downloads, "incomplete-dir-enabled": false,
    });
    fs::write(dir.join("settings.json"), settings.to_string()).unwrap();
    let log = fs::File::create(log).unwrap();
    let child = Command::new("transmission-daemon")
        .arg("--foreground")
        .arg("--config-dir")
        .arg(dir)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn();
    Client(child.unwrap())
}

/// Fetches and then seeds for three seconds: when it ends at once, it says `stopped` without having said `completed`.
fn aria2(torrent: &Path, out: &Path) -> String {
    let done = Command::new("aria2c")
        .args(["--no-conf", "--enable-dht=false", "--enable-dht6=false", "--bt-enable-lpd=false"])
        .args(["--enable-peer-exchange=false", "--seed-time=0.05", "--summary-interval=0", "--stop=90"])
        .arg(format!("--listen-port={}", free_port()))
        .arg("--dir")
        .arg(out)
        .arg(torrent)
        .output()
        .unwrap();
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// The counts of the only swarm, over UDP.
fn scrape(program: &Program, info_hash: [u8; 20]) -> ScrapeEntry {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(program.address(1)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let ask = |request: Request<'_>| {
        socket.send(&request.encode()).unwrap();
        let mut reply = [0; 100];
        let length = socket.recv(&mut reply).unwrap();
        Reply::decode(&reply[..length], Family::V4).unwrap()
    };
    let Reply::Connect { connection_id, .. } = ask(Request::Connect { transaction_id: 1 }) else { panic!() };
    let scrape = Scrape { connection_id, transaction_id: 2, info_hashes: &[info_hash] };
    let Reply::Scrape { reply, .. } = ask(Request::Scrape(scrape)) else { panic!() };
    reply.entries[0]
}

/// Waits until the counts are as wanted.
fn wait_for(program: &Program, info_hash: [u8; 20], what: &str, wanted: impl Fn(&ScrapeEntry) -> bool) {
    let start = Instant::now();
    loop {
        let counts = scrape(program, info_hash);
        if wanted(&counts) {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "never seen: {what}; last {counts:?}");
        sleep(Duration::from_millis(100));
    }
}

/// The info hash that Transmission found: it names its copy of the torrent file by it.
fn info_hash(config: &Path) -> [u8; 20] {
    let start = Instant::now();
    loop {
        let mut names = fs::read_dir(config.join("torrents")).into_iter().flatten().flatten();
        let stem = |name: &str| name.strip_suffix(".torrent").filter(|stem| stem.len() == 40).map(str::to_owned);
        if let Some(hex) = names.find_map(|entry| stem(&entry.file_name().to_string_lossy())) {
            return std::array::from_fn(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).unwrap());
        }
        assert!(start.elapsed() < Duration::from_secs(30), "Transmission did not take the torrent");
        sleep(Duration::from_millis(50));
    }
}

/// Transmission announces to listener `seed`, aria2 to listener `fetch`.
fn a_torrent_travels(seed: usize, fetch: usize) {
    if !have(&["aria2c", "transmission-daemon", "transmission-create"]) {
        return;
    }
    let program = Program::on_ipv4();
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    for name in ["config", "watch", "downloads", "out"] {
        fs::create_dir(path(name)).unwrap();
    }
    let payload = path("downloads").join("payload.bin");
    let bytes: Vec<u8> = (0..PAYLOAD_BYTES).map(|n| (n * n / 251 % 256).to_le_bytes()[0]).collect();
    fs::write(&payload, &bytes).unwrap();
    let urls = [program.url(0).to_owned(), format!("{}/announce", program.url(1))];
    torrent(&payload, &urls[fetch], &path("fetch.torrent"));
    torrent(&payload, &urls[seed], &path("seed.torrent"));
    fs::rename(path("seed.torrent"), path("watch").join("seed.torrent")).unwrap();

    let _seeder = transmission(&path("config"), &path("watch"), &path("downloads"), &path("transmission.log"));
    let info_hash = info_hash(&path("config"));
    wait_for(&program, info_hash, "a seed", |counts| counts.complete == 1);
    let log = aria2(&path("fetch.torrent"), &path("out"));
    let fetched = fs::read(path("out").join("payload.bin")).unwrap_or_default();
    assert!(fetched == bytes, "the file did not arrive whole:\n{log}");
    wait_for(&program, info_hash, "completed and stopped", |counts| {
        (counts.complete, counts.downloaded, counts.incomplete) == (1, 1, 0)
    });
}

#[test]
fn a_stock_clients_announce_is_answered_and_a_real_torrent_travels_over_http() {
    a_torrent_travels(0, 0);
}

#[test]
fn a_seed_that_announces_over_udp_is_found_over_http() {
    a_torrent_travels(1, 0);
}
