//! The tracker from outside: its program, raw requests over both transports and families, real clients.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod clients;
mod command_line;
mod http;
mod limits;
mod program;
mod slow;
mod udp;
