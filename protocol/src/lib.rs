//! Peerfeed's formats and protocols as pure functions of bytes, time and randomness.
//!
//! Nothing in this crate opens a socket, reads a clock, touches a file or asks the system for randomness: all of these
//! are passed in, and `clippy.toml` of this package refuses the calls. So a swarm of hundreds runs in one test, in
//! simulated time, from one seed.
//!
//! `protocol/spec/` describes every byte with numbered requirements; the code cites them as `spec: BEN-3`.
//!
//! - [`announce`]: what clients and trackers say to each other, over HTTP and UDP.
//! - [`limits`]: every limit, with its unit and its reason.
//! - [`bencode`]: the strict form of every record, and the lenient reader for other people's trackers.
//! - [`ids`]: the names of feeds, swarms, devices, logs, entries and blobs.
//! - [`crypto`]: keys and where they come from, signatures, blinding, secret boxes, passed-in randomness.
//! - [`merkle`]: RFC 9162 trees with inclusion, consistency and range proofs.
//! - [`feed`]: manifest, roster, heads, entries, epochs, blobs, links, and what is accepted of them.
//! - [`mailbox`]: sealed packets that wait for the owner of a feed.
//! - [`hold`]: codes by which a seeder takes in a feed that it does not know.
//! - [`peer`]: the connection between two peers as a pure machine.
//!
//! A type says what has been checked: a [`ids::FeedId`] is a proper curve point, a head that was verified is another type
//! than one that came from the wire. An error says who is at fault.

#![deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::print_stdout, clippy::print_stderr)]

pub mod announce;
pub mod bencode;
pub mod crypto;
pub mod feed;
pub mod hold;
pub mod ids;
pub mod limits;
pub mod mailbox;
pub mod merkle;
pub mod peer;
