//! Syncs, waits and probes: what callers wait for.

use std::collections::BTreeMap;
use std::time::Duration;

use peerfeed_protocol::feed::BlobRef;
use peerfeed_protocol::ids::{FeedId, WitnessKey};
use peerfeed_protocol::peer::Moment;

use super::{Action, Engine};
use crate::swarm::action::{NotStored, ProbeFailure, Report, TaskId};
use crate::swarm::announcer::Announcer;
use crate::swarm::limits::{LOOK_AT_LEAST, PROGRESS_EVERY, SETTLE};
use crate::swarm::progress::{Attempt, AttemptKind, FeedOutcome, Progress, SyncFailure, SyncGoal};
use crate::swarm::task::{Start, Sync, Task};

/// Where a feed of a sync stands.
enum Standing {
    Working,
    Done,
    Failed(SyncFailure),
}

impl Engine {
    /// Brings what is new of feeds, or one blob of one feed.
    pub fn start_sync(
        &mut self,
        now: Moment,
        task: TaskId,
        feeds: Vec<FeedId>,
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
        for id in &feeds {
            let feed = self.feeds.get_mut(id).expect("it was just looked for");
            if goal.blobs {
                feed.blob_users += 1;
                let blobs: Vec<BlobRef> = feed.blobs.keys().copied().collect();
                blobs.into_iter().for_each(|blob| feed.queue_blob(blob, false));
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
        self.begin_task(now, &feeds);
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
        known.note_spot(address, AttemptKind::Seeder, None);
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
        }
        self.dials_due = true;
        self.tasks_due = true;
        self.ready.extend(self.peers.keys().copied());
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

    pub(super) fn end_all_tasks(&mut self, _now: Moment) {
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

    /// Looks at every task: tells progress, and ends what has come to its end.
    pub(super) fn check_tasks(&mut self, now: Moment) {
        let tasks: Vec<TaskId> = self.tasks.keys().copied().collect();
        for id in tasks {
            let report = match self.tasks.get(&id) {
                Some(Task::Sync(_)) => self.check_sync(now, id),
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

    fn check_sync(&mut self, now: Moment, task: TaskId) -> Option<Report> {
        let Some(Task::Sync(mut sync)) = self.tasks.remove(&task) else { return None };
        let report = self.advance_sync(now, &mut sync);
        self.tasks.insert(task, Task::Sync(sync));
        report.map(Report::Progress)
    }

    fn advance_sync(&self, now: Moment, sync: &mut Sync) -> Option<Progress> {
        let here = self.brought(sync);
        if here != sync.moved_at {
            sync.moved_at = here;
            sync.moved = now;
        }
        let late = now.since(sync.moved) >= sync.timeout;
        let ids: Vec<FeedId> = sync.feeds.keys().copied().collect();
        let mut failure = None;
        for id in &ids {
            match self.standing(now, *id, sync, late) {
                Standing::Working => {}
                Standing::Done => {
                    let outcome = self.outcome(*id, &sync.feeds[id]);
                    sync.feeds.get_mut(id).expect("it is one of them").outcome = Some(outcome);
                }
                Standing::Failed(error) => {
                    let mut outcome = self.outcome(*id, &sync.feeds[id]);
                    outcome.tried = self.tried(*id);
                    sync.feeds.get_mut(id).expect("it is one of them").outcome = Some(outcome);
                    failure.get_or_insert(error);
                }
            }
        }
        // One feed alone fails as such; among several, each outcome tells by itself, unless none worked.
        let ended = sync.feeds.values().all(|start| start.outcome.is_some());
        if ended || ids.is_empty() {
            let outcomes: Vec<FeedOutcome> = sync.feeds.values().filter_map(|start| start.outcome.clone()).collect();
            let all_failed = !outcomes.is_empty() && outcomes.iter().all(|outcome| !outcome.tried.is_empty());
            return Some(match failure {
                Some(failure) if ids.len() == 1 || all_failed => Progress::Failed(failure),
                _ if all_failed => {
                    Progress::Failed(SyncFailure::NobodyAnswered { feed: ids[0], tried: outcomes[0].tried.clone() })
                }
                _ => Progress::Done(outcomes),
            });
        }
        if sync.told.is_some_and(|told| now.since(told) < PROGRESS_EVERY) {
            return None;
        }
        sync.told = Some(now);
        Some(self.progress(sync))
    }

    fn standing(&self, now: Moment, id: FeedId, sync: &mut Sync, late: bool) -> Standing {
        let start = sync.feeds.get_mut(&id).expect("the caller iterates over them");
        if start.outcome.is_some() {
            return Standing::Working;
        }
        let Some(feed) = self.feeds.get(&id) else { return Standing::Failed(SyncFailure::UnknownFeed { feed: id }) };
        if let Some(reason) = &feed.stopped {
            return Standing::Failed(SyncFailure::Store(reason.clone()));
        }
        let met = self.is_served_by_peers(id);
        if met && start.met.is_none() {
            start.met = Some(now);
        }
        let seeking = self.is_seeking(id);
        if met {
            let settled = start.met.is_some_and(|met| now.since(met) >= SETTLE);
            let writing = self.jobs.values().any(|job| job.is_of(&id));
            let complete = match sync.blob {
                Some(blob) => feed.blobs.get(&blob).is_some_and(crate::swarm::blob::Blob::is_complete),
                None => feed.is_complete(),
            };
            let asked_all = self.announcers.get(&id).is_none_or(Announcer::asked_all);
            if sync.blob.is_some() && complete && !writing {
                return Standing::Done;
            }
            let others = if complete { seeking && !settled } else { seeking || !asked_all || !settled };
            if !writing && !others && !self.can_fetch(now, id) {
                return if sync.blob.is_some() {
                    Standing::Failed(SyncFailure::Stalled { feed: id, tried: self.tried(id) })
                } else {
                    Standing::Done
                };
            }
            return if late {
                Standing::Failed(SyncFailure::Stalled { feed: id, tried: self.tried(id) })
            } else {
                Standing::Working
            };
        }
        let no_trackers = self.announcers.get(&id).is_none_or(Announcer::is_empty);
        let has_peers = self.peers.values().any(|peer| peer.shares.contains_key(&id));
        if feed.spots.is_empty() && no_trackers && !has_peers {
            return Standing::Failed(SyncFailure::NobodyKnown { feed: id });
        }
        let asked_all = self.announcers.get(&id).is_none_or(Announcer::asked_all);
        let looked = now.since(sync.began) >= LOOK_AT_LEAST;
        if late || (looked && asked_all && !seeking && !has_peers) {
            return Standing::Failed(SyncFailure::NobodyAnswered { feed: id, tried: self.tried(id) });
        }
        Standing::Working
    }

    /// Whether an address of the feed is still to be tried, or a try is under way.
    fn is_seeking(&self, id: FeedId) -> bool {
        let Some(feed) = self.feeds.get(&id) else { return false };
        let waits = |(address, spot): (&String, &crate::swarm::feed::Spot)| {
            !spot.answered && spot.error.is_none() && self.places.get(address).is_none_or(|place| !place.itself)
        };
        feed.spots.iter().any(waits)
    }

    /// Entries and bytes of blobs that a sync has brought so far.
    fn brought(&self, sync: &Sync) -> (u64, u64) {
        sync.feeds.iter().filter_map(|(id, start)| Some((self.feeds.get(id)?, start))).fold(
            (0, 0),
            |sum, (feed, start)| {
                let entries = feed.entries().0.saturating_sub(start.entries);
                let bytes = feed.blob_bytes().saturating_sub(start.blob_bytes);
                (sum.0 + entries, sum.1 + bytes)
            },
        )
    }

    fn progress(&self, sync: &Sync) -> Progress {
        let (entries_done, blob_bytes_done) = self.brought(sync);
        let (mut entries_total, mut blob_bytes_total) = (entries_done, blob_bytes_done);
        for feed in sync.feeds.keys().filter_map(|id| self.feeds.get(id)) {
            entries_total += feed.logs.values().map(|log| log.lacking(log.wanted(feed.newest))).sum::<u64>();
            let queued = feed.queue.values().filter_map(|blob| feed.blobs.get(blob));
            blob_bytes_total += queued.map(|blob| blob.reference().size.bytes() - blob.held_bytes()).sum::<u64>();
        }
        let serves = |peer: &&crate::swarm::peer::Peer| {
            peer.shares.iter().any(|(id, share)| share.stated && sync.feeds.contains_key(id))
        };
        let peers = u32::try_from(self.peers.values().filter(serves).count()).unwrap_or(u32::MAX);
        Progress::Working { peers, entries_done, entries_total, blob_bytes_done, blob_bytes_total }
    }

    fn outcome(&self, id: FeedId, start: &Start) -> FeedOutcome {
        let Some(feed) = self.feeds.get(&id) else {
            return FeedOutcome {
                feed: id,
                new_entries: 0,
                entries_held: 0,
                entries: 0,
                blob_bytes: 0,
                peers: 0,
                tried: Vec::new(),
            };
        };
        let (entries_held, entries) = feed.entries();
        let stated = |peer: &&crate::swarm::peer::Peer| peer.shares.get(&id).is_some_and(|share| share.stated);
        FeedOutcome {
            feed: id,
            new_entries: entries_held.saturating_sub(start.entries),
            entries_held,
            entries,
            blob_bytes: feed.blob_bytes().saturating_sub(start.blob_bytes),
            peers: u32::try_from(self.peers.values().filter(stated).count()).unwrap_or(u32::MAX),
            tried: Vec::new(),
        }
    }

    /// Every tracker, seeder and peer that was tried for a feed, and what came of it.
    fn tried(&self, id: FeedId) -> Vec<Attempt> {
        let Some(feed) = self.feeds.get(&id) else { return Vec::new() };
        let spot = |(address, spot): (&String, &crate::swarm::feed::Spot)| Attempt {
            kind: spot.kind,
            address: address.clone(),
            error: match (&spot.error, spot.answered) {
                (Some(error), _) => Some(error.clone()),
                (None, true) => None,
                (None, false) => Some("it did not answer in time".to_owned()),
            },
        };
        let mut tried: Vec<Attempt> = feed.spots.iter().filter(|(_, spot)| spot.tried).map(spot).collect();
        tried.sort_by(|one, other| one.address.cmp(&other.address));
        tried.sort_by_key(|attempt| attempt.kind == AttemptKind::Peer);
        let trackers = self.announcers.get(&id).map(|announcer| announcer.status(Moment::START)).unwrap_or_default();
        tried.extend(trackers.into_iter().map(|tracker| Attempt {
            kind: AttemptKind::Tracker,
            address: tracker.url,
            error: match (tracker.error, tracker.working) {
                (Some(error), _) => Some(error),
                (None, Some(true)) => Some("it answered and named nobody who serves the feed".to_owned()),
                (None, _) => Some("it did not answer in time".to_owned()),
            },
        }));
        tried
    }
}
