//! The recovery phrase: 24 words from which an identity is made.

use std::fmt;
use std::str::FromStr;

use bip39::{Language, Mnemonic};
use thiserror::Error;
use zeroize::Zeroizing;

use super::box_key::BoxKey;
use super::identity::{IdentityKey, SuccessorKey};
use super::kdf::derive;
use crate::limits::TYPED_TEXT_CHARS_MAX;

const WORDS: usize = 24;

/// Why a text is not a recovery phrase: the typist's fault. It never repeats what was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PhraseError {
    /// Words are missing or too many.
    #[error("a recovery phrase has {WORDS} words, not {0}")]
    WordCount(usize),
    /// A word that is not in the list.
    #[error("word {at} of the recovery phrase is not one of the 2,048 words of the list")]
    UnknownWord {
        /// Which one, counted from 1.
        at: usize,
    },
    /// All words are in the list, but they do not belong together.
    #[error("the recovery phrase is mistyped: its checksum does not fit; look for a wrong word or a wrong order")]
    Checksum,
}

/// 24 English words of BIP-39; erased from memory when dropped, never printed by `Debug`. spec: ID-2
pub struct Phrase(Mnemonic);

impl Phrase {
    /// The phrase that spells 32 random bytes.
    pub fn from_entropy(entropy: &[u8; 32]) -> Self {
        Self(Mnemonic::from_entropy_in(Language::English, entropy).expect("32 bytes are a length that BIP-39 knows"))
    }

    /// The words, for showing them once.
    pub fn words(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.0.words()
    }

    /// The words with a space between them.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.to_string())
    }

    /// The key that signs the feed. spec: ID-2
    pub fn identity(&self) -> IdentityKey {
        IdentityKey::from_seed(&self.key("identity"))
    }

    /// The key with which the owner takes a stolen identity back; only its digest is ever published. spec: ID-2
    pub fn successor(&self) -> SuccessorKey {
        SuccessorKey::from_seed(&self.key("successor"))
    }

    /// The key to which every epoch of the feed is granted, so that the words bring the own posts back. spec: ID-15
    pub fn recovery_box(&self) -> BoxKey {
        BoxKey::from_bytes(*self.key("recovery-box"))
    }

    fn key(&self, label: &str) -> Zeroizing<[u8; 32]> {
        let seed = Zeroizing::new(self.0.to_seed_normalized(""));
        derive(seed.as_slice(), label, &[])
    }
}

impl FromStr for Phrase {
    type Err = PhraseError;

    /// Case and the amount of white space between words do not matter.
    fn from_str(text: &str) -> Result<Self, PhraseError> {
        let count = text.split_whitespace().count();
        if count != WORDS || text.len() > TYPED_TEXT_CHARS_MAX {
            return Err(PhraseError::WordCount(count));
        }
        let text = Zeroizing::new(text.to_lowercase());
        Mnemonic::parse_in_normalized(Language::English, &text).map(Self).map_err(|error| match error {
            bip39::Error::UnknownWord(at) => PhraseError::UnknownWord { at: at + 1 },
            bip39::Error::InvalidChecksum => PhraseError::Checksum,
            bip39::Error::BadWordCount(_)
            | bip39::Error::BadEntropyBitCount(_)
            | bip39::Error::AmbiguousLanguages(_) => PhraseError::WordCount(count),
        })
    }
}

impl fmt::Debug for Phrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phrase(\u{2026})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The published BIP-39 vector of 32 zero bytes.
    const ZEROS: &str = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon \
                         abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon art";

    #[test]
    fn thirty_two_zero_bytes_spell_the_published_words() {
        assert_eq!(*Phrase::from_entropy(&[0; 32]).to_text(), ZEROS);
    }

    #[test]
    fn a_phrase_that_is_typed_back_gives_the_same_keys() {
        let phrase = Phrase::from_entropy(&[7; 32]);
        let typed = phrase.words().map(str::to_uppercase).collect::<Vec<_>>().join(" \n ");
        let again: Phrase = typed.parse().unwrap();
        assert_eq!(again.identity().feed_id(), phrase.identity().feed_id());
        assert_eq!(again.successor().public(), phrase.successor().public());
        assert_ne!(&phrase.successor().public(), phrase.identity().feed_id().as_bytes());
    }

    #[test]
    fn each_mistake_is_told_apart() {
        let mistake = |text: &str| text.parse::<Phrase>().expect_err("a mistake");
        assert_eq!(mistake("abandon art"), PhraseError::WordCount(2));
        assert_eq!(mistake(&ZEROS.replacen("abandon", "abandoned", 1)), PhraseError::UnknownWord { at: 1 });
        assert_eq!(mistake(&ZEROS.replace("art", "\u{e4}rt")), PhraseError::UnknownWord { at: 24 });
        assert_eq!(mistake(&ZEROS.replace("art", "able")), PhraseError::Checksum);
        assert_eq!(mistake(&"a ".repeat(5000)), PhraseError::WordCount(5000));
    }

    #[test]
    fn a_phrase_does_not_print_itself() {
        assert_eq!(format!("{:?}", Phrase::from_entropy(&[0; 32])), "Phrase(\u{2026})");
    }
}
