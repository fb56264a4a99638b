//! Single messages, whole and broken.

use bytes::Bytes;
use peerfeed_protocol::feed::blob::BlobSize;
use peerfeed_protocol::ids::{BlobRoot, EpochId, LogId};
use peerfeed_protocol::limits::CHUNK_BYTES;
use peerfeed_protocol::mailbox::{Cursor, TokenHash, Work};
use peerfeed_protocol::peer::message::{
    Admission, BlobHeld, BlobsHeld, BlobsWanted, Cancel, ChunksWanted, Close, EntriesWanted, GetChunks, GetEntries,
    GetMail, GrantRow, HeadPush, Held, HeldRange, Hello, Hold, Interest, Kept, Mail, MailAnswer, MailCame, MailWanted,
    Message, Newest, Open, Opened, PeerExchange, Peers, PushedEntry, Put, Reject, RejectCode, State, StateMessage,
    Stored, StoredMessage, WitnessProof,
};
use serde_json::json;

use super::super::sample::SampleLog;
use super::{CHANNEL, REQUEST};
use crate::vector::{Story, hex};

fn spoken(name: &'static str, story: &'static str, spec: &'static [&'static str], kind: u8, rest: &[u8]) -> Story {
    Story { name, story, kind: "peer-message", spec, given: json!({ "type": kind, "rest": hex(rest) }), accepted: true }
}

fn valid<M: Message>(name: &'static str, story: &'static str, spec: &'static [&'static str], message: &M) -> Story {
    spoken(name, story, spec, M::TYPE.byte(), &message.encode())
}

fn interest(log: LogId) -> Interest {
    Interest {
        manifest: 3,
        roster: 2,
        heads: vec![(log, 12)],
        newest: Some(Newest { entries: 50, body_bytes: 100_000 }),
        grant_tags: vec![[1; 8], [2; 8]],
    }
}

pub(super) fn valid_messages() -> Vec<Story> {
    let sample = SampleLog::new(3);
    let log = sample.log;
    let hello = Hello {
        fast_aes: true,
        extensions: [("relay".to_owned(), 0x80)].into(),
        listen_port: Some(6_881),
        requests_max: 64,
        program: Some("peerfeed 0.1".to_owned()),
        witness: Some(WitnessProof { key: [1; 32], signature: [2; 64] }),
        observed: Some("[2001:db8::1]:7".parse().unwrap()),
    };
    let state = State {
        manifest: Some(Bytes::from_static(b"(the signed manifest)")),
        roster: Some(Bytes::from_static(b"(the signed roster)")),
        heads: vec![sample.news(0), sample.news(2)],
        held: Some(vec![HeldRange { log, from: 1, to: 3 }]),
        grants: vec![GrantRow { tag: [1; 8], epoch: EpochId::new([2; 16]), sealed: [3; 48], author_box: [4; 32] }],
        newest_follow: true,
    };
    let root = BlobRoot::new([5; 32]);
    let size = BlobSize::new(40 * CHUNK_BYTES as u64).unwrap();
    let part = BlobHeld { root, bytes: size.bytes(), groups: Some(Bytes::from_static(&[0b1010_0000])) };
    let held = vec![BlobHeld::complete(root, size.bytes()), part, BlobHeld::nothing(root)];
    let answer = sample.answer(2, 3, 3, true);
    let entry = PushedEntry { bytes: answer.entries[0].clone(), proof: answer.proof.hashes().to_vec() };
    let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    let peers =
        PeerExchange { added: addresses(&["192.0.2.1:80", "[2001:db8::2]:81"]), dropped: addresses(&["192.0.2.3:82"]) };
    let channel = CHANNEL;
    vec![
        valid("hello", "A hello with every key.", &["PEER-32", "PEER-33"], &hello),
        spoken("hello-without-keys", "Every key of a hello is optional.", &["PEER-32"], 0x01, b"de"),
        valid(
            "open",
            "Asks for a channel, tells what is known and wants the newest 50 entries.",
            &["PEER-34"],
            &Open { channel, swarm: sample.feed.swarm_id(), mac: [6; 32], interest: interest(log) },
        ),
        valid(
            "opened",
            "Agrees to a channel and wants nothing.",
            &["PEER-35"],
            &Opened { channel, mac: [6; 32], interest: Interest::default() },
        ),
        valid("state", "Everything that a state can tell.", &["PEER-36"], &StateMessage { channel, state }),
        valid(
            "get-entries",
            "Asks for the newest of a log first.",
            &["PEER-40"],
            &GetEntries {
                channel,
                request: REQUEST,
                wanted: EntriesWanted { newest_first: true, ..sample.wanted(0, 3) },
            },
        ),
        valid(
            "get-chunks",
            "Asks for the last chunks of a blob.",
            &["PEER-42"],
            &GetChunks { channel, request: REQUEST, wanted: ChunksWanted { root, size, from: 32, to: 40 } },
        ),
        valid(
            "reject",
            "Ends a request: too busy now.",
            &["PEER-43"],
            &Reject { channel, request: Some(REQUEST), code: RejectCode::Busy },
        ),
        valid(
            "reject-of-a-channel",
            "Refuses a channel: no such feed here.",
            &["PEER-35", "PEER-43"],
            &Reject { channel, request: None, code: RejectCode::UnknownFeed },
        ),
        valid("cancel", "An answer is no longer needed.", &["PEER-44"], &Cancel { channel, request: REQUEST }),
        valid("kept", "A packet is on the disk.", &["MAIL-17"], &Kept { channel, request: REQUEST }),
        valid("mail-came", "A packet came.", &["MAIL-17"], &MailCame { channel }),
        valid(
            "put-with-work",
            "A stranger's packet.",
            &["MAIL-17"],
            &Put { channel, request: REQUEST, packet: vec![7; 4_000].into(), admission: Admission::Work(Work(9)) },
        ),
        valid(
            "get-mail",
            "Behind a cursor, with one token to be revoked.",
            &["MAIL-17", "MAIL-18"],
            &GetMail {
                channel,
                request: REQUEST,
                device: [1; 32],
                signature: [2; 64],
                wanted: MailWanted {
                    after: Some(Cursor { mailbox: [3; 8], number: 4 }),
                    revoked: vec![TokenHash([5; 32])],
                },
            },
        ),
        valid(
            "mail",
            "One packet, and more behind.",
            &["MAIL-15", "MAIL-17"],
            &Mail {
                channel,
                request: REQUEST,
                answer: MailAnswer {
                    cursor: Cursor { mailbox: [3; 8], number: 5 },
                    packets: vec![vec![7; 4_000].into()],
                    more: true,
                },
            },
        ),
        valid(
            "hold",
            "Asks for a feed to be held.",
            &["HOLD-4"],
            &Hold { channel, request: REQUEST, feed: [1; 32], signature: [2; 64] },
        ),
        valid("held", "The feed is held from now on.", &["HOLD-4"], &Held { channel, request: REQUEST }),
        valid("blobs-wanted", "Asks who holds a blob.", &["PEER-45"], &BlobsWanted { channel, roots: vec![root] }),
        valid(
            "blobs-held",
            "One blob is complete, of one the chunks 0 to 15 and 32 to 39 are there, of one nothing.",
            &["PEER-45"],
            &BlobsHeld { channel, blobs: held },
        ),
        valid(
            "head",
            "A log has grown from 2 to 3 entries; the third comes along.",
            &["PEER-46"],
            &HeadPush { channel, news: sample.news(2), entry: Some(entry) },
        ),
        valid(
            "stored",
            "Nine entries are safe, and the blobs of four.",
            &["PEER-47"],
            &StoredMessage { channel, stored: Stored { log, entries: 9, with_blobs: 4 }, push: None },
        ),
        valid(
            "stored-to-be-told-only",
            "Nine entries are safe; further heads of the log come sooner from others and are not to be pushed.",
            &["PEER-47"],
            &StoredMessage { channel, stored: Stored { log, entries: 9, with_blobs: 9 }, push: Some(false) },
        ),
        valid("peers", "Two peers met, one lost.", &["PEER-48"], &Peers { channel, peers }),
        valid(
            "close-of-a-channel",
            "Closes a channel.",
            &["PEER-49"],
            &Close { channel: Some(channel), code: RejectCode::Closed, text: None },
        ),
        valid(
            "close-of-the-connection",
            "Closes the connection and says why.",
            &["PEER-49", "PEER-61"],
            &Close { channel: None, code: RejectCode::Malformed, text: Some("proof".to_owned()) },
        ),
        spoken("ping", "To be sent back.", &["PEER-49"], 0x10, &[1, 2, 3, 4, 5, 6, 7, 8]),
        spoken("type-of-a-later-version", "An unknown type below 0x80 is skipped.", &["PEER-30"], 0x70, b"anything"),
    ]
}

pub(super) fn broken_messages() -> Vec<Story> {
    let log = "40:".to_owned() + &"L".repeat(40);
    let key = "32:".to_owned() + &"K".repeat(32);
    let broken =
        |name, story, spec, kind: u8, rest: &[u8]| Story { accepted: false, ..spoken(name, story, spec, kind, rest) };
    let text = |name, story, spec, kind, rest: String| broken(name, story, spec, kind, rest.as_bytes());
    let get = |a: u64, b: u64, n: u64, q: u64| format!("d1:ai{a}e1:bi{b}e1:ci0e1:l{log}1:ni{n}e1:qi{q}e1:zi1000ee");
    vec![
        broken("put-of-3999-bytes", "No packet has so many.", &["MAIL-17"], 0x13, &{
            let put = Put {
                channel: CHANNEL,
                request: REQUEST,
                packet: vec![7; 3_999].into(),
                admission: Admission::Work(Work(9)),
            };
            put.encode()
        }),
        broken("put-without-admission", "Neither token nor work.", &["MAIL-17"], 0x13, b"d1:ci0e1:p0:1:qi1ee"),
        broken(
            "mail-without-a-cursor",
            "It says how far the device has read.",
            &["MAIL-15"],
            0x16,
            b"d1:ci0e1:ple1:qi1ee",
        ),
        broken(
            "get-mail-with-a-short-signature",
            "A signature has 64 bytes.",
            &["MAIL-18"],
            0x15,
            b"d1:ci0e1:d0:1:qi1e1:s0:e",
        ),
        broken("hold-without-a-feed", "Nothing is named.", &["HOLD-4"], 0x18, b"d1:ci0e1:qi1ee"),
        broken("type-of-no-extension", "A type from 0x80 on that was not agreed on.", &["PEER-30"], 0x80, b""),
        broken("hello-not-canonical", "Keys out of order.", &["PEER-30"], 0x01, b"d1:qi1e1:pi1ee"),
        broken("hello-no-dictionary", "A list is no message.", &["PEER-30"], 0x01, b"le"),
        broken(
            "hello-extension-below-0x80",
            "An extension may not take a type of version 1.",
            &["PEER-32"],
            0x01,
            b"d1:ed5:relayi5eee",
        ),
        broken("hello-short-address", "An address of five bytes.", &["PEER-32"], 0x01, b"d1:y5:12345e"),
        text(
            "hello-short-signature",
            "A witness signature of three bytes.",
            &["PEER-33"],
            0x01,
            format!("d1:wl{key}3:abcee"),
        ),
        text(
            "open-without-interest",
            "The known versions are missing.",
            &["PEER-34"],
            0x02,
            format!("d1:ci0e1:hle1:m{key}1:s20:{}e", "S".repeat(20)),
        ),
        text(
            "open-wants-too-many",
            "More newest entries than may be wanted.",
            &["PEER-34"],
            0x02,
            format!("d1:ci0e1:hle1:kli0ei0ee1:m{key}1:s20:{}1:wd1:ni257eee", "S".repeat(20)),
        ),
        text(
            "opened-channel-too-large",
            "Channel numbers have 16 bits.",
            &["PEER-31", "PEER-35"],
            0x03,
            format!("d1:ci65536e1:hle1:kli0ei0ee1:m{key}e"),
        ),
        broken(
            "state-torn-hash",
            "A consistency proof of 31 bytes.",
            &["PEER-36"],
            0x04,
            b"d1:ci0e1:hld1:fi3e1:h1:x1:p31:1234567890123456789012345678901eee",
        ),
        broken(
            "state-proof-from-nothing",
            "A consistency proof from a size that nobody named.",
            &["PEER-36"],
            0x04,
            b"d1:ci0e1:hld1:h1:x1:p32:12345678901234567890123456789012eee",
        ),
        text(
            "state-empty-range",
            "A range of no entries is not held.",
            &["PEER-36"],
            0x04,
            format!("d1:all{log}i5ei5eee1:ci0e1:hlee"),
        ),
        text(
            "get-entries-beyond-its-tree",
            "Entries that the tree does not have.",
            &["PEER-40"],
            0x05,
            get(0, 4, 3, 1),
        ),
        text("get-entries-of-nothing", "An empty range.", &["PEER-40"], 0x05, get(2, 2, 3, 1)),
        text(
            "get-entries-too-many",
            "More entries than one request may ask for.",
            &["PEER-40"],
            0x05,
            get(0, 4_097, 10_000, 1),
        ),
        text("get-entries-number-0", "Request number 0 is no number.", &["PEER-40"], 0x05, get(0, 3, 3, 0)),
        text(
            "get-chunks-too-many",
            "More than 16 chunks.",
            &["PEER-42"],
            0x07,
            format!("d1:ai0e1:bi17e1:ci0e1:qi1e1:r{key}1:si2560000ee"),
        ),
        text(
            "get-chunks-beyond-its-blob",
            "Chunks that the blob does not have.",
            &["PEER-42"],
            0x07,
            format!("d1:ai0e1:bi3e1:ci0e1:qi1e1:r{key}1:si128000ee"),
        ),
        broken("entries-cut-off", "Ends in the middle of its fixed part.", &["PEER-41"], 0x06, &[0; 20]),
        broken("reject-without-code", "The code is missing.", &["PEER-43"], 0x09, b"d1:ci0e1:qi1ee"),
        broken("cancel-number-0", "Request number 0 is no number.", &["PEER-44"], 0x12, b"d1:ci0e1:qi0ee"),
        broken("blobs-wanted-none", "A question about nothing.", &["PEER-45"], 0x0a, b"d1:ci0e1:rlee"),
        text(
            "blobs-held-wrong-bitmap",
            "A bitmap of two bytes for three groups.",
            &["PEER-45"],
            0x0b,
            format!("d1:ci0e1:rld1:h2:xx1:r{key}1:si2560000eeee"),
        ),
        text(
            "head-long-body",
            "A pushed body over 4,000 bytes.",
            &["PEER-46"],
            0x0c,
            format!("d1:ci0e1:h1:h1:i1:i1:o0:1:y4001:{}e", "y".repeat(4_001)),
        ),
        text(
            "stored-more-blobs-than-entries",
            "Blobs cannot be safer than their entries.",
            &["PEER-47"],
            0x0d,
            format!("d1:ci0e1:l{log}1:mi5e1:ni4ee"),
        ),
        broken("peers-torn-address", "An IPv4 address of five bytes.", &["PEER-48"], 0x0e, b"d1:a5:123451:ci0ee"),
        text("peers-too-many", "51 addresses.", &["PEER-48"], 0x0e, format!("d1:a306:{}1:ci0ee", "123456".repeat(51))),
        text(
            "close-long-text",
            "A reason of 201 bytes.",
            &["PEER-49"],
            0x0f,
            format!("d1:ei5e1:x201:{}e", "x".repeat(201)),
        ),
        broken("ping-short", "Seven bytes.", &["PEER-49"], 0x10, &[0; 7]),
        broken("pong-long", "Nine bytes.", &["PEER-49"], 0x11, &[0; 9]),
    ]
}
