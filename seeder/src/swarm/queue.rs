//! What one peer asks for and has not been given.

use std::collections::VecDeque;

use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::peer::Moment;

use super::drain::Drain;
use super::limits::SERVE_QUANTUM_BYTES;

/// The requests of a peer, and what it holds of our memory.
#[derive(Debug)]
pub(super) struct Queue<T> {
    /// Requests with small answers.
    pub urgent: VecDeque<Request<T>>,
    /// Bulk requests by feed, in their turns.
    pub flows: VecDeque<Flow<T>>,
    /// What is left of its turn.
    pub account: Account,
    /// What waits in its connection.
    pub drain: Drain,
    /// Bytes of answers that are being read for it.
    pub reading_bytes: usize,
}

/// The bulk requests of a peer for one feed.
#[derive(Debug)]
pub(super) struct Flow<T> {
    feed: FeedId,
    /// Never none for long.
    pub requests: VecDeque<Request<T>>,
    account: Account,
}

/// A request.
#[derive(Debug)]
pub(super) struct Request<T> {
    /// The feed that it is about.
    pub feed: FeedId,
    /// Bytes that its answer has at most.
    pub bytes: usize,
    /// What is asked for.
    pub what: T,
}

/// What is left of a turn, in bytes; less than nothing when more was taken.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Account {
    /// Bytes.
    pub left: i64,
    in_turn: bool,
}

impl<T> Queue<T> {
    /// Nothing is asked for.
    pub(super) fn new() -> Self {
        Self {
            urgent: VecDeque::new(),
            flows: VecDeque::new(),
            account: Account::default(),
            drain: Drain::default(),
            reading_bytes: 0,
        }
    }

    /// How many requests.
    pub(super) fn len(&self) -> usize {
        self.urgent.len() + self.flows.iter().map(|flow| flow.requests.len()).sum::<usize>()
    }

    /// Bytes being read for it or waiting in its connection.
    pub(super) fn held_bytes(&self) -> usize {
        self.reading_bytes + self.drain.buffered_bytes()
    }

    /// The bulk requests for a feed.
    pub(super) fn flow(&mut self, feed: FeedId) -> &mut Flow<T> {
        let at = self.flows.iter().position(|flow| flow.feed == feed).unwrap_or_else(|| {
            self.flows.push_back(Flow { feed, requests: VecDeque::new(), account: Account::default() });
            self.flows.len() - 1
        });
        &mut self.flows[at]
    }

    /// A request is served now; whether nothing was before.
    pub(super) fn begin(&mut self, request: &Request<T>) -> bool {
        let was_idle = self.held_bytes() == 0;
        self.reading_bytes += request.bytes;
        self.account.left -= signed(request.bytes);
        was_idle && request.bytes > 0
    }

    /// When one of its bulk requests may be served, if none may now. `waits` tells until when a feed has to wait.
    pub(super) fn waits_until(&self, waits: impl Fn(&FeedId) -> Option<Moment>) -> Option<Moment> {
        let mut first = None;
        for flow in &self.flows {
            let until = waits(&flow.feed)?;
            first = Some(first.map_or(until, |first: Moment| first.min(until)));
        }
        first
    }

    /// The next bulk request of a feed that does not wait; there is one.
    pub(super) fn take_bulk(&mut self, waits: impl Fn(&FeedId) -> Option<Moment>) -> Request<T> {
        while waits(&self.flows[0].feed).is_some() || !self.flows[0].account.takes_turn() {
            self.flows.rotate_left(1);
        }
        let flow = &mut self.flows[0];
        let request = flow.requests.pop_front().expect("a flow without requests is taken away");
        flow.account.left -= signed(request.bytes);
        if flow.requests.is_empty() {
            self.flows.pop_front();
        }
        request
    }
}

impl Account {
    /// Whether something may be taken now; the turn is over when not.
    pub(super) fn takes_turn(&mut self) -> bool {
        if !std::mem::replace(&mut self.in_turn, true) {
            self.left = (self.left + SERVE_QUANTUM_BYTES).min(SERVE_QUANTUM_BYTES);
        }
        if self.left <= 0 {
            self.in_turn = false;
        }
        self.in_turn
    }

    /// Nothing more is asked: what is left of the turn is lost, a debt stays.
    pub(super) fn leave(&mut self) {
        self.in_turn = false;
        self.left = self.left.min(0);
    }
}

/// A number of bytes that may be subtracted from.
pub(super) fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
