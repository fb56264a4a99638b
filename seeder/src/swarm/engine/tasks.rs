//! Syncs, waits and probes: what callers wait for.

use std::collections::BTreeMap;
use std::time::Duration;

use peerfeed_protocol::feed::BlobRef;
use peerfeed_protocol::ids::{FeedId, WitnessKey};
use peerfeed_protocol::peer::Moment;

use super::{Action, Engine};
use crate::swarm::action::{NotStored, ProbeFailure, Report, TaskId};
use crate::swarm::announcer::Announcer;
use crate::swarm::progress::{Progress, SyncFailure, SyncGoal};
use crate::swarm::task::{Start, Sync, Task};

impl Engine {
    /// Brings what is new of feeds, or one blob of one feed.
    pub fn start_sync(
        &mut self,
        now: Moment,
        task: TaskId,
        feeds: &[FeedId],
        goal: SyncGoal,
        blob: Option<BlobRef>,
        timeout: Duration,
    ) {
        if let Some(unknown) = feeds.iter().find(|feed| !self.feeds.contains_key(feed)) {
            let failure = SyncFailure::UnknownFeed { feed: *unknown };
            self.report(task, Report::Progress(Progress::Failed(failure)));
            return;
        }
        let mut starts = BTreeMap::new();
        for id in feeds {
            let feed = self.feeds.get_mut(id).expect("it was just looked for");
            if goal.blobs {
                feed.blob_users += 1;
                let blobs: Vec<BlobRef> = feed.blobs.keys().copied().collect();
                for blob in blobs {
                    feed.queue_blob(blob, false);
                }
            }
            if let Some(blob) = blob {
                feed.refer(blob);
                feed.queue_blob(blob, true);
            }
            if !self.options.serve {
                feed.newest = goal.newest;
            }
            let start = Start { entries: feed.entries().0, blob_bytes: feed.blob_bytes(), ..Start::default() };
            starts.insert(*id, start);
        }
        let sync = Sync { feeds: starts, goal, blob, timeout, began: now, moved: now, moved_at: (0, 0), told: None };
        self.tasks.insert(task, Task::Sync(sync));
        self.begin_task(now, feeds);
    }

    /// Waits until a seeder has everything of a feed.
    pub fn start_wait(&mut self, now: Moment, task: TaskId, feed: FeedId, timeout: Duration) {
        if !self.feeds.contains_key(&feed) {
            self.report(task, Report::Stored(Err(NotStored::UnknownFeed)));
            return;
        }
        self.tasks.insert(task, Task::Wait { feed, until: now.after(timeout) });
        self.begin_task(now, &[feed]);
    }

    /// Learns which witness key is proven at an address.
    pub fn start_probe(&mut self, now: Moment, task: TaskId, feed: FeedId, address: &str, timeout: Duration) {
        let Some(known) = self.feeds.get_mut(&feed) else {
            let failure = ProbeFailure::NoAnswer("the feed is not in this data folder".to_owned());
            self.report(task, Report::Probed(Err(failure)));
            return;
        };
        known.note_seeder(address, None);
        self.tasks.insert(task, Task::Probe { feed, address: address.to_owned(), until: now.after(timeout) });
        self.begin_task(now, &[feed]);
    }

    /// Nobody waits for a task any more.
    pub fn cancel(&mut self, now: Moment, task: TaskId) {
        self.end_task(task);
        self.settle(now);
    }

    /// Seeks the peers of feeds, and gives addresses that failed another try at once.
    fn begin_task(&mut self, now: Moment, feeds: &[FeedId]) {
        for id in feeds {
            let connected = self.is_served_by_peers(*id);
            let feed = self.feeds.get_mut(id).expect("the caller has looked");
            feed.users += 1;
            feed.sought_since = Some(now);
            for (address, spot) in &mut feed.spots {
                spot.refused_until = None;
                let Some(place) = self.places.get_mut(address) else { continue };
                if place.connection.is_none() {
                    spot.tried = false;
                    spot.answered = false;
                    spot.error = None;
                    place.not_before = now;
                }
            }
            self.note_seeders(*id);
            if self.options.serve && connected {
                self.refresh_trackers(now, *id);
            } else {
                self.look_up(now, *id);
                self.refresh_trackers(now, *id);
            }
            self.open_with_places(now, *id);
            self.due.dials.add(*id);
            self.due.tasks.add(*id);
            self.wake(*id);
        }
        self.settle(now);
    }

    fn end_task(&mut self, task: TaskId) -> Option<Task> {
        let ended = self.tasks.remove(&task)?;
        for id in ended.feeds() {
            let Some(feed) = self.feeds.get_mut(&id) else { continue };
            feed.users = feed.users.saturating_sub(1);
            if let Task::Sync(sync) = &ended {
                if sync.goal.blobs {
                    feed.blob_users = feed.blob_users.saturating_sub(1);
                }
                let still_wanted = feed.wants_all_blobs();
                if !still_wanted {
                    let queued: Vec<BlobRef> = feed.queue.values().copied().collect();
                    queued
                        .iter()
                        .filter(|blob| sync.blob.is_none_or(|only| only == **blob))
                        .for_each(|blob| feed.unqueue_blob(blob));
                }
                if feed.users == 0 {
                    feed.newest = None;
                }
            }
        }
        Some(ended)
    }

    pub(super) fn end_all_tasks(&mut self) {
        let tasks: Vec<TaskId> = self.tasks.keys().copied().collect();
        for task in tasks {
            // Waits and probes learn it by their channel's end.
            if let Some(Task::Sync(_)) = self.end_task(task) {
                self.report(task, Report::Progress(Progress::Failed(SyncFailure::Interrupted)));
            }
        }
    }

    fn report(&mut self, task: TaskId, report: Report) {
        self.actions.push_back(Action::Report { task, report });
    }

    /// Looks at every task about a feed to which something happened: tells progress, and ends what has come to its end.
    pub(super) fn check_tasks(&mut self, now: Moment) {
        let marked = std::mem::take(&mut self.due.tasks);
        if marked.is_empty() {
            return;
        }
        let tasks: Vec<TaskId> = self.tasks.keys().copied().collect();
        for id in tasks {
            let report = match self.tasks.get(&id) {
                Some(Task::Sync(_)) => self.check_sync(now, id, &marked),
                Some(Task::Wait { feed, .. } | Task::Probe { feed, .. }) if !marked.has(feed) => None,
                Some(Task::Wait { feed, until }) => self.check_wait(now, *feed, *until).map(Report::Stored),
                Some(Task::Probe { feed, address, until }) => {
                    let (feed, address, until) = (*feed, address.clone(), *until);
                    self.check_probe(now, feed, &address, until).map(Report::Probed)
                }
                None => None,
            };
            let Some(report) = report else { continue };
            if !matches!(report, Report::Progress(Progress::Working { .. })) {
                self.end_task(id);
            }
            self.report(id, report);
        }
    }

    fn check_wait(&self, now: Moment, id: FeedId, until: Moment) -> Option<Result<Vec<String>, NotStored>> {
        let Some(feed) = self.feeds.get(&id) else { return Some(Err(NotStored::UnknownFeed)) };
        let listed: Vec<_> = feed.seeders().into_iter().filter(|(.., listed)| *listed).collect();
        let holds = |witness: &WitnessKey| feed.stored_by(witness).1;
        let done: Vec<String> = if listed.is_empty() {
            feed.met.iter().filter(|(witness, _)| holds(witness)).map(|(_, address)| address.clone()).collect()
        } else {
            listed
                .iter()
                .filter(|(_, witness, _)| witness.as_ref().is_some_and(holds))
                .map(|(at, ..)| at.clone())
                .collect()
        };
        if !done.is_empty() {
            return Some(Ok(done));
        }
        let nobody = feed.seeders().is_empty()
            && self.announcers.get(&id).is_none_or(Announcer::is_empty)
            && !self.is_served_by_peers(id);
        match (nobody, now >= until) {
            (true, _) => Some(Err(NotStored::NoSeeders)),
            (_, true) => Some(Err(NotStored::TimedOut)),
            _ => None,
        }
    }

    fn check_probe(
        &self,
        now: Moment,
        id: FeedId,
        address: &str,
        until: Moment,
    ) -> Option<Result<WitnessKey, ProbeFailure>> {
        let connection = self.places.get(address).and_then(|place| place.connection);
        let peer = connection.and_then(|connection| self.peers.get(&connection));
        if let Some(peer) = peer.filter(|peer| peer.shares.contains_key(&id)) {
            let witness = peer.hello.as_ref().and_then(|hello| hello.witness);
            return Some(witness.ok_or(ProbeFailure::NotASeeder));
        }
        let error = self.feeds.get(&id)?.spots.get(address).and_then(|spot| spot.error.clone());
        match error {
            Some(error) => Some(Err(ProbeFailure::NoAnswer(error))),
            None if now >= until => Some(Err(ProbeFailure::TimedOut)),
            None => None,
        }
    }
}
