//! Whose request is served next.

use std::collections::{HashMap, VecDeque};

use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::peer::Moment;

use super::ConnectionId;
use super::limits::{
    SERVE_BYTES, SERVE_DEBT_BYTES, SERVE_JOBS, SERVE_JOBS_URGENT, SERVE_QUANTUM_BYTES, SERVE_QUEUE,
    SERVE_URGENT_EXTRA_BYTES,
};
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
}

/// How an answer weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// Heads and text.
    Urgent,
    /// Chunks of files.
    Bulk,
}

impl<T> Uploads<T> {
    /// Nobody asks.
    pub(super) fn new() -> Self {
        Self { peers: HashMap::new(), turns: VecDeque::new(), urgent_turns: VecDeque::new(), jobs: 0, held_bytes: 0 }
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
    pub(super) fn next(&mut self) -> Option<(ConnectionId, T)> {
        let (peer, request) = self.next_urgent().or_else(|| self.next_bulk())?;
        self.jobs += 1;
        self.held_bytes += request.bytes;
        Some((peer, request.what))
    }

    fn next_urgent(&mut self) -> Option<(ConnectionId, Request<T>)> {
        if self.jobs >= SERVE_JOBS + SERVE_JOBS_URGENT {
            return None;
        }
        for _ in 0..self.urgent_turns.len() {
            let id = self.urgent_turns.pop_front()?;
            let Some(peer) = self.peers.get_mut(&id) else { continue };
            if peer.account.left <= -SERVE_DEBT_BYTES {
                // It has had so much that passed others that it now waits as everybody does.
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
                peer.begin(&request);
                return Some((id, request));
            }
        }
        None
    }

    fn next_bulk(&mut self) -> Option<(ConnectionId, Request<T>)> {
        if self.jobs >= SERVE_JOBS || self.held_bytes >= SERVE_BYTES {
            return None;
        }
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
            if !peer.account.takes_turn() {
                self.turns.rotate_left(1);
                continue;
            }
            let request = peer.take_bulk();
            peer.begin(&request);
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
        queue.reading_bytes = queue.reading_bytes.saturating_sub(bytes);
        // Until the connection reports, it buffers what it was given.
        queue.drain.filled(now, sent_bytes);
        queue.account.left += signed(bytes) - signed(sent_bytes);
        self.held_bytes = (self.held_bytes + sent_bytes).saturating_sub(bytes);
    }

    /// A connection reports what it buffers.
    pub(super) fn drained(&mut self, now: Moment, peer: ConnectionId, buffered_bytes: usize) {
        if let Some(queue) = self.peers.get_mut(&peer) {
            let before = queue.drain.buffered_bytes();
            queue.drain.drained(now, buffered_bytes);
            self.held_bytes = (self.held_bytes + buffered_bytes).saturating_sub(before);
        }
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
        }
        self.turns.retain(|id| *id != peer);
        self.urgent_turns.retain(|id| *id != peer);
    }
}

impl<T> Default for Uploads<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use peerfeed_protocol::crypto::IdentityKey;

    use super::*;
    use crate::swarm::limits::SERVE_BUFFER_BYTES;

    const NOW: Moment = Moment::START;
    const GROUP: usize = 1_024_000;

    fn id(number: u64) -> ConnectionId {
        ConnectionId(number)
    }

    fn feed(number: u8) -> FeedId {
        IdentityKey::from_seed(&[number; 32]).feed_id()
    }

    /// Serves so many requests, each at once and completely, and tells whose they were.
    fn served<T>(uploads: &mut Uploads<T>, count: usize, bytes: impl Fn(&T) -> usize) -> Vec<(u64, T)> {
        let one = |_| {
            let (peer, what) = uploads.next()?;
            let bytes = bytes(&what);
            uploads.served(NOW, peer, bytes, bytes);
            uploads.drained(NOW, peer, 0);
            Some((peer.0, what))
        };
        (0..count).map_while(one).collect()
    }

    #[test]
    fn peers_get_the_same_bytes_however_they_cut_their_requests() {
        let mut uploads = Uploads::new();
        for _ in 0..200 {
            uploads.push(id(1), feed(1), Weight::Bulk, GROUP, GROUP).unwrap();
            uploads.push(id(2), feed(1), Weight::Bulk, GROUP / 8, GROUP / 8).unwrap();
        }
        let served = served(&mut uploads, 100, |bytes| *bytes);
        let of = |peer: u64| served.iter().filter(|(id, _)| *id == peer).map(|(_, bytes)| bytes).sum::<usize>();
        assert!(of(1).abs_diff(of(2)) <= 2 * GROUP, "{} and {}", of(1), of(2));
    }

    #[test]
    fn feeds_of_one_peer_take_turns_however_much_is_asked_of_one() {
        let mut uploads = Uploads::new();
        for _ in 0..50 {
            uploads.push(id(1), feed(1), Weight::Bulk, GROUP, 1).unwrap();
        }
        uploads.push(id(1), feed(2), Weight::Bulk, GROUP, 2).unwrap();
        let served = served(&mut uploads, 4, |_| GROUP);
        assert!(served.contains(&(1, 2)), "{served:?}");
    }

    #[test]
    fn text_passes_the_bulk_of_everybody() {
        let mut uploads = Uploads::new();
        for number in 1..=5 {
            uploads.push(id(number), feed(1), Weight::Bulk, GROUP, "film").unwrap();
        }
        while uploads.next().is_some() {}
        uploads.push(id(6), feed(1), Weight::Urgent, 4_000, "post").unwrap();
        assert_eq!(uploads.next(), Some((id(6), "post")), "though as many films are read as may be");
    }

    #[test]
    fn who_asks_for_much_in_small_answers_is_charged_for_it() {
        let mut uploads = Uploads::new();
        for _ in 0..SERVE_QUEUE / 2 {
            uploads.push(id(1), feed(1), Weight::Urgent, GROUP, 1).unwrap();
        }
        uploads.push(id(2), feed(1), Weight::Bulk, GROUP, 2).unwrap();
        let served = served(&mut uploads, 20, |_| GROUP);
        assert!(served.contains(&(2, 2)), "{served:?}");
    }

    #[test]
    fn who_takes_nothing_is_passed_over_until_it_has_drained() {
        let mut uploads = Uploads::new();
        for number in 0..20 {
            uploads.push(id(1), feed(1), Weight::Bulk, GROUP, number).unwrap();
        }
        let mut begun = 0;
        while let Some((peer, _)) = uploads.next() {
            uploads.served(NOW, peer, GROUP, GROUP);
            begun += 1;
        }
        assert!(begun * GROUP <= SERVE_BUFFER_BYTES + GROUP, "{begun}");
        uploads.drained(NOW, id(1), 0);
        assert!(uploads.next().is_some());
    }

    #[test]
    fn all_together_hold_no_more_than_there_is_and_who_takes_nothing_makes_room() {
        let mut uploads = Uploads::new();
        let later = NOW.after(std::time::Duration::from_secs(60));
        let peers = u64::try_from(2 * SERVE_BYTES / GROUP).unwrap();
        for peer in 0..peers {
            uploads.push(id(peer), feed(1), Weight::Bulk, GROUP, ()).unwrap();
            uploads.push(id(peer), feed(1), Weight::Bulk, GROUP, ()).unwrap();
        }
        let mut held = 0;
        while let Some((peer, ())) = uploads.next() {
            uploads.served(NOW, peer, GROUP, GROUP);
            held += GROUP;
        }
        assert!(held <= SERVE_BYTES + GROUP, "{held}");
        assert_eq!(uploads.in_the_way(NOW), None, "nobody has had time to take it");
        let stalled = uploads.in_the_way(later).unwrap();
        uploads.remove(stalled);
        assert!(uploads.next().is_some());
    }

    #[test]
    fn only_so_many_answers_are_read_at_once() {
        let mut uploads = Uploads::new();
        for number in 0..=SERVE_JOBS {
            uploads.push(id(number as u64), feed(1), Weight::Bulk, GROUP, number).unwrap();
        }
        assert_eq!(std::iter::from_fn(|| uploads.next()).count(), SERVE_JOBS);
        uploads.served(NOW, id(0), GROUP, GROUP);
        assert!(uploads.next().is_some());
    }

    #[test]
    fn too_many_requests_of_one_peer_are_given_back() {
        let mut uploads = Uploads::new();
        for request in 0..SERVE_QUEUE {
            uploads.push(id(1), feed(1), Weight::Bulk, 1, request).unwrap();
        }
        assert_eq!(uploads.push(id(1), feed(1), Weight::Urgent, 1, 7), Err(7));
        assert_eq!(uploads.withdraw(id(1), |request| *request == 3), [3]);
        uploads.remove(id(1));
        assert_eq!(uploads.next(), None);
    }
}
