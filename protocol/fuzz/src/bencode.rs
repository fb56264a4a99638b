//! Bencode, strict and lenient.

use peerfeed_protocol::bencode::{DecodeError, decode, decode_lenient};

const BYTES_MAX: usize = 64_000;

/// What is accepted strictly is its own encoding and is accepted leniently as the same value.
pub(crate) fn value(bytes: &[u8]) {
    let lenient = decode_lenient(bytes, BYTES_MAX);
    match decode(bytes, BYTES_MAX) {
        Ok(value) => {
            assert_eq!(value.encode(), bytes);
            assert_eq!(lenient.as_ref(), Ok(&value));
        }
        Err(DecodeError::TooLong { .. } | DecodeError::TooDeep) => assert!(lenient.is_err()),
        Err(_) => {}
    }
}
