//! One announce over UDP: a socket and a clock around the protocol's exchange.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use peerfeed_protocol::announce::udp::{ExchangeOptions, Family, UdpExchange};
use peerfeed_protocol::announce::{AnnounceReply, AnnounceRequest, TrackerUrl};
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use super::TrackerError;

/// Three datagrams in vain and the tracker counts as dead: BEP 15's quarter of an hour is more patience than somebody
/// has who waits for posts.
const PATIENCE: ExchangeOptions = ExchangeOptions { first_timeout: Duration::from_secs(2), max_sends: 3 };

/// Largest datagram that a tracker sends.
const DATAGRAM_BYTES_MAX: usize = 8_192;

/// Announces to this address of the tracker; the caller bounds the time.
pub(super) async fn announce(
    address: SocketAddr,
    tracker: &TrackerUrl,
    request: &AnnounceRequest,
) -> Result<AnnounceReply, TrackerError> {
    let (any, family): (SocketAddr, _) = if address.is_ipv4() {
        ((Ipv4Addr::UNSPECIFIED, 0).into(), Family::V4)
    } else {
        ((Ipv6Addr::UNSPECIFIED, 0).into(), Family::V6)
    };
    let socket = UdpSocket::bind(any).await.map_err(TrackerError::Connect)?;
    socket.connect(address).await.map_err(TrackerError::Connect)?;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| TrackerError::Broken(io::Error::other(error)))?;

    let start = Instant::now();
    let mut exchange = UdpExchange::new(*request, tracker.path_and_query(), family, PATIENCE, seed);
    let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        while let Some(datagram) = exchange.poll_send(start.elapsed()) {
            socket.send(&datagram).await.map_err(TrackerError::Broken)?;
        }
        if let Some(outcome) = exchange.outcome() {
            return outcome.clone().map_err(TrackerError::from);
        }
        let wake = exchange.poll_wake(start.elapsed()).unwrap_or_default();
        match timeout_at(start + wake, socket.recv(&mut datagram)).await {
            Ok(Ok(length)) => exchange.handle_datagram(&datagram[..length], start.elapsed()),
            // The host answered that nobody listens on that port.
            Ok(Err(error)) => return Err(TrackerError::Connect(error)),
            Err(_) => {}
        }
    }
}
