//! Trackers: whom to tell and whom to ask.

use peerfeed_protocol::announce::Event;
use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::peer::Moment;

use super::{Action, Engine};
use crate::swarm::announcer::{self, Announce, Announcer, Purpose};
use crate::swarm::input::Announced;
use crate::swarm::limits::{ANNOUNCES, SEEDERS_FIRST};
use crate::swarm::spot::Source;
use crate::swarm::{AnnounceJob, ConnectionId};

impl Engine {
    /// Brings a feed's list of trackers up to date.
    pub(super) fn refresh_trackers(&mut self, now: Moment, id: FeedId) {
        self.due.announces = true;
        let Some(feed) = self.feeds.get(&id) else { return };
        let mut trackers = feed.trackers();
        trackers.extend(self.options.trackers.iter().cloned());
        for task in self.tasks.values().filter(|task| task.is_about(&id)) {
            trackers.extend(task.trackers().iter().cloned());
        }
        if let Some(announcer) = self.announcers.get_mut(&id) {
            announcer.retain(now, |tracker| trackers.contains(tracker));
            announcer.add(now, trackers);
        } else if self.options.serve && self.options.announce && !self.ending {
            self.announcers.insert(id, Announcer::new(now, Purpose::Serve, trackers));
        }
    }

    /// Asks a feed's trackers because somebody waits for it.
    ///
    /// A reader asks a tracker only where no known seeder answers, so a feed that has seeders gets some time first.
    pub(super) fn look_up(&mut self, now: Moment, id: FeedId) {
        let Some(feed) = self.feeds.get(&id) else { return };
        self.due.announces = true;
        if let Some(announcer) = self.announcers.get_mut(&id) {
            announcer.look_again(now);
            return;
        }
        let begin = if feed.seeders().is_empty() { now } else { now.after(SEEDERS_FIRST) };
        self.announcers.insert(id, Announcer::new(begin, Purpose::LookUp, Vec::new()));
        self.refresh_trackers(begin, id);
        self.wake_by(begin);
    }

    /// Makes the announces that are due. A look-up that is no longer needed is put off.
    pub(super) fn poll_announcers(&mut self, now: Moment) {
        let ids: Vec<FeedId> = self.announcers.keys().copied().collect();
        for id in ids {
            if self.announces >= ANNOUNCES {
                break;
            }
            if !self.options.serve
                && self.is_served_by_peers(id)
                && self.feeds.get(&id).is_some_and(crate::swarm::feed::Feed::is_complete)
            {
                continue;
            }
            let Some(announcer) = self.announcers.get_mut(&id) else { continue };
            if let Some(announce) = announcer.poll(now) {
                self.announces += 1;
                self.announce(id, announce, false);
            }
        }
        // What is due and was put off waits for a change, not for a moment.
        let wakeups = self.announcers.values().filter_map(Announcer::next_wakeup);
        self.announce_at = wakeups.filter(|at| *at > now).min();
    }

    /// A tracker answered, or did not.
    pub fn handle_announced(&mut self, now: Moment, id: FeedId, announced: Announced) {
        self.announces = self.announces.saturating_sub(1);
        self.due.announces = true;
        tracing::debug!(feed = ?id, ?announced, "tracker");
        let outcome = match announced {
            Announced::Peers { interval, peers } => {
                self.note_peers(id, Source::Tracker, &peers);
                announcer::Outcome::Answered { interval, peers: u32::try_from(peers.len()).unwrap_or(u32::MAX) }
            }
            Announced::Failed { error, never_again } => announcer::Outcome::Failed { error, never_again },
        };
        if let Some(announcer) = self.announcers.get_mut(&id)
            && let Some(leave) = announcer.handle_outcome(now, outcome, &mut self.chance)
        {
            self.farewell(id, leave);
        }
        self.due.tasks.add(id);
        self.due.dials.add(id);
        self.settle(now);
    }

    /// Leaves a tracker; nobody waits for its answer.
    pub(super) fn farewell(&mut self, id: FeedId, announce: Announce) {
        self.announce(id, announce, true);
    }

    fn announce(&mut self, id: FeedId, announce: Announce, farewell: bool) {
        let Some(feed) = self.feeds.get(&id) else { return };
        self.actions.push_back(Action::Announce(AnnounceJob {
            feed: id,
            swarm: feed.swarm,
            tracker: announce.tracker,
            event: if farewell { Event::Stopped } else { announce.event },
            farewell,
        }));
    }

    /// Whether a peer has told its state of this feed.
    pub(super) fn is_served_by_peers(&self, id: FeedId) -> bool {
        let stated = |connection: &ConnectionId| {
            let share = self.peers.get(connection).and_then(|peer| peer.shares.get(&id));
            share.is_some_and(|share| share.stated)
        };
        self.feeds.get(&id).is_some_and(|feed| feed.peers.iter().any(stated))
    }
}
