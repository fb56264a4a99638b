//! How far a sync has come, and whether it has ended.

use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::peer::Moment;

use super::Engine;
use crate::swarm::action::{Report, TaskId};
use crate::swarm::announcer::Announcer;
use crate::swarm::blob::Blob;
use crate::swarm::limits::{LOOK_AT_LEAST, PROGRESS_EVERY, SETTLE};
use crate::swarm::marked::Marked;
use crate::swarm::peer::Peer;
use crate::swarm::progress::{Attempt, AttemptKind, FeedOutcome, Progress, SyncFailure};
use crate::swarm::spot::Spot;
use crate::swarm::task::{Start, Sync, Task};

/// Where a feed of a sync stands.
enum Standing {
    Working,
    Done,
    Failed(SyncFailure),
}

impl Engine {
    /// Looks at those feeds of one sync that are marked: what is to be told of it, if anything.
    pub(super) fn check_sync(&mut self, now: Moment, task: TaskId, marked: &Marked) -> Option<Report> {
        let Some(Task::Sync(mut sync)) = self.tasks.remove(&task) else { return None };
        let report = self.advance_sync(now, &mut sync, marked);
        self.tasks.insert(task, Task::Sync(sync));
        report.map(Report::Progress)
    }

    fn advance_sync(&self, now: Moment, sync: &mut Sync, marked: &Marked) -> Option<Progress> {
        // Sums over all feeds are made only when all are looked at, some times a second.
        if marked.is_all() {
            let here = self.brought(sync);
            // What is held back would come.
            if here != sync.moved_at || self.is_held_back(sync) {
                sync.moved_at = here;
                sync.moved = now;
            }
        }
        let late = marked.is_all() && now.since(sync.moved) >= sync.timeout;
        let mut failure = None;
        for id in &marked.among(sync.feeds.keys()) {
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
        if ended {
            let outcomes: Vec<FeedOutcome> = sync.feeds.values().filter_map(|start| start.outcome.clone()).collect();
            let all_failed = !outcomes.is_empty() && outcomes.iter().all(|outcome| !outcome.tried.is_empty());
            return Some(match failure {
                Some(failure) if outcomes.len() == 1 || all_failed => Progress::Failed(failure),
                _ if all_failed => {
                    let (feed, tried) = (outcomes[0].feed, outcomes[0].tried.clone());
                    Progress::Failed(SyncFailure::NobodyAnswered { feed, tried })
                }
                _ => Progress::Done(outcomes),
            });
        }
        if !marked.is_all() || sync.told.is_some_and(|told| now.since(told) < PROGRESS_EVERY) {
            return None;
        }
        sync.told = Some(now);
        Some(self.progress(sync))
    }

    /// Whether what is wanted does not come because who takes it is slow.
    fn is_held_back(&self, sync: &Sync) -> bool {
        let feeds = sync.feeds.keys().filter_map(|id| self.feeds.get(id));
        sync.blob.is_some_and(|blob| feeds.filter_map(|feed| feed.blobs.get(&blob)).any(|blob| blob.held_back))
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
            let writing = feed.writes > 0;
            let complete = match sync.blob {
                Some(blob) => feed.blobs.get(&blob).is_some_and(Blob::is_complete),
                None => feed.is_complete(),
            };
            let asked_all = self.announcers.get(&id).is_none_or(Announcer::asked_all);
            if sync.blob.is_some() && complete && !writing {
                return Standing::Done;
            }
            if let Some(reason) = sync.blob.and_then(|blob| feed.left_out.get(&blob)) {
                return Standing::Failed(SyncFailure::Store(reason.clone()));
            }
            let others = if complete { seeking && !settled } else { seeking || !asked_all || !settled };
            if !writing && !others && !self.can_fetch(now, id) {
                let left_out = feed.left_out.values().next().filter(|_| sync.goal.blobs);
                return match left_out {
                    Some(reason) => Standing::Failed(SyncFailure::Store(reason.clone())),
                    None if sync.blob.is_some() => {
                        Standing::Failed(SyncFailure::Stalled { feed: id, tried: self.tried(id) })
                    }
                    None => Standing::Done,
                };
            }
            return if late {
                Standing::Failed(SyncFailure::Stalled { feed: id, tried: self.tried(id) })
            } else {
                Standing::Working
            };
        }
        let no_trackers = self.announcers.get(&id).is_none_or(Announcer::is_empty);
        let has_peers = !feed.peers.is_empty();
        if feed.spots.is_empty() && no_trackers && !has_peers {
            return Standing::Failed(SyncFailure::NobodyKnown { feed: id });
        }
        let asked_all = self.announcers.get(&id).is_none_or(Announcer::asked_all);
        let looked = sync.goal.in_passing || now.since(sync.began) >= LOOK_AT_LEAST;
        if late || (looked && asked_all && !seeking && !has_peers) {
            return Standing::Failed(SyncFailure::NobodyAnswered { feed: id, tried: self.tried(id) });
        }
        Standing::Working
    }

    /// Whether an address of the feed is still to be tried, or a try is under way.
    fn is_seeking(&self, id: FeedId) -> bool {
        let Some(feed) = self.feeds.get(&id) else { return false };
        // Who is not worth a dial now, since there are enough, is not waited for.
        let (have, sought) = (self.connected_for(id), self.sought_for(id));
        let waits = |(address, spot): (&String, &Spot)| {
            let place = self.places.get(address);
            let is_under_way = place.is_some_and(|place| place.connection.is_some());
            let is_worth_it = is_under_way || spot.kind == AttemptKind::Seeder || have < sought;
            is_worth_it && !spot.answered && spot.error.is_none() && place.is_none_or(|place| !place.itself)
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
        let serves = |peer: &&Peer| peer.shares.iter().any(|(id, share)| share.stated && sync.feeds.contains_key(id));
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
        let peers = feed.peers.iter().filter_map(|peer| self.peers.get(peer));
        let stated = |peer: &&Peer| peer.shares.get(&id).is_some_and(|share| share.stated);
        FeedOutcome {
            feed: id,
            new_entries: entries_held.saturating_sub(start.entries),
            entries_held,
            entries,
            blob_bytes: feed.blob_bytes().saturating_sub(start.blob_bytes),
            peers: u32::try_from(peers.filter(stated).count()).unwrap_or(u32::MAX),
            tried: Vec::new(),
        }
    }

    /// Every tracker, seeder and peer that was tried for a feed, and what came of it.
    fn tried(&self, id: FeedId) -> Vec<Attempt> {
        let Some(feed) = self.feeds.get(&id) else { return Vec::new() };
        let spot = |(address, spot): (&String, &Spot)| Attempt {
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
