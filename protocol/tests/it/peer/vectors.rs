//! Vectors of the peer chapter.

mod answers;
mod ciphers;
mod handshakes;
mod messages;

use peerfeed_protocol::crypto::FeedKeys;
use peerfeed_protocol::feed::blob::BlobSize;
use peerfeed_protocol::ids::{BlobRoot, FeedId, LogId};
use peerfeed_protocol::merkle::Hash;
use peerfeed_protocol::peer::hint::{FirstMessage, HintKey};
use peerfeed_protocol::peer::message::{
    BlobsHeld, BlobsWanted, Cancel, ChunksWanted, Close, EntriesFrame, EntriesWanted, GetChunks, GetEntries, GetMail,
    HeadPush, Held, Hello, Hold, Interest, Kept, Mail, MailCame, Message, MessageType, Open, Opened, Peers, Ping, Put,
    Reject, StateMessage, StoredMessage,
};
use peerfeed_protocol::peer::{ChannelId, Event, Moment, RequestId, Role};
use serde_json::{Value as Json, json};

use super::puppet::{BULK, CHANGE, Direction, Puppet, first_flight, noise};
use super::sample::SampleLog;
use super::{initiator, link, responder};
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
        "peer-records" => records(given),
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
    let (mut sent, mut received) = Direction::both(&mut client);
    let mac = |role: u8| {
        use hmac::{Hmac, KeyInit, Mac};
        let mac = Hmac::<sha2::Sha256>::new_from_slice(&*FeedKeys::new(feed).channel).unwrap();
        hex(mac.chain_update(&hash).chain_update([role]).finalize().into_bytes())
    };
    Ok(json!({
        "flights": [hex(&first), hex(&second), hex(&third)], "handshake_hash": hex(&hash),
        "initiator": hex(&nodes[0]), "responder": hex(&nodes[1]),
        "initiator_channel_mac": mac(0), "responder_channel_mac": mac(1),
        "initiator_record": hex(sent.record(0, &payload)), "responder_record": hex(received.record(0, &payload)),
    }))
}

/// The records of one direction of a connection whose sides both compute AES fast.
fn records(given: &Given<'_>) -> Outcome {
    let mut direction = Direction::new(given.array("key"));
    let mut payloads = Vec::new();
    let mut rest = &given.bytes("records")[..];
    while let Some((length, behind)) = rest.split_first_chunk() {
        let (record, behind) = behind.split_at(usize::from(u16::from_be_bytes(*length)));
        rest = behind;
        match direction.open(record).ok_or("record")? {
            (CHANGE, payload) if payload == [1] => direction.change(),
            (CHANGE, _) => return Err("cipher".to_owned()),
            (_, payload) => payloads.push(hex(payload)),
        }
    }
    Ok(json!({ "payloads": payloads }))
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
        MessageType::Hold => again::<Hold>(&rest),
        MessageType::Held => again::<Held>(&rest),
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
    let given = handshakes::transcript_given(&sample.feed);
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

fn stories() -> Vec<Story> {
    let mut stories = handshakes::handshake_stories();
    stories.extend(ciphers::stories());
    stories.extend(messages::valid_messages());
    stories.extend(messages::broken_messages());
    stories.extend(answers::entries_stories());
    stories.extend(answers::chunks_stories());
    stories
}

#[test]
fn what_is_written_again_is_what_was_read() {
    for story in messages::valid_messages() {
        let given = story.given.as_object().unwrap();
        let again = message(&Given::new("peer-message", given)).unwrap();
        if let Some(again) = again.get("written_again").and_then(Json::as_str)
            && story.name != "hello-without-keys"
        {
            assert_eq!(unhex(again), unhex(given["rest"].as_str().unwrap()), "{}", story.name);
        }
    }
}
