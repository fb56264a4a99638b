//! Keys that everyone has who knows a feed id.

use std::fmt;

use zeroize::Zeroizing;

use super::kdf::derive;
use crate::ids::FeedId;

/// What follows from a feed id alone: it lets in who knows the feed id, and keeps out who does not. spec: ID-12
#[derive(Clone)]
pub struct FeedKeys {
    /// The pre-shared key of the transport's handshake: HKDF label `psk`.
    pub psk: Zeroizing<[u8; 32]>,
    /// The key of the hint before the handshake: HKDF label `hint`.
    pub hint: Zeroizing<[u8; 32]>,
    /// The key that proves knowledge of the feed id when a channel is opened: HKDF label `channel`.
    pub channel: Zeroizing<[u8; 32]>,
    /// The secret of the epoch that everyone who knows the feed id can read: HKDF label `public-epoch`.
    pub public_epoch: Zeroizing<[u8; 32]>,
}

impl FeedKeys {
    /// The keys of a feed.
    pub fn new(feed: &FeedId) -> Self {
        let key = |label| derive(feed.as_bytes(), label, &[]);
        Self { psk: key("psk"), hint: key("hint"), channel: key("channel"), public_epoch: key("public-epoch") }
    }
}

impl fmt::Debug for FeedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FeedKeys(\u{2026})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::IdentityKey;

    #[test]
    fn the_four_keys_differ_and_follow_from_the_feed_id() {
        let feed = IdentityKey::from_seed(&[1; 32]).feed_id();
        let keys = FeedKeys::new(&feed);
        let mut all = [*keys.psk, *keys.hint, *keys.channel, *keys.public_epoch];
        assert_eq!(all[0], *derive::<32>(feed.as_bytes(), "psk", &[]));
        all.sort_unstable();
        assert!(all.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
