//! What a person sees: lines, colours, progress, and JSON for programs.

mod people;
mod progress;
mod safe;
mod status;
mod terminal;
mod timeline;

pub use people::{counted, hex, local_time, percent, size, state_of, until};
pub use progress::ProgressView;
pub use safe::Safe;
pub use status::{rates, status_lines};
pub use terminal::{Paint, Terminal};
pub use timeline::entry_lines;
