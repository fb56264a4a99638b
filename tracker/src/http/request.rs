//! What a request is answered with.

use std::net::IpAddr;

use peerfeed_protocol::announce::http::{
    PeerFormat, QueryError, encode_announce, encode_failure, encode_scrape, parse_announce, parse_scrape,
};
use peerfeed_protocol::announce::{AnnounceReply, RetryIn};
use rand_chacha::ChaCha8Rng;
use rand_core::Rng as _;

use crate::limit::THROTTLED_INTERVAL;
use crate::metrics::Counter;
use crate::swarm::Luck;
use crate::tracker::{Carries, Tracker};

/// An answer before it becomes a response.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// A bencoded body, failures included: clients read these, and no status.
    Bencoded(Vec<u8>),
    /// For a person with a browser.
    Page(&'static str),
    /// For a person with a browser.
    NotFound(&'static str),
}

const GREETING: &str = "This is a BitTorrent tracker. Announce at /announce, scrape at /scrape.\n";

/// Answers requests, one at a time; owns what it needs for that.
#[derive(Debug)]
pub struct Handler {
    rng: ChaCha8Rng,
    reply: AnnounceReply,
}

impl Handler {
    /// A handler that chooses peers by this source of randomness.
    pub fn new(rng: ChaCha8Rng) -> Self {
        Self { rng, reply: AnnounceReply::default() }
    }

    /// Answers one request that came from `ip`. spec: ANN-1 to ANN-3
    pub fn answer(&mut self, tracker: &Tracker, path: &[u8], query: &[u8], ip: IpAddr) -> Answer {
        let asks = |segment: &&[u8]| segment.starts_with(b"announce") || segment.starts_with(b"scrape");
        let (counter, answer) = match path.rsplit(|&byte| byte == b'/').find(asks) {
            Some(segment) if segment.starts_with(b"announce") => self.announce(tracker, query, ip),
            Some(_) => scrape(tracker, query, ip),
            None if path == b"/" => (Counter::HttpOther, Answer::Page(GREETING)),
            None => (Counter::HttpOther, Answer::NotFound(GREETING)),
        };
        tracker.metrics.count(counter);
        answer
    }

    fn announce(&mut self, tracker: &Tracker, query: &[u8], ip: IpAddr) -> (Counter, Answer) {
        match parse_announce(query) {
            Ok(query) => {
                // What is looked at first is fetched while the rest is made ready.
                let origin = tracker.origin(&query.request, ip, tracker.guard.customer(ip));
                tracker.approach(&origin);
                let (terms, both) = (tracker.terms(), Carries::BothFamilies);
                if let Err(refused) = terms.check(&query.request.info_hash) {
                    return (refused.counter(), refusal(tracker, &refused.to_string()));
                }
                let mut luck = Luck::new(self.rng.next_u64());
                let is_served = tracker.announce(&query.request, &origin, both, &terms, &mut luck, &mut self.reply);
                let counter = if is_served { Counter::HttpAnnounce } else { Counter::Throttled };
                let format = if query.wants_dictionaries { PeerFormat::Dictionaries } else { PeerFormat::Compact };
                (counter, Answer::Bencoded(encode_announce(&self.reply, format)))
            }
            Err(error) => (cause(error), refusal(tracker, &error.to_string())),
        }
    }
}

/// Refuses a request in the form that clients read; the caller counts the cause.
pub(super) fn refusal(tracker: &Tracker, reason: &str) -> Answer {
    Answer::Bencoded(encode_failure(reason, tracker.interval(), None))
}

fn scrape(tracker: &Tracker, query: &[u8], ip: IpAddr) -> (Counter, Answer) {
    let hashes = match parse_scrape(query) {
        Ok(hashes) => hashes,
        Err(error) => return (cause(error), refusal(tracker, &error.to_string())),
    };
    match tracker.scrape(hashes.iter().copied(), ip, tracker.moment()) {
        Ok(reply) => {
            let body = encode_scrape(&hashes, &reply, tracker.min_interval());
            (Counter::HttpScrape, Answer::Bencoded(body))
        }
        Err(error) => {
            let retry_in = Some(RetryIn::After(THROTTLED_INTERVAL));
            let body = encode_failure(&error.to_string(), THROTTLED_INTERVAL, retry_in);
            (Counter::Throttled, Answer::Bencoded(body))
        }
    }
}

fn cause(error: QueryError) -> Counter {
    match error {
        QueryError::TooLong => Counter::HttpQueryTooLong,
        QueryError::NoInfoHash => Counter::HttpNoInfoHash,
        QueryError::InfoHash => Counter::HttpInfoHash,
        QueryError::TooManyHashes => Counter::HttpTooManyHashes,
        QueryError::PeerId => Counter::HttpPeerId,
        QueryError::Port => Counter::HttpPort,
    }
}

#[cfg(test)]
mod tests {
    use peerfeed_protocol::announce::InfoHash;
    use peerfeed_protocol::announce::http::{HttpReplyError, decode_announce, decode_scrape};
    use rand_core::SeedableRng as _;

    use super::*;
    use crate::config::Config;

    fn tracker() -> Tracker {
        Tracker::new(&Config::default()).unwrap()
    }

    fn ask(tracker: &Tracker, target: &str, ip: &str) -> Answer {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut handler = Handler::new(ChaCha8Rng::seed_from_u64(1));
        handler.answer(tracker, path.as_bytes(), query.as_bytes(), ip.parse().unwrap())
    }

    fn body(answer: Answer) -> Vec<u8> {
        match answer {
            Answer::Bencoded(body) => body,
            other => panic!("{other:?}"),
        }
    }

    fn announce(port: u16, more: &str) -> String {
        format!("/announce?info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=bbbbbbbbbbbbbbbbbbbb&port={port}&left=1{more}")
    }

    #[test]
    fn both_families_are_given_and_the_asker_is_not_among_them() {
        let tracker = tracker();
        for (ip, port) in [("10.0.0.1", 1), ("2001:db8::1", 2)] {
            ask(&tracker, &announce(port, ""), ip);
        }
        let reply = decode_announce(&body(ask(&tracker, &announce(3, ""), "10.0.0.3"))).unwrap();
        let peers: Vec<_> = reply.peers.iter().map(|peer| peer.to_string()).collect();
        assert_eq!(peers, ["10.0.0.1:1", "[2001:db8::1]:2"]);
        assert_eq!((reply.complete, reply.incomplete), (0, 3));
    }

    #[test]
    fn an_address_in_the_query_is_ignored() {
        let tracker = tracker();
        ask(&tracker, &announce(1, "&ip=192.0.2.66&ipv4=192.0.2.66:1&ipv6=2001:db8::66"), "10.0.0.1");
        let reply = decode_announce(&body(ask(&tracker, &announce(2, ""), "10.0.0.2"))).unwrap();
        assert_eq!(reply.peers.iter().collect::<Vec<_>>(), ["10.0.0.1:1".parse().unwrap()]);
    }

    #[test]
    fn compact_zero_is_answered_with_dictionaries() {
        let tracker = tracker();
        ask(&tracker, &announce(1, ""), "10.0.0.1");
        let body = body(ask(&tracker, &announce(2, "&compact=0"), "10.0.0.2"));
        let text = b"5:peersld2:ip8:10.0.0.14:porti1eeee";
        assert!(body.ends_with(text), "{}", body.escape_ascii());
    }

    #[test]
    fn nonsense_is_refused_in_bencode() {
        let tracker = tracker();
        for target in ["/announce", "/announce?info_hash=x", "/scrape/", "/scrape?info_hash=x", "/announce/key?port=1"]
        {
            let refused = decode_announce(&body(ask(&tracker, target, "10.0.0.1")));
            assert!(matches!(refused, Err(HttpReplyError::Refused(_))), "{target}: {refused:?}");
        }
        let counted = |counter| tracker.metrics.value(counter);
        assert_eq!((counted(Counter::HttpNoInfoHash), counted(Counter::HttpInfoHash)), (3, 2));
    }

    #[test]
    fn a_scrape_counts_and_has_zeros_for_the_unknown() {
        let tracker = tracker();
        ask(&tracker, &announce(1, "&left=0"), "10.0.0.1");
        ask(&tracker, &announce(2, ""), "10.0.0.2");
        let target = "/scrape?info_hash=aaaaaaaaaaaaaaaaaaaa&info_hash=cccccccccccccccccccc";
        let bytes = body(ask(&tracker, target, "10.0.0.1"));
        let reply = decode_scrape(&bytes, &[InfoHash([b'a'; 20]), InfoHash([b'c'; 20])]).unwrap();
        assert_eq!(reply.entries.iter().map(|entry| entry.incomplete).collect::<Vec<_>>(), [2, 0]);
        assert!(bytes.windows(20).any(|window| window == [b'c'; 20]), "the unknown hash has an entry");
    }

    #[test]
    fn a_person_with_a_browser_is_told_what_this_is() {
        let tracker = tracker();
        assert_eq!(ask(&tracker, "/", "10.0.0.1"), Answer::Page(GREETING));
        assert_eq!(ask(&tracker, "/favicon.ico", "10.0.0.1"), Answer::NotFound(GREETING));
    }
}
