//! One data folder at work: its store, the engine that decides, and the sockets that carry.
//!
//! The daemon holds a [`Node`] for as long as it lives, a command that finds no daemon for as long as it needs: both
//! behave alike because both are this.

mod announces;
mod connecting;
mod engine_task;
mod error;
mod handle;
mod holding;
mod indexer;
mod loading;
mod options;
mod reads;
mod secrets;
mod start;
mod takers;
mod waiter;
mod writes;

pub use crate::swarm::{Attempt, AttemptKind, FeedOutcome, NewEntry, Progress, SyncFailure, SyncGoal};
pub use crate::swarm::{FeedStatus, LogStatus, NodeStatus, PeerStatus, SeederStatus, Totals, TrackerStatus};
pub use error::{ProbeError, StartError, WaitError};
pub use handle::Node;
pub use options::{Listen, NodeOptions};
pub use takers::FreshChunks;
