//! The daemon, `peerfeed run`: one data folder at work until a signal ends it.

mod signals;

use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::api::limits::{LOCK_PATIENCE, LOCK_RETRY};
use crate::api::{Client, Failure, SOCKET, Server};
use crate::node::{NodeOptions, StartError};
use crate::service::Service;
use crate::store::OpenError;

use signals::Signals;

/// Longest time from the first signal to the end of the process: what service managers grant without being told.
pub const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(5);

/// File descriptors that are asked for: more than there may be connections.
const DESCRIPTORS: u64 = 16_384;

/// A daemon whose sockets are open.
pub struct Daemon {
    service: Arc<Service>,
    server: Server,
    signals: Signals,
}

impl Daemon {
    /// Takes the data folder and opens the sockets: those for peers and the one for commands.
    pub async fn start(options: NodeOptions) -> Result<Self, Failure> {
        let signals =
            Signals::listen().map_err(|error| Failure::failed(format!("cannot wait for signals: {error}")))?;
        raise_descriptors();
        let socket = options.data_dir.join(SOCKET);
        let give_up = Instant::now() + LOCK_PATIENCE;
        let service = loop {
            if Client::connect(&socket).await.is_ok() {
                return Err(Failure::failed(format!("a daemon already runs on {}", options.data_dir.display()))
                    .hint("`peerfeed status` shows it; use another folder with `--data DIR`"));
            }
            match Service::start(options.clone()).await {
                Ok(service) => break service,
                // A command that will be done in a moment.
                Err(StartError::Store { source: OpenError::Held { .. }, .. }) if Instant::now() < give_up => {
                    tokio::time::sleep(LOCK_RETRY).await;
                }
                Err(error) => return Err(error.into()),
            }
        };
        let server = match Server::bind(&socket) {
            Ok(server) => server,
            Err(error) => {
                service.shutdown().await;
                return Err(
                    Failure::of(&error).hint("a path to a socket has at most 107 bytes: choose a shorter `--data DIR`")
                );
            }
        };
        Ok(Self { service: Arc::new(service), server, signals })
    }

    /// What answers calls.
    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// Serves until SIGTERM, SIGINT or `end`; then tells trackers, syncs and ends. A second signal ends it at once.
    pub async fn run(self, end: impl Future<Output = ()>) -> Result<(), Failure> {
        let Self { service, server, mut signals } = self;
        let serving = tokio::spawn(server.run(Arc::clone(&service)));
        let friends = Arc::clone(&service);
        let granting = tokio::spawn(async move { friends.keep_granting().await });
        let letters = Arc::clone(&service);
        let mailing = tokio::spawn(async move { letters.keep_mailing().await });
        tokio::select! {
            () = signals.next() => {}
            () = end => {}
        }
        // Commands that wait for an answer see the connection end.
        serving.abort();
        granting.abort();
        mailing.abort();
        serving.await.ok();
        granting.await.ok();
        mailing.await.ok();
        let stop = async {
            tokio::select! {
                () = service.shutdown() => Ok(()),
                () = signals.next() => Err(Failure::failed("stopped at once, as a second signal asked")),
            }
        };
        match tokio::time::timeout(SHUTDOWN_PATIENCE, stop).await {
            Ok(outcome) => outcome,
            // What was acknowledged is synced already; only the trackers were not told.
            Err(_) => Err(Failure::failed("stopped, but not everything ended in time")),
        }
    }
}

/// Each connection is a file descriptor: takes as many as the system grants without being asked by root.
fn raise_descriptors() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most.min(DESCRIPTORS), most));
    if let Err(error) = raised {
        tracing::debug!(%error, "the limit of file descriptors stays as it is");
    }
}
