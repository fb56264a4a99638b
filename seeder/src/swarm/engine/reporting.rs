//! What the engine tells about itself.

use peerfeed_protocol::announce::TrackerUrl;
use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::peer::Moment;

use super::Engine;
use crate::swarm::feed::Feed;
use crate::swarm::peer::Peer;
use crate::swarm::status::{FeedStatus, LogStatus, NodeStatus, PeerStatus, SeederStatus, Totals, TrackerStatus};

impl Engine {
    /// Its state, less what only the driver knows.
    pub fn status(&self, now: Moment) -> NodeStatus {
        NodeStatus {
            listen: Vec::new(),
            witness: Some(self.options.witness),
            peers: self.peers.values().filter(|peer| peer.established.is_some()).filter_map(peer_status).collect(),
            feeds: self.feeds.values().map(|feed| self.feed_status(now, feed)).collect(),
            totals: self.totals,
        }
    }

    /// What has passed and what was refused since the start.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    fn feed_status(&self, now: Moment, feed: &Feed) -> FeedStatus {
        let (entries_held, entries) = feed.entries();
        let log = |log: &crate::swarm::log::Log| LogStatus { log: log.id(), entries: log.size(), held: log.held.len() };
        let peers = self.peers.values().filter(|peer| peer.shares.contains_key(&feed.id)).count();
        let blobs_held = feed.blobs.values().filter(|blob| blob.is_complete()).count();
        FeedStatus {
            feed: feed.id,
            peers: u32::try_from(peers).unwrap_or(u32::MAX),
            logs: feed.logs.values().map(log).collect(),
            entries_held,
            entries,
            blobs_held: blobs_held as u64,
            blobs: feed.blobs.len() as u64,
            seeders: self.seeders(feed),
            trackers: self.trackers(now, feed),
            stopped: feed.stopped.clone(),
            left_out: feed.left_out.values().cloned().collect(),
        }
    }

    /// The trackers as they are asked, or as they would be.
    fn trackers(&self, now: Moment, feed: &Feed) -> Vec<TrackerStatus> {
        if let Some(announcer) = self.announcers.get(&feed.id) {
            return announcer.status(now);
        }
        let unasked = |tracker: &TrackerUrl| TrackerStatus {
            url: tracker.to_string(),
            working: None,
            peers: 0,
            error: None,
            next_in: None,
        };
        feed.trackers().iter().chain(&self.options.trackers).map(unasked).collect()
    }

    /// The seeders that manifest and link name, and those that were met and are in neither.
    fn seeders(&self, feed: &Feed) -> Vec<SeederStatus> {
        let mut seeders: Vec<SeederStatus> = Vec::new();
        for (address, witness, listed) in feed.seeders() {
            let (entries_stored, holds_all) = witness.map_or((0, false), |witness| feed.stored_by(&witness));
            seeders.push(SeederStatus {
                connected: self.is_connected_to(feed.id, witness, &address),
                error: feed.spots.get(&address).and_then(|spot| spot.error.clone()),
                address,
                witness,
                listed,
                entries_stored,
                holds_all,
            });
        }
        for (witness, address) in feed.met.iter() {
            if seeders.iter().any(|seeder| seeder.witness == Some(*witness)) {
                continue;
            }
            let (entries_stored, holds_all) = feed.stored_by(witness);
            if let Some(seeder) =
                seeders.iter_mut().find(|seeder| seeder.address == *address && seeder.witness.is_none())
            {
                (seeder.witness, seeder.entries_stored, seeder.holds_all) = (Some(*witness), entries_stored, holds_all);
                continue;
            }
            seeders.push(SeederStatus {
                address: address.clone(),
                witness: Some(*witness),
                listed: false,
                connected: self.is_connected_to(feed.id, Some(*witness), address),
                entries_stored,
                holds_all,
                error: None,
            });
        }
        seeders
    }

    fn is_connected_to(&self, id: FeedId, witness: Option<peerfeed_protocol::ids::WitnessKey>, address: &str) -> bool {
        self.peers.values().filter(|peer| peer.shares.contains_key(&id)).any(|peer| match witness {
            Some(witness) => peer.hello.as_ref().and_then(|hello| hello.witness) == Some(witness),
            None => peer.dialled.as_deref() == Some(address),
        })
    }
}

fn peer_status(peer: &Peer) -> Option<PeerStatus> {
    Some(PeerStatus {
        address: peer.address?,
        outgoing: peer.dialled_here(),
        witness: peer.hello.as_ref().and_then(|hello| hello.witness),
        program: peer.hello.as_ref().and_then(|hello| hello.program.clone()),
        feeds: peer.shares.keys().copied().collect(),
        received_bytes: peer.received_bytes,
        served_bytes: peer.served_bytes,
    })
}
