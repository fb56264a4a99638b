//! The pure engine: which peers to seek, what to ask of whom, whom to serve, what to store.
//!
//! [`Engine`] is a function of what it is told (`handle_*`), the moment, and one seed; what it wants done it says by
//! [`Engine::poll_action`]. It opens no socket, reads no clock and no file, so a swarm of hundreds runs in one test in
//! simulated time. [`Link`] joins it to the protocol's pure connection; `net` and `node` drive both with real ones.

mod action;
mod announcer;
mod backoff;
mod bans;
mod blob;
mod chance;
mod engine;
mod feed;
mod gate;
mod input;
pub mod limits;
mod link;
mod log;
mod peer;
mod place;
mod prepared;
mod progress;
mod ranges;
mod reads;
mod snapshot;
mod status;
mod task;
mod uploads;
mod window;

pub use action::{
    Action, AnnounceJob, Command, ConnectionId, JobId, NotStored, Outcome, ProbeFailure, Read, Recipient, Report,
    TaskId, Ticket, Write,
};
pub use chance::Chance;
pub use engine::{Engine, Options};
pub use feed::{HeldGroups, LogSnapshot, Snapshot};
pub use gate::{Gate, Refusal};
pub use input::{Announced, Ended, Input};
pub use link::Link;
pub use prepared::Prepared;
pub use progress::{Attempt, AttemptKind, FeedOutcome, NewEntry, Progress, SyncFailure, SyncGoal};
pub use ranges::Ranges;
pub use reads::{Said, answer, decline, payload_bytes};
pub use status::{FeedStatus, LogStatus, NodeStatus, PeerStatus, SeederStatus, TrackerStatus};
