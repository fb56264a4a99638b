//! The request targets that a client sends.

use std::fmt::Write as _;

use crate::announce::{AnnounceRequest, Event, InfoHash, TrackerUrl};

/// Path and query of an announce to `url`; `tracker_id` is what the tracker's last reply gave. spec: ANN-10
pub fn announce_target(url: &TrackerUrl, request: &AnnounceRequest, tracker_id: Option<&[u8]>) -> String {
    let mut target = String::with_capacity(400);
    target.push_str(url.path_and_query());
    target.push(if target.contains('?') { '&' } else { '?' });
    target.push_str("info_hash=");
    escape(&request.info_hash.0, &mut target);
    target.push_str("&peer_id=");
    escape(&request.peer_id.0, &mut target);
    let AnnounceRequest { port, uploaded, downloaded, left, .. } = request;
    // Writing to a string cannot fail.
    let _ =
        write!(target, "&port={port}&uploaded={uploaded}&downloaded={downloaded}&left={left}&compact=1&no_peer_id=1");
    if let Some(numwant) = request.numwant {
        let _ = write!(target, "&numwant={numwant}");
    }
    if let Some(key) = request.key {
        let _ = write!(target, "&key={key:08X}");
    }
    if let Some(name) = event_name(request.event) {
        let _ = write!(target, "&event={name}");
    }
    if let Some(id) = tracker_id {
        target.push_str("&trackerid=");
        escape(id, &mut target);
    }
    target
}

/// Path and query of a scrape at `url`, if that tracker has one (BEP 48).
pub fn scrape_target(url: &TrackerUrl, hashes: &[InfoHash]) -> Option<String> {
    let mut target = url.scrape_path_and_query()?;
    for hash in hashes {
        target.push(if target.contains('?') { '&' } else { '?' });
        target.push_str("info_hash=");
        escape(&hash.0, &mut target);
    }
    Some(target)
}

fn event_name(event: Event) -> Option<&'static str> {
    match event {
        Event::None => None,
        Event::Completed => Some("completed"),
        Event::Started => Some("started"),
        Event::Stopped => Some("stopped"),
        Event::Paused => Some("paused"),
    }
}

fn escape(bytes: &[u8], out: &mut String) {
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{parse_announce, parse_scrape};
    use super::*;
    use crate::announce::PeerId;

    fn url(text: &str) -> TrackerUrl {
        text.parse().unwrap()
    }

    fn every_byte(from: u8) -> [u8; 20] {
        std::array::from_fn(|n| from.wrapping_add(u8::try_from(n).unwrap().wrapping_mul(13)))
    }

    #[test]
    fn the_tracker_reads_what_the_client_wrote() {
        for (n, event) in
            [Event::None, Event::Started, Event::Completed, Event::Stopped, Event::Paused].into_iter().enumerate()
        {
            let from = u8::try_from(n * 50).unwrap();
            let request = AnnounceRequest {
                uploaded: 1,
                downloaded: 2,
                left: 0,
                event,
                numwant: Some(30),
                key: Some(0xab),
                ..AnnounceRequest::new(InfoHash(every_byte(from)), PeerId(every_byte(from + 1)), 6881)
            };
            let target = announce_target(&url("http://h/a?passkey=1"), &request, Some(b"\0id"));
            let query = target.strip_prefix("/a?").expect("the path of the URL");
            assert!(query.starts_with("passkey=1&info_hash=") && query.ends_with("&trackerid=%00id"), "{query}");
            assert_eq!(parse_announce(query.as_bytes()).unwrap().request, request);
        }
    }

    #[test]
    fn a_scrape_names_every_hash() {
        let hashes = [InfoHash(every_byte(7)), InfoHash(every_byte(99))];
        let target = scrape_target(&url("http://h"), &hashes).unwrap();
        let query = target.strip_prefix("/scrape?").expect("the scrape path");
        assert_eq!(parse_scrape(query.as_bytes()).unwrap(), hashes);
        assert_eq!(scrape_target(&url("http://h/x"), &hashes), None);
    }
}
