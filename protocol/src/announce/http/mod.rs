//! Tracker queries and replies over HTTP (BEP 3, 7, 21, 23, 24, 31, 48).
//!
//! [`parse_announce`] and [`parse_scrape`] read a client's query string, [`encode_announce`] and its siblings write the
//! tracker's bodies; [`announce_target`] and [`decode_announce`] are the client's side of the same.

mod body;
mod client_query;
mod client_reply;
mod query;

pub use body::{PeerFormat, encode_announce, encode_failure, encode_scrape};
pub use client_query::{announce_target, scrape_target};
pub use client_reply::{HttpReplyError, decode_announce, decode_scrape};
pub use query::{AnnounceQuery, QueryError, parse_announce, parse_scrape};
