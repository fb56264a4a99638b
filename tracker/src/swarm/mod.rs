//! Who is in which swarm: the tracker's whole state, which knows no transport, clock or source of randomness.
//!
//! [`SwarmMap`] is cut into shards by a keyed hash, so that nobody can aim at one lock. In a shard the address families
//! lie in tables of their own, because a peer of one takes 8 bytes and of the other 20 (`record`). A table is rows
//! one behind the other (`rows`), found by a small hash table of their places (`index`). A swarm of one or two peers lies in its row itself, up to 64 in one exact
//! allocation (`peers`), larger ones in buckets of seeds and of others (`many`, `crowd`). What is left to chance in an answer follows
//! from one number (`luck`), so that what it will look at can be fetched from memory before (`sight`); who is left out of it says
//! `draw`.
//!
//! What never happens here: a peer keyed by its peer id, an unkeyed hash, a shard waited for while the lock of another is held.

mod crowd;
mod draw;
mod gone;
mod index;
mod luck;
mod many;
mod map;
#[cfg(test)]
mod model;
mod peers;
mod record;
mod rows;
mod shard;
mod sight;
mod table;

pub use gone::Gone;
pub use luck::Luck;
pub use map::{Ahead, Announcement, Asked, Keys, Presence, SwarmMap, SwarmOptions, Totals};
pub use shard::Pass;
pub use table::Noted;
