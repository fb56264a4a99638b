//! Peerfeed's seeder and client, the program `peerfeed`: holds feeds in a store, fetches and serves them, writes and reads.
//!
//! From the outside in:
//! - [`cli`] speaks to a person, [`ui`] is what the person sees.
//! - [`api`] is what commands ask and the engine answers, and the socket between them; [`daemon`] holds it open.
//! - [`service`] does what is asked, with [`author`] writing to the own feed and [`reader`] opening what others wrote,
//!   under the [`keys`] of the data folder.
//! - [`node`] is one data folder at work: [`swarm`] decides, [`net`] carries, [`store`] keeps.

pub mod api;
pub mod author;
pub mod cli;
pub mod daemon;
pub mod keys;
pub mod net;
pub mod node;
pub mod reader;
pub mod service;
pub mod store;
pub mod swarm;
pub mod ui;
