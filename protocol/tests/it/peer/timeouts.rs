//! What happens when somebody is slow or silent.

use std::time::Duration;

use peerfeed_protocol::peer::message::RejectCode;
use peerfeed_protocol::peer::{Closed, Connection, Event, Moment, Timeout};

use super::sample::SampleLog;
use super::{initiator, link, open_pair, responder, run};

fn closed(connection: &mut Connection) -> Option<Closed> {
    std::iter::from_fn(|| connection.poll_event()).find_map(|event| match event {
        Event::Closed(closed) => Some(closed),
        _ => None,
    })
}

/// Gives one byte a second and returns when, and why, the connection gives up.
fn drip(connection: &mut Connection, bytes: &[u8], start: Moment) -> (Duration, Closed) {
    for (second, byte) in bytes.iter().enumerate() {
        let now = start.after(Duration::from_secs(second as u64));
        connection.handle_timeout(now);
        if let Some(closed) = closed(connection) {
            return (now.since(start), closed);
        }
        connection.handle_bytes(now, &[*byte]).unwrap();
    }
    panic!("{} bytes were taken, one a second", bytes.len());
}

#[test]
fn a_first_message_of_one_byte_a_second_is_cut_off_after_five_seconds() {
    let sample = SampleLog::new(1);
    let start = Moment::START.after(link().round_trip());
    let mut bytes = Vec::new();
    initiator(&sample.feed, link()).poll_transmit(start, &mut bytes, 1_000);
    let (waited, why) = drip(&mut responder(link()), &bytes, start);
    assert_eq!((waited, why), (Duration::from_secs(5), Closed::Timeout(Timeout::FirstMessage)));
}

#[test]
fn a_handshake_that_stops_in_the_middle_is_cut_off_after_ten_seconds_on_both_sides() {
    let sample = SampleLog::new(1);
    let start = Moment::START.after(link().round_trip());
    let (mut client, mut server) = (initiator(&sample.feed, link()), responder(link()));
    let mut bytes = Vec::new();
    client.poll_transmit(start, &mut bytes, 1_000);
    server.handle_bytes(start, &bytes).unwrap();
    assert!(matches!(server.poll_event(), Some(Event::FirstMessage(_))));
    server.admit(&sample.feed).unwrap();
    for connection in [&mut client, &mut server] {
        let deadline = connection.poll_timeout().unwrap();
        assert_eq!(deadline.since(start), Duration::from_secs(10));
        connection.handle_timeout(deadline);
        assert_eq!(closed(connection), Some(Closed::Timeout(Timeout::Handshake)));
    }
}

#[test]
fn a_record_of_one_byte_a_second_is_cut_off_after_a_minute() {
    let sample = SampleLog::new(10);
    let (mut pair, channel) = open_pair(&sample);
    let start = pair.now;
    pair.initiator.request_entries(start, channel, sample.wanted(0, 10), sample.root(10)).unwrap();
    pair.initiator.request_entries(start, channel, sample.wanted(0, 10), sample.root(10)).unwrap();
    let mut bytes = Vec::new();
    pair.initiator.poll_transmit(start, &mut bytes, 10_000);
    assert!(bytes.len() > 60);
    let (waited, why) = drip(&mut pair.responder, &bytes, start);
    assert_eq!((waited, why), (Duration::from_secs(60), Closed::Timeout(Timeout::Record)));
}

#[test]
fn an_idle_connection_is_kept_alive_for_hours() {
    let sample = SampleLog::new(1);
    let (mut pair, _) = open_pair(&sample);
    let events = run(&mut pair, 4 * 3_600, |_, _, event| Some(event));
    assert!(events.is_empty(), "{events:?}");
    let bytes = pair.sent_bytes(peerfeed_protocol::peer::Role::Initiator);
    assert!(bytes < 240 * 30, "{bytes} bytes for four idle hours");
}

#[test]
fn a_peer_that_has_vanished_is_given_up_after_150_seconds() {
    let sample = SampleLog::new(1);
    let (mut pair, _) = open_pair(&sample);
    let start = pair.now;
    let connection = &mut pair.initiator;
    let mut why = None;
    while let Some(deadline) = connection.poll_timeout() {
        connection.handle_timeout(deadline);
        // The socket takes what is sent; nothing comes back.
        connection.poll_transmit(deadline, &mut Vec::new(), 100_000);
        why = closed(connection).map(|closed| (deadline.since(start), closed));
    }
    let (waited, why) = why.unwrap();
    assert_eq!(why, Closed::Timeout(Timeout::Silence));
    assert!(waited <= Duration::from_secs(150) && waited > Duration::from_secs(148), "{waited:?}");
}

#[test]
fn a_peer_that_takes_nothing_is_given_up() {
    let sample = SampleLog::new(10);
    let (mut pair, channel) = open_pair(&sample);
    let start = pair.now;
    let connection = &mut pair.responder;
    connection.send_stored(channel, stored(&sample), None).unwrap();
    let mut now = start;
    while !connection.is_over() {
        now = connection.poll_timeout().unwrap();
        // It still sends: a frame of length zero would do. Here, hearing is simulated by an empty deadline.
        connection.handle_timeout(now);
    }
    assert_eq!(closed(connection), Some(Closed::Timeout(Timeout::Stalled)));
    assert!(now.since(start) <= Duration::from_secs(120), "{:?}", now.since(start));
}

fn stored(sample: &SampleLog) -> peerfeed_protocol::peer::message::Stored {
    peerfeed_protocol::peer::message::Stored { log: sample.log, entries: 1, with_blobs: 1 }
}

#[test]
fn an_unanswered_request_is_called_late_once_and_its_answer_is_still_taken() {
    let sample = SampleLog::new(10);
    let (mut pair, channel) = open_pair(&sample);
    let now = pair.now;
    let asked = pair.initiator.request_entries(now, channel, sample.wanted(0, 10), sample.root(10)).unwrap();
    let mut held_back = None;
    let events = run(&mut pair, 100, |_, _, event| match event {
        Event::EntriesWanted { request, .. } => {
            held_back = Some(request);
            None
        }
        event => Some(event),
    });
    assert!(matches!(&events[..], [(_, Event::TimedOut { request, .. })] if *request == asked), "{events:?}");
    assert_eq!(pair.initiator.requests_free(), 255, "a late request still counts");
    pair.responder.answer_entries(channel, held_back.unwrap(), sample.answer(0, 10, 10, true)).unwrap();
    let events = run(&mut pair, 1, |_, _, event| Some(event));
    assert!(matches!(&events[..], [(_, Event::Entries { request, .. })] if *request == Some(asked)), "{events:?}");
    assert_eq!(pair.initiator.requests_free(), 256);
}

#[test]
fn requests_behind_a_slow_answer_are_not_late_while_it_comes_in() {
    let sample = SampleLog::new(10);
    let (mut pair, channel) = open_pair(&sample);
    let now = pair.now;
    for _ in 0..3 {
        pair.initiator.request_entries(now, channel, sample.wanted(0, 10), sample.root(10)).unwrap();
    }
    let mut waiting = Vec::new();
    for _ in 0..3 {
        let events = run(&mut pair, 45, |_, _, event| Some(event));
        for (_, event) in events {
            match event {
                Event::EntriesWanted { request, .. } => waiting.push(request),
                Event::Entries { .. } => {}
                event => panic!("{event:?}"),
            }
        }
        pair.responder.answer_entries(channel, waiting.remove(0), sample.answer(0, 10, 10, true)).unwrap();
    }
    run(&mut pair, 1, |_, _, event| Some(event));
    assert_eq!(pair.initiator.requests_free(), 256);
    assert!(pair.responder.reject(channel, peerfeed_protocol::peer::RequestId(1), RejectCode::Busy).is_err());
}
