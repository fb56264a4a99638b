//! A feed's name: the owner's public key, and its printed form.

use std::fmt;
use std::str::FromStr;

use bech32::primitives::correction::CorrectableError;
use bech32::primitives::decode::{CheckedHrpstring, ChecksumError, UncheckedHrpstring};
use bech32::{Bech32m, Hrp};
use thiserror::Error;

use super::KeyError;
use super::key::key_name;
use crate::limits::{FEED_ID_CHARS, TYPED_TEXT_CHARS_MAX};

const PREFIX: Hrp = Hrp::parse_unchecked("feed");

key_name! {
    /// The public key of an identity, which names all that it publishes; shown as bech32m `feed1…`. spec: ID-1, ID-3
    ///
    /// Who knows it can find and reach the feed, so trackers and the DHT never see it; they see its
    /// [`super::SwarmId`].
    FeedId
}

impl fmt::Display for FeedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        bech32::encode_lower_to_fmt::<Bech32m, _>(f, PREFIX, &self.0).map_err(|_| fmt::Error)
    }
}

/// Why a text is not a feed id: the typist's fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FeedIdError {
    /// It does not begin with `feed1`.
    #[error("a feed id begins with \"feed1\"")]
    Prefix,
    /// Characters are missing or too many.
    #[error("a feed id has {FEED_ID_CHARS} characters, not {0}: some are missing or too many")]
    Length(usize),
    /// A character that no feed id has.
    #[error("character {at} of the feed id is '{character}', which no feed id has")]
    Character {
        /// The character.
        character: char,
        /// Which one, counted from 1.
        at: usize,
    },
    /// Upper and lower case mixed.
    #[error("the feed id mixes upper and lower case")]
    MixedCase,
    /// The checksum does not fit: something was mistyped, and these characters are the likeliest places.
    #[error("the feed id is mistyped: its checksum does not fit{}", likely(.likely_wrong))]
    Checksum {
        /// Positions counted from 1; empty when more is wrong than can be located.
        likely_wrong: Vec<usize>,
    },
    /// Well typed, but the key in it is not acceptable.
    #[error("the feed id does not hold a usable key")]
    Key(#[from] KeyError),
}

fn likely(positions: &[usize]) -> String {
    match positions {
        [] => String::new(),
        [one] => format!("; look at character {one}"),
        many => {
            let many: Vec<_> = many.iter().map(ToString::to_string).collect();
            format!("; look at characters {}", many.join(" and "))
        }
    }
}

impl FromStr for FeedId {
    type Err = FeedIdError;

    fn from_str(text: &str) -> Result<Self, FeedIdError> {
        let length = text.chars().count();
        if length > TYPED_TEXT_CHARS_MAX {
            return Err(FeedIdError::Length(length));
        }
        if !text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("feed1")) {
            return Err(FeedIdError::Prefix);
        }
        if let Some((at, character)) = text.chars().enumerate().skip(5).find(|(_, c)| !is_data_character(*c)) {
            return Err(FeedIdError::Character { character, at: at + 1 });
        }
        if text.chars().any(|c| c.is_ascii_lowercase()) && text.chars().any(|c| c.is_ascii_uppercase()) {
            return Err(FeedIdError::MixedCase);
        }
        if length != FEED_ID_CHARS {
            return Err(FeedIdError::Length(length));
        }
        let unchecked = UncheckedHrpstring::new(text).map_err(|_| FeedIdError::Prefix)?;
        let checked: CheckedHrpstring<'_> = unchecked
            .validate_and_remove_checksum::<Bech32m>()
            .map_err(|error| FeedIdError::Checksum { likely_wrong: locate(&error) })?;
        // 52 characters are 260 bits: the last four are padding, which has to be zero for the form to be the only one.
        if checked.validate_segwit_padding().is_err() {
            return Err(FeedIdError::Checksum { likely_wrong: Vec::new() });
        }
        let bytes: Vec<u8> = checked.byte_iter().collect();
        Ok(Self::from_slice(&bytes)?)
    }
}

fn is_data_character(character: char) -> bool {
    u8::try_from(character).is_ok_and(|byte| bech32::Fe32::from_char(char::from(byte)).is_ok())
}

/// Where the code's error correction sees the mistakes, counted from 1; empty when it cannot tell.
///
/// The positions are shown and never applied: a text that was corrected wrongly would be somebody else's feed.
fn locate(error: &ChecksumError) -> Vec<usize> {
    let Some(corrector) = error.correction_context::<Bech32m>() else {
        return Vec::new();
    };
    let Some(errors) = corrector.bch_errors() else {
        return Vec::new();
    };
    let mut positions: Vec<_> = errors.map(|(from_end, _)| FEED_ID_CHARS.saturating_sub(from_end)).collect();
    positions.sort_unstable();
    // Anything at or before the separator is not a mistake that was made: prefix and length are right by now.
    if positions.iter().any(|position| *position <= 5) { Vec::new() } else { positions }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> FeedId {
        FeedId::from_bytes(curve25519_dalek::constants::ED25519_BASEPOINT_COMPRESSED.to_bytes()).unwrap()
    }

    fn mistyped(at: usize) -> String {
        let mut text: Vec<char> = example().to_string().chars().collect();
        text[at] = if text[at] == 'q' { 'p' } else { 'q' };
        text.into_iter().collect()
    }

    #[test]
    fn a_feed_id_is_read_as_it_was_printed_and_in_capitals() {
        let text = example().to_string();
        assert!(text.starts_with("feed1"), "{text}");
        assert_eq!(text.len(), FEED_ID_CHARS);
        assert_eq!(text.parse(), Ok(example()));
        assert_eq!(text.to_uppercase().parse(), Ok(example()));
    }

    #[test]
    fn one_wrong_character_is_located() {
        for at in 5..FEED_ID_CHARS {
            assert_eq!(
                mistyped(at).parse::<FeedId>(),
                Err(FeedIdError::Checksum { likely_wrong: vec![at + 1] }),
                "character {at}"
            );
        }
    }

    #[test]
    fn the_message_names_the_place() {
        let error = mistyped(9).parse::<FeedId>().expect_err("mistyped");
        assert_eq!(error.to_string(), "the feed id is mistyped: its checksum does not fit; look at character 10");
    }

    #[test]
    fn each_other_mistake_has_its_own_message() {
        let text = example().to_string();
        assert_eq!("".parse::<FeedId>(), Err(FeedIdError::Prefix));
        assert_eq!(text.replace("feed1", "bc1").parse::<FeedId>(), Err(FeedIdError::Prefix));
        assert_eq!(text[..60].parse::<FeedId>(), Err(FeedIdError::Length(60)));
        assert_eq!("feed1".repeat(500).parse::<FeedId>(), Err(FeedIdError::Length(2500)));
        let with_b = format!("feed1b{}", &text[6..]);
        assert_eq!(with_b.parse::<FeedId>(), Err(FeedIdError::Character { character: 'b', at: 6 }));
        let mixed = format!("FEED1{}", &text[5..]);
        assert_eq!(mixed.parse::<FeedId>(), Err(FeedIdError::MixedCase));
        assert_eq!(
            format!("feed1\u{e4}{}", &text[6..]).parse::<FeedId>().unwrap_err(),
            FeedIdError::Character { character: '\u{e4}', at: 6 }
        );
    }

    #[test]
    fn a_well_typed_id_of_a_bad_key_is_refused() {
        let text = bech32::encode::<Bech32m>(PREFIX, &[0; 32]).unwrap();
        assert_eq!(text.parse::<FeedId>(), Err(FeedIdError::Key(KeyError::Torsion)));
    }

    #[test]
    fn bech32_without_the_m_is_refused() {
        let text = bech32::encode::<bech32::Bech32>(PREFIX, example().as_bytes()).unwrap();
        assert!(matches!(text.parse::<FeedId>(), Err(FeedIdError::Checksum { .. })));
    }
}
