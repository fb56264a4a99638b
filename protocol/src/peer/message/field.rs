//! Fields that several messages share.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{ChannelId, MalformedMessage, RequestId};
use crate::bencode::{Dict, FieldError, FieldProblem, Value, decode};
use crate::ids::LogId;
use crate::limits::{LANE_FRAME_BYTES_MAX, RANGE_PROOF_HASHES_MAX};
use crate::merkle::Hash;

/// The dictionary that `rest` is.
pub(super) fn dict(rest: &[u8]) -> Result<Dict<'_>, MalformedMessage> {
    decode(rest, LANE_FRAME_BYTES_MAX[1])?.into_dict().ok_or(MalformedMessage::NotADict)
}

pub(super) fn out_of_range(key: &[u8]) -> FieldError {
    FieldError::new(key, FieldProblem::OutOfRange)
}

pub(super) fn wrong_length(key: &[u8]) -> FieldError {
    FieldError::new(key, FieldProblem::WrongLength)
}

fn wrong_type(key: &[u8]) -> FieldError {
    FieldError::new(key, FieldProblem::WrongType)
}

pub(super) fn channel(dict: &Dict<'_>) -> Result<ChannelId, FieldError> {
    small::<u16>(dict, b"c").map(ChannelId)
}

pub(super) fn request(dict: &Dict<'_>) -> Result<RequestId, FieldError> {
    match small::<u32>(dict, b"q")? {
        0 => Err(out_of_range(b"q")),
        number => Ok(RequestId(number)),
    }
}

/// An integer that fits into `T`.
pub(super) fn small<T: TryFrom<u64>>(dict: &Dict<'_>, key: &[u8]) -> Result<T, FieldError> {
    T::try_from(dict.uint(key)?).map_err(|_| out_of_range(key))
}

/// An integer that fits into `T`, if it is there.
pub(super) fn optional_small<T: TryFrom<u64>>(dict: &Dict<'_>, key: &[u8]) -> Result<Option<T>, FieldError> {
    dict.optional_uint(key)?.map(|number| T::try_from(number).map_err(|_| out_of_range(key))).transpose()
}

/// A list of at most `max` items; empty when it is not there.
pub(super) fn list<'d, 'a>(dict: &'d Dict<'a>, key: &[u8], max: usize) -> Result<&'d [Value<'a>], FieldError> {
    let items = dict.optional_list(key)?.unwrap_or_default();
    if items.len() > max { Err(wrong_length(key)) } else { Ok(items) }
}

/// The items of the list `item`, of which there are at least `N`: what a later version appends is skipped.
pub(super) fn tuple<'v, 'a, const N: usize>(item: &'v Value<'a>, key: &[u8]) -> Result<&'v [Value<'a>; N], FieldError> {
    item.as_list().ok_or_else(|| wrong_type(key))?.first_chunk().ok_or_else(|| wrong_length(key))
}

pub(super) fn number(value: &Value<'_>, key: &[u8]) -> Result<u64, FieldError> {
    let number = value.as_int().ok_or_else(|| wrong_type(key))?;
    u64::try_from(number).map_err(|_| out_of_range(key))
}

pub(super) fn array<const N: usize>(value: &Value<'_>, key: &[u8]) -> Result<[u8; N], FieldError> {
    let bytes = value.as_bytes().ok_or_else(|| wrong_type(key))?;
    bytes.try_into().map_err(|_| wrong_length(key))
}

/// A log that a peer names.
///
/// The device key is not checked to be a proper point: the name only selects among logs whose keys were checked when
/// they were accepted, and checking a thousand of them would cost a tenth of a second that anybody could ask for.
pub(super) fn log(value: &Value<'_>, key: &[u8]) -> Result<LogId, FieldError> {
    Ok(LogId::from_stored(&array(value, key)?))
}

/// Hashes written one after the other.
pub(super) fn hashes(bytes: &[u8], key: &[u8]) -> Result<Vec<Hash>, FieldError> {
    let (chunks, rest) = bytes.as_chunks::<32>();
    if !rest.is_empty() || chunks.len() > RANGE_PROOF_HASHES_MAX {
        return Err(wrong_length(key));
    }
    Ok(chunks.iter().copied().map(Hash::new).collect())
}

pub(super) fn joined(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(Hash::as_bytes).copied().collect()
}

/// An address as 4 or 16 bytes and a big-endian port: 6 or 18 bytes.
pub(super) fn address_bytes(address: SocketAddr) -> Vec<u8> {
    let mut bytes = match address {
        SocketAddr::V4(address) => address.ip().octets().to_vec(),
        SocketAddr::V6(address) => address.ip().octets().to_vec(),
    };
    bytes.extend_from_slice(&address.port().to_be_bytes());
    bytes
}

/// The address that 6 or 18 bytes are.
pub(super) fn address(bytes: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = bytes.split_last_chunk::<2>()?;
    let port = u16::from_be_bytes(*port);
    if let Ok(octets) = <[u8; 4]>::try_from(ip) {
        return Some(SocketAddr::from((Ipv4Addr::from(octets), port)));
    }
    <[u8; 16]>::try_from(ip).ok().map(|octets| SocketAddr::from((Ipv6Addr::from(octets), port)))
}
