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
mod command;
mod drain;
mod engine;
mod feed;
mod gate;
mod input;
mod job;
mod keeper;
pub mod limits;
mod line;
mod link;
mod log;
mod marked;
mod met;
mod pace;
mod peer;
mod place;
mod prefix;
mod prepared;
mod progress;
mod pushers;
mod queue;
mod ranges;
mod reads;
mod scope;
mod snapshot;
mod spot;
mod status;
mod task;
mod uploads;
mod window;

pub use action::{Action, AnnounceJob, ConnectionId, JobId, NotStored, ProbeFailure, Report, TaskId, Ticket};
pub use chance::Chance;
pub use command::Command;
pub use engine::{Engine, Options};
pub use gate::{Entered, Gate, GuestId, Refusal};
pub use input::{Announced, Ended, Input};
pub use job::{Outcome, Read, Recipient, Trouble, Write};
pub use link::Link;
pub use prepared::Prepared;
pub use progress::{Attempt, AttemptKind, FeedOutcome, NewEntry, Progress, SyncFailure, SyncGoal};
pub use ranges::Ranges;
pub use reads::{Said, answer, decline, payload_bytes};
pub use scope::{Scope, may_name};
pub use snapshot::{HeldGroups, LogSnapshot, Snapshot};
pub use status::{FeedStatus, LogStatus, NodeStatus, PeerStatus, SeederStatus, Totals, TrackerStatus};
