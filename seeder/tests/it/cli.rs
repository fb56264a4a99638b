//! The commands, through the real program.

mod audiences;
mod codes;
#[cfg(feature = "demo")]
mod demo;
mod folder;
mod following;
mod freeing;
mod friends;
mod help;
mod identity;
mod keys;
mod posting;
mod reading;
mod requests;
mod secrets;
mod together;
mod whereabouts;
