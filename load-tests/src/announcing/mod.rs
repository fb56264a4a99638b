//! Announces in great number, to our tracker and to others, and what they cost each.
//!
//! - [`population`]: who announces what; [`visitors`]: in which order.
//! - [`udp`], [`http`]: clients over UDP and HTTP; [`latency`]: how long answers took.
//! - [`floor`]: servers that only answer.
//! - [`contestant`]: the programs that are compared; [`process`]: what a program has used.
//! - [`measure`]: one run; [`comparison`]: all of them, in turn.
//! - [`own`]: what the tracker's own work takes, without sockets.
//! - [`memory`]: what peers cost in memory; [`expiry`]: what clients feel of it when they go.

pub mod comparison;
pub mod contestant;
pub mod expiry;
pub mod floor;
pub mod http;
pub mod latency;
pub mod measure;
pub mod memory;
pub mod own;
pub mod population;
pub mod process;
pub mod udp;
pub mod visitors;
