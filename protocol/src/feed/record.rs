//! A signed record: what manifest, roster and head have in common.

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::bencode::{self, DecodeError, Dict, FieldError, FieldProblem};
use crate::crypto::{OwnerKey, PublicKey, SignatureError, SignedBytes, SignedError, SignerKey};
use crate::ids::{FeedId, KeyError};
use crate::limits::SUCCESSION_NUMBER_MIN;

/// Why bytes are not the signed record that they claim to be: the fault of who signed or of who sent them.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RecordError {
    /// Too short to hold a signature.
    #[error("record is cut off")]
    Envelope(#[from] SignedError),
    /// More bytes than this record may have.
    #[error("record of {size_bytes} bytes is over its limit of {max_bytes}")]
    TooLong {
        /// What came.
        size_bytes: usize,
        /// What is allowed.
        max_bytes: usize,
    },
    /// Signed by another key, for another feed or another type, or altered.
    #[error("record is not signed by who it claims")]
    Signature(#[from] SignatureError),
    /// The signed bytes are not canonical bencode.
    #[error("record is not canonical bencode")]
    Bencode(#[from] DecodeError),
    /// No dictionary.
    #[error("record is not a dictionary")]
    NotADictionary,
    /// A field is missing or not what it must be.
    #[error("record is malformed")]
    Field(#[from] FieldError),
    /// A field holds a key that is not a proper one.
    #[error("record holds an unusable key")]
    Key(#[from] KeyError),
    /// Of a version that this program does not know.
    #[error("record has version {0}, which this program does not know")]
    Version(u64),
    /// Signed by a key that is not the successor to which the feed committed.
    #[error("record is signed by a successor that is not this feed's")]
    OtherSuccessor,
    /// The roster is not the one that the manifest names.
    #[error("roster is not the one that the manifest names")]
    OtherRoster,
}

/// The signed bytes of a record of this type in `feed`, if it is short enough and `signer` signed it. spec: FEED-1
pub(super) fn verified<'a>(
    record_type: &str,
    feed: &FeedId,
    signer: &impl PublicKey,
    record: &'a [u8],
    max_bytes: usize,
) -> Result<&'a [u8], RecordError> {
    Ok(split(record, max_bytes)?.verify(signer, record_type, feed)?)
}

/// As [`verified`], for a record that the feed's owner signed: as the identity, or as the successor that it names under
/// `k`. Gives the successor, too, if that is who signed. Whether it is the feed's, the manifest tells. spec: FEED-13
pub(super) fn verified_owner<'a>(
    record_type: &str,
    feed: &FeedId,
    record: &'a [u8],
    max_bytes: usize,
) -> Result<(&'a [u8], Option<[u8; 32]>), RecordError> {
    let signed = split(record, max_bytes)?;
    // What cannot be read names no successor; whether it must be refused shows after its signature.
    let successor = bencode::decode(signed.unverified(), max_bytes)
        .ok()
        .and_then(|value| value.as_dict()?.optional_array(b"k").ok().flatten());
    let payload = match successor {
        Some(key) => signed.verify(&SignerKey(key), record_type, feed)?,
        None => signed.verify(feed, record_type, feed)?,
    };
    Ok((payload, successor))
}

/// Refuses a number that is not of whoever signed. spec: FEED-3, FEED-7, FEED-13
pub(super) fn check_number(number: u64, successor: Option<[u8; 32]>) -> Result<(), FieldError> {
    let fits = match successor {
        None => (1..SUCCESSION_NUMBER_MIN).contains(&number),
        Some(_) => number >= SUCCESSION_NUMBER_MIN,
    };
    if fits { Ok(()) } else { Err(FieldError::new(b"n", FieldProblem::OutOfRange)) }
}

/// The number of what follows the record held with this one, signed by its owner. spec: FEED-13
pub(super) fn next_number(held: u64, owner: &OwnerKey) -> u64 {
    let next = held.saturating_add(1);
    if owner.signer().is_some() { next.max(SUCCESSION_NUMBER_MIN) } else { next }
}

/// A record taken apart, its size checked and nothing else. spec: FEED-1
pub(super) fn split(record: &[u8], max_bytes: usize) -> Result<SignedBytes<'_>, RecordError> {
    if record.len() > max_bytes {
        return Err(RecordError::TooLong { size_bytes: record.len(), max_bytes });
    }
    Ok(SignedBytes::split(record)?)
}

/// The dictionary in a record's signed bytes, whose version must be 1. spec: FEED-2
pub(super) fn fields(payload: &[u8]) -> Result<Dict<'_>, RecordError> {
    let dict = bencode::decode(payload, payload.len())?.into_dict().ok_or(RecordError::NotADictionary)?;
    match dict.uint(b"v")? {
        1 => Ok(dict),
        version => Err(RecordError::Version(version)),
    }
}

/// The number of a manifest or roster that this program verified before it stored it: read without the cost of a signature
/// check, which is many times that of everything else about sending one.
///
/// Never for bytes that came from outside.
pub fn stored_number(record: &[u8]) -> Result<u64, RecordError> {
    Ok(fields(split(record, record.len())?.unverified())?.uint(b"n")?)
}

/// Keys of `dict` that are not among `known`, borrowing from nothing: they are written again as they came.
pub(super) fn unknown(dict: &Dict<'_>, known: &[&[u8]]) -> Dict<'static> {
    dict.unknown_keys(known).map(|(key, value)| (key.to_vec().into(), value.clone().into_owned())).collect()
}

/// A text of 1 to `max_bytes` visible ASCII characters: addresses and URLs, which are shown and dialled. spec: FEED-5
pub(super) fn visible_ascii(key: &[u8], text: &str, max_bytes: usize) -> Result<String, FieldError> {
    if text.is_empty() || text.len() > max_bytes {
        return Err(FieldError::new(key, FieldProblem::WrongLength));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(FieldError::new(key, FieldProblem::OutOfRange));
    }
    Ok(text.to_owned())
}

/// Fails when a list has more items than it may.
pub(super) fn at_most<T>(key: &[u8], items: &[T], max: usize) -> Result<(), FieldError> {
    if items.len() > max { Err(FieldError::new(key, FieldProblem::WrongLength)) } else { Ok(()) }
}

/// SHA-256 of bytes.
pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
