//! The seeder from outside, in one binary so that rebuilds stay quick.

mod author;
mod cli;
mod crash;
mod model;
mod node;
mod party;
mod sample;
mod store;
