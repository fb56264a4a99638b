//! Datagrams.

use std::net::SocketAddr;

use peerfeed_protocol::announce::limits::UDP_REPLY_BYTES_MAX;
use peerfeed_tracker::udp::{Handler, LastKey};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng as _;

use super::http::tracker;

/// The first byte chooses the sender; the rest is the datagram. It is sent as it is, and again with a connection id that
/// the sender was given: never is more answered than came before the address is proven, nor more than fits after.
pub(crate) fn datagram(bytes: &[u8]) {
    let Some((sender, datagram)) = bytes.split_first() else { return };
    let ips = ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.9", "127.0.0.1"];
    let ip = ips[usize::from(sender % 4)].parse().expect("an address");
    let from = SocketAddr::new(ip, u16::from(sender / 4) * 1000);
    let (tracker, terms) = (tracker(), tracker().terms());
    let mut handler = Handler::new(ChaCha8Rng::seed_from_u64(1));
    let mut out = Vec::new();
    let asked = handler.read(tracker, &terms, datagram, from);
    handler.answer(tracker, &asked, &terms, &mut out);
    assert!(out.len() <= datagram.len(), "{} bytes for {}", out.len(), datagram.len());
    out.clear();
    let mut proven = datagram.to_vec();
    if let Some(id) = proven.get_mut(..8) {
        id.copy_from_slice(
            &tracker.connection_ids.issue(ip.to_canonical(), terms.now.unix, &mut LastKey::default()).0.to_be_bytes(),
        );
    }
    let asked = handler.read(tracker, &terms, &proven, from);
    handler.answer(tracker, &asked, &terms, &mut out);
    assert!(out.len() <= UDP_REPLY_BYTES_MAX);
    assert!(from.port() != 0 || out.is_empty());
}
