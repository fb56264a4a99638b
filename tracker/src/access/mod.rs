//! Which hashes are served: lists in files, exchanged while the tracker runs.

mod list;
mod lists;

pub use list::{HASHES_MAX, HashList, LINE_BYTES_MAX, ListError};
pub use lists::{Access, AccessFiles, Listed, ListsInForce, Refusal};
