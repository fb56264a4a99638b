//! End-to-end tests: the real programs, each person with a data folder of their own, real sockets on loopback.

mod afternoon;
mod crowd;
mod features;
mod following;
mod hosts;
mod independent_reader;
mod kill;
mod layers;
mod leaks;
mod paths;
mod readme;
mod siege;
mod simulation;
mod soak;
mod speed;
mod stock_tracker;
mod story;
mod terminal;
mod three_people;
