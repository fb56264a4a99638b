//! Whose request is served next.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::peer::Moment;

use super::ConnectionId;
use super::limits::{
    SERVE_BYTES, SERVE_DEBT_BYTES, SERVE_JOBS, SERVE_JOBS_URGENT, SERVE_QUANTUM_BYTES, SERVE_QUEUE,
    SERVE_URGENT_EXTRA_BYTES,
};
use super::line::Line;
use super::pace::Pace;
use super::queue::{Queue, Request, signed};

/// Requests that wait for their answers.
///
/// Bulk goes by deficit round robin: peers take turns, within a peer its feeds do, and a turn is so many bytes, however
/// they are cut. Small answers pass all bulk, of other peers too, so that reading stays instant while somebody downloads
/// a film; they are charged to the same account, so nobody gains by asking for bulk in small pieces.
///
/// A peer that does not take what it asked for is passed over until its connection has drained, and all of them together
/// never hold more than [`SERVE_BYTES`].
#[derive(Debug)]
pub(super) struct Uploads<T> {
    peers: HashMap<ConnectionId, Queue<T>>,
    /// Peers with bulk requests, in their turns.
    turns: VecDeque<ConnectionId>,
    /// Peers with urgent requests, in their turns.
    urgent_turns: VecDeque<ConnectionId>,
    jobs: usize,
    held_bytes: usize,
    /// Peers for whom something is read or waits in their connections.
    busy: usize,
    line: Line,
    /// How fast feeds that have a rate of their own may be sent.
    paces: HashMap<FeedId, Pace>,
    /// When one of them may be sent again for which somebody waits.
    paced_until: Option<Moment>,
}

/// How far small answers may run ahead of their feed's rate.
const AHEAD: Duration = Duration::from_secs(1);

/// How an answer weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// Heads and text.
    Urgent,
    /// Chunks of files.
    Bulk,
}

impl<T> Uploads<T> {
    /// Nobody asks. The rate is the line's, where it is known.
    pub(super) fn new(bytes_per_second: Option<u64>) -> Self {
        Self {
            peers: HashMap::new(),
            turns: VecDeque::new(),
            urgent_turns: VecDeque::new(),
            jobs: 0,
            held_bytes: 0,
            busy: 0,
            line: Line::new(bytes_per_second),
            paces: HashMap::new(),
            paced_until: None,
        }
    }

    /// Sets what may be sent of a feed in a second, or that nothing bounds it.
    pub(super) fn set_rate(&mut self, feed: FeedId, bytes_per_second: Option<u64>) {
        if bytes_per_second.is_some() {
            self.paces.entry(feed).or_default().set(bytes_per_second);
        } else {
            self.paces.remove(&feed);
        }
    }

    /// When the feed of a request that waits may be sent again.
    pub(super) fn paced_until(&self) -> Option<Moment> {
        self.paced_until
    }

    /// A request came, whose answer has at most so many bytes; `Err` gives it back when the peer has too many open.
    pub(super) fn push(
        &mut self,
        peer: ConnectionId,
        feed: FeedId,
        weight: Weight,
        bytes: usize,
        what: T,
    ) -> Result<(), T> {
        let queue = self.peers.entry(peer).or_insert_with(Queue::new);
        if queue.len() >= SERVE_QUEUE {
            return Err(what);
        }
        let request = Request { feed, bytes, what };
        match weight {
            Weight::Urgent => {
                if queue.urgent.is_empty() {
                    self.urgent_turns.push_back(peer);
                }
                queue.urgent.push_back(request);
            }
            Weight::Bulk => {
                if queue.flows.is_empty() {
                    self.turns.push_back(peer);
                }
                queue.flow(feed).requests.push_back(request);
            }
        }
        Ok(())
    }

    /// The request to be served now.
    pub(super) fn next(&mut self, now: Moment) -> Option<(ConnectionId, T)> {
        let (peer, request) = self.next_urgent(now).or_else(|| self.next_bulk(now))?;
        if let Some(pace) = self.paces.get_mut(&request.feed) {
            pace.take(now, request.bytes as u64);
        }
        self.jobs += 1;
        self.held_bytes += request.bytes;
        Some((peer, request.what))
    }

    fn next_urgent(&mut self, now: Moment) -> Option<(ConnectionId, Request<T>)> {
        if self.jobs >= SERVE_JOBS + SERVE_JOBS_URGENT {
            return None;
        }
        for _ in 0..self.urgent_turns.len() {
            let id = self.urgent_turns.pop_front()?;
            let Some(peer) = self.peers.get_mut(&id) else { continue };
            let is_paced = |request: &Request<T>| {
                self.paces
                    .get(&request.feed)
                    .is_some_and(|pace| pace.waits_until(now).is_some_and(|at| at.since(now) > AHEAD))
            };
            if peer.account.left <= -SERVE_DEBT_BYTES || peer.urgent.iter().any(is_paced) {
                // It has had so much that passed others, or of this feed, that it now waits as everybody does.
                if peer.flows.is_empty() {
                    self.turns.push_back(id);
                }
                for request in std::mem::take(&mut peer.urgent) {
                    peer.flow(request.feed).requests.push_back(request);
                }
                continue;
            }
            let may = peer.held_bytes() < peer.drain.limit_bytes() + SERVE_URGENT_EXTRA_BYTES;
            let request = if may { peer.urgent.pop_front() } else { None };
            if !peer.urgent.is_empty() {
                self.urgent_turns.push_back(id);
            }
            if let Some(request) = request {
                self.busy += usize::from(peer.begin(&request));
                return Some((id, request));
            }
        }
        None
    }

    fn next_bulk(&mut self, now: Moment) -> Option<(ConnectionId, Request<T>)> {
        if self.jobs >= SERVE_JOBS || self.held_bytes >= SERVE_BYTES {
            return None;
        }
        self.paced_until = None;
        // A debt is paid off turn by turn, if need be within one call.
        let rounds = usize::try_from(SERVE_DEBT_BYTES / SERVE_QUANTUM_BYTES).expect("a constant") + 2;
        for _ in 0..self.turns.len() * rounds {
            let id = *self.turns.front()?;
            let Some(peer) = self.peers.get_mut(&id).filter(|peer| !peer.flows.is_empty()) else {
                self.turns.pop_front();
                continue;
            };
            if peer.held_bytes() >= peer.drain.limit_bytes() {
                self.turns.rotate_left(1);
                continue;
            }
            let waits = |feed: &FeedId| self.paces.get(feed).and_then(|pace| pace.waits_until(now));
            if let Some(until) = peer.waits_until(waits) {
                self.paced_until = Some(self.paced_until.map_or(until, |at| at.min(until)));
                self.turns.rotate_left(1);
                continue;
            }
            if !peer.account.takes_turn() {
                self.turns.rotate_left(1);
                continue;
            }
            // Whose turn it is waits for a slot, and nobody passes meanwhile.
            if peer.held_bytes() == 0 && !self.line.has_slot(now, self.busy) {
                return None;
            }
            let request = peer.take_bulk(waits);
            self.busy += usize::from(peer.begin(&request));
            if peer.flows.is_empty() {
                peer.account.leave();
                self.turns.pop_front();
            }
            return Some((id, request));
        }
        None
    }

    /// An answer that might have had `bytes` was handed to its connection and had `sent_bytes`.
    pub(super) fn served(&mut self, now: Moment, peer: ConnectionId, bytes: usize, sent_bytes: usize) {
        self.jobs = self.jobs.saturating_sub(1);
        let Some(queue) = self.peers.get_mut(&peer) else { return };
        let was_busy = queue.held_bytes() > 0;
        queue.reading_bytes = queue.reading_bytes.saturating_sub(bytes);
        // Until the connection reports, it buffers what it was given.
        queue.drain.filled(now, sent_bytes);
        self.busy = self.busy + usize::from(queue.held_bytes() > 0) - usize::from(was_busy);
        queue.account.left += signed(bytes) - signed(sent_bytes);
        self.held_bytes = (self.held_bytes + sent_bytes).saturating_sub(bytes);
    }

    /// A connection reports what it buffers.
    pub(super) fn drained(&mut self, now: Moment, peer: ConnectionId, buffered_bytes: usize) {
        if let Some(queue) = self.peers.get_mut(&peer) {
            let (before, was_busy) = (queue.drain.buffered_bytes(), queue.held_bytes() > 0);
            queue.drain.drained(now, buffered_bytes);
            self.busy = self.busy + usize::from(queue.held_bytes() > 0) - usize::from(was_busy);
            self.line.sent(before.saturating_sub(buffered_bytes));
            self.held_bytes = (self.held_bytes + buffered_bytes).saturating_sub(before);
        }
    }

    /// Whether somebody waits for a slot of the line.
    pub(super) fn waits_for_line(&self) -> bool {
        self.line.is_wanted()
    }

    /// Whether somebody waits and there is no room.
    pub(super) fn is_full(&self) -> bool {
        self.held_bytes >= SERVE_BYTES && !self.turns.is_empty()
    }

    /// Who is to make room when there is none: who has taken nothing for longest of those that hold it.
    pub(super) fn in_the_way(&self, now: Moment) -> Option<ConnectionId> {
        if !self.is_full() {
            return None;
        }
        let stalled = |(id, peer): (&ConnectionId, &Queue<T>)| Some((peer.drain.stalled_since(now)?, *id));
        self.peers.iter().filter_map(stalled).min().map(|(_, id)| id)
    }

    /// Takes back the requests of a peer that fit; they are not served.
    pub(super) fn withdraw(&mut self, peer: ConnectionId, fits: impl Fn(&T) -> bool) -> Vec<T> {
        let Some(queue) = self.peers.get_mut(&peer) else { return Vec::new() };
        let mut withdrawn = Vec::new();
        let bulk = queue.flows.iter_mut().map(|flow| &mut flow.requests);
        for list in std::iter::once(&mut queue.urgent).chain(bulk) {
            let (out, stay): (VecDeque<_>, VecDeque<_>) = list.drain(..).partition(|request| fits(&request.what));
            withdrawn.extend(out.into_iter().map(|request| request.what));
            *list = stay;
        }
        queue.flows.retain(|flow| !flow.requests.is_empty());
        if queue.urgent.is_empty() {
            self.urgent_turns.retain(|id| *id != peer);
        }
        if queue.flows.is_empty() {
            self.turns.retain(|id| *id != peer);
        }
        withdrawn
    }

    /// The peer is gone, and its requests with it.
    pub(super) fn remove(&mut self, peer: ConnectionId) {
        if let Some(queue) = self.peers.remove(&peer) {
            self.held_bytes = self.held_bytes.saturating_sub(queue.held_bytes());
            self.busy -= usize::from(queue.held_bytes() > 0);
        }
        self.turns.retain(|id| *id != peer);
        self.urgent_turns.retain(|id| *id != peer);
    }
}

impl<T> Default for Uploads<T> {
    fn default() -> Self {
        Self::new(None)
    }
}

#[cfg(test)]
mod tests;
