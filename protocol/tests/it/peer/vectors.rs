//! Vectors of the peer chapter.

use bytes::Bytes;
use peerfeed_protocol::crypto::{Entropy, FeedKeys};
use peerfeed_protocol::feed::blob::BlobSize;
use peerfeed_protocol::ids::{BlobRoot, EpochId, FeedId, LogId};
use peerfeed_protocol::limits::CHUNK_BYTES;
use peerfeed_protocol::mailbox::{Cursor, TokenHash, Work};
use peerfeed_protocol::merkle::{Hash, range_proof};
use peerfeed_protocol::peer::hint::{FirstMessage, HintKey};
use peerfeed_protocol::peer::message::{
    Admission, BlobHeld, BlobsHeld, BlobsWanted, Cancel, ChunksHeader, ChunksWanted, Close, EntriesFrame,
    EntriesWanted, GetChunks, GetEntries, GetMail, GrantRow, HeadPush, HeldRange, Hello, Interest, Kept, Mail,
    MailAnswer, MailCame, MailWanted, Message, MessageType, Newest, Open, Opened, PeerExchange, Peers, Ping,
    PushedEntry, Put, Reject, RejectCode, State, StateMessage, Stored, StoredMessage, WitnessProof,
};
use peerfeed_protocol::peer::{ChannelId, Event, Moment, RequestId, Role};
use serde_json::{Value as Json, json};

use super::puppet::{BULK, Puppet, first_flight, noise};
use super::sample::{SampleBlob, SampleLog};
use super::{DAY, initiator, link, responder};
use crate::vector::{self, Given, Outcome, Story, hex, unhex, word};

/// The channel and request that every vector uses: the first of an initiator.
const CHANNEL: ChannelId = ChannelId(0);
const REQUEST: RequestId = RequestId(1);

#[test]
fn peers_speak_as_the_vectors_say() {
    vector::bless("peer", &stories(), run);
    vector::check("peer", run);
}

fn run(given: &Given<'_>) -> Outcome {
    let feed = || FeedId::from_bytes(given.array("feed")).expect("a usable feed id");
    match given.kind {
        "peer-hint" => {
            let first = FirstMessage { hint: given.array("hint"), ephemeral: given.array("ephemeral") };
            let fits = HintKey::new(&FeedKeys::new(&feed())).fits(&first, given.uint("day"));
            if fits { Ok(json!({})) } else { Err("unknown-hint".to_owned()) }
        }
        "peer-handshake" => handshake(given, &feed()),
        "peer-message" => message(given),
        "peer-entries" => entries(given, &feed()),
        "peer-chunks" => chunks(given, &feed()),
        other => panic!("no vector of kind {other} belongs here"),
    }
}

/// The whole handshake by the second implementation; a changed byte is refused where it is read.
fn handshake(given: &Given<'_>, feed: &FeedId) -> Outcome {
    let mut client = noise(Role::Initiator, feed, given.array("initiator_node"), given.array("initiator_ephemeral"));
    let mut server = noise(Role::Responder, feed, given.array("responder_node"), given.array("responder_ephemeral"));
    let mut first = first_flight(feed, &mut client, given.uint("day"));
    let changed = |flight: &mut Vec<u8>, number: u64| {
        if given.optional("changed_flight").and_then(Json::as_u64) == Some(number) {
            let at = usize::try_from(given.uint("changed_byte")).unwrap();
            flight[at] ^= 1;
        }
    };
    let refused = |_| "handshake".to_owned();
    changed(&mut first, 1);
    server.read_message(&first[16..], &mut [0; 16]).map_err(refused)?;
    let mut second = vec![0; 96];
    server.write_message(&[], &mut second).unwrap();
    changed(&mut second, 2);
    client.read_message(&second, &mut [0; 16]).map_err(refused)?;
    let mut third = vec![0; 64];
    client.write_message(&[], &mut third).unwrap();
    changed(&mut third, 3);
    server.read_message(&third, &mut [0; 16]).map_err(refused)?;
    let hash = client.get_handshake_hash().to_vec();
    let nodes = [server.get_remote_static().unwrap().to_vec(), client.get_remote_static().unwrap().to_vec()];
    let payload = given.bytes("payload");
    let record = |transport: &mut snow::TransportState| {
        let plaintext = [&payload[..], &[0]].concat();
        let mut out = vec![0; plaintext.len() + 16];
        transport.write_message(&plaintext, &mut out).unwrap();
        hex([&u16::try_from(out.len()).unwrap().to_be_bytes()[..], &out].concat())
    };
    let (mut client, mut server) = (client.into_transport_mode().unwrap(), server.into_transport_mode().unwrap());
    let mac = |role: u8| {
        use hmac::{Hmac, KeyInit, Mac};
        let mac = Hmac::<sha2::Sha256>::new_from_slice(&*FeedKeys::new(feed).channel).unwrap();
        hex(mac.chain_update(&hash).chain_update([role]).finalize().into_bytes())
    };
    Ok(json!({
        "flights": [hex(&first), hex(&second), hex(&third)], "handshake_hash": hex(&hash),
        "initiator": hex(&nodes[0]), "responder": hex(&nodes[1]),
        "initiator_channel_mac": mac(0), "responder_channel_mac": mac(1),
        "initiator_record": record(&mut client), "responder_record": record(&mut server),
    }))
}

/// Reads a message and writes it again: what has no unknown keys comes back as it was.
fn message(given: &Given<'_>) -> Outcome {
    fn again<M: Message>(rest: &[u8]) -> Result<Vec<u8>, String> {
        M::decode(rest).map(|message| message.encode()).map_err(|error| word(&error))
    }
    let rest = given.bytes("rest");
    let kind = u8::try_from(given.uint("type")).unwrap();
    let Some(kind) = MessageType::from_byte(kind) else {
        return if kind < 0x80 { Ok(json!({ "skipped": 1 })) } else { Err("not-negotiated".to_owned()) };
    };
    let again = match kind {
        MessageType::Hello => again::<Hello>(&rest),
        MessageType::Open => again::<Open>(&rest),
        MessageType::Opened => again::<Opened>(&rest),
        MessageType::State => again::<StateMessage>(&rest),
        MessageType::GetEntries => again::<GetEntries>(&rest),
        MessageType::GetChunks => again::<GetChunks>(&rest),
        MessageType::Reject => again::<Reject>(&rest),
        MessageType::BlobsWanted => again::<BlobsWanted>(&rest),
        MessageType::BlobsHeld => again::<BlobsHeld>(&rest),
        MessageType::HeadPush => again::<HeadPush>(&rest),
        MessageType::Stored => again::<StoredMessage>(&rest),
        MessageType::Peers => again::<Peers>(&rest),
        MessageType::Close => again::<Close>(&rest),
        MessageType::Cancel => again::<Cancel>(&rest),
        MessageType::Put => again::<Put>(&rest),
        MessageType::Kept => again::<Kept>(&rest),
        MessageType::GetMail => again::<GetMail>(&rest),
        MessageType::Mail => again::<Mail>(&rest),
        MessageType::MailCame => again::<MailCame>(&rest),
        MessageType::Ping | MessageType::Pong => Ping::decode(&rest).map(Ping::encode).map_err(|error| word(&error)),
        MessageType::Entries => {
            EntriesFrame::decode(rest.clone().into()).map(|frame| frame.encode()).map_err(|error| word(&error))
        }
        MessageType::Chunks => panic!("chunks are shown by their proof"),
    }?;
    Ok(json!({ "written_again": hex(again) }))
}

/// Lets a machine that has asked hear an answer.
fn answer(
    feed: &FeedId,
    kind: u8,
    rest: &[u8],
    ask: impl FnOnce(&mut peerfeed_protocol::peer::Connection),
) -> Result<Event, String> {
    let mut machine = initiator(feed, link());
    machine.open(*feed, Interest::default()).unwrap();
    let mut puppet = Puppet::server(feed, &mut machine);
    puppet.greet_machine_only(&mut machine);
    puppet.accept(&mut machine, feed);
    ask(&mut machine);
    let bytes = puppet.message(BULK, kind, rest);
    machine.handle_bytes(Moment::START, &bytes).map_err(|violation| violation.cause().replace('_', "-"))?;
    Ok(machine.poll_event().expect("an answer that is taken is delivered"))
}

fn entries(given: &Given<'_>, feed: &FeedId) -> Outcome {
    let wanted = EntriesWanted {
        log: LogId::from_bytes(&given.array("log")).expect("a log"),
        from: given.uint("from"),
        to: given.uint("to"),
        size: given.uint("size"),
        bytes_max: u32::try_from(given.uint("bytes_max")).unwrap(),
        newest_first: given.uint("newest_first") == 1,
    };
    let event = answer(feed, 0x06, &given.bytes("rest"), |machine| {
        let root = Hash::new(given.array("root"));
        assert_eq!(machine.request_entries(Moment::START, CHANNEL, wanted, root), Ok(REQUEST));
    })?;
    let Event::Entries { entries, last, .. } = event else { panic!("{event:?}") };
    let bodies: Vec<_> = entries.entries().iter().map(|entry| entry.body.as_ref().map(hex)).collect();
    Ok(json!({ "from": entries.from(), "to": entries.to(), "last": last, "bodies": bodies }))
}

fn chunks(given: &Given<'_>, feed: &FeedId) -> Outcome {
    let number = |name| u32::try_from(given.uint(name)).unwrap();
    let wanted = ChunksWanted {
        root: BlobRoot::new(given.array("root")),
        size: BlobSize::new(given.uint("bytes")).expect("a blob's size"),
        from: number("from"),
        to: number("to"),
    };
    let event = answer(feed, 0x08, &given.bytes("rest"), |machine| {
        assert_eq!(machine.request_chunks(Moment::START, CHANNEL, wanted), Ok(REQUEST));
    })?;
    let Event::Chunks { chunks, .. } = event else { panic!("{event:?}") };
    let leaves: Vec<_> = chunks.chunks().iter().map(|chunk| hex(peerfeed_protocol::merkle::leaf_hash(chunk))).collect();
    Ok(json!({ "leaf_hashes": leaves }))
}

#[test]
fn the_machine_says_the_bytes_of_the_transcript() {
    let sample = SampleLog::new(0);
    let given = transcript_given(&sample.feed);
    let given = Given::new("peer-handshake", given.as_object().unwrap());
    let transcript = handshake(&given, &sample.feed).unwrap();
    let (mut client, mut server) = (initiator(&sample.feed, link()), responder(link()));
    let mut flights = Vec::new();
    for _ in 0..3 {
        let mut bytes = Vec::new();
        client.poll_transmit(Moment::START, &mut bytes, 64);
        server.handle_bytes(Moment::START, &bytes).unwrap();
        if let Some(Event::FirstMessage(_)) = server.poll_event() {
            server.admit(&sample.feed).unwrap();
        }
        flights.push(hex(&bytes));
        let mut bytes = Vec::new();
        if server.poll_transmit(Moment::START, &mut bytes, 96) == 96 {
            client.handle_bytes(Moment::START, &bytes).unwrap();
            flights.push(hex(&bytes));
        }
    }
    let due: Vec<_> = transcript["flights"].as_array().unwrap().iter().map(|flight| flight.as_str().unwrap()).collect();
    assert_eq!(&flights[..3], &due[..]);
}

/// Secrets of the two machines of these tests: a machine's ephemeral key is the first output of its seed.
fn transcript_given(feed: &FeedId) -> Json {
    json!({
        "feed": hex(feed), "day": DAY, "payload": hex(b"\0\0\0\x03\x01de"),
        "initiator_node": hex([11; 32]), "initiator_ephemeral": hex(Entropy::from_seed([21; 32]).bytes::<32>()),
        "responder_node": hex([12; 32]), "responder_ephemeral": hex(Entropy::from_seed([22; 32]).bytes::<32>()),
    })
}

fn stories() -> Vec<Story> {
    let mut stories = handshake_stories();
    stories.extend(valid_messages());
    stories.extend(broken_messages());
    stories.extend(entries_stories());
    stories.extend(chunks_stories());
    stories
}

fn handshake_stories() -> Vec<Story> {
    let feed = SampleLog::new(0).feed;
    let ephemeral = [7; 32];
    let hint = hex(HintKey::new(&FeedKeys::new(&feed)).hint(DAY, &ephemeral));
    let hinted = |name, story, day: u64, hint: &str, accepted| Story {
        name,
        story,
        kind: "peer-hint",
        spec: &["PEER-11", "PEER-12"],
        given: json!({ "feed": hex(feed), "day": day, "ephemeral": hex(ephemeral), "hint": hint }),
        accepted,
    };
    let flipped = format!("{:02x}{}", u8::from_str_radix(&hint[..2], 16).unwrap() ^ 1, &hint[2..]);
    let mut stories = vec![
        hinted("hint-of-today", "The hint of the responder's own day fits.", DAY, &hint, true),
        hinted("hint-of-yesterday", "The initiator's clock may be a day behind.", DAY + 1, &hint, true),
        hinted("hint-of-tomorrow", "The initiator's clock may be a day ahead.", DAY - 1, &hint, true),
        hinted(
            "hint-two-days-old",
            "A hint of two days ago no longer fits: no byte is answered.",
            DAY + 2,
            &hint,
            false,
        ),
        hinted("hint-with-a-bit-flipped", "A hint that fits no feed gets no byte in answer.", DAY, &flipped, false),
    ];
    let mut transcript = |name, story, changed: Option<(u64, u64)>| {
        let mut given = transcript_given(&feed);
        if let Some((flight, byte)) = changed {
            given["changed_flight"] = json!(flight);
            given["changed_byte"] = json!(byte);
        }
        let spec: &[&str] = if changed.is_none() {
            &["PEER-10", "PEER-11", "PEER-20", "PEER-34", "PEER-35"]
        } else {
            &["PEER-10", "PEER-13"]
        };
        stories.push(Story { name, story, kind: "peer-handshake", spec, given, accepted: changed.is_none() });
    };
    transcript(
        "handshake-transcript",
        "A whole handshake with fixed keys, the channel proofs that follow from it, and the first record of each side: a hello without keys.",
        None,
    );
    transcript(
        "handshake-first-message-changed",
        "A bit of the ephemeral key is flipped: nothing is answered.",
        Some((1, 20)),
    );
    transcript(
        "handshake-second-message-changed",
        "A bit of the responder's sealed static key is flipped.",
        Some((2, 40)),
    );
    transcript("handshake-third-message-changed", "A bit of the last authentication tag is flipped.", Some((3, 63)));
    stories
}

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

fn valid_messages() -> Vec<Story> {
    let sample = SampleLog::new(3);
    let log = sample.log;
    let hello = Hello {
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
            &StoredMessage { channel, stored: Stored { log, entries: 9, with_blobs: 4 } },
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

fn broken_messages() -> Vec<Story> {
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

fn entries_stories() -> Vec<Story> {
    let sample = SampleLog::new(7);
    let frame = |from, to| {
        let answer = sample.answer(from, to, 7, true);
        EntriesFrame {
            channel: CHANNEL,
            request: Some(REQUEST),
            last: true,
            log: sample.log,
            from,
            size: 7,
            proof: answer.proof.hashes().to_vec(),
            entries: answer.entries,
        }
    };
    let story = |name, story, frame: &EntriesFrame, newest_first: bool, accepted| Story {
        name,
        story,
        kind: "peer-entries",
        spec: &["PEER-41"],
        given: json!({
            "feed": hex(sample.feed), "log": hex(sample.log.to_bytes()), "from": 2, "to": 5, "size": 7,
            "root": hex(sample.root(7)), "bytes_max": 100_000, "newest_first": u8::from(newest_first),
            "rest": hex(frame.encode()),
        }),
        accepted,
    };
    let whole = frame(2, 5);
    let changed = |change: fn(&mut EntriesFrame)| {
        let mut frame = frame(2, 5);
        change(&mut frame);
        frame
    };
    let flip = |bytes: &Bytes| -> Bytes {
        let mut bytes = bytes.to_vec();
        bytes[9] ^= 1;
        bytes.into()
    };
    let mut body = whole.clone();
    body.entries[1].body = body.entries[1].body.as_ref().map(flip);
    let mut header = whole.clone();
    header.entries[1].header = flip(&header.entries[1].header);
    vec![
        story("entries", "Entries 2 to 4 of 7 in one part.", &whole, false, true),
        story(
            "entries-newest-part",
            "Newest first: the answer ends early, with the last two.",
            &frame(3, 5),
            true,
            true,
        ),
        story(
            "entries-without-a-body",
            "A body is no longer held: the entry is proven all the same.",
            &changed(|frame| frame.entries[0].body = None),
            false,
            true,
        ),
        story("entries-changed-header", "A bit of a header is flipped: the proof does not fit.", &header, false, false),
        story(
            "entries-changed-body",
            "A bit of a body is flipped: it is not the one that its header names.",
            &body,
            false,
            false,
        ),
        story(
            "entries-proof-too-short",
            "A hash of the proof is missing.",
            &changed(|frame| frame.proof.truncate(1)),
            false,
            false,
        ),
        story(
            "entries-from-the-wrong-end",
            "Oldest first was asked for, the answer begins at the other end.",
            &frame(3, 5),
            false,
            false,
        ),
        story("entries-not-asked-for", "More than was asked for, well proven.", &frame(2, 6), false, false),
        story(
            "entries-unasked-number",
            "An answer to a request that was not made.",
            &changed(|frame| frame.request = Some(RequestId(2))),
            false,
            false,
        ),
        story(
            "entries-range-without-end",
            "The range is complete, yet more is said to follow.",
            &changed(|frame| frame.last = false),
            false,
            false,
        ),
    ]
}

fn chunks_stories() -> Vec<Story> {
    let feed = SampleLog::new(0).feed;
    // The last of three chunks, which is short.
    let blob = SampleBlob::new(2 * CHUNK_BYTES + 40);
    let proof = range_proof(&blob.nodes, 2, 3, 3).unwrap();
    let header = ChunksHeader { channel: CHANNEL, request: REQUEST, from: 2, to: 3, proof: proof.hashes().to_vec() };
    let whole = [header.encode(), blob.chunks[2].to_vec()].concat();
    let story = |name, story, rest: &[u8], accepted| Story {
        name,
        story,
        kind: "peer-chunks",
        spec: &["PEER-42"],
        given: json!({
            "feed": hex(feed), "root": hex(blob.root), "bytes": blob.size.bytes(), "from": 2, "to": 3,
            "rest": hex(rest),
        }),
        accepted,
    };
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let other = ChunksHeader { from: 1, to: 2, ..header };
    vec![
        story("chunks", "The last chunk of three, shorter than the others.", &whole, true),
        story("chunks-changed", "The last bit of the chunk is flipped.", &flipped, false),
        story("chunks-too-short", "A byte is missing.", &whole[..whole.len() - 1], false),
        story("chunks-too-long", "A byte is too many.", &[&whole[..], &[0]].concat(), false),
        story(
            "chunks-not-asked-for",
            "Another chunk than the one asked for.",
            &[other.encode(), blob.chunks[2].to_vec()].concat(),
            false,
        ),
    ]
}

#[test]
fn what_is_written_again_is_what_was_read() {
    for story in valid_messages() {
        let given = story.given.as_object().unwrap();
        let again = message(&Given::new("peer-message", given)).unwrap();
        if let Some(again) = again.get("written_again").and_then(Json::as_str)
            && story.name != "hello-without-keys"
        {
            assert_eq!(unhex(again), unhex(given["rest"].as_str().unwrap()), "{}", story.name);
        }
    }
}
