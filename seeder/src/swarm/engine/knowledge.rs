//! What peers say: records, heads, what they hold. Everything here is checked before it counts.

use peerfeed_protocol::feed::{
    HeadDecision, HeadError, HeadRefusal, RecordError, Records, RecordsDecision, UnverifiedHead,
};
use peerfeed_protocol::ids::{FeedId, LogId};
use peerfeed_protocol::peer::message::{BlobHeld, HeadNews, State, Stored};
use peerfeed_protocol::peer::{ChannelId, Moment, PushedHead};

use super::{Command, Engine};
use crate::swarm::ConnectionId;
use crate::swarm::blob::Holding;
use crate::swarm::feed::Feed;
use crate::swarm::job::Write;
use crate::swarm::limits::LOGS_PER_FEED;
use crate::swarm::log::Log;
use crate::swarm::peer::TheirLog;

/// What a head of a peer turned out to be.
enum Verdict {
    /// It is held now, or a newer one is: its log and size.
    Followed(LogId, u64),
    /// It does not connect to what is held here: its proof starts elsewhere.
    Unconnected,
    /// Nothing can be said of it: a device that our roster does not list, or a log that is forked.
    Ignored,
    /// No honest peer sends this.
    Lie,
}

impl Engine {
    /// A peer's records, heads and holdings.
    pub(super) fn handle_state(&mut self, now: Moment, connection: ConnectionId, channel: ChannelId, state: &State) {
        let Some((id, share)) = self.peers.get_mut(&connection).and_then(|peer| peer.share_of(channel)) else { return };
        let first = !std::mem::replace(&mut share.stated, true);
        if !self.take_records(now, id, state) {
            self.ban(now, connection);
            return;
        }
        let mut unconnected = false;
        for news in &state.heads {
            match self.take_head(connection, id, news) {
                Verdict::Lie => {
                    self.ban(now, connection);
                    return;
                }
                Verdict::Unconnected => unconnected = true,
                _ => {}
            }
        }
        let versions = self.feeds.get(&id).map(Feed::versions);
        if let Some(peer) = self.peers.get_mut(&connection) {
            if let Some((_, share)) = peer.share_of(channel) {
                share.hear_held(state);
                // What it has just sent it need not be sent.
                if let Some(versions) = versions.filter(|_| state.manifest.is_some()) {
                    share.records = versions;
                }
            }
            if first && let Some(spot) = peer.reachable_at().and_then(|at| self.feeds.get_mut(&id)?.spots.get_mut(&at))
            {
                spot.answered = true;
                spot.error = None;
            }
        }
        if first && state.newest_follow {
            self.expect_newest(now, connection, id);
        }
        if first {
            self.exchange_soon(now, id);
        }
        if unconnected {
            self.reopen(now, connection, id);
        }
        self.wake_peer(connection, id);
        self.due.tasks.add(id);
    }

    /// Takes over a newer manifest with its roster; false for a lie. spec: FEED-11, FEED-12
    fn take_records(&mut self, now: Moment, id: FeedId, state: &State) -> bool {
        let Some(feed) = self.feeds.get_mut(&id) else { return true };
        if state.manifest.is_none() {
            return true;
        }
        match Records::judge(&id, feed.records.as_ref(), state.manifest.as_deref(), state.roster.as_deref()) {
            RecordsDecision::Accept(records) => {
                feed.records = Some((*records).clone());
                self.write(Write::Records(records));
                self.note_seeders(id);
                self.refresh_trackers(now, id);
                true
            }
            // What a later version writes is not for us to judge.
            RecordsDecision::Refused(error) => matches!(error, RecordError::Version(_)),
            RecordsDecision::Known | RecordsDecision::Older | RecordsDecision::RosterMissing => true,
        }
    }

    /// Looks at a head; follows it when it continues what is held. spec: LOG-5, LOG-6
    fn take_head(&mut self, connection: ConnectionId, id: FeedId, news: &HeadNews) -> Verdict {
        let Some(feed) = self.feeds.get_mut(&id) else { return Verdict::Ignored };
        let Some(records) = &feed.records else { return Verdict::Ignored };
        // In a swarm most heads are the one that is held: nothing of it has to be looked at again.
        if let Some(held) = feed.logs.values().map(Log::head).find(|held| held.bytes() == &news.record[..]) {
            let (log, size) = (*held.log(), held.size());
            self.note_size(connection, id, log, size);
            return Verdict::Followed(log, size);
        }
        let received = match UnverifiedHead::decode(&news.record) {
            Ok(received) => received,
            Err(RecordError::Version(_)) => return Verdict::Ignored,
            Err(_) => return Verdict::Lie,
        };
        let (log, size) = (*received.log(), received.size());
        let known = feed.logs.get(&log);
        if known.is_some_and(|known| known.forked) || known.is_none() && feed.logs.len() >= LOGS_PER_FEED {
            return Verdict::Ignored;
        }
        // A proof from elsewhere says nothing about what is held here.
        let connects = known.is_none_or(|known| news.from == known.size());
        let proof = connects.then_some(news.proof.as_slice());
        let decision = HeadDecision::judge(&id, records.roster(), known.map(Log::head), received, proof);
        let verdict = match decision {
            HeadDecision::Accept(head) => {
                feed.logs.entry(log).or_insert_with(|| Log::new(head.clone())).advance(head.clone());
                self.write(Write::Head(head));
                self.wake(id);
                Verdict::Followed(log, size)
            }
            HeadDecision::Known | HeadDecision::Older => Verdict::Followed(log, size),
            HeadDecision::Fork(evidence) => {
                if let Some(known) = feed.logs.get_mut(&log) {
                    known.forked = true;
                }
                self.write(Write::Fork(evidence));
                return Verdict::Ignored;
            }
            HeadDecision::Refused(HeadRefusal::Unproven) => Verdict::Unconnected,
            // Its roster may be newer or older than ours.
            HeadDecision::Refused(HeadRefusal::Head(
                HeadError::UnknownDevice
                | HeadError::BeyondEnd { .. }
                | HeadError::OtherEnd
                | HeadError::Record(RecordError::Version(_)),
            )) => return Verdict::Ignored,
            HeadDecision::Refused(_) => return Verdict::Lie,
        };
        self.note_size(connection, id, log, size);
        verdict
    }

    /// A peer has a head of this size.
    fn note_size(&mut self, connection: ConnectionId, id: FeedId, log: LogId, size: u64) {
        if let Some(share) = self.peers.get_mut(&connection).and_then(|peer| peer.shares.get_mut(&id)) {
            let theirs = share.logs.entry(log).or_default();
            theirs.size = theirs.size.max(size);
        }
    }

    /// A peer's log grew just now.
    pub(super) fn handle_push(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        channel: ChannelId,
        pushed: PushedHead,
    ) {
        let Some((id, _)) = self.peers.get_mut(&connection).and_then(|peer| peer.share_of(channel)) else { return };
        match self.take_head(connection, id, &pushed.news) {
            Verdict::Lie => self.ban(now, connection),
            Verdict::Unconnected => self.reopen(now, connection, id),
            Verdict::Ignored => {}
            Verdict::Followed(log, size) => {
                if let Some((_, share)) = self.peers.get_mut(&connection).and_then(|peer| peer.share_of(channel)) {
                    // A head is pushed when everything since the one before is held.
                    let theirs = share.logs.entry(log).or_insert_with(TheirLog::default);
                    theirs.held.insert(pushed.news.from..size);
                }
                self.note_pusher(connection, id, log, size);
                if let Some(entry) = pushed.entry {
                    self.take_entries(connection, id, entry);
                }
                self.wake_peer(connection, id);
                self.due.tasks.add(id);
            }
        }
    }

    /// A peer has synced entries to its disk.
    pub(super) fn handle_stored(
        &mut self,
        connection: ConnectionId,
        channel: ChannelId,
        stored: Stored,
        push: Option<bool>,
    ) {
        let Some(peer) = self.peers.get_mut(&connection) else { return };
        let witness = peer.hello.as_ref().and_then(|hello| hello.witness);
        let address = peer.reachable_at().or_else(|| peer.address.map(|address| address.to_string()));
        let Some((id, share)) = peer.share_of(channel) else { return };
        self.ready.entry(connection).or_default().insert(id);
        let Some(feed) = self.feeds.get_mut(&id) else { return };
        let known = feed.logs.get(&stored.log).map(Log::size);
        if let Some(size) = known {
            let theirs = share.logs.entry(stored.log).or_default();
            theirs.held.insert(0..stored.entries.min(size));
            theirs.size = theirs.size.max(stored.entries.min(size));
            let pushed_again = push == Some(true) && theirs.silent;
            theirs.silent = push.map_or(theirs.silent, |push| !push);
            if pushed_again {
                self.push_head_to(id, stored.log, &[connection]);
            }
            self.hear_of(connection, id, &stored);
        }
        let Some(feed) = self.feeds.get_mut(&id) else { return };
        // Only who has proven a witness key is a seeder, and only its word is remembered.
        let Some(witness) = witness else { return };
        let unlisted = feed.roles.own && !feed.lists(&witness);
        let met = address.clone().filter(|_| unlisted);
        if feed.note_stored(witness, address, stored) {
            if known.is_some() && feed.keeps_word_of(&witness) {
                self.write(Write::StoredBy { feed: id, witness, stored, met });
            }
            self.due.tasks.add(id);
        }
    }

    /// A peer told what it holds of blobs.
    pub(super) fn handle_blobs_held(&mut self, connection: ConnectionId, channel: ChannelId, blobs: Vec<BlobHeld>) {
        let Some((id, share)) = self.peers.get_mut(&connection).and_then(|peer| peer.share_of(channel)) else { return };
        for held in blobs {
            // What was never asked about is not remembered: a peer cannot fill our memory.
            if share.blobs_asked.contains_key(&held.root) {
                let root = held.root;
                let holding = if held.bytes == 0 { Holding::Nothing } else { Holding::Told(held) };
                share.blobs.insert(root, holding);
            }
        }
        self.wake_peer(connection, id);
        self.due.tasks.add(id);
    }

    /// Says to a peer how far each log is synced here, if it changed; only a seeder does: one by its role, or one that the manifest lists.
    pub(super) fn tell_stored(&mut self, connection: ConnectionId, id: FeedId) {
        let own = self.options.witness;
        let Some(feed) = self.feeds.get(&id).filter(|feed| feed.is_seeded_by(&own)) else { return };
        let Some(share) = self.peers.get_mut(&connection).and_then(|peer| peer.shares.get_mut(&id)) else { return };
        let mut words = Vec::new();
        for log in feed.logs.values() {
            let Some(stored) = log.stored() else { continue };
            if share.told_stored.insert(log.id(), stored) != Some(stored) {
                words.push(stored);
            }
        }
        let channel = share.channel;
        for stored in words {
            self.tell(connection, Command::Stored(channel, stored, None));
        }
    }
}
