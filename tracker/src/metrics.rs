//! What has happened, counted by cause.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

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
    /// Replies that the kernel did not take.
    UdpSendFailed = "udp_send_failed",
    /// HTTP connections accepted.
    HttpConnection = "http_connection",
    /// HTTP connections that ended with an error: silence, broken heads, resets.
    HttpBroken = "http_broken",
    /// HTTP connections closed at the end of their lifetime.
    HttpOverdue = "http_overdue",
    /// Accepts that failed.
    HttpAcceptFailed = "http_accept_failed",
    /// HTTP announces answered.
    HttpAnnounce = "http_announce",
    /// HTTP scrapes answered.
    HttpScrape = "http_scrape",
    /// HTTP requests answered with a failure reason.
    HttpRefused = "http_refused",
    /// HTTP requests for anything else.
    HttpOther = "http_other",
    /// Announces answered whose peer found no room in memory.
    NoRoom = "no_room",
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

    /// The value of a counter.
    pub fn value(&self, counter: Counter) -> u64 {
        self.0[counter as usize].load(Ordering::Relaxed)
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
}
