//! The tracker from outside: its program, raw requests over both transports and families, real clients.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod asking;
mod clients;
mod command_line;
mod corpus;
mod crowd;
mod deploy;
mod few_files;
#[allow(unreachable_pub, missing_docs, reason = "a crate of its own, built here once more for its corpora")]
#[path = "../../fuzz/src/lib.rs"]
mod fuzz;
mod http;
mod https;
mod limits;
mod memory;
mod operators;
mod options;
mod program;
mod proxies;
mod reverse_proxies;
mod slow;
mod udp;
