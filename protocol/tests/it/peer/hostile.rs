//! What strangers, noise on the line and peers that break the rules get.

use std::ops::ControlFlow;
use std::time::Duration;

use peerfeed_protocol::crypto::{Entropy, IdentityKey, WitnessSecret};
use peerfeed_protocol::limits::{CHANNELS_MAX, PINGS_AT_ONCE, REPLIES_WAITING_BYTES_MAX};
use peerfeed_protocol::peer::hint::{FirstMessage, HintTable, SeenEphemerals};
use peerfeed_protocol::peer::message::{
    BlobsWanted, Close, GetEntries, Hello, Interest, Message, Open, Reject, RejectCode, StateMessage, WitnessProof,
};
use peerfeed_protocol::peer::{ChannelId, Closed, Connection, Event, Fault, Moment, RequestId, Role, Violation};

use super::puppet::{BULK, Frame, HELLO, Puppet, URGENT, first_flight, noise};
use super::sample::SampleLog;
use super::{DAY, initiator, link, pair, responder};

/// The machine as a responder with a puppet that has said hello and opened channel 0.
fn served(sample: &SampleLog) -> (Connection, Puppet) {
    let mut machine = responder(link());
    let mut puppet = Puppet::client(&sample.feed, &mut machine);
    puppet.greet(&mut machine);
    puppet.open(&mut machine, &sample.feed, 0);
    (machine, puppet)
}

fn drain(machine: &mut Connection) -> Vec<Event> {
    std::iter::from_fn(|| machine.poll_event()).collect()
}

/// Asserts that the machine ended with this violation, delivered nothing, and said why exactly if it may.
fn assert_ended(machine: &mut Connection, puppet: &mut Puppet, violation: &Violation) {
    let events = drain(machine);
    assert!(matches!(&events[..], [Event::Closed(Closed::Violation(why))] if why == violation), "{events:?}");
    assert_eq!(machine.poll_timeout(), None);
    let told: Vec<Frame> = puppet.hear(machine).into_iter().filter(|(kind, _)| *kind == 0x0f).collect();
    if violation.may_be_told() {
        let close = Close::decode(&told[0].1).unwrap();
        assert_eq!((close.channel, close.code), (None, RejectCode::Malformed));
        assert_eq!(close.text.as_deref(), Some(violation.cause()));
    } else {
        assert!(told.is_empty());
    }
}

#[test]
fn a_stranger_without_the_feed_id_gets_no_byte() {
    let sample = SampleLog::new(1);
    let other = IdentityKey::from_seed(&[77; 32]).feed_id();
    let mut table = HintTable::new();
    table.insert(sample.feed);
    let garbage = Entropy::from_seed([1; 32]).bytes::<64>().to_vec();
    let of_other = first_flight(&other, &mut noise(Role::Initiator, &other, [1; 32], [2; 32]), DAY);
    for first in [garbage, of_other] {
        let mut machine = responder(link());
        machine.handle_bytes(Moment::START, &first).unwrap();
        let Some(Event::FirstMessage(message)) = machine.poll_event() else { panic!("no first message") };
        assert_eq!(table.find(&message, DAY), None, "the driver drops it");
        assert_eq!(machine.poll_transmit(Moment::START, &mut Vec::new(), 1_000), 0);
        // Even if it were admitted, what follows would not open.
        assert_eq!(machine.admit(&sample.feed), Err(Violation::Handshake));
        assert_eq!(machine.poll_transmit(Moment::START, &mut Vec::new(), 1_000), 0);
    }
}

#[test]
fn a_replayed_first_message_gets_no_second_answer() {
    let sample = SampleLog::new(1);
    let first = first_flight(&sample.feed, &mut noise(Role::Initiator, &sample.feed, [1; 32], [2; 32]), DAY);
    let (mut table, mut seen) = (HintTable::new(), SeenEphemerals::new());
    table.insert(sample.feed);
    let mut answers = Vec::new();
    for _ in 0..3 {
        let mut machine = responder(link());
        machine.handle_bytes(Moment::START, &first).unwrap();
        let Some(Event::FirstMessage(message)) = machine.poll_event() else { panic!("no first message") };
        if table.find(&message, DAY).is_some() && seen.is_new(&message, DAY) {
            machine.admit(&sample.feed).unwrap();
        }
        answers.push(machine.poll_transmit(Moment::START, &mut Vec::new(), 1_000));
    }
    assert_eq!(answers, [96, 0, 0]);
}

#[test]
fn who_replays_a_whole_recorded_connection_learns_nothing_and_gets_nowhere() {
    let sample = SampleLog::new(5);
    let mut pair = pair(&sample.feed);
    pair.initiator.open(sample.feed, Interest::default()).unwrap();
    let mut flights: Vec<Vec<u8>> = Vec::new();
    let mut machine = responder(link());
    loop {
        let mut bytes = Vec::new();
        if pair.initiator.poll_transmit(Moment::START, &mut bytes, 10_000) == 0 {
            break;
        }
        machine.handle_bytes(Moment::START, &bytes).unwrap();
        flights.push(bytes);
        while let Some(event) = machine.poll_event() {
            sample.serve(&mut machine, event);
        }
        let mut answer = Vec::new();
        machine.poll_transmit(Moment::START, &mut answer, 100_000);
        pair.initiator.handle_bytes(Moment::START, &answer).unwrap();
    }
    assert!(flights.len() >= 2);
    // A responder that has forgotten the first message, after a restart say, has a new ephemeral key.
    let mut machine = Connection::responder(super::options(12), [99; 32], Moment::START);
    machine.handle_bytes(Moment::START, &flights[0]).unwrap();
    machine.admit(&sample.feed).unwrap();
    assert_eq!(machine.handle_bytes(Moment::START, &flights[1]), Err(Violation::Handshake));
}

#[test]
fn one_flipped_bit_anywhere_ends_the_connection() {
    let sample = SampleLog::new(60);
    let interest = || Interest {
        newest: Some(peerfeed_protocol::peer::message::Newest { entries: 3, body_bytes: 100_000 }),
        ..Interest::default()
    };
    // How much each side sends when nothing is flipped: up to the third entry, then one request more.
    let talk = |flip: Option<(Role, u64, u8)>| -> ([u64; 2], Vec<Event>) {
        let mut client = initiator(&sample.feed, link());
        let mut server = responder(link());
        client.open(sample.feed, interest()).unwrap();
        let mut table = HintTable::new();
        table.insert(sample.feed);
        let (mut sent, mut events) = ([0, 0], Vec::new());
        let mut quiet = 0;
        while quiet < 2 {
            quiet += 1;
            for (index, role) in [Role::Initiator, Role::Responder].into_iter().enumerate() {
                let (from, to) = match role {
                    Role::Initiator => (&mut client, &mut server),
                    Role::Responder => (&mut server, &mut client),
                };
                let mut bytes = Vec::new();
                let length = from.poll_transmit(Moment::START, &mut bytes, 100_000) as u64;
                if let Some((who, at, bit)) = flip
                    && who == role
                    && (sent[index]..sent[index] + length).contains(&at)
                {
                    bytes[usize::try_from(at - sent[index]).unwrap()] ^= 1 << bit;
                }
                sent[index] += length;
                if length > 0 {
                    quiet = 0;
                }
                let _ = to.handle_bytes(Moment::START, &bytes);
                while let Some(event) = to.poll_event() {
                    match event {
                        Event::FirstMessage(message) if table.find(&message, DAY).is_none() => {
                            return (sent, vec![Event::Closed(Closed::Violation(Violation::Handshake))]);
                        }
                        Event::FirstMessage(_) => {
                            let _ = to.admit(&sample.feed);
                        }
                        event => events.extend(sample.serve(to, event)),
                    }
                }
            }
        }
        // A length that was made longer waits for bytes that never come.
        for connection in [&mut client, &mut server] {
            while let Some(deadline) = connection.poll_timeout() {
                connection.handle_timeout(deadline);
            }
            events.extend(drain(connection));
        }
        (sent, events)
    };
    let (sent, whole) = talk(None);
    let entries = |events: &[Event]| events.iter().filter(|event| matches!(event, Event::Entries { .. })).count();
    assert!(entries(&whole) >= 1);
    let mut bits = Entropy::from_seed([5; 32]);
    for (index, role) in [Role::Initiator, Role::Responder].into_iter().enumerate() {
        // Every byte of the handshake and around, then every seventh.
        let places = (0..sent[index]).filter(|at| *at < 200 || at % 7 == 0);
        for at in places {
            let bit = bits.bytes::<1>()[0] % 8;
            let (_, events) = talk(Some((role, at, bit)));
            let ended_by_it = events.iter().any(|event| match event {
                Event::Closed(Closed::Violation(why)) => why.fault() == Fault::Path,
                Event::Closed(Closed::Timeout(timeout)) => *timeout != peerfeed_protocol::peer::Timeout::Silence,
                _ => false,
            });
            assert!(ended_by_it, "{role:?}'s byte {at}, bit {bit}: {events:?}");
        }
    }
}

#[test]
fn what_is_no_record_ends_the_connection_without_a_word() {
    let sample = SampleLog::new(1);
    for (bytes, length) in [([0, 0], 0), ([0, 17], 17), ([0x40, 0x11], 16_401), ([0xff, 0xff], 65_535)] {
        let (mut machine, mut puppet) = served(&sample);
        let violation = Violation::RecordLength(length);
        assert_eq!(machine.handle_bytes(Moment::START, &bytes), Err(violation.clone()));
        assert_ended(&mut machine, &mut puppet, &violation);
    }
    let (mut machine, mut puppet) = served(&sample);
    let record = puppet.record(3, b"x");
    assert_eq!(machine.handle_bytes(Moment::START, &record), Err(Violation::Lane(3)));
    assert_ended(&mut machine, &mut puppet, &Violation::Lane(3));
}

#[test]
fn a_frame_too_long_for_its_lane_is_refused_by_its_length() {
    let sample = SampleLog::new(1);
    for (lane, length) in [(URGENT, 72_001_u32), (BULK, 1_100_001), (BULK, u32::MAX)] {
        let (mut machine, mut puppet) = served(&sample);
        let record = puppet.record(lane, &length.to_be_bytes());
        let violation = Violation::FrameLength { length: length as usize, lane };
        assert_eq!(machine.handle_bytes(Moment::START, &record), Err(violation.clone()));
        assert_ended(&mut machine, &mut puppet, &violation);
    }
}

#[test]
fn the_hello_comes_first_and_once() {
    let sample = SampleLog::new(1);
    let mut machine = responder(link());
    let mut puppet = Puppet::client(&sample.feed, &mut machine);
    assert_eq!(puppet.say(&mut machine, 0x10, &[0; 8]), Err(Violation::HelloOrder));
    assert_ended(&mut machine, &mut puppet, &Violation::HelloOrder);

    let (mut machine, mut puppet) = served(&sample);
    assert_eq!(puppet.say(&mut machine, 0x01, HELLO), Err(Violation::HelloOrder));
    assert_ended(&mut machine, &mut puppet, &Violation::HelloOrder);
}

#[test]
fn a_witness_signature_sent_back_to_its_signer_proves_nothing() {
    let sample = SampleLog::new(1);
    let witness = WitnessSecret::from_seed(&[9; 32]);
    for (role_byte, is_proof) in [(0, true), (1, false)] {
        let mut machine = responder(link());
        let mut puppet = Puppet::client(&sample.feed, &mut machine);
        let signed = [&puppet.hash[..], &[role_byte]].concat();
        let proof =
            WitnessProof { key: witness.key().to_bytes(), signature: witness.sign_handshake(&signed).to_bytes() };
        let mut hello = Hello::decode(HELLO).unwrap();
        hello.witness = Some(proof);
        let heard = puppet.say(&mut machine, 0x01, &hello.encode());
        assert_eq!(heard, if is_proof { Ok(()) } else { Err(Violation::WitnessSignature) });
    }
}

#[test]
fn unknown_types_are_skipped_and_extension_types_refused() {
    let sample = SampleLog::new(1);
    let (mut machine, mut puppet) = served(&sample);
    puppet.say(&mut machine, 0x70, b"from a later version").unwrap();
    puppet.say(&mut machine, 0x7f, b"").unwrap();
    assert_eq!((machine.skipped_frames(), machine.is_over()), (2, false));
    assert_eq!(puppet.say(&mut machine, 0x80, b""), Err(Violation::NotNegotiated(0x80)));
    assert_ended(&mut machine, &mut puppet, &Violation::NotNegotiated(0x80));
}

#[test]
fn answers_that_nobody_asked_for_end_the_connection() {
    let sample = SampleLog::new(3);
    let entries = |request| {
        let answer = sample.answer(0, 3, 3, true);
        peerfeed_protocol::peer::message::EntriesFrame {
            channel: ChannelId(0),
            request,
            last: true,
            log: sample.log,
            from: 0,
            size: 3,
            proof: answer.proof.hashes().to_vec(),
            entries: answer.entries,
        }
        .encode()
    };
    let chunks = peerfeed_protocol::peer::message::ChunksHeader {
        channel: ChannelId(0),
        request: RequestId(1),
        from: 0,
        to: 1,
        proof: vec![],
    };
    let reject = Reject { channel: ChannelId(0), request: Some(RequestId(1)), code: RejectCode::Busy };
    let unasked: [(u8, Vec<u8>); 6] = [
        (0x06, entries(None)),
        (0x06, entries(Some(RequestId(1)))),
        (0x08, chunks.encode()),
        (0x09, reject.encode()),
        (0x11, vec![0; 8]),
        (0x04, {
            let mut state = StateMessage::decode(b"d1:ci0e1:hlee").unwrap();
            state.state.newest_follow = true;
            state.encode()
        }),
    ];
    for (kind, rest) in unasked {
        let (mut machine, mut puppet) = served(&sample);
        assert_eq!(puppet.say(&mut machine, kind, &rest), Err(Violation::Unasked), "type {kind:#04x}");
        assert_ended(&mut machine, &mut puppet, &Violation::Unasked);
    }
}

#[test]
fn channels_have_an_owner_an_order_and_an_end() {
    let sample = SampleLog::new(3);
    let open =
        |channel| Open { channel, swarm: sample.feed.swarm_id(), mac: [0; 32], interest: Interest::default() }.encode();
    let close = Close { channel: Some(ChannelId(8)), code: RejectCode::Closed, text: None }.encode();
    let opened =
        peerfeed_protocol::peer::message::Opened { channel: ChannelId(1), mac: [0; 32], interest: Interest::default() };
    let refusal = Reject { channel: ChannelId(1), request: None, code: RejectCode::Busy };
    let wrong: [(u8, Vec<u8>, u16); 7] = [
        (0x02, open(ChannelId(3)), 3),
        (0x02, open(ChannelId(0)), 0),
        (0x03, opened.encode(), 1),
        (0x04, b"d1:ci8e1:hlee".to_vec(), 8),
        (0x09, refusal.encode(), 1),
        (
            0x0a,
            BlobsWanted { channel: ChannelId(8), roots: vec![peerfeed_protocol::ids::BlobRoot::new([1; 32])] }.encode(),
            8,
        ),
        (0x0f, close, 8),
    ];
    for (kind, rest, channel) in wrong {
        let (mut machine, mut puppet) = served(&sample);
        let violation = Violation::Channel(channel);
        assert_eq!(puppet.say(&mut machine, kind, &rest), Err(violation.clone()), "type {kind:#04x}");
        assert_ended(&mut machine, &mut puppet, &violation);
    }
}

#[test]
fn a_channel_answered_with_a_wrong_proof_ends_the_connection() {
    let sample = SampleLog::new(3);
    let mut machine = initiator(&sample.feed, link());
    let channel = machine.open(sample.feed, Interest::default()).unwrap();
    let mut puppet = Puppet::server(&sample.feed, &mut machine);
    puppet.greet_machine_only(&mut machine);
    // The initiator's own proof, sent back.
    let mac = puppet.mac(&sample.feed, Role::Initiator);
    let opened = peerfeed_protocol::peer::message::Opened { channel, mac, interest: Interest::default() };
    assert_eq!(puppet.say(&mut machine, 0x03, &opened.encode()), Err(Violation::ChannelMac));
    assert_ended(&mut machine, &mut puppet, &Violation::ChannelMac);
}

#[test]
fn a_flood_of_channels_is_refused_one_by_one_and_costs_no_memory() {
    let sample = SampleLog::new(3);
    let (mut machine, mut puppet) = served(&sample);
    let number = |index: usize| ChannelId(u16::try_from(2 * index).unwrap());
    for index in 1..CHANNELS_MAX + 100 {
        let open =
            Open { channel: number(index), swarm: sample.feed.swarm_id(), mac: [0; 32], interest: Interest::default() };
        puppet.say(&mut machine, 0x02, &open.encode()).unwrap();
    }
    assert_eq!(drain(&mut machine).len(), CHANNELS_MAX - 1, "one was open before");
    let refused = puppet.hear(&mut machine);
    assert_eq!(refused.len(), 100);
    for (kind, rest) in refused {
        assert_eq!(kind, 0x09);
        assert_eq!(Reject::decode(&rest).unwrap().code, RejectCode::OverLimit);
    }
    assert!(!machine.is_over());
}

#[test]
fn requests_beyond_the_limit_are_rejected_and_a_number_in_use_is_a_violation() {
    let sample = SampleLog::new(3);
    let (mut machine, mut puppet) = served(&sample);
    let ask = |request| {
        GetEntries { channel: ChannelId(0), request: RequestId(request), wanted: sample.wanted(0, 3) }.encode()
    };
    for request in 1..=300 {
        puppet.say(&mut machine, 0x05, &ask(request)).unwrap();
    }
    assert_eq!(drain(&mut machine).len(), 256);
    let rejects = puppet.hear(&mut machine);
    assert_eq!(rejects.len(), 44);
    for (index, (kind, rest)) in rejects.iter().enumerate() {
        let reject = Reject::decode(rest).unwrap();
        assert_eq!((*kind, reject.code), (0x09, RejectCode::OverLimit));
        assert_eq!(reject.request, Some(RequestId(257 + u32::try_from(index).unwrap())));
    }
    assert_eq!(puppet.say(&mut machine, 0x05, &ask(7)), Err(Violation::RequestNumber(7)));
    assert_ended(&mut machine, &mut puppet, &Violation::RequestNumber(7));
}

#[test]
fn who_asks_on_without_taking_answers_is_dropped() {
    let sample = SampleLog::new(3);
    let (mut machine, mut puppet) = served(&sample);
    let ask = |request| {
        GetEntries { channel: ChannelId(0), request: RequestId(request), wanted: sample.wanted(0, 3) }.encode()
    };
    let mut last = 0;
    let violation = loop {
        last += 1;
        if let Err(violation) = puppet.say(&mut machine, 0x05, &ask(last)) {
            break violation;
        }
        assert!(machine.buffered_bytes() < 2 * REPLIES_WAITING_BYTES_MAX);
        assert!(last < 1_000_000, "nobody stops it");
    };
    assert_eq!(violation, Violation::Flood);
    // As many requests of somebody who listens are fine.
    let (mut machine, mut puppet) = served(&sample);
    for request in 1..=last {
        puppet.say(&mut machine, 0x05, &ask(request)).unwrap();
        puppet.hear(&mut machine);
    }
    assert!(!machine.is_over());
}

#[test]
fn who_pings_on_and_on_is_passed_over_and_told_of_and_is_answered_again_later() {
    let sample = SampleLog::new(1);
    let (mut machine, mut puppet) = served(&sample);
    let mut ping = |now: Moment, count: usize| {
        let pings = (0..count).flat_map(|_| puppet.message(URGENT, 0x10, &[7; 8])).collect::<Vec<u8>>();
        machine.handle_bytes(now, &pings).unwrap();
        let answered = puppet.hear(&mut machine).into_iter().filter(|(kind, _)| *kind == 0x11).count();
        let passed_over = drain(&mut machine).into_iter().map(|event| match event {
            Event::PingsPassedOver { count } => count,
            other => panic!("{other:?}"),
        });
        (answered, passed_over.collect::<Vec<u64>>())
    };
    let most = PINGS_AT_ONCE as usize;
    assert_eq!(ping(Moment::START, most + 500), (most, vec![500]), "one event, however many they are");
    assert_eq!(ping(Moment::START, 3), (0, vec![3]));
    let later = Moment::START.after(Duration::from_secs(10));
    assert_eq!(ping(later, most), (most, vec![]));
}

#[test]
fn a_malformed_message_of_any_type_ends_the_connection() {
    let sample = SampleLog::new(3);
    for kind in 0x02..=0x12 {
        let (mut machine, mut puppet) = served(&sample);
        let heard = puppet.say(&mut machine, kind, b"nonsense!");
        assert!(matches!(heard, Err(Violation::Malformed(_))), "type {kind:#04x}: {heard:?}");
        let Err(violation) = heard else { unreachable!() };
        assert_ended(&mut machine, &mut puppet, &violation);
    }
}

#[test]
fn random_frames_and_damaged_messages_never_cause_a_panic() {
    let sample = SampleLog::new(60);
    let seed = 42;
    let mut random = Entropy::from_seed([seed; 32]);
    // Real messages to damage: what two honest peers say.
    let mut spoken: Vec<Frame> = vec![(0x02, b"d1:ci2e1:hle1:kli0ei0ee1:m32:".to_vec()), (0x10, vec![0; 8])];
    let mut machine = initiator(&sample.feed, link());
    machine.open(sample.feed, Interest::default()).unwrap();
    let mut puppet = Puppet::server(&sample.feed, &mut machine);
    puppet.greet_machine_only(&mut machine);
    let channel = puppet.accept(&mut machine, &sample.feed);
    sample.welcome(&mut machine, channel, &Interest::default());
    machine.request_entries(Moment::START, channel, sample.wanted(0, 60), sample.root(60)).unwrap();
    machine.ask_blobs(channel, vec![peerfeed_protocol::ids::BlobRoot::new([1; 32])]).unwrap();
    spoken.extend(puppet.hear(&mut machine));
    assert!(spoken.len() >= 5);
    let mut ended = 0;
    for round in 0..400 {
        let (mut machine, mut puppet) = served(&sample);
        for _ in 0..20 {
            let [choice, lane, kind, place, value] = random.bytes::<5>();
            let (kind, mut rest) = if choice % 4 == 0 {
                (kind % 0x14, random.bytes::<64>()[..usize::from(place % 64)].to_vec())
            } else {
                spoken[usize::from(choice) % spoken.len()].clone()
            };
            if !rest.is_empty() {
                let at = (usize::from(place) * rest.len()) / 256;
                rest[at] = value;
            }
            let bytes = puppet.message(lane % 2, kind, &rest);
            if machine.handle_bytes(Moment::START, &bytes).is_err() {
                ended += 1;
                break;
            }
            drain(&mut machine);
        }
        assert!(machine.buffered_bytes() < 1 << 20, "round {round} of seed {seed}");
    }
    assert!(ended > 300, "{ended} of 400 were noticed; seed {seed}");
}

#[test]
fn a_first_message_with_something_behind_it_is_refused() {
    let sample = SampleLog::new(1);
    let mut first = first_flight(&sample.feed, &mut noise(Role::Initiator, &sample.feed, [1; 32], [2; 32]), DAY);
    first.push(0);
    let mut machine = responder(link());
    assert_eq!(machine.handle_bytes(Moment::START, &first), Err(Violation::Handshake));
    assert_eq!(machine.poll_transmit(Moment::START, &mut Vec::new(), 1_000), 0);
    let FirstMessage { ephemeral, .. } = match machine.poll_event() {
        Some(Event::FirstMessage(message)) => message,
        other => panic!("{other:?}"),
    };
    assert_eq!(ephemeral, first[16..48]);
}

#[test]
fn the_machine_stops_at_the_first_violation_in_a_lump_of_bytes() {
    let sample = SampleLog::new(1);
    let mut pair = pair(&sample.feed);
    pair.initiator.open(sample.feed, Interest::default()).unwrap();
    let until = super::after(&pair, 1);
    pair.run(until, |_, _, connection, event| {
        sample.serve(connection, event);
        ControlFlow::Continue(())
    });
    let (mut machine, mut puppet) = served(&sample);
    let bytes = [
        puppet.message(URGENT, 0x10, &[1; 8]),
        puppet.message(URGENT, 0x11, &[1; 8]),
        puppet.message(URGENT, 0x10, &[2; 8]),
    ]
    .concat();
    assert_eq!(machine.handle_bytes(Moment::START, &bytes), Err(Violation::Unasked));
    let pongs = puppet.hear(&mut machine).into_iter().filter(|(kind, _)| *kind == 0x11).count();
    assert_eq!(pongs, 1, "what came before was heard, what came after was not");
    assert_eq!(machine.handle_bytes(Moment::START, &bytes), Ok(()), "the rest is ignored");
}
