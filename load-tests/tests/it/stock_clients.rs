//! Our tracker is an ordinary one: other people's clients find each other through it.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use peerfeed_load_tests::daemon::{Daemon, until};
use peerfeed_load_tests::stock;
use peerfeed_load_tests::tracker::Tracker;

use crate::story::sha256;

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn aria2_fetches_from_transmission_through_our_tracker_over_http() -> Result<()> {
    torrent_travels("http")
}

#[test]
fn aria2_fetches_from_transmission_through_our_tracker_over_udp() -> Result<()> {
    torrent_travels("udp")
}

fn torrent_travels(scheme: &str) -> Result<()> {
    let Some(transmission) = stock::find("transmission-cli", "transmission-cli")? else { return Ok(()) };
    let Some(create) = stock::find("transmission-create", "transmission-cli")? else { return Ok(()) };
    let Some(aria2) = stock::find("aria2c", "aria2")? else { return Ok(()) };
    let tracker = Tracker::start("127.0.0.1")?;
    let folder = tempfile::tempdir()?;
    let [served, fetched, config] = ["served", "fetched", "config"].map(|name| folder.path().join(name));
    for path in [&served, &fetched, &config] {
        fs::create_dir(path)?;
    }
    let content: Vec<u8> =
        (0u32..500_000).flat_map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
    fs::write(served.join("cargo.bin"), &content)?;
    let torrent = folder.path().join("cargo.torrent");
    let made = Command::new(create)
        .args(["-t", tracker.url(scheme)?, "-o"])
        .arg(&torrent)
        .arg(served.join("cargo.bin"))
        .output()
        .context("cannot make a torrent")?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

    let info_hash = info_hash(&torrent)?;
    let serving = serve(&transmission, &config, &served, &torrent)?;
    // Who asks before anybody is there asks again only after the tracker's interval.
    until("the tracker knows of Transmission", PATIENCE, || {
        Ok(seeds(&tracker.http_url, &info_hash)?.contains("8:completei1e").then_some(()))
    })?;
    // Transmission never dials 127.0.0.0/8, so aria2 is the one that dials.
    let mut command = Command::new(aria2);
    command
        .args(["--seed-time=0", "--enable-dht6=false", "--enable-peer-exchange=false", "--bt-enable-lpd=false"])
        .args(["--no-conf=true", "--file-allocation=none"])
        // Without its DHT socket aria2 speaks no UDP at all. It knows no node of the DHT, and Transmission's is off.
        .arg(format!("--enable-dht={}", scheme == "udp"))
        .arg(format!("--dht-file-path={}", folder.path().join("dht.dat").display()))
        .arg(format!("--dht-listen-port={}", stock::free_port()?))
        .arg(format!("--listen-port={}", stock::free_port()?))
        .arg(format!("--dir={}", fetched.display()))
        .arg(&torrent);
    let mut fetching = Daemon::start("aria2c", &mut command)?;
    let here = fetched.join("cargo.bin");
    until("aria2 has the whole file", PATIENCE, || {
        let said = fetching.output();
        let Ok(bytes) = fs::read(&here) else { return Ok(None) };
        let whole = sha256(&bytes) == sha256(&content);
        if !whole {
            fetching
                .wait_for("to go on", Duration::from_secs(1), |_| Some(()))
                .with_context(|| format!("it ended without the whole file: {}", String::from_utf8_lossy(&said)))?;
        }
        Ok(whole.then_some(()))
    })
    .with_context(|| format!("transmission said: {}", String::from_utf8_lossy(&serving.output())))
}

/// The torrent's info hash, percent-encoded.
fn info_hash(torrent: &Path) -> Result<String> {
    let shown = Command::new("transmission-show").arg(torrent).output().context("cannot run transmission-show")?;
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let hash = shown.lines().find_map(|line| line.trim().strip_prefix("Hash: ")).context("no hash is shown")?;
    Ok(hash.as_bytes().chunks(2).map(|pair| format!("%{}", String::from_utf8_lossy(pair))).collect())
}

/// What the tracker answers to a scrape.
fn seeds(http_url: &str, info_hash: &str) -> Result<String> {
    let address = http_url.trim_start_matches("http://").trim_end_matches("/announce");
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET /scrape?info_hash={info_hash} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn serve(transmission: &Path, config: &Path, served: &Path, torrent: &Path) -> Result<Daemon> {
    // Nothing but the tracker may bring the two together.
    fs::write(
        config.join("settings.json"),
        r#"{ "dht-enabled": false, "lpd-enabled": false, "pex-enabled": false, "utp-enabled": false }"#,
    )?;
    let port = stock::free_port()?.to_string();
    let mut command = Command::new(transmission);
    command.arg("-g").arg(config).arg("-w").arg(served).args(["-p", &port, "-M"]).arg(torrent);
    Daemon::start("transmission-cli", &mut command)
}
