//! How long a connection waits for what. spec: PEER-50 to PEER-54

use std::time::Duration;

use super::connection::{Connection, Phase};
use super::event::{Closed, Event};
use super::moment::Moment;
use super::violation::Timeout;
use crate::limits::{
    FIRST_MESSAGE_SECONDS_MAX, HANDSHAKE_SECONDS_MAX, KEEP_ALIVE_SECONDS, RECORD_SECONDS_MAX, SILENCE_SECONDS_MAX,
    STALL_SECONDS_MAX,
};

impl Connection {
    /// Does what is due; call when [`poll_timeout`](Self::poll_timeout) has come. Too early is harmless.
    pub fn handle_timeout(&mut self, now: Moment) {
        if self.is_over() {
            return;
        }
        let run_out = self.patience().find(|(_, deadline)| *deadline <= now).map(|(timeout, _)| timeout);
        if let Some(timeout) = run_out {
            self.end(Closed::Timeout(timeout));
            return;
        }
        if !matches!(self.phase, Phase::Open) {
            return;
        }
        for (channel, request) in self.asked.take_late(now) {
            self.events.push_back(Event::TimedOut { channel, request });
        }
        if self.stalled_since.is_none() && self.keep_alive_due() <= now {
            if self.outbox.is_empty() {
                self.outbox.push_keep_alive();
            }
            self.stalled_since = Some(now);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next; none once the connection is over.
    pub fn poll_timeout(&self) -> Option<Moment> {
        if self.is_over() {
            return None;
        }
        let open = matches!(self.phase, Phase::Open);
        let keep_alive = (open && self.stalled_since.is_none()).then(|| self.keep_alive_due());
        let patience = self.patience().map(|(_, deadline)| deadline);
        patience.chain(keep_alive).chain(self.asked.next_deadline()).min()
    }

    fn keep_alive_due(&self) -> Moment {
        self.said.after(Duration::from_secs(KEEP_ALIVE_SECONDS))
    }

    /// What the connection is waiting for, and until when. spec: PEER-50 to PEER-54
    fn patience(&self) -> impl Iterator<Item = (Timeout, Moment)> {
        let deadline = |since: Moment, seconds| since.after(Duration::from_secs(seconds));
        let first = matches!(self.phase, Phase::FirstMessage)
            .then(|| (Timeout::FirstMessage, deadline(self.started, FIRST_MESSAGE_SECONDS_MAX)));
        let open = matches!(self.phase, Phase::Open);
        let handshake = (!open).then(|| (Timeout::Handshake, deadline(self.started, HANDSHAKE_SECONDS_MAX)));
        let record = self.partial_since.map(|since| (Timeout::Record, deadline(since, RECORD_SECONDS_MAX)));
        let silence = open.then(|| (Timeout::Silence, deadline(self.heard, SILENCE_SECONDS_MAX)));
        let stalled = self.stalled_since.map(|since| (Timeout::Stalled, deadline(since, STALL_SECONDS_MAX)));
        [first, handshake, record, silence, stalled].into_iter().flatten()
    }
}
