//! Vectors of the announce chapter.

use std::time::Duration;

use peerfeed_protocol::announce::connection_id::{ConnectionId, ConnectionIdKey};
use peerfeed_protocol::announce::http::{decode_announce, decode_scrape, parse_announce, parse_scrape};
use peerfeed_protocol::announce::udp::{Family, Reply, Request, RequestError};
use peerfeed_protocol::announce::{
    AnnounceReply, AnnounceRequest, InfoHash, RetryIn, ScrapeEntry, ScrapeReply, TrackerUrl,
};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::vector::{self, Given, Outcome, Story, hex, word};

#[test]
fn announces_are_read_as_the_vectors_say() {
    vector::bless("announce", &stories(), run);
    vector::check("announce", run);
}

fn run(given: &Given<'_>) -> Outcome {
    match given.kind {
        "announce-query" => {
            let query = parse_announce(&given.bytes("query")).map_err(|error| word(&error))?;
            let mut fields = request(&query.request);
            fields["dictionaries"] = json!(query.wants_dictionaries);
            Ok(fields)
        }
        "scrape-query" => {
            let hashes = parse_scrape(&given.bytes("query")).map_err(|error| word(&error))?;
            Ok(json!({ "info_hashes": hashes.iter().map(|hash| hex(hash.0)).collect::<Json>() }))
        }
        "announce-body" => decode_announce(&given.bytes("bytes")).map(|reply| announced(&reply)).map_err(|e| word(&e)),
        "scrape-body" => {
            let hashes: Vec<_> = given.byte_list("info_hashes").iter().map(|hash| info_hash(hash)).collect();
            decode_scrape(&given.bytes("bytes"), &hashes).map(|reply| scraped(&reply)).map_err(|error| word(&error))
        }
        "udp-request" => match Request::decode(&given.bytes("bytes")) {
            Ok(Request::Connect { transaction_id }) => Ok(json!({ "connect": { "transaction": transaction_id } })),
            Ok(Request::Announce(announce)) => {
                let mut fields = request(&announce.request);
                fields["connection"] = json!(hex(announce.connection_id.0.to_be_bytes()));
                fields["transaction"] = json!(announce.transaction_id);
                fields["url"] = json!(String::from_utf8_lossy(&announce.url_data()));
                Ok(json!({ "announce": fields }))
            }
            Ok(Request::Scrape(scrape)) => Ok(json!({ "scrape": {
                "connection": hex(scrape.connection_id.0.to_be_bytes()), "transaction": scrape.transaction_id,
                "info_hashes": scrape.info_hashes.iter().map(hex).collect::<Json>(),
            } })),
            Err(RequestError::Silent) => Err("silent".to_owned()),
            Err(RequestError::Answerable { problem, .. }) => Err(word(&problem)),
        },
        "udp-reply" => {
            let family = if given.text("family") == "v4" { Family::V4 } else { Family::V6 };
            let (kind, fields) = match Reply::decode(&given.bytes("bytes"), family).map_err(|error| word(&error))? {
                Reply::Connect { transaction_id, connection_id } => (
                    "connect",
                    json!({ "transaction": transaction_id, "connection": hex(connection_id.0.to_be_bytes()) }),
                ),
                Reply::Announce { transaction_id, reply } => {
                    let mut fields = announced(&reply);
                    fields["transaction"] = json!(transaction_id);
                    ("announce", fields)
                }
                Reply::Scrape { transaction_id, reply } => {
                    let mut fields = scraped(&reply);
                    fields["transaction"] = json!(transaction_id);
                    ("scrape", fields)
                }
                Reply::Error { transaction_id, reason } => {
                    ("error", json!({ "transaction": transaction_id, "reason": reason }))
                }
            };
            Ok(json!({ kind: fields }))
        }
        "connection-id" => {
            let key = ConnectionIdKey::new(given.array("key"));
            let ip = given.text("ip").parse().expect("an address");
            let issued = key.issue(ip, Duration::from_secs(given.uint("issued")));
            let id = given.optional("id").map_or(issued, |_| ConnectionId(u64::from_be_bytes(given.array("id"))));
            let now = Duration::from_secs(given.uint("now"));
            let from = given.optional("from").map_or(ip, |_| given.text("from").parse().expect("an address"));
            key.verify(id, from, now, Duration::from_secs(600)).map_err(|error| word(&error))?;
            Ok(json!({ "id": hex(id.0.to_be_bytes()) }))
        }
        "tracker-url" => {
            let url: TrackerUrl = given.text("text").parse().map_err(|error| word(&error))?;
            Ok(json!({
                "url": url.to_string(), "host": url.host(), "port": url.port(), "path": url.path_and_query(),
                "scrape": url.scrape_path_and_query(),
                "attempts": url.attempts().iter().map(ToString::to_string).collect::<Json>(),
            }))
        }
        other => panic!("no vector of kind {other} belongs here"),
    }
}

fn info_hash(bytes: &[u8]) -> InfoHash {
    InfoHash(bytes.try_into().expect("20 bytes"))
}

fn request(request: &AnnounceRequest) -> Json {
    json!({
        "info_hash": hex(request.info_hash.0), "peer_id": hex(request.peer_id.0), "port": request.port,
        "uploaded": request.uploaded, "downloaded": request.downloaded, "left": request.left,
        "event": format!("{:?}", request.event).to_lowercase(), "numwant": request.numwant, "key": request.key,
    })
}

fn announced(reply: &AnnounceReply) -> Json {
    json!({
        "interval": reply.interval.as_secs(), "min_interval": reply.min_interval.map(|interval| interval.as_secs()),
        "complete": reply.complete, "incomplete": reply.incomplete,
        "peers": reply.peers.iter().map(|peer| peer.to_string()).collect::<Json>(),
        "external_ip": reply.external_ip.map(|ip| ip.to_string()), "warning": reply.warning,
        "tracker_id": reply.tracker_id.as_ref().map(hex),
    })
}

fn scraped(reply: &ScrapeReply) -> Json {
    let entry = |entry: &ScrapeEntry| json!([entry.complete, entry.downloaded, entry.incomplete]);
    json!({ "entries": reply.entries.iter().map(entry).collect::<Json>() })
}

#[test]
fn a_refusal_tells_when_to_come_back() {
    let body = b"d14:failure reason4:full8:retry ini7ee";
    let refused = decode_announce(body).expect_err("a refusal");
    let peerfeed_protocol::announce::http::HttpReplyError::Refused(failure) = refused else { panic!("{refused:?}") };
    assert_eq!(failure.retry_in, Some(RetryIn::After(Duration::from_secs(420))));
}

proptest! {
    #[test]
    fn whatever_comes_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "\\PC{0,60}") {
        let _ = (parse_announce(&bytes), parse_scrape(&bytes), decode_announce(&bytes), Request::decode(&bytes));
        let _ = decode_scrape(&bytes, &[info_hash(&[1; 20])]);
        for family in [Family::V4, Family::V6] {
            let _ = Reply::decode(&bytes, family);
        }
        for (prefix, of_reply) in [(&b"d5:peers"[..], true), (b"d5:filesd", true), (b"info_hash=", false)] {
            let shaped = [prefix, &bytes].concat();
            let _ = if of_reply { decode_announce(&shaped).is_ok() } else { parse_announce(&shaped).is_ok() };
        }
        for text in [text.clone(), format!("udp://{text}"), format!("http://[{text}")] {
            if let Ok(url) = text.parse::<TrackerUrl>() {
                prop_assert_eq!(url.to_string().parse::<TrackerUrl>(), Ok(url));
            }
        }
    }
}

const HASH: &str = "info_hash=%124Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx%9A";
const PEER: &str = "peer_id=-PF0100-0123456789ab&port=6881";

fn stories() -> Vec<Story> {
    let query = |name, story, spec, text: String, accepted| Story {
        name,
        story,
        kind: "announce-query",
        spec,
        given: json!({ "query": hex(text) }),
        accepted,
    };
    let scrape_query = |name, story, text: String, accepted| Story {
        name,
        story,
        kind: "scrape-query",
        spec: &["ANN-9"],
        given: json!({ "query": hex(text) }),
        accepted,
    };
    let body = |name, story, spec, bytes: &[u8], accepted| Story {
        name,
        story,
        kind: "announce-body",
        spec,
        given: json!({ "bytes": hex(bytes) }),
        accepted,
    };
    let ours = |name, story, spec, bytes: Vec<u8>, accepted| Story {
        name,
        story,
        kind: "udp-request",
        spec,
        given: json!({ "bytes": hex(bytes) }),
        accepted,
    };
    let theirs = |name, story, spec, bytes: Vec<u8>, family: &str, accepted| Story {
        name,
        story,
        kind: "udp-reply",
        spec,
        given: json!({ "bytes": hex(bytes), "family": family }),
        accepted,
    };
    let id = |name, story, spec, given, accepted| Story { name, story, kind: "connection-id", spec, given, accepted };
    let url = |name, story, spec, text: &str, accepted| Story {
        name,
        story,
        kind: "tracker-url",
        spec,
        given: json!({ "text": text }),
        accepted,
    };
    let key = "000102030405060708090a0b0c0d0e0f";
    let one_hash = |letter: char| format!("info_hash={}", letter.to_string().repeat(20));
    vec![
        query(
            "an-announce-over-http",
            "Every number given, the hash half escaped as clients do.",
            &["ANN-4", "ANN-5"],
            format!("{HASH}&{PEER}&uploaded=1&downloaded=2&left=3&event=started&numwant=30&key=0BADCAFE&compact=1"),
            true,
        ),
        query(
            "an-announce-with-next-to-nothing",
            "Numbers that are missing take their defaults, and left is not 0.",
            &["ANN-7"],
            format!("{HASH}&{PEER}"),
            true,
        ),
        query(
            "an-announce-in-the-forms-that-clients-send",
            "A second question mark, empty parts, keys without a sign, unknown keys, numbers that are none.",
            &["ANN-4", "ANN-7"],
            format!("?{HASH}&&supportcrypto&=&{PEER}&left=-1&numwant=-1&key=xyz?event=&no_peer_id=1"),
            true,
        ),
        query(
            "an-announce-that-names-somebody-else",
            "Addresses in the query are ignored.",
            &["ANN-8"],
            format!("{HASH}&{PEER}&ip=192.0.2.66&ipv4=192.0.2.66%3A1&ipv6=2001%3Adb8%3A%3A66"),
            true,
        ),
        query(
            "an-announce-of-a-partial-seed",
            "paused comes with every announce of a partial seed; dictionaries are asked for.",
            &["ANN-6", "ANN-13"],
            format!("{HASH}&{PEER}&event=paused&compact=0"),
            true,
        ),
        query(
            "an-announce-with-an-unknown-event",
            "It counts as a regular one.",
            &["ANN-6"],
            format!("{HASH}&{PEER}&event=resumed"),
            true,
        ),
        query("an-announce-without-a-hash", "There is no swarm.", &["ANN-5"], PEER.to_owned(), false),
        query(
            "an-announce-with-a-hash-of-21-bytes",
            "One byte more than a hash has.",
            &["ANN-5"],
            format!("{HASH}x&{PEER}"),
            false,
        ),
        query(
            "an-announce-without-a-peer-id",
            "BEP 3 asks for one.",
            &["ANN-5"],
            format!("{HASH}&port=6881"),
            false,
        ),
        query(
            "an-announce-of-a-client-that-only-looks",
            "Nobody can be reached at port 0: it gets peers and is not listed.",
            &["ANN-5", "ANN-7"],
            format!("{HASH}&peer_id=-PF0100-0123456789ab&port=0"),
            true,
        ),
        query(
            "an-announce-with-a-port-of-17-bits",
            "65,536 is no port.",
            &["ANN-5"],
            format!("{HASH}&peer_id=-PF0100-0123456789ab&port=65536"),
            false,
        ),
        query(
            "an-announce-that-is-too-long",
            "8,193 bytes.",
            &["ANN-4"],
            format!("{HASH}&{PEER}&x={}", "a".repeat(8_192 - HASH.len() - PEER.len() - 3)),
            false,
        ),
        scrape_query(
            "a-scrape-with-a-hash-twice",
            "Order and duplicates are kept.",
            [one_hash('b'), one_hash('a'), one_hash('b')].join("&"),
            true,
        ),
        scrape_query("a-scrape-of-nothing", "A scrape of the whole tracker is not given.", String::new(), false),
        scrape_query(
            "a-scrape-of-101-hashes",
            "One more than is answered.",
            vec![one_hash('a'); 101].join("&"),
            false,
        ),
        body(
            "a-reply-with-both-families",
            "Everything that our tracker says.",
            &["ANN-11", "ANN-12"],
            b"d8:completei1e11:external ip4:\xc0\x00\x02\x0110:incompletei2e8:intervali1800e12:min intervali900e\
              5:peers6:\x01\x02\x03\x04\x1a\xe16:peers618:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x1a\xe1e",
            true,
        ),
        body(
            "a-reply-with-dictionaries",
            "Peer ids are skipped, and so is a peer that is a name.",
            &["ANN-17"],
            b"d8:intervali1800e5:peersld2:ip7:1.2.3.47:peer id20:aaaaaaaaaaaaaaaaaaaa4:porti6881eed2:ip9:localhost4:porti22eeee",
            true,
        ),
        body(
            "a-reply-with-a-peer-at-port-zero-and-a-mapped-one",
            "The first is none, the second is an IPv4 peer.",
            &["ANN-12"],
            b"d8:intervali1800e5:peers6:\x01\x02\x03\x04\x00\x006:peers618:\0\0\0\0\0\0\0\0\0\0\xff\xff\x05\x06\x07\x08\x1a\xe1e",
            true,
        ),
        body(
            "a-reply-with-an-interval-of-nothing",
            "It is obeyed as a minute.",
            &["ANN-18"],
            b"d8:intervali0e5:peers0:e",
            true,
        ),
        body("a-reply-without-an-interval", "Half an hour is meant.", &["ANN-18"], b"d5:peers0:e", true),
        body(
            "a-refusal",
            "The tracker's words, and when to come back.",
            &["ANN-14", "ANN-18"],
            b"d14:failure reason8:go away!8:intervali3600e8:retry ini7ee",
            false,
        ),
        body(
            "a-reply-that-ends-within-a-peer",
            "Seven bytes of peers.",
            &["ANN-17"],
            b"d8:intervali1800e5:peers7:\x01\x02\x03\x04\x1a\xe1\x01e",
            false,
        ),
        body("a-reply-of-a-web-server", "No bencode.", &["ANN-16"], b"<html>502 Bad Gateway</html>", false),
        body("a-reply-of-something-else", "A dictionary, but not a tracker's.", &["ANN-16"], b"d2:ok4:true e", false),
        Story {
            name: "a-scrape-reply",
            story: "A hash that the tracker left out counts as unknown.",
            kind: "scrape-body",
            spec: &["ANN-15"],
            given: json!({
                "bytes": hex(b"d5:filesd20:aaaaaaaaaaaaaaaaaaaad8:completei1e10:downloadedi2e10:incompletei3eeee"),
                "info_hashes": [hex([b'b'; 20]), hex([b'a'; 20])],
            }),
            accepted: true,
        },
        ours(
            "a-connect",
            "The constant of BEP 15.",
            &["ANN-26"],
            [&b"\0\0\x04\x17\x27\x10\x19\x80\0\0\0\0"[..], b"\x0a\x0b\x0c\x0d"].concat(),
            true,
        ),
        ours("a-connect-without-the-constant", "Silence.", &["ANN-24"], vec![0; 16], false),
        ours("a-datagram-of-15-bytes", "Silence.", &["ANN-24"], vec![0xff; 15], false),
        ours("an-announce-over-udp", "All fields of BEP 15.", &["ANN-26"], announce_datagram(2, b""), true),
        ours(
            "an-announce-with-options",
            "The URL in two parts, between them nothing and an option that nobody knows.",
            &["ANN-27"],
            announce_datagram(4, b"\x02\x04/ann\x01\x63\x02??\x02\x05ounce\x00\x02\x01!"),
            true,
        ),
        ours(
            "an-announce-whose-option-breaks-off",
            "It is taken without the option.",
            &["ANN-27"],
            announce_datagram(0, b"\x02\xff/announce"),
            true,
        ),
        ours(
            "an-announce-of-97-bytes",
            "One byte is missing.",
            &["ANN-24", "ANN-26"],
            announce_datagram(0, b"")[..97].to_vec(),
            false,
        ),
        ours(
            "a-scrape-over-udp",
            "Two hashes.",
            &["ANN-9", "ANN-26"],
            [&b"connect!\0\0\0\x02\x0a\x0b\x0c\x0d"[..], &[b'a'; 20], &[b'b'; 20]].concat(),
            true,
        ),
        ours(
            "a-scrape-with-part-of-a-hash",
            "The rest of a buffer must not be read in its place.",
            &["ANN-24", "ANN-26"],
            [&b"connect!\0\0\0\x02\x0a\x0b\x0c\x0d"[..], &[b'a'; 39]].concat(),
            false,
        ),
        ours(
            "an-unknown-action",
            "An error, if the connection id holds.",
            &["ANN-24"],
            b"connect!\0\0\0\x09\x0a\x0b\x0c\x0d".to_vec(),
            false,
        ),
        theirs(
            "a-connection-id-given",
            "16 bytes for 16 bytes.",
            &["ANN-28"],
            b"\0\0\0\0\x0a\x0b\x0c\x0dconnect!".to_vec(),
            "v4",
            true,
        ),
        theirs(
            "an-announce-reply-over-ipv4",
            "6 bytes per peer.",
            &["ANN-28"],
            b"\0\0\0\x01\x0a\x0b\x0c\x0d\0\0\x07\x08\0\0\0\x02\0\0\0\x01\x01\x02\x03\x04\x1a\xe1".to_vec(),
            "v4",
            true,
        ),
        theirs(
            "an-announce-reply-over-ipv6",
            "18 bytes per peer.",
            &["ANN-28"],
            [
                &b"\0\0\0\x01\x0a\x0b\x0c\x0d\0\0\x07\x08\0\0\0\x02\0\0\0\x01"[..],
                b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x1a\xe1",
            ]
            .concat(),
            "v6",
            true,
        ),
        theirs(
            "an-ipv4-peer-in-an-ipv6-reply",
            "6 bytes are no whole number of entries there.",
            &["ANN-28"],
            b"\0\0\0\x01\x0a\x0b\x0c\x0d\0\0\x07\x08\0\0\0\x02\0\0\0\x01\x01\x02\x03\x04\x1a\xe1".to_vec(),
            "v6",
            false,
        ),
        theirs(
            "a-scrape-reply-over-udp",
            "Positional: seeders, completed, leechers.",
            &["ANN-28"],
            b"\0\0\0\x02\x0a\x0b\x0c\x0d\0\0\0\x01\0\0\0\x02\0\0\0\x03".to_vec(),
            "v4",
            true,
        ),
        theirs(
            "an-error-over-udp",
            "The text loses what could drive a terminal.",
            &["ANN-16", "ANN-28"],
            b"\0\0\0\x03\x0a\x0b\x0c\x0dgo \x1b[2Jaway\n".to_vec(),
            "v4",
            true,
        ),
        theirs("a-reply-of-7-bytes", "Less than a head.", &["ANN-33"], b"\0\0\0\x03\0\0\0".to_vec(), "v4", false),
        id(
            "an-id-for-an-ipv4-address",
            "Time, then the tag over the second and the 4 bytes of the address.",
            &["ANN-20"],
            json!({ "key": key, "ip": "192.0.2.1", "issued": 1_800_000_000, "now": 1_800_000_600 }),
            true,
        ),
        id(
            "an-id-for-an-ipv6-address",
            "16 bytes of address.",
            &["ANN-20"],
            json!({ "key": key, "ip": "2001:db8::1", "issued": 1_800_000_000, "now": 1_800_000_000 }),
            true,
        ),
        id(
            "an-id-from-ten-seconds-ahead",
            "Trackers that share a key share no clock.",
            &["ANN-22"],
            json!({ "key": key, "ip": "192.0.2.1", "issued": 1_800_000_010, "now": 1_800_000_000 }),
            true,
        ),
        id(
            "an-id-that-is-too-old",
            "601 seconds.",
            &["ANN-22"],
            json!({ "key": key, "ip": "192.0.2.1", "issued": 1_800_000_000, "now": 1_800_000_601 }),
            false,
        ),
        id(
            "an-id-after-its-time-wrapped",
            "The 16 bits fit again, the second under the tag does not.",
            &["ANN-20"],
            json!({ "key": key, "ip": "192.0.2.1", "issued": 1_800_000_000, "now": 1_800_065_536 }),
            false,
        ),
        id(
            "an-id-used-from-another-address",
            "It reached somebody else.",
            &["ANN-21"],
            json!({ "key": key, "ip": "192.0.2.1", "from": "192.0.2.2", "issued": 1_800_000_000, "now": 1_800_000_000 }),
            false,
        ),
        id(
            "an-id-used-from-the-mapped-address",
            "It is the IPv4 address that is in it.",
            &["ANN-20"],
            json!({
                "key": key, "ip": "192.0.2.1", "from": "::ffff:192.0.2.1", "issued": 1_800_000_000, "now": 1_800_000_000,
            }),
            true,
        ),
        url("a-url-over-http", "Port and path have defaults.", &["ANN-35"], "http://Tracker.Example", true),
        url("a-url-with-a-key", "Path and query are kept.", &["ANN-35"], "https://t.example/k3y/announce.php?u=1", true),
        url("a-url-over-udp", "The path goes along as an option.", &["ANN-35"], "udp://[2001:db8::1]:6969/x", true),
        url("a-host-and-port", "UDP first, then HTTP.", &["ANN-36"], "tracker.example:6969", true),
        url("a-host-without-a-port", "There is no default.", &["ANN-35"], "tracker.example", false),
        url("a-url-for-a-browser", "WebTorrent is another protocol.", &["ANN-35"], "wss://tracker.example", false),
        url("a-bare-ipv6-address", "Where would the port begin?", &["ANN-35"], "2001:db8::1:6969", false),
        url("a-url-with-a-password", "It would stand in every log.", &["ANN-35"], "http://u:p@t.example/announce", false),
    ]
}

/// An announce with `event`, `options` behind it.
fn announce_datagram(event: u8, options: &[u8]) -> Vec<u8> {
    [
        &b"connect!\0\0\0\x01\x0a\x0b\x0c\x0d"[..],
        &[0xab; 20],
        b"-PF0100-0123456789ab",
        &2u64.to_be_bytes(),
        &3u64.to_be_bytes(),
        &1u64.to_be_bytes(),
        &[0, 0, 0, event],
        &[192, 0, 2, 66],
        &0x0bad_cafe_u32.to_be_bytes(),
        &(-1i32).to_be_bytes(),
        &6881u16.to_be_bytes(),
        options,
    ]
    .concat()
}
