//! The whole program without its command line: bind, run, shut down.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time;

use crate::config::Config;
use crate::host::Host;
use crate::limit::{COMPLAINT_PERIOD, LOOK_PERIOD, REPORT_PERIOD, SWEEP_PERIOD, UDP_WORKERS_MAX};
use crate::metrics::Complaints;
use crate::swarm::SwarmMap;
use crate::tracker::{NoRandomness, Tracker, random_bytes};
use crate::{http, udp};

/// A tracker whose listeners are all bound, and that answers once it [runs](Self::run).
pub struct Server {
    tracker: Arc<Tracker>,
    bound: Vec<Bound>,
    http: Vec<http::Listener>,
    udp: Vec<udp::Worker>,
    stop: watch::Sender<bool>,
}

/// One address on which a server listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Over what.
    pub transport: Transport,
    /// Where; never port 0.
    pub address: SocketAddr,
}

/// What carries requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// HTTP/1.1.
    Http,
    /// Datagrams.
    Udp,
}

/// Ends a running server from anywhere.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Sender<bool>);

/// Why a server does not start. All of these are for the operator.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// An address cannot be had.
    #[error("cannot listen on {0}: is another program using it?", Bound { transport: *transport, address: *address })]
    Listen {
        /// Over what.
        transport: Transport,
        /// Where.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The file with the secret of connection ids cannot be read.
    #[error("cannot read connection_key_file {}", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// It holds something else.
    #[error("connection_key_file {} is not 32 hexadecimal digits: `openssl rand -hex 16` makes them", path.display())]
    Key {
        /// The file.
        path: PathBuf,
    },
    /// No keys can be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

impl Server {
    /// Binds every listener of `config`. Must be called within a tokio runtime.
    pub fn bind(config: &Config) -> Result<Self, BindError> {
        let tracker = Arc::new(Tracker::with_secret(config, connection_secret(config)?)?);
        let connections = usize::try_from(config.http_connections).expect("64-bit platforms only");
        let places = http::Places::new(connections, tracker.budget().connections_bytes());
        let mut server =
            Self { tracker: tracker.clone(), bound: vec![], http: vec![], udp: vec![], stop: watch::channel(false).0 };
        for &address in &config.http {
            let socket = listen(Transport::Http, address, &config.http, http::bind)?;
            let address = socket.local_addr().map_err(|source| BindError::Listen {
                transport: Transport::Http,
                address,
                source,
            })?;
            server.bound.push(Bound { transport: Transport::Http, address });
            let front = http::Front::default();
            server.http.push(http::Listener::new(socket, tracker.clone(), places.clone(), front)?);
        }
        let workers = workers(config);
        for &address in &config.udp {
            let bind = |address, only_v6| udp::bind(address, only_v6, workers);
            let sockets = listen(Transport::Udp, address, &config.udp, bind)?;
            let bound = sockets.first().and_then(|socket| socket.local_addr().ok()).unwrap_or(address);
            server.bound.push(Bound { transport: Transport::Udp, address: bound });
            for socket in sockets {
                server.udp.push(udp::Worker::new(socket, tracker.clone())?);
            }
        }
        Ok(server)
    }

    /// Where it listens, in the order of the configuration, HTTP first.
    pub fn bound(&self) -> &[Bound] {
        &self.bound
    }

    /// The state that its listeners share: counts for tests and reports.
    pub fn tracker(&self) -> Arc<Tracker> {
        self.tracker.clone()
    }

    /// What ends it.
    pub fn shutdown(&self) -> Shutdown {
        Shutdown(self.stop.clone())
    }

    /// Answers until [`Shutdown::trigger`]; returns when every listener has ended.
    pub async fn run(self) {
        let stop_threads = Arc::new(AtomicBool::new(false));
        let threads: Vec<JoinHandle<()>> = self
            .udp
            .into_iter()
            .map(|worker| {
                let stop = stop_threads.clone();
                thread::spawn(move || worker.run(&stop))
            })
            .collect();
        let mut listeners = JoinSet::new();
        for listener in self.http {
            listeners.spawn(listener.run(self.stop.subscribe()));
        }
        let mut stop = self.stop.subscribe();
        tokio::select! {
            _ = stop.wait_for(|&stop| stop) => {}
            () = sweep(&self.tracker) => {}
            () = report(&self.tracker) => {}
            () = look(&self.tracker) => {}
            () = complain(&self.tracker) => {}
        }
        stop_threads.store(true, Ordering::Relaxed);
        while listeners.join_next().await.is_some() {}
        let joined = tokio::task::spawn_blocking(move || {
            for thread in threads {
                let _ = thread.join();
            }
        });
        let _ = joined.await;
        log_counts(&self.tracker);
    }
}

impl Shutdown {
    /// Ends the server; calling it again does nothing.
    pub fn trigger(&self) {
        self.0.send_replace(true);
    }
}

/// The address as a client writes it.
impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.transport {
            Transport::Http => write!(f, "http://{}/announce", self.address),
            Transport::Udp => write!(f, "udp://{}", self.address),
        }
    }
}

/// Binds one address. `[::]` takes IPv4 as well, unless `0.0.0.0` is listed for the same port; on a machine without IPv6
/// `0.0.0.0` takes its place.
fn listen<T>(
    transport: Transport,
    address: SocketAddr,
    listed: &[SocketAddr],
    bind: impl Fn(SocketAddr, bool) -> io::Result<T>,
) -> Result<T, BindError> {
    let any_v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
    let is_any_v6 = address.is_ipv6() && address.ip().is_unspecified();
    let only_v6 = !is_any_v6 || listed.contains(&any_v4);
    let bound = match bind(address, only_v6) {
        Err(error) if is_any_v6 && !only_v6 && lacks_ipv6(&error) => bind(any_v4, false),
        bound => bound,
    };
    bound.map_err(|source| BindError::Listen { transport, address, source })
}

fn lacks_ipv6(error: &io::Error) -> bool {
    use nix::errno::Errno;
    let errors = [Errno::EAFNOSUPPORT, Errno::EADDRNOTAVAIL];
    error.raw_os_error().is_some_and(|code| errors.contains(&Errno::from_raw(code)))
}

/// The secret under which connection ids are made: the operator's, or one that nobody knows.
fn connection_secret(config: &Config) -> Result<[u8; 16], BindError> {
    let path = config.connection_key_file.clone();
    if path.as_os_str().is_empty() {
        return Ok(random_bytes()?);
    }
    let text = std::fs::read_to_string(&path);
    let text = text.map_err(|source| BindError::KeyFile { path: path.clone(), source })?;
    let digits = text.trim();
    let is_key = digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let secret = u128::from_str_radix(digits, 16).ok().filter(|_| is_key);
    Ok(secret.ok_or(BindError::Key { path })?.to_be_bytes())
}

fn workers(config: &Config) -> usize {
    match usize::from(config.udp_workers) {
        0 => thread::available_parallelism().map_or(1, NonZero::get).min(UDP_WORKERS_MAX),
        workers => workers,
    }
}

/// Forgets expired peers, shard by shard, once per [`SWEEP_PERIOD`].
async fn sweep(tracker: &Tracker) {
    let shards = u32::try_from(SwarmMap::SHARDS).expect("about a thousand");
    let mut ticks = time::interval(SWEEP_PERIOD / shards);
    ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    for step in 0.. {
        ticks.tick().await;
        tracker.swarms.sweep(step, tracker.moment().up);
    }
}

/// Logs counts, once per [`REPORT_PERIOD`].
async fn report(tracker: &Tracker) {
    let mut ticks = time::interval(REPORT_PERIOD);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        log_counts(tracker);
    }
}

/// Lets the tracker adapt to its load and its memory, once per [`LOOK_PERIOD`].
async fn look(tracker: &Tracker) {
    let host = Host::new();
    let mut ticks = time::interval(LOOK_PERIOD);
    ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        tracker.look(host.resident_bytes());
    }
}

/// Logs refusals, one line per cause and [`COMPLAINT_PERIOD`].
async fn complain(tracker: &Tracker) {
    let mut complaints = Complaints::new();
    let mut ticks = time::interval(COMPLAINT_PERIOD);
    loop {
        ticks.tick().await;
        for (cause, count) in complaints.news(&tracker.metrics) {
            tracing::info!(cause = cause.name(), count, "{}", cause.meaning());
        }
    }
}

/// Logs what is held and what has happened, and nothing that names a peer or a swarm.
fn log_counts(tracker: &Tracker) {
    let totals = tracker.swarms.totals();
    tracing::info!(
        up_s = tracker.moment().up.as_secs(),
        swarms_v4 = totals.swarms_v4,
        swarms_v6 = totals.swarms_v6,
        peers_v4 = totals.peers_v4,
        peers_v6 = totals.peers_v6,
        memory_bytes = totals.bytes,
        "{}",
        tracker.metrics
    );
}
