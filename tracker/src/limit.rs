//! Every fixed limit of the tracker, with its unit and its reason. What an operator may want to set is in [`crate::config`].

use std::time::Duration;

use peerfeed_protocol::announce::limits::UDP_REQUEST_BYTES_MAX;

/// Datagrams received or sent by one system call: beyond this the cost of a call no longer shows.
pub const UDP_BATCH: usize = 64;

/// Room for one datagram: a longer one is dropped.
pub const UDP_BUFFER_BYTES: usize = UDP_REQUEST_BYTES_MAX;

/// How soon a UDP worker that waits for datagrams notices that it has to end.
pub const UDP_WAKE: Duration = Duration::from_millis(200);

/// Receive buffer asked of the kernel for each UDP socket: a burst of 20,000 announces; the kernel may grant less.
pub const UDP_RECEIVE_BUFFER_BYTES: usize = 4 << 20;

/// Most workers per UDP address: more sockets than this gain nothing.
pub const UDP_WORKERS_MAX: usize = 64;

/// How long a UDP connection id is accepted. BEP 15 asks for 2 minutes; uTorrent goes on using old ones, and refusing
/// these only costs their owners 15 seconds of silence.
pub const CONNECTION_ID_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// Request line and headers: a scrape of 100 fully escaped hashes has 7,300 bytes, browsers add 1,000.
pub const HTTP_HEAD_BYTES_MAX: usize = 16 * 1024;

/// Headers of one request: browsers behind two proxies send 30.
pub const HTTP_HEADERS_MAX: usize = 64;

/// How long a client may take to send a request's head, and how long a connection may lie idle between requests.
pub const HTTP_HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may live: a client that neither reads nor goes away frees its place in the end.
pub const HTTP_CONNECTION_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// How long open connections may take to finish their request when the tracker ends.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(1);

/// A pause after an accept that failed for want of file descriptors: trying at once would only burn CPU.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Connections that the kernel keeps ready for the accept loop.
pub const HTTP_BACKLOG: u32 = 4096;

/// In how much time the sweep passes over the whole swarm map.
pub const SWEEP_PERIOD: Duration = Duration::from_secs(60);

/// How often the tracker logs its counts.
pub const REPORT_PERIOD: Duration = Duration::from_secs(5 * 60);

/// Most peers of one swarm and family: above any real swarm, below what one lock should guard.
pub const SWARM_PEERS_MAX: usize = 500_000;
