//! The tracker over UDP: sockets, batches of datagrams, and what each datagram is answered with.
//!
//! Each address has several workers, threads with a socket of their own (`SO_REUSEPORT`), which receive, answer and send
//! in batches (`batch`) and share nothing but the [`Tracker`](crate::tracker::Tracker). What is answered is decided in
//! `handler`, a function of bytes, address and time; connection ids are made by `keys`.

mod batch;
mod handler;
mod keys;
mod socket;
mod worker;

pub use handler::Handler;
pub use keys::{ConnectionKeys, LastKey};
pub use socket::bind;
pub use worker::Worker;
