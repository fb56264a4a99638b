//! Peerfeed seeder and client.
pub mod api;
pub mod store;
pub mod ui;
