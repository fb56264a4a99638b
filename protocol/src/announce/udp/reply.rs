//! What a UDP tracker answers.
//!
//! ```text
//! connect   u32 0 | u32 transaction | u64 connection                                        16 bytes
//! announce  u32 1 | u32 transaction | u32 interval s | u32 leechers | u32 seeders | peers   20 + 6n or 20 + 18n
//! scrape    u32 2 | u32 transaction | (u32 seeders | u32 completed | u32 leechers) …        8 + 12n
//! error     u32 3 | u32 transaction | text                                                  8 + n
//! ```
//!
//! Nothing follows what is drawn here: clients refuse peers that are no whole number of entries (spec: ANN-28).
//! Whether peers take 6 or 18 bytes follows from the address family over which the exchange runs, not from the packet.

use std::time::Duration;

use super::{ANNOUNCE, CONNECT, ERROR, SCRAPE, TransactionId};
use crate::announce::connection_id::ConnectionId;
use crate::announce::limits::{REPLY_PEERS_MAX, UDP_REPLY_BYTES_MAX, UDP_SCRAPE_HASHES_MAX};
use crate::announce::reply::{clean_text, obeyed};
use crate::announce::{AnnounceReply, PeerList, PeerListError, ScrapeEntry, ScrapeReply};

/// The address family of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Peers of 6 bytes.
    V4,
    /// Peers of 18 bytes.
    V6,
}

/// One datagram of a tracker, as the client reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The connection id asked for.
    Connect {
        /// Repeats the request's.
        transaction_id: TransactionId,
        /// To be sent with what follows.
        connection_id: ConnectionId,
    },
    /// The answer to an announce.
    Announce {
        /// Repeats the request's.
        transaction_id: TransactionId,
        /// Interval, counts and peers.
        reply: AnnounceReply,
    },
    /// The answer to a scrape.
    Scrape {
        /// Repeats the request's.
        transaction_id: TransactionId,
        /// Counts in the order asked.
        reply: ScrapeReply,
    },
    /// A refusal.
    Error {
        /// Repeats the request's.
        transaction_id: TransactionId,
        /// The tracker's text, cleaned and cut.
        reason: String,
    },
}

/// A datagram that is no tracker's reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// Shorter than its action demands.
    #[error("the tracker's datagram is too short")]
    TooShort,
    /// No such action.
    #[error("the tracker's datagram has an unknown action")]
    UnknownAction,
    /// Peers or counts that are no whole number of entries.
    #[error("the tracker's datagram ends within a peer")]
    Peers(#[from] PeerListError),
    /// Counts that are no whole number of entries.
    #[error("the tracker's datagram ends within a scrape entry")]
    PartialEntry,
}

/// The fixed part of an announce reply: 20 bytes, behind which the peers follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnnounceReplyHead {
    /// Repeats the request's.
    pub transaction_id: TransactionId,
    /// When to announce again.
    pub interval_seconds: u32,
    /// Peers that lack something.
    pub leechers: u32,
    /// Seeds.
    pub seeders: u32,
}

impl AnnounceReplyHead {
    /// Bytes of the fixed part.
    pub const BYTES: usize = 20;

    /// The fixed part as it travels.
    pub fn encode(&self) -> [u8; Self::BYTES] {
        let mut out = [0; Self::BYTES];
        let words = [ANNOUNCE, self.transaction_id, self.interval_seconds, self.leechers, self.seeders];
        for (field, word) in out.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *field = word.to_be_bytes();
        }
        out
    }
}

impl Family {
    /// Bytes of one peer.
    pub const fn peer_bytes(self) -> usize {
        match self {
            Self::V4 => PeerList::V4_BYTES,
            Self::V6 => PeerList::V6_BYTES,
        }
    }

    /// Most peers that fit a reply of [`UDP_REPLY_BYTES_MAX`]: 202 or 67.
    pub const fn max_peers(self) -> usize {
        (UDP_REPLY_BYTES_MAX - AnnounceReplyHead::BYTES) / self.peer_bytes()
    }
}

/// Bytes of the reply to a connect.
pub const CONNECT_REPLY_BYTES: usize = 16;

/// Writes the reply to a connect.
pub fn encode_connect(transaction_id: TransactionId, connection_id: ConnectionId) -> [u8; CONNECT_REPLY_BYTES] {
    let mut out = [0; CONNECT_REPLY_BYTES];
    out[..4].copy_from_slice(&CONNECT.to_be_bytes());
    out[4..8].copy_from_slice(&transaction_id.to_be_bytes());
    out[8..].copy_from_slice(&connection_id.0.to_be_bytes());
    out
}

/// Writes a refusal; at most `max_bytes` long, so that it does not exceed the request it answers (spec: ANN-25).
pub fn encode_error(transaction_id: TransactionId, reason: &str, max_bytes: usize) -> Vec<u8> {
    let reason = &reason.as_bytes()[..reason.len().min(max_bytes.saturating_sub(8))];
    [&ERROR.to_be_bytes()[..], &transaction_id.to_be_bytes(), reason].concat()
}

impl Reply {
    /// Reads one datagram that came over `family`.
    pub fn decode(datagram: &[u8], family: Family) -> Result<Self, ReplyError> {
        let (&action, rest) = datagram.split_first_chunk::<4>().ok_or(ReplyError::TooShort)?;
        let (&transaction_id, body) = rest.split_first_chunk::<4>().ok_or(ReplyError::TooShort)?;
        let transaction_id = u32::from_be_bytes(transaction_id);
        match u32::from_be_bytes(action) {
            CONNECT => {
                let connection_id = body.first_chunk::<8>().ok_or(ReplyError::TooShort)?;
                let connection_id = ConnectionId(u64::from_be_bytes(*connection_id));
                Ok(Self::Connect { transaction_id, connection_id })
            }
            ANNOUNCE => Ok(Self::Announce { transaction_id, reply: decode_announce(body, family)? }),
            SCRAPE => Ok(Self::Scrape { transaction_id, reply: decode_scrape(body)? }),
            ERROR => Ok(Self::Error { transaction_id, reason: clean_text(body) }),
            _ => Err(ReplyError::UnknownAction),
        }
    }

    /// Writes the datagram for an exchange over `family`; peers of the other one are left out, as are those that do not fit.
    pub fn encode(&self, family: Family) -> Vec<u8> {
        match self {
            Self::Connect { transaction_id, connection_id } => encode_connect(*transaction_id, *connection_id).to_vec(),
            Self::Announce { transaction_id, reply } => {
                let head = AnnounceReplyHead {
                    transaction_id: *transaction_id,
                    interval_seconds: u32::try_from(reply.interval.as_secs()).unwrap_or(u32::MAX),
                    leechers: reply.incomplete,
                    seeders: reply.complete,
                };
                let peers = match family {
                    Family::V4 => reply.peers.compact_v4(),
                    Family::V6 => reply.peers.compact_v6(),
                };
                let fitting = peers.len().min(family.max_peers() * family.peer_bytes());
                [&head.encode()[..], &peers[..fitting]].concat()
            }
            Self::Scrape { transaction_id, reply } => {
                let mut out = [SCRAPE.to_be_bytes(), transaction_id.to_be_bytes()].concat();
                for entry in reply.entries.iter().take(UDP_SCRAPE_HASHES_MAX) {
                    out.extend_from_slice(&entry.complete.to_be_bytes());
                    out.extend_from_slice(&entry.downloaded.to_be_bytes());
                    out.extend_from_slice(&entry.incomplete.to_be_bytes());
                }
                out
            }
            Self::Error { transaction_id, reason } => encode_error(*transaction_id, reason, UDP_REPLY_BYTES_MAX),
        }
    }

    /// The transaction that is answered.
    pub fn transaction_id(&self) -> TransactionId {
        match self {
            Self::Connect { transaction_id, .. }
            | Self::Announce { transaction_id, .. }
            | Self::Scrape { transaction_id, .. }
            | Self::Error { transaction_id, .. } => *transaction_id,
        }
    }
}

fn decode_announce(body: &[u8], family: Family) -> Result<AnnounceReply, ReplyError> {
    let (head, peers) = body.split_first_chunk::<12>().ok_or(ReplyError::TooShort)?;
    let [interval, incomplete, complete] = words(head);
    let mut list = PeerList::new();
    match family {
        Family::V4 => list.extend_from_compact_v4(peers, REPLY_PEERS_MAX)?,
        Family::V6 => list.extend_from_compact_v6(peers, REPLY_PEERS_MAX)?,
    }
    Ok(AnnounceReply {
        interval: obeyed(Duration::from_secs(u64::from(interval))),
        complete,
        incomplete,
        peers: list,
        ..AnnounceReply::default()
    })
}

fn decode_scrape(body: &[u8]) -> Result<ScrapeReply, ReplyError> {
    let (entries, rest) = body.as_chunks::<12>();
    if !rest.is_empty() {
        return Err(ReplyError::PartialEntry);
    }
    let entries = entries.iter().take(UDP_SCRAPE_HASHES_MAX).map(|entry| {
        let [complete, downloaded, incomplete] = words(entry);
        ScrapeEntry { complete, downloaded, incomplete }
    });
    Ok(ScrapeReply { entries: entries.collect() })
}

fn words(bytes: &[u8; 12]) -> [u32; 3] {
    let word = |n: usize| u32::from_be_bytes([bytes[n], bytes[n + 1], bytes[n + 2], bytes[n + 3]]);
    [word(0), word(4), word(8)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announce_reply(peers: usize) -> Reply {
        let mut list = PeerList::new();
        for n in 0..peers {
            let low = u8::try_from(n % 250).unwrap() + 1;
            list.entries_v4().push([192, 0, 2, low, 0x1a, 0xe1]);
            let mut v6 = [0x20; 18];
            v6[15] = low;
            list.entries_v6().push(v6);
        }
        let reply = AnnounceReply {
            interval: Duration::from_secs(1800),
            complete: 3,
            incomplete: 4,
            peers: list,
            ..AnnounceReply::default()
        };
        Reply::Announce { transaction_id: 7, reply }
    }

    #[test]
    fn a_reply_carries_the_peers_of_its_family_only() {
        for family in [Family::V4, Family::V6] {
            let bytes = announce_reply(3).encode(family);
            assert_eq!(bytes.len(), 20 + 3 * family.peer_bytes());
            let Ok(Reply::Announce { reply, transaction_id: 7 }) = Reply::decode(&bytes, family) else { panic!() };
            assert_eq!((reply.complete, reply.incomplete, reply.peers.len()), (3, 4, 3));
            assert_eq!(reply.interval, Duration::from_secs(1800));
        }
    }

    #[test]
    fn a_reply_never_exceeds_the_smallest_ipv6_path() {
        assert_eq!((Family::V4.max_peers(), Family::V6.max_peers()), (202, 67));
        for family in [Family::V4, Family::V6] {
            let bytes = announce_reply(1000).encode(family);
            assert!(bytes.len() <= UDP_REPLY_BYTES_MAX, "{} bytes", bytes.len());
            assert!(Reply::decode(&bytes, family).is_ok());
        }
    }

    #[test]
    fn peers_of_a_broken_length_are_refused() {
        let bytes = announce_reply(1).encode(Family::V4);
        assert!(matches!(Reply::decode(&bytes[..25], Family::V4), Err(ReplyError::Peers(_))));
        assert!(matches!(Reply::decode(&bytes, Family::V6), Err(ReplyError::Peers(_))));
    }

    #[test]
    fn every_reply_comes_back_as_it_went_in() {
        let entries = vec![
            ScrapeEntry { complete: 1, downloaded: 2, incomplete: 3 },
            ScrapeEntry { complete: 4, downloaded: 5, incomplete: 6 },
        ];
        for reply in [
            Reply::Connect { transaction_id: 1, connection_id: ConnectionId(u64::MAX - 1) },
            Reply::Scrape { transaction_id: 2, reply: ScrapeReply { entries } },
            Reply::Error { transaction_id: 3, reason: "no".into() },
        ] {
            assert_eq!(Reply::decode(&reply.encode(Family::V4), Family::V4), Ok(reply));
        }
    }

    #[test]
    fn a_refusal_is_cut_to_the_size_of_the_request() {
        assert_eq!(encode_error(1, "a long explanation", 16).len(), 16);
        assert_eq!(encode_error(1, "a long explanation", 0).len(), 8);
    }

    #[test]
    fn control_characters_of_a_refusal_do_not_reach_a_terminal() {
        let bytes = encode_error(1, "red \u{1b}[31m alert\n", 100);
        let Ok(Reply::Error { reason, .. }) = Reply::decode(&bytes, Family::V4) else { panic!() };
        assert_eq!(reason, "red [31m alert");
    }

    #[test]
    fn every_shortened_datagram_is_refused_or_read_without_panic() {
        for whole in [announce_reply(2).encode(Family::V4), vec![0; 16], vec![0, 0, 0, 9, 0, 0, 0, 0]] {
            for length in 0..whole.len() {
                let _ = Reply::decode(&whole[..length], Family::V4);
                let _ = Reply::decode(&whole[..length], Family::V6);
            }
        }
        assert_eq!(Reply::decode(&[0, 0, 0, 9, 0, 0, 0, 0], Family::V4), Err(ReplyError::UnknownAction));
    }
}
