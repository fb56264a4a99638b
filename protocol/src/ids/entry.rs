//! An entry's place, and the short name that people and commands use for it.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use thiserror::Error;

use super::bytes::impl_bytes;
use super::{FeedId, LogId};

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Where an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryPlace {
    /// The feed.
    pub feed: FeedId,
    /// The log within the feed.
    pub log: LogId,
    /// The position within the log, from 0.
    pub index: u64,
}

impl EntryPlace {
    /// The first 10 bytes of SHA-256 over a domain tag, feed, log and index. spec: ID-6
    pub fn id(&self) -> EntryId {
        let digest = Sha256::new()
            .chain_update(b"peerfeed/1/entry-id\0")
            .chain_update(self.feed.as_bytes())
            .chain_update(self.log.to_bytes())
            .chain_update(self.index.to_be_bytes())
            .finalize();
        let mut id = [0; 10];
        id.copy_from_slice(&digest[..10]);
        EntryId(id)
    }
}

/// The name of an entry: 80 bits, shown as 16 characters of lowercase base32. spec: ID-6
///
/// It names a place, not a content; 80 bits keep accidents out, and whoever searches for a collision finds two places
/// in feeds of their own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId([u8; 10]);

impl_bytes!(EntryId, 10);

impl EntryId {
    /// The name made of these bytes.
    pub const fn new(bytes: [u8; 10]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        for group in self.0.chunks_exact(5) {
            let bits = group.iter().fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
            for at in (0..8).rev() {
                let digit = usize::try_from(bits >> (5 * at) & 31).expect("five bits fit");
                f.write_char(char::from(ALPHABET[digit]))?;
            }
        }
        Ok(())
    }
}

/// Why a text is not an entry id: the typist's fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EntryIdError {
    /// Another length than 16 characters.
    #[error("an entry id has 16 characters, not {0}")]
    Length(usize),
    /// A character outside of a to z and 2 to 7.
    #[error("character {at} of the entry id is '{character}', but it is made of a to z and 2 to 7")]
    Character {
        /// The character.
        character: char,
        /// Which one, counted from 1.
        at: usize,
    },
}

impl FromStr for EntryId {
    type Err = EntryIdError;

    /// Upper case is accepted, as some people's keyboards insist on it.
    fn from_str(text: &str) -> Result<Self, EntryIdError> {
        let count = text.chars().count();
        if count != 16 {
            return Err(EntryIdError::Length(count));
        }
        let mut bits = 0u128;
        for (position, character) in text.chars().enumerate() {
            let digit = match character.to_ascii_lowercase() {
                letter @ 'a'..='z' => letter as u8 - b'a',
                number @ '2'..='7' => number as u8 - b'2' + 26,
                _ => {
                    return Err(EntryIdError::Character { character, at: position + 1 });
                }
            };
            bits = bits << 5 | u128::from(digit);
        }
        let mut id = [0; 10];
        id.copy_from_slice(&bits.to_be_bytes()[6..]);
        Ok(Self(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_ids_are_rfc_4648_base32() {
        assert_eq!(EntryId::new(*b"foobarfoob").to_string(), "mzxw6ytbojtg633c");
        assert_eq!("MZXW6YTBOJTG633C".parse(), Ok(EntryId::new(*b"foobarfoob")));
        assert_eq!(EntryId::new([0xff; 10]).to_string().parse(), Ok(EntryId::new([0xff; 10])));
    }

    #[test]
    fn a_mistyped_entry_id_says_where() {
        assert_eq!("mzxw6".parse::<EntryId>(), Err(EntryIdError::Length(5)));
        let error = "mzxw6ytb0jtg633c".parse::<EntryId>().expect_err("0 is no digit");
        assert_eq!(error.to_string(), "character 9 of the entry id is '0', but it is made of a to z and 2 to 7");
    }
}
