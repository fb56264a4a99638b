//! Callers that wait for something of the engine.

use std::collections::HashMap;

use peerfeed_protocol::ids::{FeedId, WitnessKey};
use tokio::sync::{mpsc, oneshot};

use super::{ProbeError, Progress, WaitError};
use crate::swarm::{NotStored, ProbeFailure, Report, TaskId};

/// Callers by the number of their task.
#[derive(Default)]
pub(super) struct Waiters {
    waiting: HashMap<TaskId, Waiter>,
    last: u64,
}

enum Waiter {
    Progress(mpsc::Sender<Progress>),
    Stored(FeedId, oneshot::Sender<Result<Vec<String>, WaitError>>),
    Probed(String, oneshot::Sender<Result<WitnessKey, ProbeError>>),
}

impl Waiters {
    /// Somebody waits for a sync or a blob.
    pub(super) fn progress(&mut self, progress: mpsc::Sender<Progress>) -> TaskId {
        self.add(Waiter::Progress(progress))
    }

    /// Somebody waits until seeders have stored a feed.
    pub(super) fn stored(&mut self, feed: FeedId, answer: oneshot::Sender<Result<Vec<String>, WaitError>>) -> TaskId {
        self.add(Waiter::Stored(feed, answer))
    }

    /// Somebody waits for a witness key.
    pub(super) fn probed(
        &mut self,
        address: String,
        answer: oneshot::Sender<Result<WitnessKey, ProbeError>>,
    ) -> TaskId {
        self.add(Waiter::Probed(address, answer))
    }

    fn add(&mut self, waiter: Waiter) -> TaskId {
        self.last += 1;
        self.waiting.insert(TaskId(self.last), waiter);
        TaskId(self.last)
    }

    /// Tells the caller of a task. Whoever does not listen any more misses nothing.
    pub(super) fn tell(&mut self, task: TaskId, report: Report) {
        match report {
            Report::Progress(progress @ Progress::Working { .. }) => {
                if let Some(Waiter::Progress(sender)) = self.waiting.get(&task) {
                    // A slow caller misses a state and gets the next one.
                    let _ = sender.try_send(progress);
                }
            }
            Report::Progress(last) => {
                if let Some(Waiter::Progress(sender)) = self.waiting.remove(&task) {
                    tokio::spawn(async move { sender.send(last).await });
                }
            }
            Report::Stored(outcome) => {
                if let Some(Waiter::Stored(feed, answer)) = self.waiting.remove(&task) {
                    let _ = answer.send(outcome.map_err(|why| match why {
                        NotStored::UnknownFeed => WaitError::UnknownFeed(feed),
                        NotStored::NoSeeders => WaitError::NoSeeders(feed),
                        NotStored::TimedOut => WaitError::TimedOut(feed),
                    }));
                }
            }
            Report::Probed(outcome) => {
                if let Some(Waiter::Probed(address, answer)) = self.waiting.remove(&task) {
                    let _ = answer.send(outcome.map_err(|why| match why {
                        ProbeFailure::NoAnswer(reason) => ProbeError::NoAnswer { address, reason },
                        ProbeFailure::NotASeeder => ProbeError::NotASeeder(address),
                        ProbeFailure::TimedOut => ProbeError::TimedOut(address),
                    }));
                }
            }
        }
    }

    /// The tasks whose callers have gone.
    pub(super) fn abandoned(&mut self) -> Vec<TaskId> {
        let gone = |waiter: &Waiter| match waiter {
            Waiter::Progress(sender) => sender.is_closed(),
            Waiter::Stored(_, answer) => answer.is_closed(),
            Waiter::Probed(_, answer) => answer.is_closed(),
        };
        let tasks: Vec<TaskId> =
            self.waiting.iter().filter(|(_, waiter)| gone(waiter)).map(|(task, _)| *task).collect();
        for task in &tasks {
            self.waiting.remove(task);
        }
        tasks
    }
}
