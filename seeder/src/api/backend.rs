//! The way from a command to the engine: a daemon's socket when one runs, else the engine in this process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use peerfeed_protocol::announce::TrackerUrl;
use tokio::task::JoinHandle;

use super::limits::{LOCK_PATIENCE, LOCK_RETRY};
use super::{Answers, Call, Client, ConnectError, Failure, Server, answer};
use crate::node::{Listen, NodeOptions, StartError};
use crate::service::Service;
use crate::store::OpenError;

/// Name of the daemon's socket in the data folder.
pub const SOCKET: &str = "peerfeed.sock";

/// What a command needs of the engine.
#[derive(Clone, Debug)]
pub struct BackendOptions {
    /// The data folder.
    pub data: PathBuf,
    /// Addresses to listen on, when said; used only without a daemon.
    pub listen: Option<Vec<SocketAddr>>,
    /// Trackers to ask beside those that are known; used only without a daemon, which takes them with the call.
    pub trackers: Vec<TrackerUrl>,
    /// Whether a folder that is not there may be made.
    pub creates_folder: bool,
    /// Whether the engine is to stay connected to the peers of its feeds (`read --follow`).
    pub stays_connected: bool,
    /// The command's name, for who finds the folder held.
    pub purpose: &'static str,
}

/// The engine, near or far.
pub enum Backend {
    /// A daemon runs on the folder.
    Daemon(Client),
    /// This process holds the folder. If it does so for long, it serves other commands meanwhile.
    Own(Arc<Service>, Option<JoinHandle<()>>),
}

impl Backend {
    /// Finds the daemon, or starts the engine here. Another command that holds the folder is waited for a little while.
    pub async fn open(options: BackendOptions) -> Result<Self, Failure> {
        let give_up = Instant::now() + LOCK_PATIENCE;
        loop {
            match Client::connect(&options.data.join(SOCKET)).await {
                Ok(client) => return Ok(Self::Daemon(client)),
                Err(ConnectError::NotRunning) => {}
                Err(error) => return Err(Failure::of(&error)),
            }
            if !options.creates_folder && !options.data.join("store.redb").exists() {
                return Err(Failure::failed(format!("there is nothing in {} yet", options.data.display()))
                    .hint("begin with `peerfeed init`, `peerfeed add LINK` or `peerfeed seed LINK`"));
            }
            match Service::start(node_options(&options)).await {
                Ok(service) => return Ok(Self::own(service, &options)),
                Err(StartError::Store { source: OpenError::Held { .. }, .. }) if Instant::now() < give_up => {
                    tokio::time::sleep(LOCK_RETRY).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn own(service: Service, options: &BackendOptions) -> Self {
        let service = Arc::new(service);
        if !options.stays_connected {
            return Self::Own(service, None);
        }
        // Without a socket other commands must wait; that is no reason not to do this one.
        let server = Server::bind(&options.data.join(SOCKET)).ok();
        let serving = server.map(|server| tokio::spawn(server.run(Arc::clone(&service))));
        Self::Own(service, serving)
    }

    /// Starts a call.
    pub fn call(&self, call: Call) -> Answers {
        match self {
            Self::Daemon(client) => client.call(call),
            Self::Own(service, _) => answer(Arc::clone(service), call),
        }
    }

    /// Ends the engine if it is here.
    pub async fn close(self) {
        if let Self::Own(service, serving) = self {
            if let Some(task) = serving {
                task.abort();
                // The socket's file goes with the task.
                task.await.ok();
            }
            service.shutdown().await;
        }
    }
}

fn node_options(options: &BackendOptions) -> NodeOptions {
    let listen = match &options.listen {
        Some(addresses) if !addresses.is_empty() => Listen::On(addresses.clone()),
        _ => Listen::None,
    };
    let command = NodeOptions::command(options.data.clone(), options.purpose);
    NodeOptions { listen, serve: options.stays_connected, trackers: options.trackers.clone(), ..command }
}
