//! Which addresses a tracker has.

use std::net::SocketAddr;

use peerfeed_protocol::announce::TrackerUrl;
use tokio::net::lookup_host;

use super::TrackerError;

/// One address of each family, where there is one. A tracker lists a client under the family by which it was asked, so
/// both are asked (BEP 7).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Addresses {
    /// First IPv4 address.
    pub v4: Option<SocketAddr>,
    /// First IPv6 address.
    pub v6: Option<SocketAddr>,
}

/// Looks the tracker's name up; an address needs no look-up.
pub(super) async fn one_per_family(tracker: &TrackerUrl) -> Result<Addresses, TrackerError> {
    let mut addresses = Addresses::default();
    for address in lookup_host((tracker.host(), tracker.port())).await.map_err(TrackerError::Resolve)? {
        let family = if address.is_ipv4() { &mut addresses.v4 } else { &mut addresses.v6 };
        family.get_or_insert(address);
    }
    Ok(addresses)
}
