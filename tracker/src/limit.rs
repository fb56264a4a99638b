//! Every fixed limit of the tracker, with its unit and its reason. What an operator may want to set is in [`crate::config`].

use std::time::Duration;

use peerfeed_protocol::announce::limits::UDP_REQUEST_BYTES_MAX;

use crate::guard::{Rate, Tokens};

/// Datagrams received or sent by one system call: beyond this the cost of a call no longer shows.
pub const UDP_BATCH: usize = 64;

/// Room for one datagram: a longer one is dropped.
pub const UDP_BUFFER_BYTES: usize = UDP_REQUEST_BYTES_MAX;

/// How soon a UDP worker that waits for datagrams notices that it has to end.
pub const UDP_WAKE: Duration = Duration::from_millis(200);

/// Receive buffer asked of the kernel for each UDP socket: a burst of 20,000 announces; the kernel may grant less.
pub const UDP_RECEIVE_BUFFER_BYTES: usize = 4 << 20;

/// Most workers per address: more sockets than this gain nothing.
pub const WORKERS_MAX: usize = 64;

/// How long a UDP connection id is accepted. BEP 15 asks for 2 minutes; uTorrent goes on using old ones, and refusing
/// these only costs their owners 15 seconds of silence.
pub const CONNECTION_ID_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// Request line and headers: a scrape of 100 fully escaped hashes has 7,300 bytes, browsers add 1,000.
pub const HTTP_HEAD_BYTES_MAX: usize = 16 * 1024;

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

/// What is read at once, and what a head may take before it is charged: nearly every announce fits.
pub const HTTP_INPUT_BYTES: usize = 1024;

/// What an open HTTP connection is charged: its task, its input and the runtime's books (measured: 3 to 4 KiB).
pub const HTTP_CONNECTION_BYTES: usize = 4 * 1024;

/// What an open TLS connection is charged: the session's keys and buffers on top of that.
pub const TLS_CONNECTION_BYTES: usize = 40 * 1024;

/// What it is charged besides until hands are shaken: a client's messages may have 64 KiB together.
pub const TLS_HANDSHAKE_BYTES: usize = 32 * 1024;

/// A prefix may hold one in so many connections: eight attackers are needed to fill them all.
pub const HTTP_PREFIX_SHARE: usize = 8;

/// How long a client may take to read what it asked for.
pub const HTTP_WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may lie idle when places are scarce.
pub const HTTP_SCARCE_TIMEOUT: Duration = Duration::from_secs(2);

/// What a connection is charged besides while hyper speaks on it: a buffer of 8 KiB for reading, and the longest answer (a
/// scrape of 100 hashes, 10 KiB) with its head.
pub const HTTP_SERVING_BYTES: usize = 24 * 1024;

/// How long a closing connection goes on reading, so that the client gets its last answer and no reset.
pub const HTTP_LINGER: Duration = Duration::from_secs(1);

/// How much it reads then.
pub const HTTP_LINGER_BYTES_MAX: u64 = 256 * 1024;

/// Memory that the process takes before anybody asks for anything, threads, buffers for datagrams and the history of the
/// status page included (measured: 8 MiB).
pub const PROCESS_BYTES: usize = 12 << 20;

/// The part of the memory budget that is left free for what the allocator loses between pieces.
pub const ALLOCATOR_MEMORY_DIVISOR: usize = 16;

/// The smallest budget with which everything above can be kept.
pub const MEMORY_BYTES_MIN: u64 = 32 << 20;

/// The part of the memory budget that HTTP connections may take.
pub const HTTP_MEMORY_DIVISOR: usize = 4;

/// The part of the memory budget that the tables of the guard take, within the next two limits.
pub const GUARD_MEMORY_DIVISOR: usize = 128;

/// The guard needs a few thousand buckets to be of use.
pub const GUARD_BYTES_MIN: usize = 256 * 1024;

/// Room for 69,000 customers who ask as much as they may: more than the largest machine could answer. Who asks little needs
/// his bucket for milliseconds only, and small tables stay in the processor's cache.
pub const GUARD_BYTES_MAX: usize = 2 << 20;

/// What an announce costs in tokens.
pub const ANNOUNCE_COST: Tokens = Tokens::whole(4);

/// What it costs besides if it adds a peer.
pub const NEW_PEER_COST: Tokens = Tokens::whole(4);

/// What it costs besides if it adds a swarm: memory that nobody else has asked for.
pub const NEW_SWARM_COST: Tokens = Tokens::whole(12);

/// What a scrape costs.
pub const SCRAPE_COST: Tokens = Tokens::whole(2);

/// What each of its hashes costs besides.
pub const SCRAPE_HASH_COST: Tokens = Tokens::eighths(1);

/// What a connection id costs, in tokens of their own.
pub const CONNECT_COST: Tokens = Tokens::whole(1);

/// What a peer costs of those that a customer may put in.
pub const PEER_COST: Tokens = Tokens::whole(1);

/// Tokens of a customer: 50 announces per second for ever (100,000 feeds), 12,500 at once, as after a restart.
pub const REQUEST_RATE: Rate = Rate { per_second: 200.0, burst: 50_000.0 };

/// Connection ids per customer: far above any need, since others can use these up in its name.
pub const CONNECT_RATE: Rate = Rate { per_second: 500.0, burst: 5_000.0 };

/// Peers that a customer may put in per lifetime of a peer: a seeder of 10,000 feeds, or a provider's shared address.
pub const PEERS_PER_SITE: f64 = 10_000.0;

/// The network around an IPv6 site has so many times the tokens of one.
pub const AROUND_FACTOR: f64 = 4.0;

/// Peers of one address in one swarm: a household, or a provider's shared address; more would crowd the others out.
pub const SITE_PEERS_MAX: usize = 8;

/// Peers of one IPv6 /48 in one swarm: it may be a single customer's, and also a provider's.
pub const AROUND_PEERS_MAX: usize = 32;

/// What a customer without tokens is told instead of peers: come back in two hours.
pub const THROTTLED_INTERVAL: Duration = Duration::from_secs(2 * 3600);

/// How often the tracker looks at its load and its memory.
pub const LOOK_PERIOD: Duration = Duration::from_secs(1);

/// A look that comes so much later than it should tells that connections wait for the processor.
pub const LOOK_LATE: Duration = Duration::from_millis(100);

/// How often refusals are logged: one line per cause.
pub const COMPLAINT_PERIOD: Duration = Duration::from_secs(60);

/// For how long connection ids are made under one key.
pub const CONNECTION_KEY_PERIOD: Duration = Duration::from_secs(3600);
