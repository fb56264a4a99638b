//! A BitTorrent tracker: HTTP and UDP, IPv4 and IPv6, one process, one swarm map in memory.

pub mod cli;
pub mod swarm;
