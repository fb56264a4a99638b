//! Reading bencode, strictly for our own records and leniently for other people's.

use std::borrow::Cow;

use bip_bencode::ext::BRefAccessExt;
use bip_bencode::{BDecodeOpt, BRefAccess, BencodeParseError, BencodeParseErrorKind, BencodeRef, BencodeRefKind};
use thiserror::Error;

use super::Value;
use crate::limits::BENCODE_DEPTH_MAX;

/// Why bytes are not the bencode that is due. All of them are the sender's fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// More bytes than the record may have; nothing was parsed.
    #[error("record of {size_bytes} bytes is over its limit of {max_bytes}")]
    TooLong {
        /// What came.
        size_bytes: usize,
        /// What is allowed.
        max_bytes: usize,
    },
    /// Nested deeper than any record may be.
    #[error("bencode is nested deeper than {BENCODE_DEPTH_MAX} levels")]
    TooDeep,
    /// No bencode, or it breaks off, or something follows it.
    #[error("bencode is malformed at byte {position}")]
    Malformed {
        /// Where the parser gave up, in bytes from the start.
        position: usize,
    },
    /// Keys that are not sorted, or one that is there twice.
    #[error("dictionary keys are not sorted and unique at byte {position}")]
    KeyOrder {
        /// Where the offending key starts, in bytes from the start.
        position: usize,
    },
    /// Understood, but spelled otherwise than its one canonical form (`i+5e`).
    #[error("bencode is not in canonical form at byte {position}")]
    NotCanonical {
        /// The first byte that differs from the canonical form.
        position: usize,
    },
}

/// Reads a record of our own: `bytes` must be the one canonical encoding of a value and at most `max_bytes` long.
///
/// The size is checked before anything else, nesting is limited, and the value is encoded again and compared, so that
/// `decode(b)?.encode() == b` for everything that is accepted. spec: BEN-1, BEN-2, BEN-3, BEN-5
pub fn decode(bytes: &[u8], max_bytes: usize) -> Result<Value<'_>, DecodeError> {
    let value = parse(bytes, max_bytes, true)?;
    let canonical = value.encode();
    if canonical == bytes {
        return Ok(value);
    }
    let position = canonical.iter().zip(bytes).take_while(|(ours, theirs)| ours == theirs).count();
    Err(DecodeError::NotCanonical { position })
}

/// Reads a reply of somebody else's tracker: only size and depth are limited, keys may be unsorted. spec: BEN-6
pub fn decode_lenient(bytes: &[u8], max_bytes: usize) -> Result<Value<'_>, DecodeError> {
    parse(bytes, max_bytes, false)
}

fn parse(bytes: &[u8], max_bytes: usize, sorted: bool) -> Result<Value<'_>, DecodeError> {
    if bytes.len() > max_bytes {
        return Err(DecodeError::TooLong { size_bytes: bytes.len(), max_bytes });
    }
    let options = BDecodeOpt::new(BENCODE_DEPTH_MAX, sorted, true);
    let parsed = BencodeRef::decode(bytes, options).map_err(|error| DecodeError::from_parser(&error))?;
    Ok(Value::from_parser(&parsed))
}

impl DecodeError {
    fn from_parser(error: &BencodeParseError) -> Self {
        use BencodeParseErrorKind as Kind;
        match *error.kind() {
            Kind::InvalidRecursionExceeded { .. } => Self::TooDeep,
            Kind::InvalidKeyOrdering { pos, .. } | Kind::InvalidKeyDuplicates { pos, .. } => {
                Self::KeyOrder { position: pos }
            }
            Kind::BytesEmpty { pos }
            | Kind::InvalidByte { pos }
            | Kind::InvalidIntNoDelimiter { pos }
            | Kind::InvalidIntNegativeZero { pos }
            | Kind::InvalidIntZeroPadding { pos }
            | Kind::InvalidIntParseError { pos }
            | Kind::InvalidLengthNegative { pos }
            | Kind::InvalidLengthOverflow { pos } => Self::Malformed { position: pos },
            _ => Self::Malformed { position: 0 },
        }
    }
}

impl<'a> Value<'a> {
    fn from_parser(parsed: &BencodeRef<'a>) -> Self {
        match parsed.kind() {
            BencodeRefKind::Int(number) => Value::Int(number),
            BencodeRefKind::Bytes(_) => {
                Value::Bytes(Cow::Borrowed(parsed.bytes_ext().expect("its kind was just seen to be bytes")))
            }
            BencodeRefKind::List(items) => Value::List(items.into_iter().map(Value::from_parser).collect()),
            // `to_list` walks a sorted map, so each insertion appends.
            BencodeRefKind::Dict(dict) => Value::Dict(
                dict.to_list()
                    .into_iter()
                    .map(|(key, value)| (Cow::Borrowed(*key), Value::from_parser(value)))
                    .collect(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bencode::Dict;

    const CAP: usize = 64 * 1024;

    #[test]
    fn other_spellings_of_the_same_value_are_refused() {
        for bytes in [&b"i+5e"[..], b"i+05e", b"d+3:abci1ee"] {
            assert!(matches!(decode(bytes, CAP), Err(DecodeError::NotCanonical { .. })), "{bytes:?}");
        }
        for bytes in [&b"i-0e"[..], b"i03e", b"03:abc", b"i5e ", b"5:abc", b"-1:a", b"", b"i9223372036854775808e"] {
            assert!(matches!(decode(bytes, CAP), Err(DecodeError::Malformed { .. })), "{bytes:?}");
        }
    }

    #[test]
    fn unsorted_keys_are_refused_in_our_records_and_taken_from_trackers() {
        let unsorted = b"d1:bi1e1:ai2ee";
        assert_eq!(decode(unsorted, CAP), Err(DecodeError::KeyOrder { position: 7 }));
        let value = decode_lenient(unsorted, CAP).expect("a tracker may send this");
        assert_eq!(value, Value::from(Dict::new().with(b"a", 2).with(b"b", 1)));
    }

    #[test]
    fn a_key_that_is_there_twice_is_refused_from_anyone() {
        let twice = b"d1:ai1e1:ai2ee";
        assert!(matches!(decode(twice, CAP), Err(DecodeError::KeyOrder { .. })));
        assert!(matches!(decode_lenient(twice, CAP), Err(DecodeError::KeyOrder { .. })));
    }

    #[test]
    fn eight_levels_are_read_and_nine_are_not() {
        let nested = |levels: usize| [b"l".repeat(levels), b"e".repeat(levels)].concat();
        assert!(decode(&nested(8), CAP).is_ok());
        assert_eq!(decode(&nested(9), CAP), Err(DecodeError::TooDeep));
        assert_eq!(decode_lenient(&nested(30_000), CAP), Err(DecodeError::TooDeep));
    }

    #[test]
    fn the_size_is_looked_at_before_the_content() {
        assert_eq!(decode(b"nonsense", 7), Err(DecodeError::TooLong { size_bytes: 8, max_bytes: 7 }));
    }

    fn any_value() -> impl Strategy<Value = Value<'static>> {
        let bytes = proptest::collection::vec(any::<u8>(), 0..20);
        let scalar = prop_oneof![any::<i64>().prop_map(Value::from), bytes.clone().prop_map(Value::from)];
        scalar.prop_recursive(6, 40, 6, move |inner| {
            let entry = (bytes.clone().prop_map(Cow::Owned), inner.clone());
            prop_oneof![
                proptest::collection::vec(inner, 0..6).prop_map(Value::from),
                proptest::collection::vec(entry, 0..6).prop_map(|entries| Value::Dict(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_the_same_value(value in any_value()) {
            let bytes = value.encode();
            prop_assert_eq!(decode(&bytes, CAP), Ok(value));
        }

        #[test]
        fn whatever_is_accepted_encodes_to_the_same_bytes(bytes in "[dlei0-9:+-]{0,24}") {
            if let Ok(value) = decode(bytes.as_bytes(), CAP) {
                prop_assert_eq!(value.encode(), bytes.as_bytes());
            }
        }

        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode(&bytes, CAP);
            let _ = decode_lenient(&bytes, CAP);
        }
    }
}
