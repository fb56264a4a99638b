//! Brings a node up.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use nix::sys::resource::{Resource, getrlimit};
use peerfeed_protocol::peer::{Options as ConnectionOptions, aes_is_fast};
use tokio::net::TcpListener;
use tokio::sync::{broadcast, mpsc};
use zeroize::Zeroizing;

use super::engine_task::{EngineTask, Shared};
use super::handle::Node;
use super::holding;
use super::secrets::Secrets;
use super::{Listen, NodeOptions, StartError};
use crate::net::{self, Admission, Clock, Rates, Throttle};
use crate::store::{self, Store};
use crate::swarm::limits::{CONNECTIONS, DESCRIPTORS_RESERVED};
use crate::swarm::{Engine, Options};

/// The port on which seeders listen unless they are told otherwise.
const DEFAULT_PORT: u16 = peerfeed_protocol::limits::DEFAULT_PEER_PORT;

/// Entries that are remembered for a subscriber which is slow to take them.
const SUBSCRIPTION_ENTRIES: usize = 1_024;

/// See [`Node::start`].
pub(super) async fn start(options: NodeOptions) -> Result<Node, StartError> {
    let folder = options.data_dir.clone();
    let store_options = store::Options { cache_bytes: options.cache_bytes, ..store::Options::default() };
    let store = tokio::task::spawn_blocking(move || Store::open(&folder, &store_options))
        .await
        .expect("opening a store does not panic")
        .map_err(|source| StartError::Store { path: options.data_dir.clone(), source })?;
    with_store(options, store).await
}

/// As [`start`], over a store that is open already.
pub(super) async fn with_store(options: NodeOptions, store: Store) -> Result<Node, StartError> {
    let secrets = Arc::new(load_secrets(&options.data_dir)?);
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(StartError::Randomness)?;
    let listeners = bind(&options.listen)?;
    let listen: Vec<SocketAddr> = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
    let connections_max = connections_max();
    let engine = Engine::new(
        Options {
            connections_max,
            up: options.up,
            serve: options.serve,
            announce: options.announce,
            trackers: options.trackers.clone(),
            node: secrets.as_responder().key(),
            witness: secrets.witness().key(),
        },
        seed,
    );
    let (asks, asked) = mpsc::unbounded_channel();
    let (wishes, to_grant) = mpsc::channel(net::WISHES);
    let (entries, _) = broadcast::channel(SUBSCRIPTION_ENTRIES);
    let (mail, _) = broadcast::channel(SUBSCRIPTION_ENTRIES);
    let shared = Shared {
        store: store.clone(),
        clock: Clock::start(),
        secrets: Arc::clone(&secrets),
        listen_port: listen.first().map(SocketAddr::port).filter(|_| options.announce),
        rates: Rates { up: Arc::new(Throttle::new(options.up)), down: Arc::new(Throttle::new(options.down)) },
    };
    let mut task = EngineTask::new(
        engine,
        shared,
        asked,
        (entries.clone(), mail.clone()),
        listen.clone(),
        Admission::new(connections_max, wishes),
    );
    task.load_all().await.map_err(StartError::Read)?;
    tokio::spawn(task.run(listeners));
    let node = Node::new(store, listen, secrets.witness().key(), asks, (entries, mail));
    tokio::spawn(holding::run(node.downgrade(), to_grant));
    Ok(node)
}

/// As many connections as the system gives file descriptors for, up to a limit of our own.
fn connections_max() -> usize {
    let descriptors = getrlimit(Resource::RLIMIT_NOFILE).map_or(1_024, |(now, _)| now);
    let left = usize::try_from(descriptors).unwrap_or(usize::MAX).saturating_sub(DESCRIPTORS_RESERVED);
    left.clamp(1, CONNECTIONS)
}

fn load_secrets(folder: &Path) -> Result<Secrets, StartError> {
    let mut fresh = Zeroizing::new([0; 64]);
    getrandom::fill(&mut *fresh).map_err(StartError::Randomness)?;
    Secrets::load_or_make(folder, &fresh)
}

fn bind(listen: &Listen) -> Result<Vec<TcpListener>, StartError> {
    let failed = |address| move |source| StartError::Listen { address, source };
    match listen {
        Listen::None => Ok(Vec::new()),
        Listen::On(addresses) => {
            addresses.iter().map(|address| net::bind(*address).map_err(failed(*address))).collect()
        }
        Listen::Default => {
            let any = |port| SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, port));
            let listener = net::bind_everywhere(DEFAULT_PORT)
                .or_else(|_| net::bind_everywhere(0))
                .map_err(failed(any(DEFAULT_PORT)))?;
            Ok(vec![listener])
        }
    }
}

impl Shared {
    /// What every connection is told about this node, less what depends on the other side.
    pub(super) fn connection_options(&self, address: Option<SocketAddr>) -> ConnectionOptions {
        ConnectionOptions {
            listen_port: self.listen_port,
            program: concat!("peerfeed/", env!("CARGO_PKG_VERSION")).to_owned(),
            observed: address,
            fast_aes: aes_is_fast(),
            ..ConnectionOptions::new(self.secrets.as_responder())
        }
    }
}
