//! How a node is to run.

use std::net::SocketAddr;
use std::path::PathBuf;

use peerfeed_protocol::announce::TrackerUrl;

/// Where a node accepts connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Listen {
    /// The default port on all addresses; any free port when it is taken.
    #[default]
    Default,
    /// Exactly these addresses; port 0 takes any. A taken address is an error.
    On(Vec<SocketAddr>),
    /// Nowhere: connections go out only.
    None,
}

/// How a node is to run.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// The data folder; made with mode 0700 when it is missing.
    pub data_dir: PathBuf,
    /// Where connections are accepted.
    pub listen: Listen,
    /// Whether the node tells trackers what it serves and stays connected to the peers of its feeds (the daemon), or
    /// only looks up what [`super::Node::sync`] and its like are asked for (a command).
    pub serve: bool,
    /// Whether a serving node announces itself to trackers.
    pub announce: bool,
    /// Trackers to ask for every feed, beside those that manifests and links name.
    pub trackers: Vec<TrackerUrl>,
    /// Bytes per second that all connections together may send; none for no limit.
    pub up: Option<u64>,
    /// Bytes per second that all connections together may receive; none for no limit.
    pub down: Option<u64>,
    /// Memory for the store's cache, bytes.
    pub cache_bytes: usize,
    /// What is going on, for who finds the folder locked: the command's name.
    pub purpose: String,
}

impl NodeOptions {
    /// A daemon on this folder with everything at its default.
    pub fn daemon(data_dir: PathBuf) -> Self {
        Self {
            data_dir,
            listen: Listen::Default,
            serve: true,
            announce: true,
            trackers: Vec::new(),
            up: None,
            down: None,
            cache_bytes: 64 << 20,
            purpose: "run".to_owned(),
        }
    }

    /// A command on this folder: it listens on nothing and announces nothing.
    pub fn command(data_dir: PathBuf, purpose: &str) -> Self {
        Self {
            listen: Listen::None,
            serve: false,
            announce: false,
            purpose: purpose.to_owned(),
            ..Self::daemon(data_dir)
        }
    }
}
