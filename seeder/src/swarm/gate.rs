//! Who may come in, before any cryptography.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use peerfeed_protocol::peer::Moment;

use super::limits::{CONNECTIONS_PER_PREFIX, HALF_OPEN, HALF_OPEN_PER_PREFIX, HINT_TRIES_PER_MINUTE};
use super::prefix::Prefix;

/// Counts connections that came in: in all, those without a finished handshake, and per prefix; and how often the hints
/// of a prefix were compared with the feeds held here.
#[derive(Debug)]
pub struct Gate {
    connections_max: usize,
    prefixes: HashMap<Prefix, Count>,
    open: usize,
    half_open: usize,
}

/// Why a connection is closed without a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There are as many connections as there may be.
    #[error("there are as many connections as there may be")]
    Full,
    /// Too many have not finished their handshakes.
    #[error("too many connections have not finished their handshakes")]
    HalfOpen,
    /// Too many are from one prefix.
    #[error("too many connections are from one prefix")]
    Prefix,
}

#[derive(Debug)]
struct Count {
    open: usize,
    half_open: usize,
    tries: u32,
    tries_since: Moment,
}

const MINUTE: Duration = Duration::from_secs(60);

impl Count {
    fn new(now: Moment) -> Self {
        Self { open: 0, half_open: 0, tries: 0, tries_since: now }
    }
}

impl Gate {
    /// A gate that lets in so many at a time.
    pub fn new(connections_max: usize) -> Self {
        Self { connections_max, prefixes: HashMap::new(), open: 0, half_open: 0 }
    }

    /// Lets a connection in, or says why not. Each one that was let in must be reported to [`Self::left`].
    pub fn enter(&mut self, now: Moment, address: SocketAddr) -> Result<(), Refusal> {
        if self.open >= self.connections_max {
            return Err(Refusal::Full);
        }
        if self.half_open >= HALF_OPEN {
            return Err(Refusal::HalfOpen);
        }
        let prefix = Prefix::of(address.ip());
        let count = self.prefixes.entry(prefix).or_insert_with(|| Count::new(now));
        let full = count.open >= CONNECTIONS_PER_PREFIX || count.half_open >= HALF_OPEN_PER_PREFIX;
        if full && prefix != Prefix::Loopback {
            return Err(Refusal::Prefix);
        }
        count.open += 1;
        count.half_open += 1;
        self.open += 1;
        self.half_open += 1;
        Ok(())
    }

    /// A connection's handshake is finished.
    pub fn established(&mut self, address: SocketAddr) {
        self.half_open = self.half_open.saturating_sub(1);
        if let Some(count) = self.prefixes.get_mut(&Prefix::of(address.ip())) {
            count.half_open = count.half_open.saturating_sub(1);
        }
    }

    /// A connection that was let in is over.
    pub fn left(&mut self, now: Moment, address: SocketAddr, was_established: bool) {
        if !was_established {
            self.established(address);
        }
        self.open = self.open.saturating_sub(1);
        if let Some(count) = self.prefixes.get_mut(&Prefix::of(address.ip())) {
            count.open = count.open.saturating_sub(1);
        }
        // What says nothing any more is forgotten; there are few of them beside those that are open.
        if self.prefixes.len() > 2 * self.connections_max {
            self.prefixes.retain(|_, count| count.open > 0 || now.since(count.tries_since) < MINUTE);
        }
    }

    /// Whether a first message from this address may be compared with the feeds held here.
    pub fn may_try(&mut self, now: Moment, address: SocketAddr) -> bool {
        let prefix = Prefix::of(address.ip());
        let count = self.prefixes.entry(prefix).or_insert_with(|| Count::new(now));
        if now.since(count.tries_since) >= MINUTE {
            (count.tries, count.tries_since) = (0, now);
        }
        count.tries += 1;
        count.tries <= HINT_TRIES_PER_MINUTE || prefix == Prefix::Loopback
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_prefix_gets_its_share_and_no_more() {
        let mut gate = Gate::new(1_000);
        for port in 1..=u16::try_from(CONNECTIONS_PER_PREFIX).unwrap() {
            let guest = SocketAddr::new("2001:db8::1".parse().unwrap(), port);
            gate.enter(Moment::START, guest).unwrap();
            gate.established(guest);
        }
        assert_eq!(gate.enter(Moment::START, address("[2001:db8:0:ff::2]:1")), Err(Refusal::Prefix));
        assert_eq!(gate.enter(Moment::START, address("[2001:db8:0:100::2]:1")), Ok(()));
        gate.left(Moment::START, address("[2001:db8::1]:1"), true);
        assert_eq!(gate.enter(Moment::START, address("[2001:db8:0:ff::2]:1")), Ok(()));
    }

    #[test]
    fn those_who_never_finish_their_handshakes_are_bounded() {
        let mut gate = Gate::new(1_000);
        for number in 0..u32::try_from(HALF_OPEN).unwrap() {
            gate.enter(Moment::START, SocketAddr::new(IpAddr::V4((0x0a00_0000 + number).into()), 1)).unwrap();
        }
        assert_eq!(gate.enter(Moment::START, address("192.0.2.1:1")), Err(Refusal::HalfOpen));
        gate.established(address("10.0.0.0:1"));
        assert_eq!(gate.enter(Moment::START, address("192.0.2.1:1")), Ok(()));
    }

    #[test]
    fn one_prefix_cannot_take_every_place_of_those_who_shake_hands() {
        let mut gate = Gate::new(1_000);
        let stranger = address("192.0.2.1:1");
        let in_time = (0..HALF_OPEN).filter(|_| gate.enter(Moment::START, stranger).is_ok()).count();
        assert_eq!(in_time, HALF_OPEN_PER_PREFIX);
        assert_eq!(gate.enter(Moment::START, address("192.0.2.2:1")), Ok(()));
        gate.left(Moment::START, stranger, false);
        assert_eq!(gate.enter(Moment::START, stranger), Ok(()));
    }

    #[test]
    fn there_are_never_more_than_the_gate_was_made_for() {
        let mut gate = Gate::new(2);
        assert!(gate.enter(Moment::START, address("192.0.2.1:1")).is_ok());
        assert!(gate.enter(Moment::START, address("192.0.2.2:1")).is_ok());
        assert_eq!(gate.enter(Moment::START, address("192.0.2.3:1")), Err(Refusal::Full));
    }

    #[test]
    fn hints_are_tried_only_so_often_for_one_prefix() {
        let mut gate = Gate::new(1_000);
        let stranger = address("192.0.2.1:1");
        let tried = (0..500).filter(|_| gate.may_try(Moment::START, stranger)).count();
        assert_eq!(tried, HINT_TRIES_PER_MINUTE as usize);
        assert!(gate.may_try(Moment::START.after(MINUTE), stranger));
        assert!(gate.may_try(Moment::START, address("192.0.2.2:1")));
    }
}
