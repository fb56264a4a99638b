//! The client's side of one UDP exchange: connect, announce, repeat until answered.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};

use super::request::url_data_option;
use super::{Announce, Family, Reply, Request, TransactionId};
use crate::announce::connection_id::ConnectionId;
use crate::announce::limits::{CONNECTION_ID_USE, UDP_FIRST_TIMEOUT, UDP_SENDS_MAX};
use crate::announce::{AnnounceReply, AnnounceRequest, TrackerFailure};

/// One announce to one address of a UDP tracker, as a machine without socket and clock (spec: ANN-30 to ANN-34).
///
/// The driver repeats, until [`outcome`](Self::outcome) is there:
/// 1. send every datagram that [`poll_send`](Self::poll_send) gives, on a socket connected to the tracker's address;
/// 2. wait until [`poll_wake`](Self::poll_wake) or a datagram, whichever is first;
/// 3. hand the datagram to [`handle_datagram`](Self::handle_datagram).
///
/// Times are measured from whatever moment the driver likes, always the same. Datagrams that do not fit are ignored, so
/// that who cannot see the exchange cannot break it.
#[derive(Debug)]
pub struct UdpExchange {
    request: AnnounceRequest,
    options: Vec<u8>,
    family: Family,
    timing: ExchangeOptions,
    ids: ChaCha8Rng,
    state: State,
    connect_sends: u32,
    announce_sends: u32,
}

/// How patient an exchange is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExchangeOptions {
    /// Wait for the first answer; doubled with each repetition.
    pub first_timeout: Duration,
    /// Sends of each datagram before giving up; at least 1.
    pub max_sends: u32,
}

/// Why an exchange brought no reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// Nothing usable came back.
    #[error("the tracker did not answer {sends} datagrams")]
    NoAnswer {
        /// Datagrams sent in vain.
        sends: u32,
    },
    /// The tracker answered with an error.
    #[error(transparent)]
    Refused(#[from] TrackerFailure),
}

#[derive(Debug)]
enum State {
    Connecting(Pending),
    Announcing { connection_id: ConnectionId, since: Duration, pending: Pending },
    Done { connection: Option<(ConnectionId, Duration)>, outcome: Result<AnnounceReply, ExchangeError> },
}

/// What is being waited for.
#[derive(Clone, Copy, Debug)]
enum Pending {
    /// Not yet sent.
    Unsent,
    /// Sent; to be repeated at `due`.
    Sent { transaction_id: TransactionId, due: Duration },
}

impl Default for ExchangeOptions {
    /// The timing of BEP 15.
    fn default() -> Self {
        Self { first_timeout: UDP_FIRST_TIMEOUT, max_sends: UDP_SENDS_MAX }
    }
}

impl UdpExchange {
    /// An exchange over `family` that has not sent anything; `path_and_query` is that of the tracker's URL, and the
    /// transaction ids follow from `seed`, which must be random.
    pub fn new(
        request: AnnounceRequest,
        path_and_query: &str,
        family: Family,
        timing: ExchangeOptions,
        seed: [u8; 32],
    ) -> Self {
        Self {
            request,
            options: url_data_option(path_and_query),
            family,
            timing,
            ids: ChaCha8Rng::from_seed(seed),
            state: State::Connecting(Pending::Unsent),
            connect_sends: 0,
            announce_sends: 0,
        }
    }

    /// Begins with a connection id that an earlier exchange with the same address got at `since`.
    #[must_use]
    pub fn with_connection(mut self, connection_id: ConnectionId, since: Duration) -> Self {
        self.state = State::Announcing { connection_id, since, pending: Pending::Unsent };
        self
    }

    /// The datagram to send now, if one is due. Ends the exchange when it was sent often enough in vain.
    pub fn poll_send(&mut self, now: Duration) -> Option<Vec<u8>> {
        if let State::Announcing { since, pending, .. } = &self.state
            && pending.is_due(now)
            && now.saturating_sub(*since) >= CONNECTION_ID_USE
        {
            self.connect_sends = 0;
            self.state = State::Connecting(Pending::Unsent);
        }
        let (pending, sends) = match &self.state {
            State::Connecting(pending) => (*pending, self.connect_sends),
            State::Announcing { pending, .. } => (*pending, self.announce_sends),
            State::Done { .. } => return None,
        };
        if !pending.is_due(now) {
            return None;
        }
        if sends >= self.timing.max_sends.max(1) {
            let sends = self.connect_sends + self.announce_sends;
            self.finish(Err(ExchangeError::NoAnswer { sends }));
            return None;
        }
        let transaction_id = self.ids.next_u32();
        let wait = self.timing.first_timeout.saturating_mul(1 << sends.min(8));
        let sent = Pending::Sent { transaction_id, due: now + wait };
        match &mut self.state {
            State::Connecting(pending) => {
                *pending = sent;
                self.connect_sends += 1;
                Some(Request::Connect { transaction_id }.encode())
            }
            State::Announcing { connection_id, pending, .. } => {
                *pending = sent;
                self.announce_sends += 1;
                let announce = Announce {
                    connection_id: *connection_id,
                    transaction_id,
                    request: self.request,
                    options: &self.options,
                };
                Some(Request::Announce(announce).encode())
            }
            State::Done { .. } => None,
        }
    }

    /// When to call [`poll_send`](Self::poll_send) next; `None` when the exchange has ended. A time in the past, or
    /// `now` itself, means at once.
    pub fn poll_wake(&self, now: Duration) -> Option<Duration> {
        match &self.state {
            State::Connecting(pending) | State::Announcing { pending, .. } => Some(match pending {
                Pending::Unsent => now,
                Pending::Sent { due, .. } => *due,
            }),
            State::Done { .. } => None,
        }
    }

    /// Takes a datagram that came from the tracker's address. Call [`poll_send`](Self::poll_send) afterwards.
    pub fn handle_datagram(&mut self, datagram: &[u8], now: Duration) {
        let Ok(reply) = Reply::decode(datagram, self.family) else {
            return;
        };
        let expected = match &self.state {
            State::Connecting(pending) | State::Announcing { pending, .. } => pending,
            State::Done { .. } => return,
        };
        if !matches!(expected, Pending::Sent { transaction_id, .. } if *transaction_id == reply.transaction_id()) {
            return;
        }
        match (&self.state, reply) {
            (State::Connecting(_), Reply::Connect { connection_id, .. }) => {
                self.state = State::Announcing { connection_id, since: now, pending: Pending::Unsent };
            }
            (State::Announcing { .. }, Reply::Announce { reply, .. }) => self.finish(Ok(reply)),
            (_, Reply::Error { reason, .. }) => {
                self.finish(Err(TrackerFailure { reason, retry_in: None }.into()));
            }
            _ => {}
        }
    }

    /// How the exchange ended, once it has.
    pub fn outcome(&self) -> Option<&Result<AnnounceReply, ExchangeError>> {
        match &self.state {
            State::Done { outcome, .. } => Some(outcome),
            _ => None,
        }
    }

    /// The connection id and when it was got, for [`with_connection`](Self::with_connection) of a later exchange.
    pub fn connection(&self) -> Option<(ConnectionId, Duration)> {
        match &self.state {
            State::Connecting(_) => None,
            State::Announcing { connection_id, since, .. } => Some((*connection_id, *since)),
            State::Done { connection, .. } => *connection,
        }
    }

    fn finish(&mut self, outcome: Result<AnnounceReply, ExchangeError>) {
        let connection = if outcome.is_ok() { self.connection() } else { None };
        self.state = State::Done { connection, outcome };
    }
}

impl Pending {
    fn is_due(self, now: Duration) -> bool {
        match self {
            Self::Unsent => true,
            Self::Sent { due, .. } => due <= now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::announce::udp::encode_error;
    use crate::announce::{InfoHash, PeerId};

    const SECOND: Duration = Duration::from_secs(1);
    const START: Duration = Duration::from_secs(1_000_000);

    fn exchange(timing: ExchangeOptions) -> UdpExchange {
        let request = AnnounceRequest::new(InfoHash([1; 20]), PeerId([2; 20]), 6881);
        UdpExchange::new(request, "/announce", Family::V4, timing, [3; 32])
    }

    /// The reply of a tracker in order.
    fn answer(datagram: &[u8]) -> Vec<u8> {
        match Request::decode(datagram).unwrap() {
            Request::Connect { transaction_id } => {
                Reply::Connect { transaction_id, connection_id: ConnectionId(99) }.encode(Family::V4)
            }
            Request::Announce(announce) => {
                assert_eq!(announce.connection_id, ConnectionId(99));
                let reply = AnnounceReply { interval: 1800 * SECOND, ..AnnounceReply::default() };
                Reply::Announce { transaction_id: announce.transaction_id, reply }.encode(Family::V4)
            }
            Request::Scrape(_) => panic!("no scrape is sent"),
        }
    }

    #[test]
    fn an_answered_exchange_takes_two_datagrams() {
        let now = START;
        let mut exchange = exchange(ExchangeOptions::default());
        assert_eq!(exchange.poll_wake(now), Some(now));
        for _ in 0..2 {
            assert!(exchange.outcome().is_none());
            let datagram = exchange.poll_send(now).unwrap();
            assert_eq!(exchange.poll_send(now), None);
            exchange.handle_datagram(&answer(&datagram), now);
        }
        assert_eq!(exchange.outcome().unwrap().as_ref().unwrap().interval, 1800 * SECOND);
        assert_eq!((exchange.poll_send(now), exchange.poll_wake(now)), (None, None));
        assert_eq!(exchange.connection(), Some((ConnectionId(99), now)));
    }

    #[test]
    fn an_unanswered_connect_is_repeated_after_15_30_60_seconds_and_so_on() {
        let start = START;
        let mut now = start;
        let mut exchange = exchange(ExchangeOptions::default());
        let mut sent_after = Vec::new();
        while let Some(wake) = exchange.poll_wake(now) {
            now = wake;
            if exchange.poll_send(now).is_some() {
                sent_after.push(now.as_secs() - start.as_secs());
            }
        }
        assert_eq!(sent_after, [0, 15, 45, 105, 225, 465, 945, 1905, 3825]);
        assert_eq!(exchange.outcome(), Some(&Err(ExchangeError::NoAnswer { sends: 9 })));
        assert_eq!(now.as_secs() - start.as_secs(), 7665);
    }

    #[test]
    fn an_impatient_client_gives_up_sooner() {
        let start = START;
        let mut now = start;
        let mut exchange = exchange(ExchangeOptions { first_timeout: SECOND, max_sends: 2 });
        while let Some(wake) = exchange.poll_wake(now) {
            now = wake;
            exchange.poll_send(now);
        }
        assert_eq!(now, start + 3 * SECOND);
    }

    #[test]
    fn a_connection_id_is_renewed_after_a_minute_and_the_exchange_still_ends() {
        let start = START;
        let mut now = start;
        let mut exchange = exchange(ExchangeOptions { first_timeout: 15 * SECOND, max_sends: 4 });
        let (mut connects, mut announces) = (0, 0);
        while let Some(wake) = exchange.poll_wake(now) {
            now = wake;
            let Some(datagram) = exchange.poll_send(now) else {
                continue;
            };
            match Request::decode(&datagram).unwrap() {
                Request::Connect { .. } => {
                    connects += 1;
                    exchange.handle_datagram(&answer(&datagram), now);
                }
                _ => announces += 1,
            }
        }
        assert_eq!((connects, announces), (3, 4));
        assert!(matches!(exchange.outcome(), Some(Err(ExchangeError::NoAnswer { .. }))));
    }

    #[test]
    fn a_known_connection_id_saves_the_first_round_trip() {
        let now = START;
        let mut exchange = exchange(ExchangeOptions::default()).with_connection(ConnectionId(99), now);
        let datagram = exchange.poll_send(now + 59 * SECOND).unwrap();
        assert!(matches!(Request::decode(&datagram), Ok(Request::Announce(_))));
    }

    #[test]
    fn a_connection_id_older_than_a_minute_is_not_used() {
        let now = START;
        let mut exchange = exchange(ExchangeOptions::default()).with_connection(ConnectionId(99), now);
        let datagram = exchange.poll_send(now + 60 * SECOND).unwrap();
        assert!(matches!(Request::decode(&datagram), Ok(Request::Connect { .. })));
    }

    #[test]
    fn datagrams_that_do_not_fit_are_ignored() {
        let now = START;
        let mut exchange = exchange(ExchangeOptions::default());
        let good = answer(&exchange.poll_send(now).unwrap());
        let mut other_transaction = good.clone();
        other_transaction[7] ^= 1;
        let mut other_action = good.clone();
        other_action[3] = 2;
        for bad in [&b""[..], b"garbage", &other_transaction, &other_action, &encode_error(1, "no", 100)] {
            exchange.handle_datagram(bad, now);
            assert_eq!((exchange.outcome(), exchange.connection()), (None, None));
        }
        exchange.handle_datagram(&good, now);
        assert!(exchange.connection().is_some());
    }

    #[test]
    fn a_refusal_ends_the_exchange_with_the_trackers_words() {
        let now = START;
        let mut exchange = exchange(ExchangeOptions::default());
        let datagram = exchange.poll_send(now).unwrap();
        let Ok(Request::Connect { transaction_id }) = Request::decode(&datagram) else { panic!() };
        exchange.handle_datagram(&encode_error(transaction_id, "go away", 100), now);
        let failure = TrackerFailure { reason: "go away".into(), retry_in: None };
        assert_eq!(exchange.outcome(), Some(&Err(failure.into())));
    }

    #[test]
    fn the_path_of_the_url_travels_as_an_option() {
        let now = START;
        let request = AnnounceRequest::new(InfoHash([1; 20]), PeerId([2; 20]), 6881);
        let timing = ExchangeOptions::default();
        let mut exchange = UdpExchange::new(request, "/secret/announce", Family::V4, timing, [3; 32])
            .with_connection(ConnectionId(99), now);
        let datagram = exchange.poll_send(now).unwrap();
        let Ok(Request::Announce(announce)) = Request::decode(&datagram) else { panic!() };
        assert_eq!(announce.url_data(), b"/secret/announce");
    }
}
