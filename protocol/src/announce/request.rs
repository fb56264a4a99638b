//! What a client asks of a tracker.

use std::fmt;

/// The 20 bytes that name a swarm to a tracker.
///
/// Shown by its first four bytes only, so that no log holds a whole one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InfoHash(pub [u8; 20]);

/// The 20 bytes by which a client names itself; a tracker neither stores nor trusts them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PeerId(pub [u8; 20]);

/// Why a client announces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Event {
    /// A regular announce; any event that is not known counts as this one (spec: ANN-6).
    #[default]
    None,
    /// The client now has everything it wants.
    Completed,
    /// The client has joined the swarm.
    Started,
    /// The client leaves the swarm.
    Stopped,
    /// A partial seed: incomplete, but wants nothing more (BEP 21).
    Paused,
}

/// One announce, whatever carried it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnnounceRequest {
    /// The swarm.
    pub info_hash: InfoHash,
    /// The client's own name for itself.
    pub peer_id: PeerId,
    /// The port on which the client accepts peers; 0 when it accepts none and only looks (spec: ANN-7).
    pub port: u16,
    /// Bytes uploaded since `started`.
    pub uploaded: u64,
    /// Bytes downloaded since `started`.
    pub downloaded: u64,
    /// Bytes that the client still lacks; 0 for a seed.
    pub left: u64,
    /// Why the client announces.
    pub event: Event,
    /// Peers wanted; `None` leaves the number to the tracker.
    pub numwant: Option<u32>,
    /// Ties the announces of one client over several addresses together (BEP 7).
    pub key: Option<u32>,
}

impl AnnounceRequest {
    /// A regular announce of a client that lacks everything; callers set what differs.
    pub fn new(info_hash: InfoHash, peer_id: PeerId, port: u16) -> Self {
        Self {
            info_hash,
            peer_id,
            port,
            uploaded: 0,
            downloaded: 0,
            left: u64::MAX >> 1,
            event: Event::None,
            numwant: None,
            key: None,
        }
    }

    /// Whether the client has everything.
    pub fn is_seed(&self) -> bool {
        self.left == 0
    }
}

impl From<[u8; 20]> for InfoHash {
    fn from(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }
}

impl From<[u8; 20]> for PeerId {
    fn from(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("…")
    }
}

impl fmt::Display for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_info_hash_shows_only_its_first_four_bytes() {
        let hash = InfoHash([0xab; 20]);
        assert_eq!(format!("{hash:?} {hash}"), "abababab… abababab…");
    }
}
