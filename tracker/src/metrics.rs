//! What has happened, counted by cause.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::status::Group;

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// Something that is counted. No counter holds an address or a hash.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Counter { $($(#[doc = $doc])+ $variant,)+ }

        impl Counter {
            /// Every counter, in the order of their declaration.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Its name in reports.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it counts, in a sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii(),)+ }
            }
        }
    };
}

counters! {
    /// UDP connects answered.
    UdpConnect = "udp_connect",
    /// UDP announces answered.
    UdpAnnounce = "udp_announce",
    /// UDP scrapes answered.
    UdpScrape = "udp_scrape",
    /// UDP errors sent, to proven addresses only.
    UdpRefused = "udp_refused",
    /// Datagrams that are no tracker requests, dropped.
    UdpMalformed = "udp_malformed",
    /// Datagrams longer than any request, dropped.
    UdpTooLong = "udp_too_long",
    /// Requests with a connection id that is too old, dropped.
    UdpStaleId = "udp_stale_id",
    /// Requests with a connection id that this tracker never gave to that address, dropped.
    UdpForgedId = "udp_forged_id",
    /// Datagrams from port 0, dropped.
    UdpPortZero = "udp_port_zero",
    /// Attempts to receive datagrams that the kernel refused.
    UdpReceiveFailed = "udp_receive_failed",
    /// Replies that the kernel did not take.
    UdpSendFailed = "udp_send_failed",
    /// HTTP connections accepted.
    HttpConnection = "http_connection",
    /// HTTP connections closed at once: there was no place.
    HttpFull = "http_full",
    /// HTTP connections closed at once: their prefix had its share of places.
    HttpShare = "http_share",
    /// HTTP connections closed: their requests or answers found no memory.
    HttpNoMemory = "http_no_memory",
    /// HTTP connections on which never came anything.
    HttpSilent = "http_silent",
    /// HTTP connections on which a request did not come to its end in time.
    HttpHeadSlow = "http_head_slow",
    /// HTTP requests whose head was too long, answered with a failure reason.
    HttpHeadTooLong = "http_head_too_long",
    /// HTTP connections whose client did not read its answers.
    HttpUnread = "http_unread",
    /// HTTP connections that broke off within a request or an answer.
    HttpReset = "http_reset",
    /// HTTP connections that spoke something else.
    HttpNotHttp = "http_not_http",
    /// HTTP requests that hyper does not understand.
    HttpMalformed = "http_malformed",
    /// TLS handshakes that failed.
    HttpTls = "http_tls",
    /// Connections to an address for proxies from outside the trusted networks.
    HttpProxyUntrusted = "http_proxy_untrusted",
    /// Connections of proxies without a valid PROXY protocol header.
    HttpProxyHeader = "http_proxy_header",
    /// Requests of trusted proxies that do not tell the client's address.
    HttpForwarded = "http_forwarded",
    /// Accepts that failed.
    HttpAcceptFailed = "http_accept_failed",
    /// HTTP announces answered.
    HttpAnnounce = "http_announce",
    /// HTTP scrapes answered.
    HttpScrape = "http_scrape",
    /// HTTP requests for anything else.
    HttpOther = "http_other",
    /// HTTP requests with another method than GET, refused.
    HttpMethod = "http_method",
    /// HTTP queries that are too long, refused.
    HttpQueryTooLong = "http_query_too_long",
    /// HTTP requests without an info hash, refused.
    HttpNoInfoHash = "http_no_info_hash",
    /// HTTP requests with an info hash of another length, refused.
    HttpInfoHash = "http_info_hash",
    /// HTTP scrapes of too many hashes, refused.
    HttpTooManyHashes = "http_too_many_hashes",
    /// HTTP announces without a valid peer id, refused.
    HttpPeerId = "http_peer_id",
    /// HTTP announces without a valid port, refused.
    HttpPort = "http_port",
    /// Announces of hashes on the deny list, refused.
    HashDenied = "hash_denied",
    /// Announces of hashes that are not on the allow list, refused.
    HashNotAllowed = "hash_not_allowed",
    /// Announces and scrapes answered with nothing and a long interval: their prefix asks too often.
    Throttled = "throttled",
    /// UDP connects not answered: their prefix asks too often.
    UdpConnectThrottled = "udp_connect_throttled",
    /// Announces answered whose peer was not kept: its prefix has its share of peers.
    PeerShare = "peer_share",
    /// Peers and swarms given up for newer ones when memory was full.
    Evicted = "evicted",
    /// Announces answered whose peer found no room in memory.
    NoRoom = "no_room",
}

impl Counter {
    /// To what it belongs.
    pub fn group(self) -> Group {
        let answer = |transport, kind| Group::Answer { transport, kind };
        match self {
            Self::UdpConnect => answer("udp", "connect"),
            Self::UdpAnnounce => answer("udp", "announce"),
            Self::UdpScrape => answer("udp", "scrape"),
            Self::HttpAnnounce => answer("http", "announce"),
            Self::HttpScrape => answer("http", "scrape"),
            Self::HttpConnection | Self::HttpOther | Self::Evicted => Group::Event,
            _ => Group::Refusal,
        }
    }
}

/// The counters of a running tracker.
#[derive(Debug)]
pub struct Metrics([AtomicU64; Counter::ALL.len()]);

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    /// Counts one.
    pub fn count(&self, counter: Counter) {
        self.0[counter as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts all of `tally`, which is empty afterwards.
    pub fn count_all(&self, tally: &mut Tally) {
        for (total, counted) in self.0.iter().zip(&mut tally.0) {
            if *counted > 0 {
                total.fetch_add(std::mem::take(counted), Ordering::Relaxed);
            }
        }
    }

    /// The value of a counter.
    pub fn value(&self, counter: Counter) -> u64 {
        self.0[counter as usize].load(Ordering::Relaxed)
    }
}

/// What one worker has counted by itself, until it is [added](Metrics::count_all) to what all have.
#[derive(Debug)]
pub struct Tally([u64; Counter::ALL.len()]);

impl Tally {
    /// Nothing.
    pub fn new() -> Self {
        Self([0; Counter::ALL.len()])
    }

    /// Counts one.
    pub fn count(&mut self, counter: Counter) {
        self.0[counter as usize] += 1;
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}

/// The longest time that something took, in whole microseconds.
#[derive(Debug, Default)]
pub struct Longest(AtomicU64);

impl Longest {
    /// Notes that it took so long.
    pub fn note(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.0.fetch_max(micros, Ordering::Relaxed);
    }

    /// The longest so far.
    pub fn value(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

/// Tells which refusals there were since it was last asked, so that each cause gets one line in the log per minute, however
/// often it happens.
#[derive(Debug)]
pub struct Complaints([u64; Counter::ALL.len()]);

impl Complaints {
    /// Nothing has been told.
    pub fn new() -> Self {
        Self([0; Counter::ALL.len()])
    }

    /// Every cause that happened since the last call, and how often.
    pub fn news(&mut self, metrics: &Metrics) -> Vec<(Counter, u64)> {
        let refusals = Counter::ALL.iter().filter(|counter| counter.group() == Group::Refusal);
        let news = refusals.map(|&counter| {
            let value = metrics.value(counter);
            (counter, value - std::mem::replace(&mut self.0[counter as usize], value))
        });
        news.filter(|&(_, count)| count > 0).collect()
    }
}

impl Default for Complaints {
    fn default() -> Self {
        Self::new()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// The counters that are not zero, as `name=value`.
impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for &counter in Counter::ALL {
            let value = self.value(counter);
            if value > 0 {
                write!(f, "{separator}{}={value}", counter.name())?;
                separator = " ";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_what_happened_and_nothing_else() {
        let metrics = Metrics::new();
        metrics.count(Counter::UdpAnnounce);
        metrics.count(Counter::UdpAnnounce);
        metrics.count(Counter::NoRoom);
        assert_eq!(metrics.to_string(), "udp_announce=2 no_room=1");
    }

    #[test]
    fn the_longest_time_stays() {
        let longest = Longest::default();
        for micros in [3, 700, 20] {
            longest.note(Duration::from_micros(micros));
        }
        assert_eq!(longest.value(), Duration::from_micros(700));
    }

    #[test]
    fn each_cause_of_refusals_is_told_once_with_its_count() {
        let (metrics, mut complaints) = (Metrics::new(), Complaints::new());
        for counter in [Counter::UdpAnnounce, Counter::UdpMalformed, Counter::HttpPort, Counter::UdpMalformed] {
            metrics.count(counter);
        }
        assert_eq!(complaints.news(&metrics), [(Counter::UdpMalformed, 2), (Counter::HttpPort, 1)]);
        assert_eq!(complaints.news(&metrics), []);
        metrics.count(Counter::HttpPort);
        assert_eq!(complaints.news(&metrics), [(Counter::HttpPort, 1)]);
    }

    #[test]
    fn every_counter_has_a_meaning_and_a_name_of_its_own() {
        let mut names: Vec<_> = Counter::ALL.iter().map(|counter| counter.name()).collect();
        assert!(Counter::ALL.iter().all(|counter| counter.meaning().ends_with('.')));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Counter::ALL.len());
    }
}
