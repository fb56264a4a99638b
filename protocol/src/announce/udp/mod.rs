//! Tracker datagrams (BEP 15), with the options of BEP 41 tolerated.
//!
//! [`Request`] and [`Reply`] are read and written from both ends. [`UdpExchange`] is the client's side of one exchange.

mod exchange;
mod reply;
mod request;

pub use exchange::{ExchangeError, ExchangeOptions, UdpExchange};
pub use reply::{AnnounceReplyHead, CONNECT_REPLY_BYTES, Family, Reply, ReplyError, encode_connect, encode_error};
pub use request::{Announce, Request, RequestError, RequestProblem, Scrape};

/// The number that opens every `connect`, in place of a connection id.
pub const PROTOCOL_ID: u64 = 0x0417_2710_1980;

/// Ties a reply to its request; chosen by the client.
pub type TransactionId = u32;

const CONNECT: u32 = 0;
const ANNOUNCE: u32 = 1;
const SCRAPE: u32 = 2;
const ERROR: u32 = 3;
