//! The name under which trackers and the DHT know a swarm.

use sha1::{Digest, Sha1};

use super::SwarmKey;
use super::bytes::plain_name;

plain_name! {
    /// The peers that serve a feed, named as an ordinary `info_hash`. spec: ID-9
    SwarmId, 20
}

impl SwarmKey {
    /// SHA-1 over a domain tag and the swarm key. spec: ID-9
    ///
    /// SHA-1 only names here, as everywhere in `BitTorrent`; no content is proven by it.
    pub fn swarm_id(&self) -> SwarmId {
        let digest = Sha1::new().chain_update(b"peerfeed/1/swarm\0").chain_update(self.as_bytes()).finalize();
        SwarmId::new(digest.into())
    }
}
