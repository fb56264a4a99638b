//! Peerfeed's seeder and client, the program `peerfeed`: holds feeds in a store, fetches and serves them, writes and reads.

pub mod author;
pub mod net;
pub mod node;
pub mod reader;
pub mod store;
pub mod swarm;
