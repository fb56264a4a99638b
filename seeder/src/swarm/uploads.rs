//! Whose request is served next.

use std::collections::{HashMap, VecDeque};

use super::ConnectionId;
use super::limits::{SERVE_BUFFER_BYTES, SERVE_JOBS, SERVE_QUEUE};

/// Requests that wait for their answers: peers take turns, and within one peer small answers come before bulk.
///
/// A peer that does not take what it asked for is passed over until its connection has drained, so it costs
/// [`SERVE_BUFFER_BYTES`] at most.
#[derive(Debug)]
pub(super) struct Uploads<T> {
    peers: HashMap<ConnectionId, Peer<T>>,
    turns: VecDeque<ConnectionId>,
    jobs: usize,
}

#[derive(Debug)]
struct Peer<T> {
    urgent: VecDeque<T>,
    bulk: VecDeque<T>,
    buffered_bytes: usize,
    reading_bytes: usize,
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
        Self { peers: HashMap::new(), turns: VecDeque::new(), jobs: 0 }
    }

    /// A request came; `Err` gives it back when the peer has too many open.
    pub(super) fn push(&mut self, peer: ConnectionId, weight: Weight, request: T) -> Result<(), T> {
        let queue = self.peers.entry(peer).or_insert_with(|| {
            self.turns.push_back(peer);
            Peer { urgent: VecDeque::new(), bulk: VecDeque::new(), buffered_bytes: 0, reading_bytes: 0 }
        });
        if queue.urgent.len() + queue.bulk.len() >= SERVE_QUEUE {
            return Err(request);
        }
        match weight {
            Weight::Urgent => queue.urgent.push_back(request),
            Weight::Bulk => queue.bulk.push_back(request),
        }
        Ok(())
    }

    /// The request to be served now; `bytes` tells how large its answer will be at most.
    pub(super) fn next(&mut self, bytes: impl Fn(&T) -> usize) -> Option<(ConnectionId, T)> {
        if self.jobs >= SERVE_JOBS {
            return None;
        }
        for _ in 0..self.turns.len() {
            let id = self.turns.pop_front()?;
            self.turns.push_back(id);
            let peer = self.peers.get_mut(&id).expect("who has a turn has a queue");
            if peer.buffered_bytes + peer.reading_bytes >= SERVE_BUFFER_BYTES {
                continue;
            }
            if let Some(request) = peer.urgent.pop_front().or_else(|| peer.bulk.pop_front()) {
                peer.reading_bytes += bytes(&request);
                self.jobs += 1;
                return Some((id, request));
            }
        }
        None
    }

    /// An answer of at most `bytes` was handed to its connection, which now buffers `buffered_bytes`.
    pub(super) fn served(&mut self, peer: ConnectionId, bytes: usize) {
        self.jobs = self.jobs.saturating_sub(1);
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.reading_bytes = peer.reading_bytes.saturating_sub(bytes);
            // Until the connection reports, it buffers what it was given.
            peer.buffered_bytes += bytes;
        }
    }

    /// A connection reports what it buffers.
    pub(super) fn drained(&mut self, peer: ConnectionId, buffered_bytes: usize) {
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.buffered_bytes = buffered_bytes;
        }
    }

    /// Takes back the requests of a peer that fit; they are not served.
    pub(super) fn withdraw(&mut self, peer: ConnectionId, fits: impl Fn(&T) -> bool) -> Vec<T> {
        let Some(queue) = self.peers.get_mut(&peer) else { return Vec::new() };
        let mut withdrawn = Vec::new();
        for list in [&mut queue.urgent, &mut queue.bulk] {
            let (out, stay): (VecDeque<T>, VecDeque<T>) = list.drain(..).partition(&fits);
            withdrawn.extend(out);
            *list = stay;
        }
        withdrawn
    }

    /// The peer is gone, and its requests with it.
    pub(super) fn remove(&mut self, peer: ConnectionId) {
        self.peers.remove(&peer);
        self.turns.retain(|id| *id != peer);
    }
}

impl<T> Default for Uploads<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> ConnectionId {
        ConnectionId(number)
    }

    #[test]
    fn peers_take_turns_however_much_one_asks() {
        let mut uploads = Uploads::new();
        for request in 0..5 {
            uploads.push(id(1), Weight::Bulk, request).unwrap();
        }
        uploads.push(id(2), Weight::Bulk, 100).unwrap();
        let mut served = Vec::new();
        while let Some((peer, request)) = uploads.next(|_| 1) {
            uploads.served(peer, 1);
            served.push(request);
        }
        assert_eq!(served, [0, 100, 1, 2, 3, 4]);
    }

    #[test]
    fn text_passes_bulk() {
        let mut uploads = Uploads::new();
        uploads.push(id(1), Weight::Bulk, "film").unwrap();
        uploads.push(id(1), Weight::Urgent, "post").unwrap();
        assert_eq!(uploads.next(|_| 1), Some((id(1), "post")));
    }

    #[test]
    fn who_takes_nothing_is_passed_over_until_it_has_drained() {
        let mut uploads = Uploads::new();
        uploads.push(id(1), Weight::Bulk, 1).unwrap();
        uploads.push(id(1), Weight::Bulk, 2).unwrap();
        uploads.next(|_| SERVE_BUFFER_BYTES).unwrap();
        uploads.served(id(1), SERVE_BUFFER_BYTES);
        assert_eq!(uploads.next(|_| 1), None);
        uploads.drained(id(1), 0);
        assert_eq!(uploads.next(|_| 1), Some((id(1), 2)));
    }

    #[test]
    fn only_so_many_answers_are_read_at_once() {
        let mut uploads = Uploads::new();
        for request in 0..=SERVE_JOBS {
            uploads.push(id(request as u64), Weight::Bulk, request).unwrap();
        }
        assert_eq!(std::iter::from_fn(|| uploads.next(|_| 1)).count(), SERVE_JOBS);
        uploads.served(id(0), 1);
        assert!(uploads.next(|_| 1).is_some());
    }

    #[test]
    fn too_many_requests_of_one_peer_are_given_back() {
        let mut uploads = Uploads::new();
        for request in 0..SERVE_QUEUE {
            uploads.push(id(1), Weight::Bulk, request).unwrap();
        }
        assert_eq!(uploads.push(id(1), Weight::Urgent, 7), Err(7));
        assert_eq!(uploads.withdraw(id(1), |request| *request == 3), [3]);
        uploads.remove(id(1));
        assert_eq!(uploads.next(|_| 1), None);
    }
}
