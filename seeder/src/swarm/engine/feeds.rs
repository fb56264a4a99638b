//! Feeds come, change and go.

use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::peer::Moment;
use peerfeed_protocol::peer::message::RejectCode;

use super::{Action, Command, Engine};
use crate::swarm::AnnounceJob;
use crate::swarm::feed::Feed;
use crate::swarm::snapshot::Snapshot;

impl Engine {
    /// A feed is held, or what the store holds of it was changed by somebody else: a post, another role, a tracker.
    ///
    /// New heads are pushed to its peers.
    pub fn load(&mut self, now: Moment, snapshot: Snapshot) {
        let id = snapshot.feed;
        let is_new = !self.feeds.contains_key(&id);
        if is_new {
            let swarm = id.swarm_id();
            self.swarms.insert(swarm, id);
            self.feeds.insert(id, Feed::new(id, swarm));
        }
        self.uploads.set_rate(id, snapshot.up);
        let feed = self.feeds.get_mut(&id).expect("it was just put there");
        let before: Vec<_> = feed.logs.values().map(|log| (log.id(), log.size())).collect();
        let manifest = feed.records.as_ref().map(|records| records.manifest().digest());
        (feed.stopped, feed.retry_at) = (None, None);
        let new = feed.update(snapshot);
        let new_manifest = feed.records.as_ref().map(|records| records.manifest().digest()) != manifest;
        let grown: Vec<_> = feed
            .logs
            .values()
            .filter(|log| before.iter().all(|(id, size)| *id != log.id() || *size < log.size()))
            .map(crate::swarm::log::Log::id)
            .collect();
        if !is_new {
            for (log, range) in new.into_iter().rev() {
                self.actions.push_back(Action::Arrived { feed: id, log, from: range.start, to: range.end });
            }
        }
        self.note_seeders(id);
        self.refresh_trackers(now, id);
        // A head of a device that only the new roster names means nothing before that.
        if new_manifest {
            self.tell_state_to_all(id);
        }
        for log in grown {
            self.push_head(now, id, log);
        }
        self.open_with_places(now, id);
        self.due.dials.add(id);
        self.due.tasks.add(id);
        self.wake(id);
        self.settle(now);
    }

    /// A feed is held no more.
    pub fn remove_feed(&mut self, now: Moment, id: FeedId) {
        let Some(feed) = self.feeds.remove(&id) else { return };
        self.swarms.remove(&feed.swarm);
        self.uploads.set_rate(id, None);
        if let Some(mut announcer) = self.announcers.remove(&id) {
            for announce in announcer.stop() {
                self.actions.push_back(Action::Announce(AnnounceJob {
                    feed: id,
                    swarm: feed.swarm,
                    tracker: announce.tracker,
                    event: announce.event,
                    farewell: true,
                }));
            }
        }
        let channels: Vec<_> =
            self.peers.values().filter_map(|peer| Some((peer.id, peer.shares.get(&id)?.channel))).collect();
        for (peer, channel) in channels {
            self.tell(peer, Command::CloseChannel(channel, RejectCode::Closed));
            self.drop_share(peer, id);
        }
        self.due.tasks.add(id);
        self.settle(now);
    }

    /// Whether this node is a seeder of any feed, and has to prove it to who comes in.
    pub fn is_seeder(&self) -> bool {
        self.feeds.values().any(|feed| feed.is_seeded_by(&self.options.witness))
    }

    /// The feeds that are held.
    pub fn feed_ids(&self) -> Vec<FeedId> {
        self.feeds.keys().copied().collect()
    }

    /// Puts the seeders of manifest and link on the list of addresses.
    pub(super) fn note_seeders(&mut self, id: FeedId) {
        let own = self.options.witness;
        let Some(feed) = self.feeds.get_mut(&id) else { return };
        for (address, witness, _) in feed.seeders() {
            if witness != Some(own) {
                feed.note_seeder(&address, witness);
            }
        }
        self.due.dials.add(id);
    }
}
