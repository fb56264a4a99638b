//! The client's side of a tracker: one announce over HTTP, HTTPS or UDP.

mod error;
mod http;
mod resolve;
mod udp;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use peerfeed_protocol::announce::{AnnounceReply, AnnounceRequest, PeerList, Scheme, TrackerUrl};
use tokio::time::timeout;

use crate::swarm::may_name;

#[cfg(test)]
mod tests;

pub use error::TrackerError;

/// How long one address of a tracker has to answer, name look-up and handshakes included.
///
/// Long enough for three datagrams in vain (2, 4 and 8 s), short enough that a reader with a dead tracker still has
/// time for the next one.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// Asks trackers. Cheap to clone; all clones share the TLS configuration and its sessions.
#[derive(Clone)]
pub struct TrackerClient {
    tls: Arc<rustls::ClientConfig>,
}

impl TrackerClient {
    /// A client that trusts the public certificate authorities.
    pub fn new() -> Self {
        Self { tls: http::tls_config() }
    }

    /// Announces once, over every address family that the tracker has, and joins what it answers.
    ///
    /// A tracker without a scheme is tried over UDP, then over HTTP; the error is that of the last try. One family that
    /// answers is enough. Ends within 30 s. spec: ANN-10, ANN-16, ANN-30
    pub async fn announce(
        &self,
        tracker: &TrackerUrl,
        request: &AnnounceRequest,
    ) -> Result<AnnounceReply, TrackerError> {
        let mut outcome = Err(TrackerError::TimedOut);
        for attempt in tracker.attempts() {
            outcome = self.announce_over(&attempt, request).await;
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    async fn announce_over(
        &self,
        tracker: &TrackerUrl,
        request: &AnnounceRequest,
    ) -> Result<AnnounceReply, TrackerError> {
        let addresses =
            timeout(ANSWER_TIMEOUT, resolve::one_per_family(tracker)).await.map_err(|_| TrackerError::TimedOut)??;
        let ask = async |address: Option<SocketAddr>| match address {
            Some(address) => Some(self.ask(address, tracker, request).await),
            None => None,
        };
        match tokio::join!(ask(addresses.v6), ask(addresses.v4)) {
            (Some(v6), Some(v4)) => join_families(v6, v4),
            (Some(outcome), None) | (None, Some(outcome)) => outcome,
            (None, None) => Err(TrackerError::NoAddress),
        }
    }

    async fn ask(
        &self,
        address: SocketAddr,
        tracker: &TrackerUrl,
        request: &AnnounceRequest,
    ) -> Result<AnnounceReply, TrackerError> {
        let asking = async {
            match tracker.scheme() {
                Scheme::Http => http::announce(address, tracker, request, None).await,
                Scheme::Https => http::announce(address, tracker, request, Some(&self.tls)).await,
                Scheme::Udp | Scheme::Any => udp::announce(address, tracker, request).await,
            }
        };
        let reply = timeout(ANSWER_TIMEOUT, asking).await.unwrap_or(Err(TrackerError::TimedOut))?;
        Ok(believed(address, reply))
    }
}

impl Default for TrackerClient {
    fn default() -> Self {
        Self::new()
    }
}

/// The answer without the peers that a tracker at this address cannot know, as those within our own house.
fn believed(tracker: SocketAddr, mut reply: AnnounceReply) -> AnnounceReply {
    let mut peers = PeerList::new();
    for peer in reply.peers.iter().filter(|peer| may_name(tracker.ip(), *peer)) {
        peers.push(peer);
    }
    if peers.len() < reply.peers.len() {
        let ignored = reply.peers.len() - peers.len();
        tracing::debug!(%tracker, ignored, "a tracker named addresses that it cannot know");
    }
    reply.peers = peers;
    reply
}

/// What two families answered, as one: the peers of both, the rest from the one that answered first in this order.
fn join_families(
    first: Result<AnnounceReply, TrackerError>,
    second: Result<AnnounceReply, TrackerError>,
) -> Result<AnnounceReply, TrackerError> {
    match (first, second) {
        (Ok(mut first), Ok(second)) => {
            for peer in second.peers.iter() {
                first.peers.push(peer);
            }
            Ok(first)
        }
        (Ok(reply), Err(_)) | (Err(_), Ok(reply)) => Ok(reply),
        // Clients with one working family are the rule, and then it is the IPv4 one whose error tells something.
        (Err(_), Err(error)) => Err(error),
    }
}
