//! The programs that are compared, each as a child process.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use peerfeed_protocol::announce::Event;
use peerfeed_protocol::announce::udp::Request;
use tempfile::TempDir;

use super::population::{Population, Shape};
use super::process::{Time, resident_bytes};
use super::udp::{Loader, NUMWANT, Pace, address_in};
use super::visitors::Everybody;
use crate::daemon::{Daemon, until};
use crate::stock::{Opentracker, free_port};
use crate::tracker::Tracker;

/// A running server and where it listens.
pub struct Contestant {
    /// What it is called in tables.
    pub name: &'static str,
    /// For datagrams.
    pub udp: Option<SocketAddrV4>,
    /// For HTTP.
    pub http: Option<SocketAddrV4>,
    daemon: Daemon,
    _folder: Option<TempDir>,
}

/// What our tracker is called in tables.
pub const OURS: &str = "peerfeed";

const START_PATIENCE: Duration = Duration::from_secs(60);

/// It sorts four million hashes in seconds, on a machine with other work in many.
const WHITELIST_PATIENCE: Duration = Duration::from_secs(120);

/// aquatic keeps peers for 20 minutes by default, which a run on a slow machine might outlast.
const AQUATIC_PEER_AGE_S: u32 = 7200;

impl Contestant {
    /// Our tracker, which treats loopback addresses as it treats everybody.
    pub fn peerfeed(flags: &[&str]) -> Result<Self> {
        let flags = [&["--limit-loopback", "true"], flags].concat();
        let Tracker { daemon, http_url, udp_url } = Tracker::start_with("127.0.0.1", &flags)?;
        let (udp, http) = (Some(address_in(&udp_url)?), Some(address_in(&http_url)?));
        Ok(Self { name: OURS, udp, http, daemon, _folder: None })
    }

    /// `aquatic_udp` with one worker; `None` when it is not there.
    pub fn aquatic_udp(tools: &Path) -> Result<Option<Self>> {
        let config = |address: SocketAddrV4| {
            format!(
                "socket_workers = 1\n[network]\naddress = \"{address}\"\n\
                 [protocol]\nmax_response_peers = {NUMWANT}\n\
                 [cleaning]\nmax_peer_age = {AQUATIC_PEER_AGE_S}\nmax_connection_age = {AQUATIC_PEER_AGE_S}\n"
            )
        };
        let Some((mut daemon, folder, address)) = aquatic(tools, "aquatic_udp", config)? else { return Ok(None) };
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(address)?;
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        until("aquatic_udp answers", START_PATIENCE, || {
            daemon.wait_for("to be running", Duration::from_secs(1), |_| Some(()))?;
            // Before it has bound its socket, sending fails.
            let is_sent = socket.send(&Request::Connect { transaction_id: 1 }.encode()).is_ok();
            Ok((is_sent && socket.recv(&mut [0; 64]).is_ok()).then_some(()))
        })?;
        Ok(Some(Self { name: "aquatic_udp", udp: Some(address), http: None, daemon, _folder: Some(folder) }))
    }

    /// `aquatic_http` with one worker of each kind; `None` when it is not there.
    pub fn aquatic_http(tools: &Path) -> Result<Option<Self>> {
        let config = |address: SocketAddrV4| {
            format!(
                "socket_workers = 1\nswarm_workers = 1\n[network]\naddress = \"{address}\"\nkeep_alive = true\n\
                 [protocol]\nmax_peers = {NUMWANT}\n[cleaning]\nmax_peer_age = {AQUATIC_PEER_AGE_S}\n"
            )
        };
        let Some((mut daemon, folder, address)) = aquatic(tools, "aquatic_http", config)? else { return Ok(None) };
        until("aquatic_http accepts connections", START_PATIENCE, || {
            daemon.wait_for("to be running", Duration::from_secs(1), |_| Some(()))?;
            Ok(std::net::TcpStream::connect(address).ok().map(drop))
        })?;
        Ok(Some(Self { name: "aquatic_http", udp: None, http: Some(address), daemon, _folder: Some(folder) }))
    }

    /// Debian's opentracker for these swarms; `None` when it is not there.
    pub fn opentracker(population: &Population) -> Result<Option<Self>> {
        let Some(program) = crate::stock::find("opentracker", "opentracker")? else { return Ok(None) };
        let folder = tempfile::tempdir()?;
        let Opentracker { daemon, http_url, udp_url } =
            Opentracker::start(&program, folder.path(), &population.hashes_hex())?;
        let (udp, http) = (Some(address_in(&udp_url)?), Some(address_in(&http_url)?));
        let mut server = Self { name: "opentracker", udp, http, daemon, _folder: Some(folder) };
        // It reads its whitelist beside its other work and refuses every hash until it has read all of it: a second for a
        // hundred thousand and more.
        // A goodbye would be answered without a look at the list; this peer is in every population.
        let one = Population::new(Shape::Even { swarms: 1, each: 1 });
        until("opentracker has read its whitelist", WHITELIST_PATIENCE, || {
            server.daemon.wait_for("to be running", Duration::from_secs(1), |_| Some(()))?;
            let pace = Pace { visits: 1, until: None, rate: None, repeats: false };
            let loader = Loader::new(address_in(&udp_url)?, &one, Event::Started)?;
            let tally = loader.run(&mut Everybody::of(&one), &pace)?;
            Ok((tally.announces > 0).then_some(()))
        })?;
        Ok(Some(server))
    }

    /// The floor for UDP, which `own`, this program, is when told so.
    pub fn floor_udp(own: &Path, peers: u32) -> Result<Self> {
        let mut daemon = Daemon::start("floor", Command::new(own).args(["floor-udp", &peers.to_string()]))?;
        let url = daemon.wait_for("its address", START_PATIENCE, address_line)?;
        Ok(Self { name: "floor", udp: Some(address_in(&url)?), http: None, daemon, _folder: None })
    }

    /// The floor for HTTP.
    pub fn floor_http(own: &Path, peers: u32) -> Result<Self> {
        let mut daemon = Daemon::start("bare hyper", Command::new(own).args(["floor-http", &peers.to_string()]))?;
        let url = daemon.wait_for("its address", START_PATIENCE, address_line)?;
        Ok(Self { name: "bare hyper", udp: None, http: Some(address_in(&url)?), daemon, _folder: None })
    }

    /// Processor time used so far.
    pub fn time(&self) -> Result<Time> {
        Time::of(self.daemon.pid()).with_context(|| format!("{} has ended", self.name))
    }

    /// Memory in use.
    pub fn resident_bytes(&self) -> Result<u64> {
        resident_bytes(self.daemon.pid())
    }

    /// Everything that it has printed.
    pub fn output(&self) -> Vec<u8> {
        self.daemon.output()
    }
}

fn aquatic(
    tools: &Path,
    program: &str,
    config: impl Fn(SocketAddrV4) -> String,
) -> Result<Option<(Daemon, TempDir, SocketAddrV4)>> {
    let path: PathBuf = tools.join("bin").join(program);
    if !path.is_file() {
        return Ok(None);
    }
    let folder = tempfile::tempdir()?;
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, free_port()?);
    let file = folder.path().join("config.toml");
    fs::write(&file, config(address))?;
    let daemon = Daemon::start(program, Command::new(&path).arg("-c").arg(&file).current_dir(folder.path()))?;
    Ok(Some((daemon, folder, address)))
}

/// The URL in the one line that a floor prints.
fn address_line(text: &str) -> Option<String> {
    let line = text.split_once('\n')?.0;
    line.strip_prefix("listening on ").map(str::to_owned)
}
