//! A swarm of pure engines in one process and in virtual time: real connections over simulated lines, no socket, no clock.
//!
//! All peers share the content of one real store and differ in how much of it they hold, so that thousands fit into
//! memory. The same seed gives the same run.

mod content;
mod machine;
mod shelf;
mod tracker;
mod traffic;
mod wire;
mod world;

pub use content::Content;
pub use machine::Machine;
pub use tracker::Tracker;
pub use world::{Plan, World};
