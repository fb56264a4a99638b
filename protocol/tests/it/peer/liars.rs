//! Answers that do not prove what they claim: the connection ends, and nothing of them is delivered.

use bytes::Bytes;
use peerfeed_protocol::ids::LogId;
use peerfeed_protocol::limits::CHUNK_BYTES;
use peerfeed_protocol::merkle::{Hash, range_proof};
use peerfeed_protocol::peer::message::{
    ChunksHeader, EntriesFrame, EntriesWanted, HeadPush, Interest, Message, Newest, PushedEntry, State, StateMessage,
};
use peerfeed_protocol::peer::{ChannelId, Closed, Connection, Event, Fault, Moment, RequestId, Violation};

use super::puppet::{BULK, Puppet};
use super::sample::{SampleBlob, SampleLog};
use super::{initiator, link};

/// The machine as an initiator that has opened a channel to a puppet.
fn asking(sample: &SampleLog, interest: Interest) -> (Connection, Puppet, ChannelId) {
    let mut machine = initiator(&sample.feed, link());
    machine.open(sample.feed, interest).unwrap();
    let mut puppet = Puppet::server(&sample.feed, &mut machine);
    puppet.greet_machine_only(&mut machine);
    let channel = puppet.accept(&mut machine, &sample.feed);
    (machine, puppet, channel)
}

fn frame(sample: &SampleLog, channel: ChannelId, request: Option<RequestId>, from: u64, to: u64) -> EntriesFrame {
    let answer = sample.answer(from, to, sample.size(), true);
    EntriesFrame {
        channel,
        request,
        last: true,
        log: sample.log,
        from,
        size: sample.size(),
        proof: answer.proof.hashes().to_vec(),
        entries: answer.entries,
    }
}

fn flipped(bytes: &Bytes, at: usize) -> Bytes {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes.into()
}

/// Lets the machine hear the answer and returns the violation; nothing may have been delivered.
fn refusal(machine: &mut Connection, puppet: &mut Puppet, kind: u8, rest: &[u8]) -> Violation {
    let bytes = puppet.message(BULK, kind, rest);
    let violation = machine.handle_bytes(Moment::START, &bytes).expect_err("a lie is noticed");
    let mut events: Vec<_> = std::iter::from_fn(|| machine.poll_event()).collect();
    events.retain(|event| !matches!(event, Event::ChunksBegun { .. }));
    assert!(matches!(&events[..], [Event::Closed(Closed::Violation(_))]), "{events:?}");
    assert_eq!(violation.fault(), Fault::Peer);
    violation
}

/// Asks for entries 10..20 and answers with the changed frame.
fn answer_changed(sample: &SampleLog, wanted: EntriesWanted, change: impl FnOnce(&mut EntriesFrame)) -> Violation {
    let (mut machine, mut puppet, channel) = asking(sample, Interest::default());
    let request = machine.request_entries(Moment::START, channel, wanted, sample.root(sample.size())).unwrap();
    let mut frame = frame(sample, channel, Some(request), 10, 20);
    change(&mut frame);
    refusal(&mut machine, &mut puppet, 0x06, &frame.encode())
}

/// What is changed in a frame.
type Change = fn(&mut EntriesFrame);

#[test]
fn the_unchanged_answer_is_taken() {
    let sample = SampleLog::new(50);
    let (mut machine, mut puppet, channel) = asking(&sample, Interest::default());
    let request = machine.request_entries(Moment::START, channel, sample.wanted(10, 20), sample.root(50)).unwrap();
    let rest = frame(&sample, channel, Some(request), 10, 20).encode();
    let bytes = puppet.message(BULK, 0x06, &rest);
    machine.handle_bytes(Moment::START, &bytes).unwrap();
    assert!(matches!(machine.poll_event(), Some(Event::Entries { .. })));
}

#[test]
fn entries_that_differ_in_anything_from_their_tree_are_refused() {
    let sample = SampleLog::new(50);
    let changes: [(&str, Change); 5] = [
        ("a header", |frame| frame.entries[3].header = flipped(&frame.entries[3].header, 5)),
        ("a proof hash", |frame| frame.proof[0] = Hash::new([1; 32])),
        ("a proof hash too few", |frame| frame.proof.truncate(frame.proof.len() - 1)),
        ("a proof hash too many", |frame| frame.proof.push(Hash::new([1; 32]))),
        ("two entries swapped", |frame| frame.entries.swap(1, 2)),
    ];
    for (what, change) in changes {
        let violation = answer_changed(&sample, sample.wanted(10, 20), change);
        assert!(matches!(violation, Violation::Proof(_)), "{what}: {violation:?}");
    }
}

#[test]
fn a_body_with_one_bit_flipped_or_a_byte_missing_is_refused() {
    let sample = SampleLog::new(50);
    for at in [0, 100, 249] {
        let violation = answer_changed(&sample, sample.wanted(10, 20), |frame| {
            let body = frame.entries[4].body.as_ref().unwrap();
            frame.entries[4].body = Some(flipped(body, at));
        });
        assert!(matches!(violation, Violation::Body(_)), "{violation:?}");
    }
    let violation = answer_changed(&sample, sample.wanted(10, 20), |frame| {
        frame.entries[4].body = Some(frame.entries[4].body.as_ref().unwrap().slice(..249));
    });
    assert!(matches!(violation, Violation::Body(_)), "{violation:?}");
}

#[test]
fn entries_other_than_those_asked_for_are_refused_even_with_a_good_proof() {
    let sample = SampleLog::new(50);
    let changes: [(&str, Change); 3] = [
        ("another log", |frame| frame.log = LogId::from_stored(&[9; 40])),
        ("a part that ends the range without saying so", |frame| frame.last = false),
        ("another request", |frame| frame.request = Some(RequestId(99))),
    ];
    for (what, change) in changes {
        assert_eq!(answer_changed(&sample, sample.wanted(10, 20), change), Violation::Unasked, "{what}");
    }
    let violation = answer_changed(&sample, sample.wanted(10, 20), |frame| {
        *frame = self::frame(&sample, frame.channel, frame.request, 11, 21);
    });
    assert_eq!(violation, Violation::Unasked, "another range");
    let newest_first = EntriesWanted { newest_first: true, ..sample.wanted(10, 30) };
    let violation = answer_changed(&sample, newest_first, |_| {});
    assert_eq!(violation, Violation::Unasked, "the wrong end of what was asked for");
    let small = EntriesWanted { bytes_max: 1_000, ..sample.wanted(10, 20) };
    assert_eq!(answer_changed(&sample, small, |_| {}), Violation::Unasked, "more bytes than asked for");
}

#[test]
fn a_chunk_with_one_bit_flipped_anywhere_is_refused() {
    let sample = SampleLog::new(1);
    let blob = SampleBlob::new(5 * CHUNK_BYTES + 100);
    let payload: Vec<u8> = blob.chunks[1..6].concat();
    let proof = range_proof(&blob.nodes, 1, 6, 6).unwrap();
    let answer = |change: &dyn Fn(&mut ChunksHeader, &mut Vec<u8>)| {
        let (mut machine, mut puppet, channel) = asking(&sample, Interest::default());
        let request = machine.request_chunks(Moment::START, channel, blob.wanted(1, 6)).unwrap();
        let mut header = ChunksHeader { channel, request, from: 1, to: 6, proof: proof.hashes().to_vec() };
        let mut payload = payload.clone();
        change(&mut header, &mut payload);
        let rest = [header.encode(), payload].concat();
        refusal(&mut machine, &mut puppet, 0x08, &rest)
    };
    for at in [0, CHUNK_BYTES, 2 * CHUNK_BYTES + 77, payload.len() - 1] {
        let violation = answer(&|_, payload| payload[at] ^= 0x10);
        assert!(matches!(violation, Violation::Proof(_)), "byte {at}: {violation:?}");
    }
    assert!(matches!(answer(&|header, _| header.proof[0] = Hash::new([0; 32])), Violation::Proof(_)));
    assert_eq!(answer(&|_, payload| payload.truncate(payload.len() - 1)), Violation::Unasked, "a byte too few");
    assert_eq!(answer(&|_, payload| payload.push(0)), Violation::Unasked, "a byte too many");
    assert_eq!(answer(&|header, _| header.to = 5), Violation::Unasked, "fewer chunks than asked for");
    assert_eq!(answer(&|header, _| header.request = RequestId(77)), Violation::Unasked, "another request");
}

#[test]
fn the_newest_are_held_to_the_state_that_announced_them() {
    let sample = SampleLog::new(50);
    let newest = |entries, body_bytes| Interest { newest: Some(Newest { entries, body_bytes }), ..Interest::default() };
    let announce = |puppet: &mut Puppet, machine: &mut Connection, channel| {
        let state = State { heads: vec![sample.news(0)], newest_follow: true, ..State::default() };
        puppet.say(machine, 0x04, &StateMessage { channel, state }.encode()).unwrap();
        assert!(matches!(machine.poll_event(), Some(Event::State { .. })));
    };
    let violation = |interest: Interest, from, to, change: &dyn Fn(&mut EntriesFrame)| {
        let (mut machine, mut puppet, channel) = asking(&sample, interest);
        announce(&mut puppet, &mut machine, channel);
        let mut frame = frame(&sample, channel, None, from, to);
        change(&mut frame);
        refusal(&mut machine, &mut puppet, 0x06, &frame.encode())
    };
    let plenty = newest(10, 100_000);
    assert!(matches!(
        violation(plenty.clone(), 40, 50, &|frame| frame.entries[0].header = flipped(&frame.entries[0].header, 3)),
        Violation::Proof(_)
    ));
    assert_eq!(violation(plenty.clone(), 39, 50, &|_| {}), Violation::Unasked, "more entries than wanted");
    assert_eq!(violation(plenty.clone(), 40, 49, &|_| {}), Violation::Unasked, "not from the end");
    assert_eq!(violation(newest(10, 1_000), 40, 50, &|_| {}), Violation::Unasked, "more bytes than wanted");

    // Once they have ended, there are no more.
    let (mut machine, mut puppet, channel) = asking(&sample, plenty);
    announce(&mut puppet, &mut machine, channel);
    let first = puppet.message(BULK, 0x06, &frame(&sample, channel, None, 45, 50).encode());
    machine.handle_bytes(Moment::START, &first).unwrap();
    assert!(matches!(machine.poll_event(), Some(Event::Entries { request: None, last: true, .. })));
    let more = frame(&sample, channel, None, 40, 45).encode();
    assert_eq!(refusal(&mut machine, &mut puppet, 0x06, &more), Violation::Unasked);
}

#[test]
fn an_entry_pushed_with_a_head_that_does_not_contain_it_is_refused() {
    let sample = SampleLog::new(50);
    let (mut machine, mut puppet, channel) = asking(&sample, Interest::default());
    let answer = sample.answer(49, 50, 50, true);
    let mut bytes = answer.entries[0].clone();
    bytes.body = Some(flipped(bytes.body.as_ref().unwrap(), 1));
    let entry = PushedEntry { bytes, proof: answer.proof.hashes().to_vec() };
    let push = HeadPush { channel, news: sample.news(0), entry: Some(entry) };
    assert!(matches!(refusal(&mut machine, &mut puppet, 0x0c, &push.encode()), Violation::Body(_)));
}
