//! Requests over HTTP.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::OnceLock;

use peerfeed_protocol::bencode::decode;
use peerfeed_tracker::config::Config;
use peerfeed_tracker::http::head::{end_of_head, is_strict, rewrite};
use peerfeed_tracker::http::{Answer, Handler};
use peerfeed_tracker::tracker::Tracker;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng as _;

/// Most bytes of an answer: a scrape of 100 hashes, 10 KiB, and room.
const ANSWER_BYTES_MAX: usize = 16 << 10;

/// One for all inputs: state that earlier ones left must not make a later one fail.
pub(crate) fn tracker() -> &'static Tracker {
    static TRACKER: OnceLock<Tracker> = OnceLock::new();
    TRACKER.get_or_init(|| Tracker::new(&Config::default()).expect("a tracker"))
}

/// A head's end is found in pieces as at once, and what is made of the head is a line of three words in ASCII.
pub(crate) fn head(bytes: &[u8]) {
    let end = end_of_head(bytes, 0);
    let half = bytes.len() / 2;
    let in_pieces = end_of_head(&bytes[..half], 0).or_else(|| end_of_head(bytes, half));
    assert_eq!(in_pieces, end);
    let mut out = Vec::new();
    let head = &bytes[..end.unwrap_or(bytes.len())];
    rewrite(head, &mut out);
    assert!(!is_strict(head) || out == head);
    assert!(out.len() <= 3 * bytes.len() + 100);
    let line = out.split(|&byte| byte == b'\n').next().expect("a first line");
    let target = line.split(|&byte| byte == b' ').rev().nth(1).expect("three words");
    assert!(target.iter().all(u8::is_ascii_graphic), "{}", line.escape_ascii());
}

/// Path and query, with a `?` between them: what clients read is canonical bencode, and never long.
pub(crate) fn request(bytes: &[u8]) {
    let path_bytes = bytes.iter().position(|&byte| byte == b'?').unwrap_or(bytes.len());
    let (path, query) = bytes.split_at(path_bytes);
    let query = query.get(1..).unwrap_or_default();
    let mut handler = Handler::new(ChaCha8Rng::seed_from_u64(1));
    let ip = IpAddr::V4(Ipv4Addr::new(192, 0, 2, bytes.first().copied().unwrap_or(1)));
    if let Answer::Bencoded(body) = handler.answer(tracker(), path, query, ip) {
        let value = decode(&body, ANSWER_BYTES_MAX).expect("canonical and within its limit");
        let dict = value.as_dict().expect("a dictionary");
        let expected = [&b"failure reason"[..], b"peers", b"files"];
        assert_eq!(expected.iter().filter(|key| dict.get(key).is_some()).count(), 1);
    }
}
