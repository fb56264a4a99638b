//! The whole program without its command line: bind, run, reload, shut down.

mod bound;
mod reload;
mod rounds;
mod secret;
mod source;
mod stopwatch;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

pub use bound::{Bound, Transport};
pub use reload::{ReloadError, Reloaded, Reloader};

use crate::access::{Access, ListError};
use crate::config::Config;
use crate::host::check::{Finding, Needs};
use crate::host::files::{TooFewFiles, is_want_of_files, raise_open_files, spares_files};
use crate::limit::{HTTP_BACKLOG, UDP_RECEIVE_BUFFER_BYTES, WORKERS_MAX};
use crate::status::{self, Status};
use crate::tls::{Acceptor, CertificateError};
use crate::tracker::{NoRandomness, Tracker};
use crate::{http, udp};

use bound::listen;
use secret::connection_secret;
use source::Running;

/// A tracker whose listeners are all bound, and that answers once it [runs](Self::run).
pub struct Server {
    tracker: Arc<Tracker>,
    bound: Vec<Bound>,
    /// By worker, each with a socket per address.
    http: Vec<Vec<http::Listener>>,
    udp: Vec<udp::Worker>,
    status: Vec<TcpListener>,
    running: Running,
    tls: Option<Acceptor>,
    config: Config,
    stop: watch::Sender<bool>,
}

/// Ends a running server from anywhere.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Sender<bool>);

/// Why a server does not start. All of these are for the operator.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// An address cannot be had.
    #[error("cannot listen on {0}: {1}", Bound { transport: *transport, address: *address }, remedy(source))]
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
    /// A list of hashes cannot be read.
    #[error(transparent)]
    List(#[from] ListError),
    /// The certificate cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// No keys can be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// Why a server whose listeners are bound does not run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A runtime cannot be made, or a listener not be watched.
    #[error("cannot serve HTTP: allow it more open files (LimitNOFILE in its unit, or `ulimit -n`) or more memory")]
    Http(#[source] io::Error),
    /// Everything has begun, but nothing is left for connections.
    #[error("cannot serve HTTP")]
    TooFewFiles(#[from] TooFewFiles),
}

/// What to do about a listener that cannot be bound.
fn remedy(error: &io::Error) -> &'static str {
    if is_want_of_files(error) {
        return "allow it more open files (LimitNOFILE in its unit, or `ulimit -n`)";
    }
    match error.kind() {
        io::ErrorKind::AddrNotAvailable => "this machine has no such address; [::] stands for all that it has",
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 are for root: start it as root with --user NAME, or take a higher port"
        }
        _ => "is another program using it?",
    }
}

impl Server {
    /// Binds every listener of `config` and reads its lists, certificate and secret. Must be called within a tokio runtime.
    pub fn bind(config: &Config) -> Result<Self, BindError> {
        let access = Access::load(&config.access_files())?;
        let tls = config.certificate_files().as_ref().map(Acceptor::load).transpose()?;
        let tracker = Arc::new(Tracker::with_secret(config, connection_secret(config)?, access)?);
        let connections = usize::try_from(config.http_connections).expect("64-bit platforms only");
        let places = http::Places::new(connections, tracker.budget().connections_bytes());
        let running = Running::new(tracker.clone(), places, config.http_connections);
        let stop = watch::channel(false).0;
        let (bound, udp, status) = (vec![], vec![], vec![]);
        let http = std::iter::repeat_with(Vec::new).take(workers(0)).collect();
        let mut server = Self { tracker, bound, http, udp, status, running, tls, config: config.clone(), stop };
        server.bind_http(Transport::Http, &config.http)?;
        server.bind_http(Transport::Https, &config.https)?;
        server.bind_udp(&config.udp)?;
        server.bind_status(&config.status)?;
        server.running.findings = server.check_host();
        Ok(server)
    }

    /// Does all that [`bind`](Self::bind) does, but on free ports of loopback addresses, so that it can be done beside a
    /// running tracker.
    pub fn rehearse(config: &Config) -> Result<Self, BindError> {
        let elsewhere = |addresses: &[SocketAddr]| addresses.iter().map(|_| (Ipv4Addr::LOCALHOST, 0).into()).collect();
        Self::bind(&Config {
            http: elsewhere(&config.http),
            https: elsewhere(&config.https),
            udp: elsewhere(&config.udp),
            status: elsewhere(&config.status),
            ..config.clone()
        })
    }

    fn bind_http(&mut self, transport: Transport, addresses: &[SocketAddr]) -> Result<(), BindError> {
        let workers = self.http.len();
        for &address in addresses {
            let bind = |address, only_v6| http::bind(address, only_v6, workers);
            let sockets = listen(transport, address, addresses, bind)?;
            let bound = sockets.first().map_or(Ok(address), std::net::TcpListener::local_addr);
            self.note(transport, address, bound)?;
            let front = Arc::new(http::Front {
                tls: self.tls.clone().filter(|_| transport == Transport::Https),
                proxy_protocol: self.config.proxy_protocol.contains(&address),
                trusted: self.config.trusted_proxies.clone().into(),
            });
            for (socket, worker) in sockets.into_iter().zip(&mut self.http) {
                let (tracker, places) = (self.tracker.clone(), self.running.places.clone());
                worker.push(http::Listener::new(socket, tracker, places, front.clone())?);
            }
        }
        Ok(())
    }

    fn bind_udp(&mut self, addresses: &[SocketAddr]) -> Result<(), BindError> {
        let workers = workers(self.config.udp_workers);
        for &address in addresses {
            let bind = |address, only_v6| udp::bind(address, only_v6, workers);
            let sockets = listen(Transport::Udp, address, addresses, bind)?;
            let bound = sockets.first().map_or(Ok(address), std::net::UdpSocket::local_addr);
            self.note(Transport::Udp, address, bound)?;
            for socket in sockets {
                self.udp.push(udp::Worker::new(socket, self.tracker.clone())?);
            }
        }
        Ok(())
    }

    fn bind_status(&mut self, addresses: &[SocketAddr]) -> Result<(), BindError> {
        for &address in addresses {
            let socket = listen(Transport::Status, address, addresses, |address, _| status::bind(address))?;
            self.note(Transport::Status, address, socket.local_addr())?;
            self.status.push(socket);
        }
        Ok(())
    }

    fn note(
        &mut self,
        transport: Transport,
        address: SocketAddr,
        bound: io::Result<SocketAddr>,
    ) -> Result<(), BindError> {
        let address = bound.map_err(|source| BindError::Listen { transport, address, source })?;
        self.bound.push(Bound { transport, address });
        if transport == Transport::Udp {
            self.running.udp_ports.push(address.port());
        }
        Ok(())
    }

    /// Raises the limit of open files and names what the host lacks.
    fn check_host(&self) -> Vec<Finding> {
        let count = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
        let needs = Needs {
            receive_buffer_bytes: if self.udp.is_empty() { 0 } else { count(UDP_RECEIVE_BUFFER_BYTES) },
            sockets: u64::from(self.config.http_connections)
                + count(self.udp.len() + self.http.iter().map(Vec::len).sum::<usize>()),
            backlog: if self.http.iter().all(Vec::is_empty) { 0 } else { HTTP_BACKLOG.into() },
            memory_bytes: count(self.tracker.budget().total_bytes()),
        };
        self.running.host.check(needs, raise_open_files())
    }

    /// What the host lacks, the most harmful first.
    pub fn findings(&self) -> &[Finding] {
        &self.running.findings
    }

    /// What can be exchanged while it runs.
    pub fn reloader(&self) -> Reloader {
        Reloader { tracker: self.tracker.clone(), tls: self.tls.clone(), config: self.config.clone() }
    }

    /// Where it listens, in the order of the configuration: HTTP, HTTPS, UDP, the status page.
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

    /// Answers until [`Shutdown::trigger`]; returns when every listener has ended, or at once where one cannot begin. Each
    /// worker has a thread of its own, and HTTP a runtime in it, so that a connection stays where it was accepted.
    pub async fn run(mut self) -> Result<(), StartError> {
        let (mut threads, mut started) = (Vec::new(), Vec::new());
        for worker in std::mem::take(&mut self.http) {
            let (tell, told) = oneshot::channel();
            let stop = self.stop.subscribe();
            threads.push(thread::spawn(move || serve_http(worker, stop, tell)));
            started.push(told);
        }
        for told in started {
            // Who dropped its end has broken off.
            told.await.unwrap_or_else(|_| Err(io::Error::other("its thread ended"))).map_err(StartError::Http)?;
        }
        spares_files()?;
        self.run_with(threads, JoinSet::new()).await;
        Ok(())
    }

    /// The same, but HTTP runs in the caller's runtime, so that a test can let its time jump.
    pub async fn run_in_place(mut self) -> Result<(), StartError> {
        let mut listeners = JoinSet::new();
        for listener in std::mem::take(&mut self.http).into_iter().flatten() {
            listeners.spawn(listener.watch().map_err(StartError::Http)?.run(self.stop.subscribe()));
        }
        self.run_with(vec![], listeners).await;
        Ok(())
    }

    async fn run_with(self, mut threads: Vec<JoinHandle<()>>, mut listeners: JoinSet<()>) {
        let stop_threads = Arc::new(AtomicBool::new(false));
        for worker in self.udp {
            let stop = stop_threads.clone();
            threads.push(thread::spawn(move || worker.run(&stop)));
        }
        let status = Arc::new(Status::new(self.running));
        listeners.spawn(status.clone().remember(self.stop.subscribe()));
        for socket in self.status {
            listeners.spawn(status.clone().run(socket, self.stop.subscribe()));
        }
        let mut stop = self.stop.subscribe();
        tokio::select! {
            _ = stop.wait_for(|&stop| stop) => {}
            () = rounds::go(&self.tracker) => {}
        }
        stop_threads.store(true, Ordering::Relaxed);
        while listeners.join_next().await.is_some() {}
        let joined = tokio::task::spawn_blocking(move || {
            for thread in threads {
                let _ = thread.join();
            }
        });
        let _ = joined.await;
        rounds::log_counts(&self.tracker);
    }
}

/// Serves these listeners until they end, in a runtime of its own; tells first whether it can.
fn serve_http(worker: Vec<http::Listener>, stop: watch::Receiver<bool>, tell: oneshot::Sender<io::Result<()>>) {
    let prepare = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let entered = runtime.enter();
        let listeners = worker.into_iter().map(http::Listener::watch).collect::<io::Result<Vec<_>>>()?;
        drop(entered);
        Ok((runtime, listeners))
    };
    let (runtime, listeners) = match prepare() {
        Ok(ready) => ready,
        Err(error) => return drop(tell.send(Err(error))),
    };
    // Where nobody hears it any more, the server ends.
    let _ = tell.send(Ok(()));
    runtime.block_on(async move {
        let mut all = JoinSet::new();
        for listener in listeners {
            all.spawn(listener.run(stop.clone()));
        }
        while all.join_next().await.is_some() {}
    });
}

impl Shutdown {
    /// Ends the server; calling it again does nothing.
    pub fn trigger(&self) {
        self.0.send_replace(true);
    }
}

/// As many as are set, or one for each processor.
fn workers(set: u16) -> usize {
    match usize::from(set) {
        0 => thread::available_parallelism().map_or(1, NonZero::get).min(WORKERS_MAX),
        workers => workers,
    }
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::*;

    #[test]
    fn who_cannot_listen_is_told_what_to_do_about_it() {
        let told = |errno: Errno| {
            let address = (Ipv4Addr::LOCALHOST, 1).into();
            BindError::Listen { transport: Transport::Udp, address, source: errno.into() }.to_string()
        };
        assert!(told(Errno::EADDRINUSE).contains("another program"));
        assert!(told(Errno::EMFILE).contains("ulimit -n") && !told(Errno::EMFILE).contains("another program"));
    }
}
