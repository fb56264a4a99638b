//! The commands, through the real program.

mod folder;
mod following;
mod help;
mod identity;
mod posting;
mod reading;
mod together;
mod whereabouts;
