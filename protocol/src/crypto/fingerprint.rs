//! A feed id in six words, for comparing it by voice.

use bip39::Language;
use sha2::{Digest, Sha256};

use crate::ids::FeedId;

const WORDS: usize = 6;

/// Six words of the BIP-39 English list: the first 66 bits of SHA-256(`peerfeed/1/fingerprint` ‖ 0x00 ‖ feed id), eleven
/// bits each, highest first. spec: ID-11
pub fn words(feed: &FeedId) -> [&'static str; WORDS] {
    let digest = Sha256::new().chain_update(b"peerfeed/1/fingerprint\0").chain_update(feed.as_bytes()).finalize();
    let list = Language::English.word_list();
    std::array::from_fn(|word| {
        let bits = (word * 11..word * 11 + 11).map(|bit| usize::from(digest[bit / 8] >> (7 - bit % 8) & 1));
        list[bits.fold(0, |index, bit| index << 1 | bit)]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::IdentityKey;

    #[test]
    fn two_feeds_have_different_words_of_the_list() {
        let of = |seed: u8| words(&IdentityKey::from_seed(&[seed; 32]).feed_id());
        assert_ne!(of(1), of(2));
        assert!(of(1).iter().all(|word| Language::English.find_word(word).is_some()));
    }
}
