//! Reading a tracker's body, whatever tracker it comes from.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::announce::limits::{INTERVAL_DEFAULT, REPLY_BYTES_MAX, REPLY_PEERS_MAX, TEXT_BYTES_MAX};
use crate::announce::reply::{clean_text, obeyed};
use crate::announce::{
    AnnounceReply, InfoHash, PeerList, PeerListError, RetryIn, ScrapeEntry, ScrapeReply, TrackerFailure,
};
use crate::bencode::{DecodeError, Dict, Value, decode_lenient};

/// Why a body is no usable reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpReplyError {
    /// Not bencoded, too large or too deep.
    #[error("the tracker's reply cannot be read")]
    Bencode(#[source] DecodeError),
    /// Bencoded, but no dictionary.
    #[error("the tracker's reply is no dictionary")]
    NoDictionary,
    /// Neither `peers`, `peers6` nor `interval`: some other service's dictionary.
    #[error("the tracker's reply holds neither peers nor an interval")]
    NoPeers,
    /// No `files`.
    #[error("the tracker's scrape reply holds no files")]
    NoFiles,
    /// Peers that end in the middle of one.
    #[error("the tracker's reply ends within a peer")]
    Peers(#[from] PeerListError),
    /// The tracker said no.
    #[error(transparent)]
    Refused(#[from] TrackerFailure),
}

/// Reads the body of an announce; at most [`REPLY_BYTES_MAX`] long, at most [`REPLY_PEERS_MAX`] peers of it are kept.
///
/// Compact peers and dictionaries are read alike; a dictionary without a proper address is skipped, since a name in its
/// place could make the client resolve and dial anything. spec: ANN-16 to ANN-18
pub fn decode_announce(body: &[u8]) -> Result<AnnounceReply, HttpReplyError> {
    let value = decode_lenient(body, REPLY_BYTES_MAX).map_err(HttpReplyError::Bencode)?;
    let dict = value.as_dict().ok_or(HttpReplyError::NoDictionary)?;
    if let Some(failure) = failure(dict) {
        return Err(failure.into());
    }
    if ![&b"peers"[..], b"peers6", b"interval"].iter().any(|key| dict.get(key).is_some()) {
        return Err(HttpReplyError::NoPeers);
    }
    Ok(AnnounceReply {
        interval: obeyed(seconds(dict, b"interval").unwrap_or(INTERVAL_DEFAULT)),
        min_interval: seconds(dict, b"min interval").map(obeyed),
        complete: count(dict, b"complete"),
        incomplete: count(dict, b"incomplete"),
        peers: peers(dict)?,
        external_ip: bytes(dict, b"external ip").and_then(ip_from_bytes),
        warning: bytes(dict, b"warning message").map(clean_text).filter(|text| !text.is_empty()),
        tracker_id: bytes(dict, b"tracker id").filter(|id| id.len() <= TEXT_BYTES_MAX).map(<[u8]>::to_vec),
    })
}

/// Reads the body of a scrape of `hashes`; a hash that the tracker left out counts as unknown to it.
pub fn decode_scrape(body: &[u8], hashes: &[InfoHash]) -> Result<ScrapeReply, HttpReplyError> {
    let value = decode_lenient(body, REPLY_BYTES_MAX).map_err(HttpReplyError::Bencode)?;
    let dict = value.as_dict().ok_or(HttpReplyError::NoDictionary)?;
    if let Some(failure) = failure(dict) {
        return Err(failure.into());
    }
    let files = dict.get(b"files").and_then(Value::as_dict).ok_or(HttpReplyError::NoFiles)?;
    let entry = |hash: &InfoHash| {
        files.get(&hash.0).and_then(Value::as_dict).map_or_else(ScrapeEntry::default, |entry| ScrapeEntry {
            complete: count(entry, b"complete"),
            downloaded: count(entry, b"downloaded"),
            incomplete: count(entry, b"incomplete"),
        })
    };
    Ok(ScrapeReply { entries: hashes.iter().map(entry).collect() })
}

fn failure(dict: &Dict<'_>) -> Option<TrackerFailure> {
    let reason = clean_text(bytes(dict, b"failure reason")?);
    let retry_in = dict.get(b"retry in").and_then(|value| match value {
        Value::Int(minutes) => u64::try_from(*minutes).ok().map(after_minutes),
        Value::Bytes(text) if text.as_ref() == b"never" => Some(RetryIn::Never),
        Value::Bytes(text) => std::str::from_utf8(text).ok()?.trim().parse().ok().map(after_minutes),
        _ => None,
    });
    Some(TrackerFailure { reason, retry_in })
}

fn after_minutes(minutes: u64) -> RetryIn {
    RetryIn::After(Duration::from_secs(minutes.saturating_mul(60)))
}

fn peers(dict: &Dict<'_>) -> Result<PeerList, PeerListError> {
    let mut list = PeerList::new();
    match dict.get(b"peers") {
        Some(Value::Bytes(compact)) => list.extend_from_compact_v4(compact, REPLY_PEERS_MAX)?,
        Some(Value::List(peers)) => list.extend(peers.iter().filter_map(peer_from_dict).take(REPLY_PEERS_MAX)),
        _ => {}
    }
    if let Some(compact) = bytes(dict, b"peers6") {
        list.extend_from_compact_v6(compact, REPLY_PEERS_MAX)?;
    }
    Ok(list)
}

fn peer_from_dict(value: &Value<'_>) -> Option<SocketAddr> {
    let dict = value.as_dict()?;
    let ip: IpAddr = std::str::from_utf8(bytes(dict, b"ip")?).ok()?.parse().ok()?;
    let port = u16::try_from(dict.get(b"port")?.as_int()?).ok()?;
    Some(SocketAddr::new(ip, port))
}

fn ip_from_bytes(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let v6 = <[u8; 16]>::try_from(bytes).map(IpAddr::from);
    v4.or(v6).ok().map(|ip| ip.to_canonical())
}

fn bytes<'a>(dict: &'a Dict<'_>, key: &[u8]) -> Option<&'a [u8]> {
    dict.get(key).and_then(Value::as_bytes)
}

fn count(dict: &Dict<'_>, key: &[u8]) -> u32 {
    dict.get(key).and_then(Value::as_int).and_then(|count| u32::try_from(count).ok()).unwrap_or(0)
}

fn seconds(dict: &Dict<'_>, key: &[u8]) -> Option<Duration> {
    dict.get(key).and_then(Value::as_int).and_then(|n| u64::try_from(n).ok()).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::super::{PeerFormat, encode_announce, encode_failure, encode_scrape};
    use super::*;

    fn full_reply() -> AnnounceReply {
        AnnounceReply {
            interval: Duration::from_secs(1800),
            min_interval: Some(Duration::from_secs(900)),
            complete: 1,
            incomplete: 2,
            peers: ["192.0.2.1:1", "[2001:db8::2]:1"].iter().map(|peer| peer.parse().unwrap()).collect(),
            external_ip: Some("2001:db8::9".parse().unwrap()),
            warning: Some("old".into()),
            tracker_id: Some(b"\0\xff".to_vec()),
        }
    }

    #[test]
    fn a_client_reads_what_the_tracker_wrote_in_either_format() {
        for format in [PeerFormat::Compact, PeerFormat::Dictionaries] {
            assert_eq!(decode_announce(&encode_announce(&full_reply(), format)), Ok(full_reply()));
        }
    }

    #[test]
    fn peer_ids_and_names_in_dictionaries_are_tolerated_and_names_are_not_dialled() {
        let body =
            b"d8:intervali60e5:peersld2:ip7:1.2.3.47:peer id20:aaaaaaaaaaaaaaaaaaaa4:porti7eed2:ip4:host4:porti7ee\
            d2:ip7:1.2.3.44:porti99999eei7eee";
        let reply = decode_announce(body).unwrap();
        assert_eq!(reply.peers.iter().collect::<Vec<_>>(), ["1.2.3.4:7".parse().unwrap()]);
    }

    #[test]
    fn a_refusal_is_told_with_when_to_come_back() {
        for (retry, read) in [
            (&b"8:retry in1:5"[..], Some(RetryIn::After(Duration::from_secs(300)))),
            (b"8:retry ini5e", Some(RetryIn::After(Duration::from_secs(300)))),
            (b"8:retry in5:never", Some(RetryIn::Never)),
            (b"8:retry in4:soon", None),
            (b"", None),
        ] {
            let body = [b"d14:failure reason2:no", retry, b"e"].concat();
            let failure = TrackerFailure { reason: "no".into(), retry_in: read };
            assert_eq!(decode_announce(&body), Err(failure.clone().into()));
            assert_eq!(decode_scrape(&body, &[]), Err(failure.into()));
        }
        let ours = encode_failure("no", Duration::from_secs(60), Some(RetryIn::Never));
        assert!(matches!(decode_announce(&ours), Err(HttpReplyError::Refused(_))));
    }

    #[test]
    fn garbage_is_refused() {
        assert!(matches!(decode_announce(b"<html>"), Err(HttpReplyError::Bencode(_))));
        assert!(matches!(decode_announce(b""), Err(HttpReplyError::Bencode(_))));
        assert!(matches!(decode_announce(&vec![b'd'; REPLY_BYTES_MAX + 1]), Err(HttpReplyError::Bencode(_))));
        assert_eq!(decode_announce(b"le"), Err(HttpReplyError::NoDictionary));
        assert_eq!(decode_announce(b"de"), Err(HttpReplyError::NoPeers));
        assert!(matches!(decode_announce(b"d5:peers3:abce"), Err(HttpReplyError::Peers(_))));
        assert!(matches!(decode_announce(b"d6:peers63:abce"), Err(HttpReplyError::Peers(_))));
        assert_eq!(decode_scrape(b"d5:filesi1ee", &[]), Err(HttpReplyError::NoFiles));
    }

    #[test]
    fn no_more_peers_are_kept_than_the_limit() {
        let compact = [1; 6].repeat(REPLY_PEERS_MAX + 1);
        let body = [format!("d5:peers{}:", compact.len()).as_bytes(), &compact, b"e"].concat();
        assert_eq!(decode_announce(&body).unwrap().peers.len(), REPLY_PEERS_MAX);
    }

    #[test]
    fn an_unknown_hash_of_a_scrape_counts_as_empty() {
        let hashes = [InfoHash([1; 20]), InfoHash([2; 20])];
        let entries = vec![ScrapeEntry { complete: 1, downloaded: 2, incomplete: 3 }];
        let body = encode_scrape(&hashes[..1], &ScrapeReply { entries: entries.clone() }, INTERVAL_DEFAULT);
        let read = decode_scrape(&body, &[hashes[1], hashes[0], hashes[0]]).unwrap();
        assert_eq!(read.entries, [ScrapeEntry::default(), entries[0], entries[0]]);
    }
}
