//! A simulated link for tests and load tests: virtual time, delay, bandwidth and TCP's slow start, all deterministic.
//!
//! [`Pipe`] is one direction of a TCP connection, for simulations that drive many connections themselves. [`Pair`] joins
//! two [`Connection`](super::Connection)s and jumps the clock from one thing that happens to the next.

mod pair;
mod pipe;

pub use pair::Pair;
pub use pipe::{Link, Pipe};
