//! Peers of a reply, held in the compact form in which they travel.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Addresses of peers, the two families apart, each in its compact wire form (BEP 23, BEP 7).
///
/// Port 0 and IPv4-mapped IPv6 addresses never enter: the first are no address, the second become IPv4 (spec: ANN-12).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerList {
    v4: Vec<[u8; Self::V4_BYTES]>,
    v6: Vec<[u8; Self::V6_BYTES]>,
}

/// Compact peers whose length is no multiple of an entry's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{length} bytes of compact peers are no multiple of {entry}")]
pub struct PeerListError {
    /// Bytes received.
    pub length: usize,
    /// Bytes per entry: 6 or 18.
    pub entry: usize,
}

impl PeerList {
    /// Bytes of one IPv4 entry: address and port, in network order.
    pub const V4_BYTES: usize = 6;
    /// Bytes of one IPv6 entry: address and port, in network order.
    pub const V6_BYTES: usize = 18;

    /// No peers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a peer, unless its port is 0.
    pub fn push(&mut self, peer: SocketAddr) {
        if peer.port() == 0 {
            return;
        }
        let port = peer.port().to_be_bytes();
        match peer.ip().to_canonical() {
            IpAddr::V4(ip) => {
                let mut entry = [0; Self::V4_BYTES];
                entry[..4].copy_from_slice(&ip.octets());
                entry[4..].copy_from_slice(&port);
                self.v4.push(entry);
            }
            IpAddr::V6(ip) => {
                let mut entry = [0; Self::V6_BYTES];
                entry[..16].copy_from_slice(&ip.octets());
                entry[16..].copy_from_slice(&port);
                self.v6.push(entry);
            }
        }
    }

    /// The IPv4 entries in their wire form; who adds some vouches for their ports.
    pub fn entries_v4(&mut self) -> &mut Vec<[u8; Self::V4_BYTES]> {
        &mut self.v4
    }

    /// The IPv6 entries in their wire form; who adds some vouches for their ports and that no address is a mapped one.
    pub fn entries_v6(&mut self) -> &mut Vec<[u8; Self::V6_BYTES]> {
        &mut self.v6
    }

    /// Adds compact IPv4 peers as received, at most up to `max` peers in all.
    pub fn extend_from_compact_v4(&mut self, bytes: &[u8], max: usize) -> Result<(), PeerListError> {
        let (entries, rest) = bytes.as_chunks::<{ Self::V4_BYTES }>();
        if !rest.is_empty() {
            return Err(PeerListError { length: bytes.len(), entry: Self::V4_BYTES });
        }
        for &[a, b, c, d, high, low] in entries {
            if self.len() >= max {
                break;
            }
            self.push((Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low])).into());
        }
        Ok(())
    }

    /// Adds compact IPv6 peers as received, at most up to `max` peers in all.
    pub fn extend_from_compact_v6(&mut self, bytes: &[u8], max: usize) -> Result<(), PeerListError> {
        let (entries, rest) = bytes.as_chunks::<{ Self::V6_BYTES }>();
        if !rest.is_empty() {
            return Err(PeerListError { length: bytes.len(), entry: Self::V6_BYTES });
        }
        for entry in entries {
            if self.len() >= max {
                break;
            }
            self.push(decode_v6(entry));
        }
        Ok(())
    }

    /// How many peers.
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Whether there is no peer.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// Forgets all peers and keeps the memory.
    pub fn clear(&mut self) {
        self.v4.clear();
        self.v6.clear();
    }

    /// The IPv4 peers, 6 bytes each.
    pub fn compact_v4(&self) -> &[u8] {
        self.v4.as_flattened()
    }

    /// The IPv6 peers, 18 bytes each.
    pub fn compact_v6(&self) -> &[u8] {
        self.v6.as_flattened()
    }

    /// The peers, IPv4 first.
    pub fn iter(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        let v4 = (self.v4.iter())
            .map(|&[a, b, c, d, high, low]| (Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low])).into());
        let v6 = self.v6.iter().map(decode_v6);
        v4.chain(v6)
    }
}

fn decode_v6(entry: &[u8; PeerList::V6_BYTES]) -> SocketAddr {
    let (ip, port) = entry.split_first_chunk::<16>().expect("an entry has 18 bytes");
    SocketAddr::from((Ipv6Addr::from(*ip), u16::from_be_bytes([port[0], port[1]])))
}

impl FromIterator<SocketAddr> for PeerList {
    fn from_iter<I: IntoIterator<Item = SocketAddr>>(peers: I) -> Self {
        let mut list = Self::new();
        list.extend(peers);
        list
    }
}

impl Extend<SocketAddr> for PeerList {
    fn extend<I: IntoIterator<Item = SocketAddr>>(&mut self, peers: I) {
        for peer in peers {
            self.push(peer);
        }
    }
}

impl IntoIterator for &PeerList {
    type Item = SocketAddr;
    type IntoIter = std::vec::IntoIter<SocketAddr>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter().collect::<Vec<_>>().into_iter()
    }
}

impl IntoIterator for PeerList {
    type Item = SocketAddr;
    type IntoIter = std::vec::IntoIter<SocketAddr>;

    fn into_iter(self) -> Self::IntoIter {
        (&self).into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peers(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn peers_of_both_families_come_back_as_they_went_in() {
        let given = peers(&["192.0.2.7:6881", "[2001:db8::1]:51413", "192.0.2.8:80"]);
        let list: PeerList = given.iter().copied().collect();
        assert_eq!(list.compact_v4(), [192, 0, 2, 7, 0x1a, 0xe1, 192, 0, 2, 8, 0, 80]);
        assert_eq!(list.compact_v6().len(), 18);
        let back: Vec<_> = list.iter().collect();
        assert_eq!(back, peers(&["192.0.2.7:6881", "192.0.2.8:80", "[2001:db8::1]:51413"]));
    }

    #[test]
    fn a_peer_with_port_zero_is_left_out() {
        let list: PeerList = peers(&["192.0.2.7:0", "[2001:db8::1]:0"]).into_iter().collect();
        assert!(list.is_empty());
    }

    #[test]
    fn a_mapped_address_is_an_ipv4_peer() {
        let list: PeerList = peers(&["[::ffff:192.0.2.7]:6881"]).into_iter().collect();
        assert_eq!(list.iter().collect::<Vec<_>>(), peers(&["192.0.2.7:6881"]));
    }

    #[test]
    fn compact_peers_of_a_broken_length_are_refused() {
        let mut list = PeerList::new();
        assert_eq!(list.extend_from_compact_v4(&[0; 7], 10), Err(PeerListError { length: 7, entry: 6 }));
        assert_eq!(list.extend_from_compact_v6(&[0; 6], 10), Err(PeerListError { length: 6, entry: 18 }));
    }

    #[test]
    fn no_more_peers_are_taken_than_the_limit() {
        let mut list = PeerList::new();
        list.extend_from_compact_v4(&[1; 600], 10).unwrap();
        assert_eq!(list.len(), 10);
    }
}
