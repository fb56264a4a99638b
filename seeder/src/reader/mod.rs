//! Opening what others wrote, for display: the timeline, single entries, and files.
//!
//! Only clocks and names are kept opened; texts stay sealed in the store and are opened each time they are shown. What
//! strangers wrote is given as it is: whoever shows it goes through [`peerfeed_protocol::feed::shown`].

mod behind;
mod entry;
mod file;
mod granted;
mod index;
mod timeline;
mod unfinished;

pub use entry::{EntryState, ReadEntry, read_entry};
pub use file::{FileError, FileProgress, FileWriter, write_attachment};
pub use index::{index_pending, index_pending_blocking};
pub use timeline::{Query, Timeline, timeline};
