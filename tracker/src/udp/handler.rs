//! What a datagram is answered with.

use std::net::{IpAddr, SocketAddr};

use peerfeed_protocol::announce::connection_id::{ConnectionId, ConnectionIdError};
use peerfeed_protocol::announce::limits::UDP_REPLY_BYTES_MAX;
use peerfeed_protocol::announce::udp::{
    Announce, AnnounceReplyHead, Family, Reply, Request, RequestError, Scrape, TransactionId, encode_connect,
    encode_error,
};
use peerfeed_protocol::announce::{AnnounceReply, InfoHash};
use rand_chacha::ChaCha8Rng;
use rand_core::Rng as _;

use crate::guard::Customer;
use crate::metrics::{Counter, Tally};
use crate::swarm::{Ahead, Luck};
use crate::terms::{Moment, Terms};
use crate::tracker::{Carries, Origin, Tracker};
use crate::udp::LastKey;

/// Answers datagrams, one at a time; owns what it needs for that, so that an answer allocates nothing.
#[derive(Debug)]
pub struct Handler {
    rng: ChaCha8Rng,
    reply: AnnounceReply,
    key: LastKey,
    foreseen: Vec<Ahead>,
    /// Whether what the announces look at that are being answered was fetched.
    has_foreseen: bool,
    tally: Tally,
}

/// A datagram that is about to be answered, and what is known of it already. What it says is read again then: that is quicker
/// than to keep it.
#[derive(Debug)]
pub struct Asked<'a> {
    datagram: &'a [u8],
    from: SocketAddr,
    known: Known,
}

/// What is known of a datagram.
#[derive(Clone, Debug)]
enum Known {
    /// Nothing: it is rare.
    Nothing,
    /// Who asks for a connection id.
    Connect(Customer),
    /// Who announces, and what is left to chance in the answer.
    Announce(Origin, Luck),
}

impl Handler {
    /// A handler that chooses peers by this source of randomness.
    pub fn new(rng: ChaCha8Rng) -> Self {
        let (reply, key, foreseen, has_foreseen, tally) = Default::default();
        Self { rng, reply, key, foreseen, has_foreseen, tally }
    }

    /// Looks at a datagram that will be [answered](Self::answer), and lets the processor fetch what is known of its sender.
    pub fn read<'a>(&mut self, tracker: &Tracker, terms: &Terms, datagram: &'a [u8], from: SocketAddr) -> Asked<'a> {
        let ip = from.ip();
        let known = match Request::decode(datagram) {
            Ok(Request::Connect { .. }) => {
                let customer = tracker.guard.customer(ip);
                tracker.guard.foresee_connect(&customer);
                Known::Connect(customer)
            }
            Ok(Request::Announce(Announce { request, .. })) => {
                let customer = tracker.guard.customer(ip);
                tracker.guard.foresee(&customer);
                let origin = tracker.origin(&request, ip, customer);
                let luck = Luck::new(self.rng.next_u64());
                self.foreseen.push(Tracker::ahead(terms, &request, &origin, luck.clone()));
                Known::Announce(origin, luck)
            }
            _ => Known::Nothing,
        };
        Asked { datagram, from, known }
    }

    /// Lets the processor fetch what the announces that have been [read](Self::read) will look at. Nothing else comes of it, so
    /// that nothing has to be proven for it.
    pub fn foresee(&mut self, tracker: &Tracker) {
        // What comes alone is looked for where it is needed.
        self.has_foreseen = self.foreseen.len() > 1;
        if self.has_foreseen {
            tracker.swarms.foresee(&self.foreseen);
        }
        self.foreseen.clear();
    }

    /// Appends what is answered to `out`, or nothing where there must be no answer.
    ///
    /// Nothing longer than the datagram is answered before the sender has proven its address. spec: ANN-24, ANN-25
    pub fn answer(&mut self, tracker: &Tracker, asked: &Asked<'_>, terms: &Terms, out: &mut Vec<u8>) {
        let counter = self.answer_to(tracker, asked, terms, out).unwrap_or_else(|counter| counter);
        self.tally.count(counter);
    }

    fn answer_to(
        &mut self,
        tracker: &Tracker,
        asked: &Asked<'_>,
        terms: &Terms,
        out: &mut Vec<u8>,
    ) -> Result<Counter, Counter> {
        let (ip, now) = (asked.from.ip().to_canonical(), terms.now);
        if asked.from.port() == 0 {
            return Err(Counter::UdpPortZero);
        }
        match (Request::decode(asked.datagram), &asked.known) {
            (Ok(Request::Connect { transaction_id }), Known::Connect(customer)) => {
                if !tracker.guard.admits_connect(customer, now.up) {
                    return Err(Counter::UdpConnectThrottled);
                }
                let connection_id = tracker.connection_ids.issue(ip, now.unix, &mut self.key);
                out.extend_from_slice(&encode_connect(transaction_id, connection_id));
                Ok(Counter::UdpConnect)
            }
            (Ok(Request::Announce(announce)), Known::Announce(origin, luck)) => {
                self.verify(tracker, announce.connection_id, ip, now)?;
                let origin = origin.foreseen(self.has_foreseen);
                Ok(self.announce(tracker, &announce, &origin, terms, luck.clone(), out))
            }
            (Ok(Request::Scrape(scrape)), _) => {
                self.verify(tracker, scrape.connection_id, ip, now)?;
                Ok(self::scrape(tracker, &scrape, ip, now, out))
            }
            (Err(RequestError::Answerable { connection_id, transaction_id, problem }), _) => {
                self.verify(tracker, connection_id, ip, now)?;
                Ok(refuse(transaction_id, &problem.to_string(), out))
            }
            // What was read the same way before is read so again, so no others are left.
            (Err(RequestError::Silent) | Ok(_), _) => Err(Counter::UdpMalformed),
        }
    }

    /// Adds what has been handled to the counts of `tracker`.
    pub fn report(&mut self, tracker: &Tracker) {
        tracker.metrics.count_all(&mut self.tally);
    }

    fn announce(
        &mut self,
        tracker: &Tracker,
        announce: &Announce<'_>,
        origin: &Origin,
        terms: &Terms,
        mut luck: Luck,
        out: &mut Vec<u8>,
    ) -> Counter {
        let request = &announce.request;
        if let Err(refused) = terms.check(&request.info_hash) {
            refuse(announce.transaction_id, &refused.to_string(), out);
            return refused.counter();
        }
        let family = family_of(origin.ip());
        let carries = Carries::OwnFamily(family.max_peers());
        let is_served = tracker.announce(request, origin, carries, terms, &mut luck, &mut self.reply);
        let head = AnnounceReplyHead {
            transaction_id: announce.transaction_id,
            interval_seconds: u32::try_from(self.reply.interval.as_secs()).unwrap_or(u32::MAX),
            leechers: self.reply.incomplete,
            seeders: self.reply.complete,
        };
        out.extend_from_slice(&head.encode());
        out.extend_from_slice(match family {
            Family::V4 => self.reply.peers.compact_v4(),
            Family::V6 => self.reply.peers.compact_v6(),
        });
        if is_served { Counter::UdpAnnounce } else { Counter::Throttled }
    }

    fn verify(&mut self, tracker: &Tracker, id: ConnectionId, ip: IpAddr, now: Moment) -> Result<(), Counter> {
        tracker.connection_ids.verify(id, ip, now.unix, &mut self.key).map_err(|error| match error {
            ConnectionIdError::Stale => Counter::UdpStaleId,
            ConnectionIdError::Forged => Counter::UdpForgedId,
        })
    }
}

fn scrape(tracker: &Tracker, request: &Scrape<'_>, ip: IpAddr, now: Moment, out: &mut Vec<u8>) -> Counter {
    match tracker.scrape(request.info_hashes.iter().copied().map(InfoHash), ip, now) {
        Ok(reply) => {
            let reply = Reply::Scrape { transaction_id: request.transaction_id, reply };
            out.extend_from_slice(&reply.encode(family_of(ip)));
            Counter::UdpScrape
        }
        Err(error) => {
            refuse(request.transaction_id, &error.to_string(), out);
            Counter::Throttled
        }
    }
}

fn refuse(transaction_id: TransactionId, reason: &str, out: &mut Vec<u8>) -> Counter {
    out.extend_from_slice(&encode_error(transaction_id, reason, UDP_REPLY_BYTES_MAX));
    Counter::UdpRefused
}

fn family_of(ip: IpAddr) -> Family {
    if ip.is_ipv4() { Family::V4 } else { Family::V6 }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use peerfeed_protocol::announce::{AnnounceRequest, PeerId};
    use proptest::prelude::*;
    use rand_core::SeedableRng as _;

    use super::*;
    use crate::config::Config;
    use crate::limit::CONNECTION_ID_LIFETIME;

    struct World {
        tracker: Tracker,
        handler: Handler,
        now: Moment,
    }

    impl World {
        fn new() -> Self {
            let tracker = Tracker::new(&Config::default()).unwrap();
            let handler = Handler::new(ChaCha8Rng::seed_from_u64(1));
            Self { tracker, handler, now: Moment { up: Duration::ZERO, unix: Duration::from_secs(1_800_000_000) } }
        }

        fn send(&mut self, datagram: &[u8], from: &str) -> Vec<u8> {
            let mut out = Vec::new();
            let terms = self.tracker.terms_at(self.now);
            let asked = self.handler.read(&self.tracker, &terms, datagram, from.parse().unwrap());
            self.handler.foresee(&self.tracker);
            self.handler.answer(&self.tracker, &asked, &terms, &mut out);
            self.handler.report(&self.tracker);
            out
        }

        fn connect(&mut self, from: &str) -> ConnectionId {
            let reply = self.send(&Request::Connect { transaction_id: 9 }.encode(), from);
            let Ok(Reply::Connect { transaction_id: 9, connection_id }) = Reply::decode(&reply, Family::V4) else {
                panic!("{reply:?}")
            };
            connection_id
        }

        fn counted(&self, counter: Counter) -> u64 {
            self.tracker.metrics.value(counter)
        }
    }

    fn announce(connection_id: ConnectionId, port: u16) -> Vec<u8> {
        let request = AnnounceRequest::new(InfoHash([1; 20]), PeerId([2; 20]), port);
        Request::Announce(Announce { connection_id, transaction_id: 5, request, options: b"" }).encode()
    }

    #[test]
    fn peers_of_a_family_find_each_other() {
        let mut world = World::new();
        for (first, second, family) in
            [("10.0.0.1:1", "10.0.0.2:2", Family::V4), ("[2001:db8::1]:1", "[2001:db8::2]:2", Family::V6)]
        {
            let id = world.connect(first);
            world.send(&announce(id, 100), first);
            let id = world.connect(second);
            let bytes = world.send(&announce(id, 200), second);
            let Ok(Reply::Announce { transaction_id: 5, reply }) = Reply::decode(&bytes, family) else {
                panic!("{bytes:?}")
            };
            let mut expected: SocketAddr = first.parse().unwrap();
            expected.set_port(100);
            assert_eq!(reply.peers.iter().collect::<Vec<_>>(), [expected]);
        }
    }

    #[test]
    fn a_client_with_a_mapped_address_is_an_ipv4_client() {
        let mut world = World::new();
        let id = world.connect("[::ffff:10.0.0.1]:1");
        world.send(&announce(id, 100), "[::ffff:10.0.0.1]:1");
        let id = world.connect("10.0.0.2:1");
        assert_eq!(world.send(&announce(id, 100), "10.0.0.2:1").len(), 26);
    }

    #[test]
    fn without_a_proven_address_no_request_gets_an_answer() {
        let mut world = World::new();
        let id = world.connect("10.0.0.1:1");
        let mut unknown_action = announce(id, 1);
        unknown_action[11] = 77;
        for request in [&announce(id, 1)[..], &announce(ConnectionId(0), 1), &unknown_action, &unknown_action[..16]] {
            assert_eq!(world.send(request, "10.0.0.2:1"), b"", "from another address");
        }
        assert_eq!(world.counted(Counter::UdpForgedId) + world.counted(Counter::UdpStaleId), 4);
        assert_eq!(world.tracker.swarms.totals().peers_v4, 0);
        let stale = world.counted(Counter::UdpStaleId);
        world.now.unix += CONNECTION_ID_LIFETIME + Duration::from_secs(1);
        assert_eq!(world.send(&announce(id, 1), "10.0.0.1:1"), b"");
        assert_eq!(world.counted(Counter::UdpStaleId), stale + 1);
    }

    #[test]
    fn a_batch_that_is_looked_at_together_is_answered_as_one_by_one() {
        let addresses: Vec<String> = (0..40).map(|n| format!("10.0.0.{n}:1")).collect();
        let [mut alone, mut together] = [World::new(), World::new()];
        let announces = |world: &mut World| -> Vec<Vec<u8>> {
            addresses.iter().map(|from| announce(world.connect(from), 1)).collect()
        };
        let [first, second] = [announces(&mut alone), announces(&mut together)];
        let terms = together.tracker.terms_at(together.now);
        let (handler, tracker) = (&mut together.handler, &together.tracker);
        let asked: Vec<_> = second
            .iter()
            .zip(&addresses)
            .map(|(datagram, from)| handler.read(tracker, &terms, datagram, from.parse().unwrap()))
            .collect();
        handler.foresee(tracker);
        assert!(handler.has_foreseen);
        for ((datagram, from), asked) in first.iter().zip(&addresses).zip(&asked) {
            let mut out = Vec::new();
            handler.answer(tracker, asked, &terms, &mut out);
            let peers = |bytes: &[u8]| {
                let Ok(Reply::Announce { reply, .. }) = Reply::decode(bytes, Family::V4) else { panic!("{bytes:?}") };
                let mut peers: Vec<_> = reply.peers.iter().collect();
                peers.sort();
                (peers, reply.incomplete)
            };
            assert_eq!(peers(&out), peers(&alone.send(datagram, from)), "{from}");
        }
    }

    #[test]
    fn nonsense_gets_no_answer_and_is_counted() {
        let mut world = World::new();
        for nonsense in [&b""[..], b"GET / HTTP/1.1\r\n", &[0; 15], &[0xff; 16]] {
            assert_eq!(world.send(nonsense, "10.0.0.1:1"), b"");
        }
        assert_eq!(world.send(&Request::Connect { transaction_id: 1 }.encode(), "10.0.0.1:0"), b"");
        assert_eq!(world.counted(Counter::UdpPortZero), 1);
        assert_eq!(world.counted(Counter::UdpMalformed), 2, "shorter than any request");
        let unproven = world.counted(Counter::UdpStaleId) + world.counted(Counter::UdpForgedId);
        assert_eq!(unproven, 2, "long enough to carry a connection id");
    }

    #[test]
    fn a_proven_client_is_told_what_is_wrong() {
        let mut world = World::new();
        let id = world.connect("10.0.0.1:1");
        let mut unknown_action = announce(id, 1);
        unknown_action[11] = 77;
        let requests = [(&announce(id, 1)[..97], "announce too short"), (&unknown_action, "unknown action")];
        for (request, reason) in requests {
            let bytes = world.send(request, "10.0.0.1:1");
            let refusal = Reply::Error { transaction_id: 5, reason: reason.to_owned() };
            assert_eq!(Reply::decode(&bytes, Family::V4), Ok(refusal));
        }
        assert_eq!(world.counted(Counter::UdpRefused), 2);
    }

    #[test]
    fn a_scrape_answers_in_the_order_asked_with_zeros_for_the_unknown() {
        let mut world = World::new();
        let connection_id = world.connect("10.0.0.1:1");
        world.send(&announce(connection_id, 1), "10.0.0.1:1");
        let info_hashes = [[1; 20], [9; 20], [1; 20]];
        let scrape = Scrape { connection_id, transaction_id: 3, info_hashes: &info_hashes };
        let bytes = world.send(&Request::Scrape(scrape).encode(), "10.0.0.1:1");
        let Ok(Reply::Scrape { transaction_id: 3, reply }) = Reply::decode(&bytes, Family::V4) else { panic!() };
        assert_eq!(reply.entries.iter().map(|entry| entry.incomplete).collect::<Vec<_>>(), [1, 0, 1]);
    }

    #[test]
    fn a_full_reply_stays_within_1232_bytes() {
        let mut world = World::new();
        for n in 0..250 {
            for from in [format!("10.0.0.{n}:1"), format!("[2001:db8:{n:x}::1]:1")] {
                let id = world.connect(&from);
                let mut request = announce(id, 1);
                request[92..96].copy_from_slice(&1000u32.to_be_bytes());
                assert!(world.send(&request, &from).len() <= UDP_REPLY_BYTES_MAX);
            }
        }
        let id = world.connect("[2001:db8:1::1]:1");
        let mut request = announce(id, 1);
        request[92..96].copy_from_slice(&1000u32.to_be_bytes());
        assert_eq!(world.send(&request, "[2001:db8:1::1]:1").len(), 20 + 67 * 18);
    }

    proptest! {
        #[test]
        fn whatever_comes_without_a_proven_address_is_answered_with_at_most_as_much(
            datagram in prop::collection::vec(any::<u8>(), 0..1500),
            action in 0u8..5,
        ) {
            let mut world = World::new();
            let mut shaped = datagram.clone();
            if let Some(field) = shaped.get_mut(8..12) {
                field.copy_from_slice(&[0, 0, 0, action]);
            }
            for bytes in [datagram, shaped] {
                prop_assert!(world.send(&bytes, "10.0.0.1:1").len() <= bytes.len());
            }
        }

        #[test]
        fn whatever_a_proven_client_sends_the_reply_fits_the_smallest_path(
            body in prop::collection::vec(any::<u8>(), 0..1480),
            action in 0u8..5,
        ) {
            let mut world = World::new();
            let id = world.connect("10.0.0.1:1").0.to_be_bytes();
            let datagram = [&id[..], &[0, 0, 0, action, 0, 0, 0, 1], &body].concat();
            prop_assert!(world.send(&datagram, "10.0.0.1:1").len() <= UDP_REPLY_BYTES_MAX);
        }
    }
}
