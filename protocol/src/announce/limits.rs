//! Every limit on tracker messages, with its unit and its reason.

use std::time::Duration;

/// Peers a tracker gives when the client names no number (`numwant`): what clients expect since the first tracker.
pub const NUMWANT_DEFAULT: u16 = 50;

/// Most peers a tracker gives in one reply: more than a client can use, and 1,200 bytes of compact IPv4.
pub const NUMWANT_MAX: u16 = 200;

/// Largest UDP payload that passes every IPv6 path unfragmented: minimum MTU 1280 less 40 (IPv6) and 8 (UDP).
pub const UDP_REPLY_BYTES_MAX: usize = 1232;

/// Largest datagram a tracker reads: an announce with BEP 41 options or a full scrape fits an Ethernet frame.
pub const UDP_REQUEST_BYTES_MAX: usize = 1500;

/// Most hashes in one UDP scrape: 16 + 20 x 74 = 1,496 bytes, what an Ethernet frame carries (BEP 15).
pub const UDP_SCRAPE_HASHES_MAX: usize = 74;

/// Most hashes in one HTTP scrape: Transmission sends 60 and shrinks only on errors that it recognises.
pub const HTTP_SCRAPE_HASHES_MAX: usize = 100;

/// Longest query string that is read: 100 fully escaped hashes are 7,300 bytes.
pub const QUERY_BYTES_MAX: usize = 8_192;

/// Largest reply a client reads: 1,000 peers in the dictionary form of BEP 3 are about 90 KB.
pub const REPLY_BYTES_MAX: usize = 128 * 1024;

/// Most peers a client takes from one reply: far more than it will dial.
pub const REPLY_PEERS_MAX: usize = 1_000;

/// Longest text (failure reason, warning, tracker id) that is kept of a reply: a person has to read it.
pub const TEXT_BYTES_MAX: usize = 512;

/// Longest URL data (BEP 41) that is read from an announce: one option's worth of path and query.
pub const URL_DATA_BYTES_MAX: usize = 255;

/// Shortest interval a client obeys: a tracker that says 0 must not be asked in a loop.
pub const INTERVAL_MIN: Duration = Duration::from_secs(60);

/// Longest interval a client obeys: one that says a year would cut the client off from its swarm.
pub const INTERVAL_MAX: Duration = Duration::from_secs(6 * 3600);

/// How long a client uses a UDP connection id (BEP 15).
pub const CONNECTION_ID_USE: Duration = Duration::from_secs(60);

/// First wait of a UDP client for an answer (BEP 15); each further one is twice as long.
pub const UDP_FIRST_TIMEOUT: Duration = Duration::from_secs(15);

/// Sends of one datagram before a UDP client gives up (BEP 15: n up to 8).
pub const UDP_SENDS_MAX: u32 = 9;

/// When to ask again if a tracker does not say: the interval that most trackers use.
pub const INTERVAL_DEFAULT: Duration = Duration::from_secs(30 * 60);
