//! When there are nearly as many connections as there may be, some give way, so that newcomers get in.

use peerfeed_protocol::peer::Moment;
use peerfeed_protocol::peer::message::RejectCode;

use super::Engine;
use crate::swarm::ConnectionId;
use crate::swarm::limits::{STEADY, TURNOVER_EVERY, TURNOVER_FROM_PERCENT, TURNOVER_PERCENT};
use crate::swarm::peer::Peer;

impl Engine {
    /// Closes some of those that came in and moved least, once in a while. Seeders and who was dialled here stay, and
    /// whoever goes may come again.
    pub(super) fn turn_over(&mut self, now: Moment) {
        if self.peers.len() * 100 < self.options.connections_max * TURNOVER_FROM_PERCENT {
            self.turnover_at = None;
            return;
        }
        let due = *self.turnover_at.get_or_insert(now.after(TURNOVER_EVERY));
        if due > now {
            return;
        }
        self.turnover_at = Some(now.after(TURNOVER_EVERY));
        let count = (self.options.connections_max * TURNOVER_PERCENT / 100).max(1);
        let mut idle: Vec<(u64, ConnectionId)> =
            self.peers.values_mut().filter(|peer| may_go(now, peer)).map(|peer| (peer.take_moved(), peer.id)).collect();
        // Among equals nobody can make sure that it is others who go.
        self.chance.shuffle(&mut idle);
        idle.sort_by_key(|(moved_bytes, _)| *moved_bytes);
        for (_, connection) in idle.into_iter().take(count) {
            self.close(connection, RejectCode::Busy);
        }
    }
}

fn may_go(now: Moment, peer: &Peer) -> bool {
    let is_new = peer.established.is_none_or(|since| now.since(since) < STEADY);
    !peer.closing && !peer.dialled_here() && !peer.is_seeder() && !is_new
}
