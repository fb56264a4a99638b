//! Peer exchange: telling the peers of a feed whom else of it we are connected to. spec: PEER-48

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::limits::EXCHANGED_PEERS_MAX;
use peerfeed_protocol::peer::message::PeerExchange;
use peerfeed_protocol::peer::{ChannelId, Moment};

use super::{Command, Engine};
use crate::swarm::ConnectionId;
use crate::swarm::limits::{EXCHANGE_EVERY, EXCHANGE_GATHER, EXCHANGE_GATHER_PER_PEER, EXCHANGE_SAMPLE};
use crate::swarm::peer::{Peer, Share};
use crate::swarm::scope::may_name;
use crate::swarm::spot::Source;

/// A peer that can be named, and where.
type Named = (ConnectionId, SocketAddr);

impl Engine {
    /// Somebody came or left: others are told soon, together with who else comes and leaves meanwhile.
    pub(super) fn exchange_soon(&mut self, now: Moment, id: FeedId) {
        self.exchange_by(now.after(self.gathering(id)), id);
    }

    /// How long news of a feed are gathered: in a large swarm longer, since each telling looks at everybody.
    fn gathering(&self, id: FeedId) -> Duration {
        let peers = self.feeds.get(&id).map_or(0, |feed| feed.peers.len());
        EXCHANGE_GATHER + EXCHANGE_GATHER_PER_PEER * u32::try_from(peers).unwrap_or(u32::MAX)
    }

    fn exchange_by(&mut self, moment: Moment, id: FeedId) {
        let at = self.exchanges.entry(id).or_insert(moment);
        *at = moment.min(*at);
        self.exchange_at = Some(self.exchange_at.map_or(moment, |at| at.min(moment)));
    }

    /// A peer named others of a feed: hearsay, believed no further than the peer itself could reach.
    pub(super) fn handle_peers(&mut self, connection: ConnectionId, channel: ChannelId, peers: &PeerExchange) {
        let Some(peer) = self.peers.get(&connection) else { return };
        let (Some(feed), Some(address)) = (peer.channels.get(&channel).copied(), peer.address) else { return };
        let believed: Vec<SocketAddr> =
            peers.added.iter().copied().filter(|named| may_name(address.ip(), *named)).collect();
        let ignored = peers.added.len() - believed.len();
        self.totals.ignored_addresses += ignored as u64;
        if ignored > 0 {
            tracing::debug!(%connection, ignored, "it named addresses that it cannot know");
        }
        self.note_peers(feed, Source::Peer(connection), &believed);
    }

    /// Tells every peer what is due to be told.
    pub(super) fn exchange(&mut self, now: Moment) {
        if self.exchange_at.is_none_or(|at| at > now) {
            return;
        }
        let due: Vec<FeedId> = self.exchanges.iter().filter(|(_, at)| **at <= now).map(|(feed, _)| *feed).collect();
        self.exchanges.retain(|_, at| *at > now);
        self.exchange_at = self.exchanges.values().min().copied();
        for id in due {
            let mut next: Option<Moment> = None;
            let named = self.nameable(id);
            let connected: BTreeSet<SocketAddr> = named.iter().map(|(_, address)| *address).collect();
            let mut sample = named;
            self.chance.shuffle(&mut sample);
            sample.truncate(EXCHANGE_SAMPLE);
            let mut news = Vec::new();
            for connection in self.sharers(id) {
                let Some(peer) = self.peers.get_mut(&connection).filter(|peer| !peer.closing) else { continue };
                let Some(address) = peer.address else { continue };
                let Some(share) = peer.shares.get_mut(&id).filter(|share| share.stated) else { continue };
                if let Some(due) = share.exchanged.map(|last| last.after(EXCHANGE_EVERY)).filter(|due| *due > now) {
                    next = Some(next.map_or(due, |next| next.min(due)));
                } else if let Some(peers) = share.exchange(connection, address, &connected, &sample) {
                    share.exchanged = Some(now);
                    news.push((connection, share.channel, peers));
                }
            }
            for (connection, channel, peers) in news {
                self.tell(connection, Command::Peers(channel, peers));
            }
            if let Some(next) = next {
                self.exchange_by(next.max(now.after(self.gathering(id))), id);
            }
        }
    }

    /// The peers of a feed that others can dial.
    fn nameable(&self, id: FeedId) -> Vec<Named> {
        let has = |peer: &&Peer| !peer.closing && peer.shares.get(&id).is_some_and(|share| share.stated);
        let sharers = self.sharers(id);
        let peers = sharers.iter().filter_map(|connection| self.peers.get(connection)).filter(has);
        peers.filter_map(|peer| Some((peer.id, peer.listens_at()?))).collect()
    }
}

impl Share {
    /// What this peer, at this address, has not been told of who is connected; notes that it is told now.
    fn exchange(
        &mut self,
        own: ConnectionId,
        address: SocketAddr,
        connected: &BTreeSet<SocketAddr>,
        sample: &[Named],
    ) -> Option<PeerExchange> {
        let dropped: Vec<SocketAddr> = self.told_peers.difference(connected).copied().collect();
        for gone in &dropped {
            self.told_peers.remove(gone);
        }
        let mut added = Vec::new();
        for (connection, named) in sample {
            if self.told_peers.len() >= EXCHANGED_PEERS_MAX {
                break;
            }
            // What the other side cannot reach, or would not believe of us, is not told.
            if *connection != own && may_name(address.ip(), *named) && self.told_peers.insert(*named) {
                added.push(*named);
            }
        }
        (!added.is_empty() || !dropped.is_empty()).then_some(PeerExchange { added, dropped })
    }
}

/// What is told cannot come more often than it is listened to.
const _: () = assert!(EXCHANGE_EVERY.as_secs() > peerfeed_protocol::limits::EXCHANGE_SECONDS_MIN);
