//! Reading a client's query string, as leniently as real clients need.

use memchr::{memchr, memchr2_iter};

use crate::announce::limits::{HTTP_SCRAPE_HASHES_MAX, QUERY_BYTES_MAX};
use crate::announce::{AnnounceRequest, Event, InfoHash, PeerId};

/// An announce over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnnounceQuery {
    /// What is announced.
    pub request: AnnounceRequest,
    /// `compact=0`: the client would rather have dictionaries (BEP 23).
    pub wants_dictionaries: bool,
}

/// What is wrong with a query; the text goes to the client as its `failure reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Longer than [`QUERY_BYTES_MAX`].
    #[error("the query is longer than {QUERY_BYTES_MAX} bytes")]
    TooLong,
    /// No `info_hash`.
    #[error("info_hash is missing")]
    NoInfoHash,
    /// An `info_hash` of another length.
    #[error("info_hash is not 20 bytes long")]
    InfoHash,
    /// More than [`HTTP_SCRAPE_HASHES_MAX`].
    #[error("more than {HTTP_SCRAPE_HASHES_MAX} info hashes in one scrape")]
    TooManyHashes,
    /// No `peer_id`, or one of another length.
    #[error("peer_id is not 20 bytes long")]
    PeerId,
    /// No `port`, or none that can be.
    #[error("port is not a number from 0 to 65535")]
    Port,
}

/// Reads the query of an announce: what stands behind the `?`.
///
/// Unknown keys, keys without `=`, empty pairs and further `?` are skipped; of a repeated key the first counts; numbers
/// that cannot be read become their defaults, but not the port. `ip`, `ipv4` and `ipv6` are ignored: whoever fills them
/// in names somebody else. spec: ANN-4 to ANN-8
pub fn parse_announce(query: &[u8]) -> Result<AnnounceQuery, QueryError> {
    let (mut info_hash, mut peer_id, mut port) = (None, None, None);
    let (mut uploaded, mut downloaded, mut left) = (None, None, None);
    let (mut event, mut numwant, mut key, mut compact) = (None, None, None, None);
    for (name, value) in pairs(query)? {
        match name {
            b"info_hash" => set(&mut info_hash, value),
            b"peer_id" => set(&mut peer_id, value),
            b"port" => set(&mut port, value),
            b"uploaded" => set(&mut uploaded, value),
            b"downloaded" => set(&mut downloaded, value),
            b"left" => set(&mut left, value),
            b"event" => set(&mut event, value),
            b"numwant" => set(&mut numwant, value),
            b"key" => set(&mut key, value),
            b"compact" => set(&mut compact, value),
            _ => {}
        }
    }
    let info_hash = decode_exact(info_hash.ok_or(QueryError::NoInfoHash)?).ok_or(QueryError::InfoHash)?;
    let peer_id = peer_id.and_then(decode_exact).ok_or(QueryError::PeerId)?;
    let port = port.and_then(decimal::<u16>).ok_or(QueryError::Port)?;
    let defaults = AnnounceRequest::new(InfoHash(info_hash), PeerId(peer_id), port);
    let request = AnnounceRequest {
        uploaded: uploaded.and_then(decimal).unwrap_or(defaults.uploaded),
        downloaded: downloaded.and_then(decimal).unwrap_or(defaults.downloaded),
        left: left.and_then(decimal).unwrap_or(defaults.left),
        event: event.map_or(Event::None, event_named),
        numwant: numwant.and_then(decimal),
        key: key.and_then(hexadecimal),
        ..defaults
    };
    Ok(AnnounceQuery { request, wants_dictionaries: compact == Some(b"0") })
}

/// Reads the query of a scrape: its hashes in order, duplicates kept. spec: ANN-9
pub fn parse_scrape(query: &[u8]) -> Result<Vec<InfoHash>, QueryError> {
    let mut hashes = Vec::new();
    for (name, value) in pairs(query)? {
        if name == b"info_hash" {
            if hashes.len() == HTTP_SCRAPE_HASHES_MAX {
                return Err(QueryError::TooManyHashes);
            }
            hashes.push(InfoHash(decode_exact(value).ok_or(QueryError::InfoHash)?));
        }
    }
    if hashes.is_empty() { Err(QueryError::NoInfoHash) } else { Ok(hashes) }
}

fn set<'a>(slot: &mut Option<&'a [u8]>, value: &'a [u8]) {
    slot.get_or_insert(value);
}

fn pairs(query: &[u8]) -> Result<impl Iterator<Item = (&[u8], &[u8])>, QueryError> {
    if query.len() > QUERY_BYTES_MAX {
        return Err(QueryError::TooLong);
    }
    let mut begin = 0;
    let pairs = memchr2_iter(b'&', b'?', query).chain([query.len()]).map(move |end| {
        let pair = &query[begin..end];
        begin = end + 1;
        pair
    });
    Ok(pairs.filter_map(|pair| {
        let equals = memchr(b'=', pair)?;
        Some((pair[..equals].trim_ascii(), &pair[equals + 1..]))
    }))
}

/// Most bytes of a value that comes to 20.
const ESCAPED_MAX: usize = 60;

/// Percent-decodes a value that must come to exactly 20 bytes; a broken escape stands for itself, as does `+`.
///
/// Which bytes of a hash are escaped cannot be foretold: so all is read as if it were, and no branch depends on it. Behind the
/// value lie zeros, which are no digits.
fn decode_exact(value: &[u8]) -> Option<[u8; 20]> {
    let mut padded = [0; ESCAPED_MAX + 2];
    padded.get_mut(..value.len())?.copy_from_slice(value);
    let mut at = 0;
    let decoded = std::array::from_fn(|_| {
        let [first, high, low] = [padded[at], padded[at + 1], padded[at + 2]];
        let [high, low] = [high, low].map(|digit| DIGITS[usize::from(digit)]);
        let is_escape = first == b'%' && (high | low) < 16;
        at += if is_escape { 3 } else { 1 };
        if is_escape { high << 4 | low } else { first }
    });
    (at == value.len()).then_some(decoded)
}

/// The value of each hexadecimal digit; more than 15 for what is none.
const DIGITS: [u8; 256] = {
    let mut digits = [0xff; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value as usize] as usize] = value;
        digits[b"0123456789ABCDEF"[value as usize] as usize] = value;
        value += 1;
    }
    digits
};

fn decimal<T: TryFrom<u64>>(value: &[u8]) -> Option<T> {
    let digits = value.strip_prefix(b"+").unwrap_or(value);
    let number = digits.iter().try_fold(0u64, |number, digit| {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 { None } else { number.checked_mul(10)?.checked_add(digit.into()) }
    });
    number.filter(|_| !digits.is_empty()).and_then(|number| T::try_from(number).ok())
}

fn hexadecimal(value: &[u8]) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(value).ok()?, 16).ok()
}

fn event_named(name: &[u8]) -> Event {
    match name {
        b"started" => Event::Started,
        b"completed" => Event::Completed,
        b"stopped" => Event::Stopped,
        b"paused" => Event::Paused,
        _ => Event::None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HASH: &str = "info_hash=%124Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx%9A";
    const REST: &str = "peer_id=-TR4100-0123456789ab&port=6881";

    fn parse(query: &str) -> Result<AnnounceQuery, QueryError> {
        parse_announce(query.as_bytes())
    }

    #[test]
    fn the_example_of_the_unofficial_specification_is_read() {
        let query = parse(&format!("{HASH}&{REST}&left=7&event=started&numwant=30&key=DEADBEEF")).unwrap();
        let hash = b"\x12\x34\x56\x78\x9a\xbc\xde\xf1\x23\x45\x67\x89\xab\xcd\xef\x12\x34\x56\x78\x9a";
        assert_eq!(query.request.info_hash.0, *hash);
        assert_eq!(query.request.event, Event::Started);
        assert_eq!((query.request.left, query.request.numwant, query.request.key), (7, Some(30), Some(0xdead_beef)));
        assert!(!query.wants_dictionaries);
    }

    #[test]
    fn what_real_clients_send_beyond_the_specification_does_no_harm() {
        for extra in [
            "?",
            "&&",
            "&supportcrypto",
            "&=",
            "&ip=10.0.0.1&ipv4=10.0.0.1:7&ipv6=%5B::1%5D:9",
            "&event=",
            "&event=x",
            "&no_peer_id=1&trackerid=%00%ff",
            "&numwant=-1",
            "&left=-1",
            "&uploaded=99999999999999999999",
            "&key=zz",
            "&info_hash=short&port=7",
        ] {
            let query = parse(&format!("{HASH}&{REST}{extra}")).unwrap_or_else(|error| panic!("{extra}: {error}"));
            assert_eq!((query.request.port, query.request.event), (6881, Event::None), "{extra}");
            assert_eq!(query.request.numwant, None, "{extra}");
            assert!(!query.request.is_seed(), "{extra}");
        }
    }

    #[test]
    fn raw_bytes_a_plus_and_a_broken_escape_stand_for_themselves() {
        let query = [b"info_hash=+%zz%4", &[0xff; 14][..], b"&peer_id=aaaaaaaaaaaaaaaaaaaa&port=1"].concat();
        let hash = parse_announce(&query).unwrap().request.info_hash.0;
        assert_eq!(&hash[..6], b"+%zz%4");
        assert_eq!(hash[6..], [0xff; 14]);
    }

    #[test]
    fn what_is_missing_or_cannot_be_is_named() {
        for (query, error) in [
            (String::new(), QueryError::NoInfoHash),
            (REST.to_owned(), QueryError::NoInfoHash),
            (format!("info_hash=abc&{REST}"), QueryError::InfoHash),
            (format!("{HASH}x&{REST}"), QueryError::InfoHash),
            (format!("{HASH}&port=1"), QueryError::PeerId),
            (format!("{HASH}&peer_id=abc&port=1"), QueryError::PeerId),
            (format!("{HASH}&peer_id=aaaaaaaaaaaaaaaaaaaa"), QueryError::Port),
            (format!("{HASH}&peer_id=aaaaaaaaaaaaaaaaaaaa&port=65536"), QueryError::Port),
            ("a".repeat(QUERY_BYTES_MAX + 1), QueryError::TooLong),
        ] {
            assert_eq!(parse(&query), Err(error), "{query}");
        }
    }

    #[test]
    fn compact_zero_asks_for_dictionaries() {
        assert!(parse(&format!("{HASH}&{REST}&compact=0")).unwrap().wants_dictionaries);
        assert!(!parse(&format!("{HASH}&{REST}&compact=1")).unwrap().wants_dictionaries);
    }

    #[test]
    fn a_scrape_keeps_order_and_duplicates_up_to_its_limit() {
        let one = |c: char| format!("info_hash={}", c.to_string().repeat(20));
        let query = [one('a'), one('b'), one('a')].join("&");
        let hashes = parse_scrape(query.as_bytes()).unwrap();
        assert_eq!(hashes, [InfoHash([b'a'; 20]), InfoHash([b'b'; 20]), InfoHash([b'a'; 20])]);
        let many = vec![one('a'); HTTP_SCRAPE_HASHES_MAX + 1].join("&");
        assert_eq!(parse_scrape(many.as_bytes()), Err(QueryError::TooManyHashes));
        assert_eq!(parse_scrape(b""), Err(QueryError::NoInfoHash));
        assert_eq!(parse_scrape(b"info_hash=a"), Err(QueryError::InfoHash));
    }

    /// The same as [`decode_exact`], byte by byte.
    fn decode_stepwise(mut rest: &[u8]) -> Option<[u8; 20]> {
        let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| u8::try_from(digit).unwrap());
        let mut decoded = Vec::new();
        while let Some((&first, after)) = rest.split_first() {
            let escaped = match *rest {
                [b'%', high, low, ..] => digit(high).zip(digit(low)).map(|(high, low)| high << 4 | low),
                _ => None,
            };
            decoded.push(escaped.unwrap_or(first));
            rest = if escaped.is_some() { &rest[3..] } else { after };
        }
        decoded.try_into().ok()
    }

    proptest! {
        #[test]
        fn hashes_are_read_as_they_are_byte_by_byte(
            pieces in prop::collection::vec((0u8..8, any::<u8>(), any::<[u8; 2]>()), 15..25),
        ) {
            let mut value = Vec::new();
            for &(kind, byte, pair) in &pieces {
                match kind {
                    0..3 => value.extend(format!("%{byte:02x}").bytes()),
                    3..5 => value.push(b'a' + byte % 26),
                    5 => value.push(byte),
                    6 => value.extend([b'%', pair[0], pair[1]]),
                    _ => value.push(b'%'),
                }
            }
            prop_assert_eq!(decode_exact(&value), decode_stepwise(&value));
            let whole: Vec<u8> =
                pieces.iter().take(20).flat_map(|(_, byte, _)| format!("%{byte:02X}").into_bytes()).collect();
            prop_assert_eq!(decode_exact(&whole), decode_stepwise(&whole));
        }
    }
}
