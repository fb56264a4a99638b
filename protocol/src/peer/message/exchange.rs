//! PEERS: peer exchange, as BEP 11 does it. spec: PEER-48

use std::net::SocketAddr;

use super::field::{address, address_bytes, channel, dict, wrong_length};
use super::{ChannelId, MalformedMessage, Message, MessageType};
use crate::bencode::{Dict, FieldError};
use crate::limits::EXCHANGED_PEERS_MAX;

/// Peers of a feed that the sender met or lost since it last told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerExchange {
    /// Peers that it is connected to now.
    pub added: Vec<SocketAddr>,
    /// Peers that it is no longer connected to.
    pub dropped: Vec<SocketAddr>,
}

/// PEERS on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peers {
    /// Channel of the feed.
    pub channel: ChannelId,
    /// Whom.
    pub peers: PeerExchange,
}

impl Message for Peers {
    const TYPE: MessageType = MessageType::Peers;

    fn encode(&self) -> Vec<u8> {
        let (added4, added6) = joined(&self.peers.added);
        let (dropped4, dropped6) = joined(&self.peers.dropped);
        Dict::new()
            .with_optional(b"a", added4)
            .with_optional(b"b", added6)
            .with(b"c", self.channel.0)
            .with_optional(b"d", dropped4)
            .with_optional(b"e", dropped6)
            .encode()
    }

    fn decode(rest: &[u8]) -> Result<Self, MalformedMessage> {
        let dict = dict(rest)?;
        let mut added = addresses::<6>(&dict, b"a")?;
        added.extend(addresses::<18>(&dict, b"b")?);
        let mut dropped = addresses::<6>(&dict, b"d")?;
        dropped.extend(addresses::<18>(&dict, b"e")?);
        if added.len() > EXCHANGED_PEERS_MAX || dropped.len() > EXCHANGED_PEERS_MAX {
            return Err(wrong_length(b"a").into());
        }
        Ok(Self { channel: channel(&dict)?, peers: PeerExchange { added, dropped } })
    }
}

/// IPv4 addresses and IPv6 addresses, each one after the other; none where there are none.
fn joined(addresses: &[SocketAddr]) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for address in addresses {
        let list = if address.is_ipv4() { &mut v4 } else { &mut v6 };
        list.extend_from_slice(&address_bytes(*address));
    }
    let present = |list: Vec<u8>| (!list.is_empty()).then_some(list);
    (present(v4), present(v6))
}

fn addresses<const N: usize>(dict: &Dict<'_>, key: &[u8]) -> Result<Vec<SocketAddr>, FieldError> {
    let (items, rest) = dict.optional_bytes(key)?.unwrap_or_default().as_chunks::<N>();
    if !rest.is_empty() {
        return Err(wrong_length(key));
    }
    Ok(items.iter().filter_map(|item| address(item)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(count: usize) -> Peers {
        let added = (0..count).map(|n| SocketAddr::from(([10, 0, 0, u8::try_from(n).unwrap()], 1))).collect();
        let dropped = vec!["[2001:db8::1]:5".parse().unwrap()];
        Peers { channel: ChannelId(1), peers: PeerExchange { added, dropped } }
    }

    #[test]
    fn addresses_of_both_families_are_read_as_they_were_written() {
        let peers = exchange(3);
        assert_eq!(Peers::decode(&peers.encode()), Ok(peers));
    }

    #[test]
    fn more_peers_than_one_message_may_name_are_refused() {
        assert!(Peers::decode(&exchange(EXCHANGED_PEERS_MAX).encode()).is_ok());
        assert!(Peers::decode(&exchange(EXCHANGED_PEERS_MAX + 1).encode()).is_err());
    }

    #[test]
    fn a_torn_address_is_refused() {
        assert!(Peers::decode(b"d1:a5:123451:ci1ee").is_err());
    }
}
