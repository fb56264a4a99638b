//! Tracker messages in both directions: what a client asks and what a tracker answers, over HTTP and UDP.
//!
//! Everything here is a function of bytes, time and seed. The requirements are in `spec/announce.md` (`ANN-n`).
//!
//! - [`AnnounceRequest`], [`AnnounceReply`], [`ScrapeReply`]: what is said, whatever carries it.
//! - [`http`]: queries and bencoded bodies (BEP 3, 7, 21, 23, 24, 31, 48).
//! - [`udp`]: datagrams (BEP 15, 41) and [`udp::UdpExchange`], the client's side of one exchange.
//! - [`connection_id`]: the tracker's proof that a UDP sender owns its address, without a table.
//! - [`TrackerUrl`]: where a tracker is.

pub mod connection_id;
pub mod http;
pub mod limits;
mod peer_list;
mod reply;
mod request;
pub mod udp;
mod url;

pub use peer_list::{PeerList, PeerListError};
pub use reply::{AnnounceReply, RetryIn, ScrapeEntry, ScrapeReply, TrackerFailure};
pub use request::{AnnounceRequest, Event, InfoHash, PeerId};
pub use url::{Scheme, TrackerUrl, TrackerUrlError};
