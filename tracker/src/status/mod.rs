//! What an operator sees: a page, numbers for programs, and whether the tracker lives; on an address of its own.
//!
//! - [`snapshot`]: what there is to show, taken through a trait, so that this part knows no other.
//! - [`history`]: the last hour, day and month, in bounded memory.
//! - [`prometheus`], [`json`], [`page`]: the three forms, functions of a snapshot.
//! - [`listener`]: the only part with a socket.
//!
//! What never happens here: an address of a peer or a hash in any form.

pub mod history;
pub mod json;
pub mod listener;
pub mod page;
mod plot;
pub mod prometheus;
pub mod snapshot;

pub use history::{History, Range};
pub use listener::{Status, bind};
pub use snapshot::{Count, Group, Snapshot, Source};
