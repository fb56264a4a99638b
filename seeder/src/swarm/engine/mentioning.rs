//! In a swarm each has many neighbours, and what is new would come from nearly all of them. The first two who push it go
//! on; the others are asked to mention it only, some time later. spec: PEER-47

use peerfeed_protocol::ids::{FeedId, LogId};
use peerfeed_protocol::peer::Moment;
use peerfeed_protocol::peer::message::Stored;

use super::{Command, Engine};
use crate::swarm::ConnectionId;
use crate::swarm::limits::MENTION_AFTER;
use crate::swarm::log::Log;
use crate::swarm::peer::Peer;

impl Engine {
    /// A peer pushed a head: if others had pushed it before, it is asked not to, so that the next one comes by the same
    /// ways as this one came first.
    pub(super) fn note_pusher(&mut self, connection: ConnectionId, id: FeedId, name: LogId, size: u64) {
        let Some(log) = self.feeds.get_mut(&id).and_then(|feed| feed.logs.get_mut(&name)) else { return };
        // A seeder's word is worth its push: it is near the author, and always there.
        let is_seeder = self.peers.get(&connection).is_none_or(Peer::is_seeder);
        if log.pushers.note(connection, size) || is_seeder {
            return;
        }
        self.want_pushes(connection, id, name, false);
    }

    /// Tells a peer whether it is to push heads of a log, if it was not told the same.
    fn want_pushes(&mut self, connection: ConnectionId, id: FeedId, name: LogId, push: bool) {
        let Some(log) = self.feeds.get(&id).and_then(|feed| feed.logs.get(&name)) else { return };
        let stored = log.stored().unwrap_or(Stored { log: name, entries: 0, with_blobs: 0 });
        let Some(share) = self.peers.get_mut(&connection).and_then(|peer| peer.shares.get_mut(&id)) else { return };
        let theirs = share.logs.entry(name).or_default();
        if theirs.hushed == push {
            theirs.hushed = !push;
            let channel = share.channel;
            self.tell(connection, Command::Stored(channel, stored, Some(push)));
        }
    }

    /// A peer said how much of a log it has: more than is known here, though others had time to push it, so it is to.
    pub(super) fn hear_of(&mut self, connection: ConnectionId, id: FeedId, stored: &Stored) {
        let Some(log) = self.feeds.get_mut(&id).and_then(|feed| feed.logs.get_mut(&stored.log)) else { return };
        let share = self.peers.get(&connection).and_then(|peer| peer.shares.get(&id));
        let hushed = share.and_then(|share| share.logs.get(&stored.log)).is_some_and(|theirs| theirs.hushed);
        if hushed && stored.entries > log.size() && log.pushers.is_worth_asking(stored.entries) {
            self.want_pushes(connection, id, stored.log, true);
        }
    }

    /// A peer that shared a feed is gone: where it pushed heads, others take its place, until it is seen who of them is first.
    ///
    /// Those who have heads from elsewhere come before those who may have them from here and would push nothing new.
    pub(super) fn replace_pusher(&mut self, connection: ConnectionId, id: FeedId) {
        let Some(feed) = self.feeds.get_mut(&id) else { return };
        let lost = feed.logs.values_mut().map(|log| (log.id(), log.pushers.lose(connection)));
        let lost: Vec<(LogId, usize)> = lost.filter(|(_, replacements)| *replacements > 0).collect();
        for (name, replacements) in lost {
            let hushed = |other: ConnectionId| {
                let share = self.peers.get(&other).filter(|peer| !peer.closing)?.shares.get(&id)?;
                let theirs = share.logs.get(&name).filter(|theirs| theirs.hushed)?;
                Some((other, theirs.silent))
            };
            let others = self.sharers(id).into_iter().filter(|other| *other != connection);
            let mut others: Vec<(ConnectionId, bool)> = others.filter_map(hushed).collect();
            self.chance.shuffle(&mut others);
            others.sort_by_key(|(_, has_its_own)| !has_its_own);
            for (other, _) in others.into_iter().take(replacements) {
                self.want_pushes(other, id, name, true);
                if let Some(log) = self.feeds.get_mut(&id).and_then(|feed| feed.logs.get_mut(&name)) {
                    log.pushers.stand_in(other);
                }
            }
        }
    }

    /// A log grew, and some peers want that mentioned: soon, unless they have mentioned it by then.
    pub(super) fn mention_soon(&mut self, now: Moment, id: FeedId, name: LogId) {
        let at = now.after(self.chance.jitter(MENTION_AFTER));
        self.mentions.entry((id, name)).or_insert(at);
        self.mention_at = Some(self.mention_at.map_or(at, |due| due.min(at)));
    }

    /// Mentions what is due.
    pub(super) fn mention(&mut self, now: Moment) {
        if self.mention_at.is_none_or(|at| at > now) {
            return;
        }
        let due: Vec<(FeedId, LogId)> =
            self.mentions.iter().filter(|(_, at)| **at <= now).map(|(log, _)| *log).collect();
        self.mentions.retain(|_, at| *at > now);
        self.mention_at = self.mentions.values().min().copied();
        for (id, name) in due {
            let Some(feed) = self.feeds.get(&id) else { continue };
            let Some(stored) = feed.logs.get(&name).and_then(Log::stored) else { continue };
            let mut to = Vec::new();
            for connection in &feed.peers {
                let Some(peer) = self.peers.get_mut(connection).filter(|peer| !peer.closing) else { continue };
                let Some(share) = peer.shares.get_mut(&id) else { continue };
                let Some(theirs) = share.logs.get_mut(&name).filter(|theirs| theirs.silent) else { continue };
                if theirs.size.max(theirs.told) < stored.entries {
                    theirs.told = stored.entries;
                    to.push((*connection, share.channel));
                }
            }
            for (connection, channel) in to {
                self.tell(connection, Command::Stored(channel, stored, None));
            }
        }
    }
}
