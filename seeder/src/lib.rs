//! Peerfeed seeder and client.

pub mod api;
pub mod author;
pub mod reader;
pub mod store;
pub mod swarm;
pub mod ui;
