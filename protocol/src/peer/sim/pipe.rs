//! One direction of a TCP connection, in virtual time.

use std::collections::VecDeque;
use std::time::Duration;

use crate::peer::Moment;

/// Bytes that TCP may have in flight at first: 10 segments of 1,460 bytes (RFC 6928).
const INITIAL_WINDOW_BYTES: usize = 14_600;

/// Bytes that travel as one unit.
const SEGMENT_BYTES: usize = 1_460;

/// Bytes that a sender may hand over before the first of them is in flight, as in a socket's buffer.
const BUFFER_BYTES: usize = 256 * 1024;

/// What a link is like; the same in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// From one end to the other.
    pub one_way: Duration,
    /// Bytes per second; none for a link without a limit.
    pub bytes_per_second: Option<u64>,
    /// Whether the window of bytes in flight starts small and grows with what is acknowledged, as TCP's does.
    pub slow_start: bool,
}

impl Link {
    /// A link with this delay, no limit of bandwidth, and slow start.
    pub fn with_delay(one_way: Duration) -> Self {
        Self { one_way, bytes_per_second: None, slow_start: true }
    }

    /// There and back.
    pub fn round_trip(&self) -> Duration {
        self.one_way * 2
    }
}

/// One direction of a connection: bytes go in, and come out in order when their time has come. Nothing is lost.
#[derive(Clone, Debug)]
pub struct Pipe {
    link: Link,
    waiting: VecDeque<u8>,
    flying: VecDeque<(Moment, Vec<u8>)>,
    acknowledgements: VecDeque<(Moment, usize)>,
    unacknowledged_bytes: usize,
    window_bytes: usize,
    wire_free: Moment,
    sent_bytes: u64,
}

impl Pipe {
    /// A pipe over this link with nothing in it.
    pub fn new(link: Link) -> Self {
        Self {
            link,
            waiting: VecDeque::new(),
            flying: VecDeque::new(),
            acknowledgements: VecDeque::new(),
            unacknowledged_bytes: 0,
            window_bytes: if link.slow_start { INITIAL_WINDOW_BYTES } else { usize::MAX },
            wire_free: Moment::START,
            sent_bytes: 0,
        }
    }

    /// Bytes that may be handed over now.
    pub fn room(&self) -> usize {
        BUFFER_BYTES.saturating_sub(self.waiting.len())
    }

    /// Hands bytes over.
    pub fn send(&mut self, now: Moment, bytes: &[u8]) {
        self.sent_bytes += bytes.len() as u64;
        self.waiting.extend(bytes);
        self.advance(now);
    }

    /// Everything that has arrived by now.
    pub fn receive(&mut self, now: Moment) -> Vec<u8> {
        self.advance(now);
        let mut arrived = Vec::new();
        while let Some((_, segment)) = self.flying.pop_front_if(|(arrival, _)| *arrival <= now) {
            arrived.extend(segment);
        }
        arrived
    }

    /// When something happens next in the pipe.
    pub fn next(&self) -> Option<Moment> {
        let arrival = self.flying.front().map(|(arrival, _)| *arrival);
        let departure = if self.waiting.is_empty() {
            None
        } else if self.unacknowledged_bytes < self.window_bytes {
            Some(self.wire_free)
        } else {
            self.acknowledgements.front().map(|(moment, _)| *moment)
        };
        arrival.into_iter().chain(departure).min()
    }

    /// Bytes handed over so far.
    pub fn sent_bytes(&self) -> u64 {
        self.sent_bytes
    }

    fn advance(&mut self, now: Moment) {
        while let Some((_, bytes)) = self.acknowledgements.pop_front_if(|(moment, _)| *moment <= now) {
            self.unacknowledged_bytes -= bytes;
            self.window_bytes = self.window_bytes.saturating_add(bytes);
        }
        // What does not fit on the wire yet waits, so that the sender feels it.
        while !self.waiting.is_empty() && self.unacknowledged_bytes < self.window_bytes && self.wire_free <= now {
            let free = self.window_bytes - self.unacknowledged_bytes;
            let length = SEGMENT_BYTES.min(self.waiting.len()).min(free);
            let segment: Vec<u8> = self.waiting.drain(..length).collect();
            self.wire_free = now.after(self.on_the_wire(length));
            let arrival = self.wire_free.after(self.link.one_way);
            self.acknowledgements.push_back((arrival.after(self.link.one_way), length));
            self.unacknowledged_bytes += length;
            self.flying.push_back((arrival, segment));
        }
    }

    fn on_the_wire(&self, bytes: usize) -> Duration {
        match self.link.bytes_per_second {
            Some(rate) => Duration::from_micros(bytes as u64 * 1_000_000 / rate.max(1)),
            None => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn at(ms: u64) -> Moment {
        Moment::from_micros(ms * 1_000)
    }

    #[test]
    fn bytes_arrive_in_order_after_the_delay() {
        let mut pipe = Pipe::new(Link::with_delay(20 * MS));
        pipe.send(at(0), b"one");
        pipe.send(at(5), b"two");
        assert_eq!(pipe.next(), Some(at(20)));
        assert_eq!(pipe.receive(at(19)), b"");
        assert_eq!(pipe.receive(at(20)), b"one");
        assert_eq!(pipe.receive(at(25)), b"two");
        assert_eq!(pipe.next(), None);
    }

    #[test]
    fn a_first_flight_holds_ten_segments_and_the_second_twenty() {
        let mut pipe = Pipe::new(Link::with_delay(20 * MS));
        pipe.send(at(0), &vec![7; 100_000]);
        assert_eq!(pipe.receive(at(20)).len(), INITIAL_WINDOW_BYTES);
        assert_eq!(pipe.next(), Some(at(40)), "the acknowledgement is back");
        assert_eq!(pipe.receive(at(40)).len(), 0);
        assert_eq!(pipe.receive(at(60)).len(), 2 * INITIAL_WINDOW_BYTES);
    }

    #[test]
    fn bandwidth_spreads_arrivals() {
        let link = Link { one_way: MS, bytes_per_second: Some(1_460_000), slow_start: false };
        let mut pipe = Pipe::new(link);
        pipe.send(at(0), &[7; 3 * SEGMENT_BYTES]);
        let arrived: Vec<_> = (1..=4).map(|ms| pipe.receive(at(ms)).len()).collect();
        assert_eq!(arrived, [0, SEGMENT_BYTES, SEGMENT_BYTES, SEGMENT_BYTES]);
    }
}
