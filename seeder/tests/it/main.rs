//! The seeder from outside, in one binary so that rebuilds stay quick.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod asking;
mod audiences;
mod author;
mod cli;
mod crash;
mod crowd;
mod dialling;
mod friends;
mod getting;
mod letters;
mod lone;
mod model;
mod node;
mod party;
mod private;
mod questions;
mod requests;
mod sample;
mod store;
mod swarm;
mod upgrade;
mod world;
