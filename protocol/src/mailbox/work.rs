//! What a stranger pays for a packet. spec: MAIL-12

use sha2::{Digest, Sha256};

use crate::ids::FeedId;
use crate::limits::MAIL_WORK_BITS;

/// The number that shows the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work(pub u64);

impl Work {
    /// Whether it was done for this packet and feed.
    pub fn suffices(self, feed: &FeedId, packet: &[u8]) -> bool {
        zero_bits(&base(feed, packet), self.0) >= MAIL_WORK_BITS
    }
}

/// Does the work: about a million hashes.
pub fn find_work(feed: &FeedId, packet: &[u8]) -> Work {
    let base = base(feed, packet);
    let found = (0..u64::MAX).find(|number| zero_bits(&base, *number) >= MAIL_WORK_BITS);
    Work(found.expect("one number in a million suffices"))
}

fn base(feed: &FeedId, packet: &[u8]) -> Sha256 {
    Sha256::new()
        .chain_update(b"peerfeed/1/mailbox-work\0")
        .chain_update(feed.as_bytes())
        .chain_update(Sha256::digest(packet))
}

fn zero_bits(base: &Sha256, number: u64) -> u32 {
    let digest = base.clone().chain_update(number.to_be_bytes()).finalize();
    u64::from_be_bytes(*digest.first_chunk().expect("a digest has more")).leading_zeros()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::IdentityKey;

    #[test]
    fn work_is_good_for_one_packet_and_one_feed() {
        let feed = |seed| IdentityKey::from_seed(&[seed; 32]).feed_id();
        let work = find_work(&feed(1), b"packet");
        assert!(work.suffices(&feed(1), b"packet"));
        assert!(!work.suffices(&feed(2), b"packet"));
        assert!(!work.suffices(&feed(1), b"another"));
        assert!(!Work(work.0 + 1).suffices(&feed(1), b"packet"));
    }
}
