//! The whole system, driven from outside: the real programs as child processes, other people's programs beside them.
//!
//! - [`bound`]: how fast a file can get to many at the best.
//! - [`programs`]: where the built programs are.
//! - [`daemon`]: a child process that is stopped whatever happens, and what it printed.
//! - [`tracker`], [`stock`]: our tracker, and the one that Debian ships.
//! - [`person`]: a data folder and the commands that its owner types.
//! - [`asking`]: the state of a running daemon, at no cost to it.
//! - [`capture`], [`leak`]: all loopback traffic, and the search for what must not be in it.
//! - [`delay`]: a link with a delay, which counts round trips.
//! - [`made`]: feeds of any size, put into stores at once.
//! - [`crowd`]: thousands of followers in one process.
//! - [`following`]: somebody who follows many feeds and comes back after a while.
//! - [`million`]: what follows for a million readers.
//! - [`film`]: a large file to be sent.
//! - [`transfer`]: one large file from one program to another of its kind.
//! - [`sample`]: a feed that the real program made, for readers in other languages.
//! - [`soak`]: a tracker under attack, with honest clients beside it.
//! - [`siege`]: a seeder under attack by peers, with honest people beside it.
//! - [`simulation`]: a swarm of pure engines in virtual time.
//! - [`announcing`]: announces in great number, to our tracker and to others.
//! - [`results`]: the head of a page of results.
//!
//! `tests/it/` holds the end-to-end tests, `src/bin/` the programs that measure.

pub mod announcing;
pub mod asking;
pub mod bound;
pub mod capture;
pub mod crowd;
pub mod daemon;
pub mod delay;
pub mod film;
pub mod following;
pub mod leak;
pub mod made;
pub mod million;
pub mod person;
pub mod programs;
pub mod results;
pub mod sample;
pub mod siege;
pub mod simulation;
pub mod soak;
pub mod stock;
pub mod tracker;
pub mod transfer;
