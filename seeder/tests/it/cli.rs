//! The commands, through the real program.

mod audiences;
#[cfg(feature = "demo")]
mod demo;
mod folder;
mod following;
mod friends;
mod help;
mod identity;
mod posting;
mod reading;
mod requests;
mod together;
mod whereabouts;
