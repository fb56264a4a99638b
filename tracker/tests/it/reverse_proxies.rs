//! The worked examples of `deploy/`: a real reverse proxy ends TLS in front of the tracker, which sees the client.
//!
//! Where a program is missing, the test says so and passes, unless `PEERFEED_REQUIRE_PEERS=1`.

use std::fs;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::asking::{announce, certificate, connect_from, secure};
use super::program::{Program, command};

/// How long a proxy may take to start.
const PATIENCE: Duration = Duration::from_secs(90);

struct Proxy(Child);

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn have(program: &str, package: &str) -> bool {
    if Command::new(program).arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok() {
        return true;
    }
    let text = format!("{program} not installed (apt-get install {package})");
    assert!(std::env::var_os("PEERFEED_REQUIRE_PEERS").is_none_or(|value| value != "1"), "{text}");
    // Not through the macro, whose output the test harness swallows.
    let _ = writeln!(std::io::stderr(), "not tested: {text}");
    false
}

/// A port that is free now, and none of those that the system gives to whoever asks for any.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(21_000);
    let ports = std::iter::repeat_with(|| NEXT.fetch_add(1, Ordering::Relaxed)).take_while(|port| *port < 32_000);
    ports.into_iter().find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a free port")
}

/// Starts a proxy and waits until it accepts connections.
fn start(mut command: Command, address: SocketAddr, log: &Path) -> Proxy {
    let file = fs::File::create(log).unwrap();
    let child = command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
    let proxy = Proxy(child);
    let started = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(started.elapsed() < PATIENCE, "it does not listen: {}", fs::read_to_string(log).unwrap());
        sleep(Duration::from_millis(50));
    }
    proxy
}

/// An example with each of these texts, all of which it must have, replaced.
fn example(name: &str, replaced: &[(&str, &str)]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name);
    replaced.iter().fold(fs::read_to_string(path).unwrap(), |text, (from, to)| {
        assert!(text.contains(from), "{from:?} is not in {name}");
        text.replace(from, to)
    })
}

/// Two clients announce through the proxy, one of which claims another address.
fn the_tracker_sees_the_clients(proxy: SocketAddr, trusted: &rustls_pki_types::CertificateDer<'static>) {
    for (from, headers) in [("127.0.0.5", ""), ("127.0.0.6", "X-Forwarded-For: 192.0.2.1\r\n")] {
        let from: IpAddr = from.parse().unwrap();
        let stream = secure(connect_from(from, proxy), trusted);
        let reply = announce(stream, 1000, headers).expect("an answer").unwrap();
        assert_eq!(reply.external_ip, Some(from));
    }
    let stream = secure(connect_from("127.0.0.7".parse().unwrap(), proxy), trusted);
    let peers = announce(stream, 1000, "").unwrap().unwrap().peers;
    let mut peers: Vec<_> = peers.iter().map(|peer| peer.to_string()).collect();
    peers.sort();
    assert_eq!(peers, ["127.0.0.5:1000", "127.0.0.6:1000"]);
}

#[test]
fn an_announce_over_https_through_nginx_shows_the_clients_address() {
    if !have("nginx", "nginx-light") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (chain, key, trusted) = certificate(folder.path());
    let mut tracker = command();
    tracker.args(["--trusted-proxies", "127.0.0.1"]);
    let tracker = Program::start_as(tracker, &[("http", "127.0.0.1:0")]);
    let port = free_port();
    let letsencrypt = "/etc/letsencrypt/live/tracker.example";
    let site = example(
        "nginx.conf",
        &[
            ("server 127.0.0.1:6969;", &format!("server {};", tracker.address(0))),
            ("listen 443 ssl;", &format!("listen 127.0.0.1:{port} ssl;")),
            ("    listen [::]:443 ssl;\n", ""),
            (&format!("{letsencrypt}/fullchain.pem"), chain.to_str().unwrap()),
            (&format!("{letsencrypt}/privkey.pem"), key.to_str().unwrap()),
        ],
    );
    fs::write(folder.path().join("site.conf"), site).unwrap();
    // What Debian's own nginx.conf sets around a site, with every file in the test's folder.
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = temporary.map(|kind| format!("{kind}_temp_path temp;")).join(" ");
    let main = format!(
        "daemon off; master_process off; pid nginx.pid; error_log stderr; events {{}}\n\
         http {{ access_log off; {temporary} include site.conf; }}\n"
    );
    fs::write(folder.path().join("nginx.conf"), main).unwrap();
    let mut nginx = Command::new("nginx");
    nginx.arg("-p").arg(folder.path()).arg("-c").arg("nginx.conf").args(["-e", "stderr"]);
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let _nginx = start(nginx, address, &folder.path().join("log"));
    the_tracker_sees_the_clients(address, &trusted);
}

#[test]
fn an_announce_over_https_through_haproxy_shows_the_clients_address() {
    if !have("haproxy", "haproxy") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (chain, key, trusted) = certificate(folder.path());
    let both = folder.path().join("tracker.pem");
    fs::write(&both, fs::read_to_string(chain).unwrap() + &fs::read_to_string(key).unwrap()).unwrap();
    let mut tracker = command();
    tracker.args(["--trusted-proxies", "127.0.0.1", "--proxy-protocol", "127.0.0.1:0"]);
    let tracker = Program::start_as(tracker, &[("http", "127.0.0.1:0")]);
    let port = free_port();
    let config = example(
        "haproxy.cfg",
        &[
            ("bind :::443 v4v6 ssl", &format!("bind 127.0.0.1:{port} ssl")),
            ("/etc/haproxy/tracker.pem", both.to_str().unwrap()),
            ("server local 127.0.0.1:6968", &format!("server local {}", tracker.address(0))),
        ],
    );
    let file = folder.path().join("haproxy.cfg");
    fs::write(&file, config).unwrap();
    let mut haproxy = Command::new("haproxy");
    haproxy.arg("-db").arg("-f").arg(&file);
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let _haproxy = start(haproxy, address, &folder.path().join("log"));
    the_tracker_sees_the_clients(address, &trusted);
}
