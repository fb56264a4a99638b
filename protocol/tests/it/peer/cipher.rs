//! Two sides that both compute AES fast change to it; nobody is made to.

use peerfeed_protocol::limits::CHUNK_BYTES;
use peerfeed_protocol::peer::message::{GetChunks, Message};
use peerfeed_protocol::peer::sim::Pair;
use peerfeed_protocol::peer::{ChannelId, Connection, Event, Moment, Options, RequestId, Role, Violation};

use super::puppet::{BULK, CHANGE, FAST_HELLO, HELLO, Puppet, URGENT};
use super::sample::{SampleBlob, SampleLog};
use super::{DAY, link, open_channel, options, run};

fn willing(node: u8) -> Options {
    Options { fast_aes: true, ..options(node) }
}

/// A machine with these options, and a puppet that has said this hello and opened channel 0.
fn served(sample: &SampleLog, options: Options, hello: &[u8]) -> (Connection, Puppet) {
    let mut machine = Connection::responder(options, [22; 32], Pair::established(link()));
    let mut puppet = Puppet::client(&sample.feed, &mut machine);
    puppet.greet_with(&mut machine, hello);
    puppet.open(&mut machine, &sample.feed, 0);
    (machine, puppet)
}

/// Asks for chunks and hears them.
fn fetch(machine: &mut Connection, puppet: &mut Puppet, blob: &SampleBlob, request: u32) -> Vec<u8> {
    let ask = GetChunks { channel: ChannelId(0), request: RequestId(request), wanted: blob.wanted(0, 2) };
    puppet.say(machine, 0x07, &ask.encode()).unwrap();
    let event = machine.poll_event().expect("a request is told");
    assert!(blob.serve(machine, event).is_none());
    let mut frames = puppet.hear(machine);
    assert_eq!(frames.len(), 1);
    frames.remove(0).1
}

#[test]
fn bulk_is_sealed_with_aes_and_few_words_are_not() {
    let (sample, blob) = (SampleLog::new(1), SampleBlob::new(3 * CHUNK_BYTES));
    let (mut machine, mut puppet) = served(&sample, willing(12), FAST_HELLO);
    assert_eq!(puppet.changes_heard, 0, "a hello and an opened channel are few words");
    for request in 1..=3 {
        let answer = fetch(&mut machine, &mut puppet, &blob, request);
        assert!(answer.ends_with(&blob.chunks[1]));
        assert_eq!(puppet.changes_heard, 1, "once and for all");
    }
    puppet.say(&mut machine, 0x10, &7_u64.to_be_bytes()).unwrap();
    assert_eq!(puppet.hear(&mut machine), [(0x11, 7_u64.to_be_bytes().to_vec())], "words go the same way now");
}

#[test]
fn who_has_not_agreed_goes_on_as_before() {
    let (sample, blob) = (SampleLog::new(1), SampleBlob::new(3 * CHUNK_BYTES));
    for (options, hello) in [(willing(12), HELLO), (options(12), FAST_HELLO)] {
        let (mut machine, mut puppet) = served(&sample, options, hello);
        assert!(fetch(&mut machine, &mut puppet, &blob, 1).ends_with(&blob.chunks[1]));
        assert_eq!(puppet.changes_heard, 0);
    }
}

#[test]
fn a_peer_may_change_the_cipher_again_and_again_on_its_own_way() {
    let (sample, blob) = (SampleLog::new(1), SampleBlob::new(3 * CHUNK_BYTES));
    let (mut machine, mut puppet) = served(&sample, willing(12), FAST_HELLO);
    for number in 1..=3_u64 {
        let change = puppet.change();
        machine.handle_bytes(Moment::START, &change).unwrap();
        puppet.say(&mut machine, 0x10, &number.to_be_bytes()).unwrap();
        assert_eq!(puppet.hear(&mut machine), [(0x11, number.to_be_bytes().to_vec())]);
        assert_eq!(puppet.changes_heard, 0, "the other way is not changed by it");
    }
    // Between the parts of a message, too.
    let ask = GetChunks { channel: ChannelId(0), request: RequestId(1), wanted: blob.wanted(0, 1) }.encode();
    let frame = [&u32::try_from(ask.len() + 1).unwrap().to_be_bytes()[..], &[0x07], &ask].concat();
    let (begin, end) = frame.split_at(9);
    let bytes = [puppet.record(URGENT, begin), puppet.change(), puppet.record(URGENT, end)].concat();
    machine.handle_bytes(Moment::START, &bytes).unwrap();
    assert!(matches!(machine.poll_event(), Some(Event::ChunksWanted { .. })));
}

#[test]
fn a_change_that_was_not_agreed_on_or_is_none_ends_the_connection() {
    let sample = SampleLog::new(1);
    for (options, hello, payload) in [
        (options(12), FAST_HELLO, &[1][..]),
        (willing(12), HELLO, &[1]),
        (willing(12), FAST_HELLO, &[2]),
        (willing(12), FAST_HELLO, &[1, 1]),
    ] {
        let (mut machine, mut puppet) = served(&sample, options, hello);
        let record = puppet.record(CHANGE, payload);
        assert_eq!(machine.handle_bytes(Moment::START, &record), Err(Violation::Cipher), "{payload:?}");
    }
}

#[test]
fn what_is_still_sealed_with_the_cipher_before_does_not_open() {
    let sample = SampleLog::new(1);
    let (mut machine, mut puppet) = served(&sample, willing(12), FAST_HELLO);
    let change = puppet.record(CHANGE, &[1]);
    machine.handle_bytes(Moment::START, &change).unwrap();
    let as_before = puppet.record(BULK, &[0; 4]);
    assert_eq!(machine.handle_bytes(Moment::START, &as_before), Err(Violation::Record));
}

#[test]
fn two_machines_that_agree_exchange_a_blob_both_ways() {
    let (sample, blob) = (SampleLog::new(1), SampleBlob::new(20 * CHUNK_BYTES + 5_000));
    let initiator = Connection::initiator(&sample.feed, willing(11), [21; 32], Pair::established(link()), DAY);
    let responder = Connection::responder(willing(12), [22; 32], Pair::established(link()));
    let mut pair = Pair::new(link(), initiator, responder);
    let channel = open_channel(&mut pair, &sample);
    let now = pair.now;
    for machine in [&mut pair.initiator, &mut pair.responder] {
        for (from, to) in [(0, 16), (16, 21)] {
            machine.request_chunks(now, channel, blob.wanted(from, to)).unwrap();
        }
    }
    let events = run(&mut pair, 20, |_, connection, event| blob.serve(connection, event));
    for side in [Role::Initiator, Role::Responder] {
        let chunks = events.iter().filter(|(role, _)| *role == side).flat_map(|(_, event)| match event {
            Event::Chunks { chunks, .. } => chunks.chunks().to_vec(),
            Event::ChunksBegun { .. } => Vec::new(),
            other => panic!("{other:?}"),
        });
        assert!(chunks.eq(blob.chunks.iter().cloned()), "{side:?}");
    }
}
