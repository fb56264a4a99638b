//! Which feed a first message is for, and whether it was seen before. spec: PEER-11 to PEER-14

use std::collections::{BTreeSet, VecDeque};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::crypto::FeedKeys;
use crate::ids::FeedId;
use crate::limits::{EPHEMERALS_SEEN_MAX, HINTED_FEEDS_MAX};

/// Bytes of a hint. spec: PEER-11
pub const HINT_BYTES: usize = 16;

/// What a responder learns from the first 64 bytes before it answers a single one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstMessage {
    /// Follows from the feed id, the day and the ephemeral key.
    pub hint: [u8; HINT_BYTES],
    /// The initiator's ephemeral key, new for every connection.
    pub ephemeral: [u8; 32],
}

/// Makes and recognises the hints of one feed.
#[derive(Clone)]
pub struct HintKey(Hmac<Sha256>);

impl HintKey {
    /// The hint key of the feed with these keys.
    pub fn new(keys: &FeedKeys) -> Self {
        Self(Hmac::new_from_slice(&*keys.hint).expect("HMAC takes keys of any length"))
    }

    /// The hint for an ephemeral key on a day: HMAC-SHA-256 over u64 day ‖ key, its first 16 bytes. spec: PEER-11
    pub fn hint(&self, unix_day: u64, ephemeral: &[u8; 32]) -> [u8; HINT_BYTES] {
        let mac = self.mac(unix_day, ephemeral).finalize().into_bytes();
        *mac.first_chunk().expect("SHA-256 is longer than a hint")
    }

    /// Whether the message is for this feed: the day of the sender may be one off. spec: PEER-12
    pub fn fits(&self, first: &FirstMessage, unix_day: u64) -> bool {
        let days = [unix_day, unix_day.wrapping_sub(1), unix_day.wrapping_add(1)];
        days.iter().any(|day| self.mac(*day, &first.ephemeral).verify_truncated_left(&first.hint).is_ok())
    }

    fn mac(&self, unix_day: u64, ephemeral: &[u8; 32]) -> Hmac<Sha256> {
        self.0.clone().chain_update(unix_day.to_be_bytes()).chain_update(ephemeral)
    }
}

/// The feeds that a responder serves, for finding the one that a first message is for.
#[derive(Clone, Default)]
pub struct HintTable {
    feeds: Vec<(FeedId, HintKey)>,
}

impl HintTable {
    /// A table of no feeds.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a feed; false when there are as many already as may be tried. spec: PEER-12
    pub fn insert(&mut self, feed: FeedId) -> bool {
        if self.feeds.iter().any(|(held, _)| *held == feed) {
            return true;
        }
        let room = self.feeds.len() < HINTED_FEEDS_MAX;
        if room {
            self.feeds.push((feed, HintKey::new(&FeedKeys::new(&feed))));
        }
        room
    }

    /// Takes a feed out.
    pub fn remove(&mut self, feed: &FeedId) {
        self.feeds.retain(|(held, _)| held != feed);
    }

    /// The feed that the message is for, at a cost of up to three MACs for each feed.
    pub fn find(&self, first: &FirstMessage, unix_day: u64) -> Option<FeedId> {
        self.feeds.iter().find(|(_, key)| key.fits(first, unix_day)).map(|(feed, _)| *feed)
    }

    /// Number of feeds.
    pub fn len(&self) -> usize {
        self.feeds.len()
    }

    /// Whether there are no feeds.
    pub fn is_empty(&self) -> bool {
        self.feeds.is_empty()
    }
}

/// The ephemeral keys of first messages that were answered, so that a recorded one gets no second answer. spec: PEER-14
///
/// Only messages whose hint fits belong here: others cannot fill it. When it is full the oldest is forgotten.
#[derive(Clone, Debug, Default)]
pub struct SeenEphemerals {
    keys: BTreeSet<[u8; 32]>,
    order: VecDeque<(u64, [u8; 32])>,
}

impl SeenEphemerals {
    /// Nothing seen.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether this ephemeral key is seen for the first time; remembers it for as long as its hint may fit.
    pub fn is_new(&mut self, first: &FirstMessage, unix_day: u64) -> bool {
        // A hint of tomorrow fits until the day after tomorrow has ended.
        while let Some((_, old)) = self.order.pop_front_if(|(day, _)| day.saturating_add(2) < unix_day) {
            self.keys.remove(&old);
        }
        if !self.keys.insert(first.ephemeral) {
            return false;
        }
        self.order.push_back((unix_day, first.ephemeral));
        if self.order.len() > EPHEMERALS_SEEN_MAX
            && let Some((_, oldest)) = self.order.pop_front()
        {
            self.keys.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::IdentityKey;

    const DAY: u64 = 20_000;

    fn feed(seed: u8) -> FeedId {
        IdentityKey::from_seed(&[seed; 32]).feed_id()
    }

    fn first(feed: FeedId, day: u64) -> FirstMessage {
        let ephemeral = [9; 32];
        FirstMessage { hint: HintKey::new(&FeedKeys::new(&feed)).hint(day, &ephemeral), ephemeral }
    }

    #[test]
    fn a_hint_finds_its_feed_among_others_with_a_clock_one_day_off() {
        let mut table = HintTable::new();
        for seed in 1..=5 {
            assert!(table.insert(feed(seed)));
        }
        for day in [DAY - 1, DAY, DAY + 1] {
            assert_eq!(table.find(&first(feed(3), day), DAY), Some(feed(3)));
        }
        for day in [DAY - 2, DAY + 2] {
            assert_eq!(table.find(&first(feed(3), day), DAY), None, "two days off");
        }
        assert_eq!(table.find(&first(feed(6), DAY), DAY), None, "a feed that is not served");
        table.remove(&feed(3));
        assert_eq!(table.find(&first(feed(3), DAY), DAY), None, "a feed no longer served");
    }

    #[test]
    fn a_hint_fits_no_other_ephemeral_key() {
        let key = HintKey::new(&FeedKeys::new(&feed(1)));
        let mut message = first(feed(1), DAY);
        assert!(key.fits(&message, DAY));
        message.ephemeral[0] ^= 1;
        assert!(!key.fits(&message, DAY));
    }

    #[test]
    fn a_replayed_first_message_is_recognised_as_long_as_its_hint_fits() {
        let mut seen = SeenEphemerals::new();
        let message = first(feed(1), DAY + 1);
        assert!(seen.is_new(&message, DAY));
        for day in DAY..=DAY + 2 {
            assert!(!seen.is_new(&message, day), "{} days later", day - DAY);
        }
        assert!(!HintKey::new(&FeedKeys::new(&feed(1))).fits(&message, DAY + 3));
        assert!(seen.is_new(&message, DAY + 3), "forgotten once its hint no longer fits");
    }

    #[test]
    fn what_was_seen_is_bounded() {
        let mut seen = SeenEphemerals::new();
        for number in 0..=u32::try_from(EPHEMERALS_SEEN_MAX).unwrap() {
            let mut ephemeral = [0; 32];
            ephemeral[..4].copy_from_slice(&number.to_be_bytes());
            assert!(seen.is_new(&FirstMessage { hint: [0; 16], ephemeral }, DAY));
        }
        assert_eq!(seen.keys.len(), EPHEMERALS_SEEN_MAX);
        assert_eq!(seen.order.len(), EPHEMERALS_SEEN_MAX);
    }
}
