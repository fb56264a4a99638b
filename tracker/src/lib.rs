//! A BitTorrent tracker: HTTP and UDP, IPv4 and IPv6, one process, one swarm map in memory.
//!
//! - [`swarm`]: who is in which swarm; knows no transport.
//! - [`tracker`]: an announce in, a reply out, whatever carried it.
//! - [`udp`], [`http`]: the transports, each with a part that only decides and a part that owns sockets.
//! - [`server`]: binds and runs them; [`config`] is what an operator sets, [`limit`] what is fixed.
//! - [`access`]: which hashes are served.
//! - [`proxy`]: whom a reverse proxy speaks for.
//! - [`tls`]: certificates and handshakes.
//! - [`guard`]: what one customer may ask for; [`budget`]: what the parts may take of the memory.
//! - [`host`]: what the machine gives and lacks; [`privileges`]: giving up root.
//! - [`metrics`]: what has happened, counted by cause.
//! - [`status`]: what an operator sees of it.
//! - [`cli`]: the command line, [`cli::main_with_args`] its entry.

#[cfg(not(target_pointer_width = "64"))]
compile_error!("peerfeed-tracker needs a 64-bit platform");

pub mod access;
pub mod budget;
pub mod cli;
pub mod config;
mod fetch;
pub mod guard;
pub mod host;
pub mod http;
pub mod limit;
pub mod metrics;
pub mod privileges;
pub mod proxy;
pub mod server;
mod sockets;
pub mod status;
pub mod swarm;
pub mod terms;
pub mod tls;
pub mod tracker;
pub mod udp;
