//! The seeder from outside, in one binary so that rebuilds stay quick.

mod author;
mod cli;
mod crash;
mod model;
mod sample;
mod store;
