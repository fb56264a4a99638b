//! Everything else that two honest peers say to each other.

use bytes::Bytes;
use peerfeed_protocol::crypto::{IdentityKey, WitnessSecret};
use peerfeed_protocol::ids::BlobRoot;
use peerfeed_protocol::limits::CHUNK_BYTES;
use peerfeed_protocol::peer::message::{
    BlobHeld, EntriesWanted, Interest, PeerExchange, PushedEntry, RejectCode, Stored,
};
use peerfeed_protocol::peer::sim::{Link, Pair};
use peerfeed_protocol::peer::{CallError, Closed, Connection, Event, Role};
use std::sync::Arc;
use std::time::Duration;

use super::sample::{SampleBlob, SampleLog};
use super::{DAY, initiator, link, open_channel, open_pair, options, pair, responder, run};

#[test]
fn both_sides_learn_names_addresses_and_a_proven_witness_key() {
    let sample = SampleLog::new(1);
    let witness = Arc::new(WitnessSecret::from_seed(&[9; 32]));
    let mut of_responder = options(12);
    of_responder.witness = Some(witness.clone());
    of_responder.program = "seeder 1".to_owned();
    of_responder.listen_port = Some(7_000);
    of_responder.observed = Some("192.0.2.7:1234".parse().unwrap());
    let node = of_responder.node_secret.key();
    let start = Pair::established(link());
    let mut pair = Pair::new(
        link(),
        Connection::initiator(&sample.feed, options(11), [21; 32], start, DAY),
        Connection::responder(of_responder, [22; 32], start),
    );
    let events = run(&mut pair, 1, |_, connection, event| sample.serve(connection, event));
    assert!(events.iter().any(|(role, event)| {
        *role == Role::Initiator && matches!(event, Event::Established { node: seen } if *seen == node)
    }));
    let hello = pair.initiator.peer_hello().unwrap();
    assert_eq!(hello.witness, Some(witness.key()));
    assert_eq!(hello.program.as_deref(), Some("seeder 1"));
    assert_eq!(hello.listen_port, Some(7_000));
    assert_eq!(hello.observed, Some("192.0.2.7:1234".parse().unwrap()));
    assert_eq!(pair.responder.peer_hello().unwrap().witness, None);
}

#[test]
fn one_connection_carries_many_feeds_opened_from_both_sides() {
    let sample = SampleLog::new(3);
    let (mut pair, first) = open_pair(&sample);
    let others: Vec<_> = (50..60).map(|seed| IdentityKey::from_seed(&[seed; 32]).feed_id()).collect();
    let mut channels = vec![first];
    for feed in &others {
        channels.push(pair.initiator.open(*feed, Interest::default()).unwrap());
        channels.push(pair.responder.open(*feed, Interest::default()).unwrap());
    }
    channels.sort_unstable();
    channels.dedup();
    assert_eq!(channels.len(), 21, "no two share a number");
    let events = run(&mut pair, 1, |_, connection, event| match event {
        Event::OpenRequested { channel, swarm, .. } => {
            let feed = others.iter().find(|feed| feed.swarm_id() == swarm).unwrap();
            connection.accept(channel, feed, Interest::default()).unwrap();
            None
        }
        event => Some(event),
    });
    assert_eq!(events.iter().filter(|(_, event)| matches!(event, Event::Opened { .. })).count(), 20);
}

#[test]
fn a_feed_that_is_not_served_and_one_that_the_peer_does_not_know_are_refused_alike() {
    let sample = SampleLog::new(1);
    let (mut pair, _) = open_pair(&sample);
    let (unserved, wrong) = (IdentityKey::from_seed(&[50; 32]).feed_id(), IdentityKey::from_seed(&[51; 32]).feed_id());
    pair.initiator.open(unserved, Interest::default()).unwrap();
    pair.initiator.open(wrong, Interest::default()).unwrap();
    let mut asked = 0;
    let events = run(&mut pair, 1, |_, connection, event| match event {
        Event::OpenRequested { channel, swarm, .. } => {
            asked += 1;
            if swarm == wrong.swarm_id() {
                // As if the swarm id had been overheard: the proof is for another feed than the one looked up.
                assert_eq!(connection.accept(channel, &unserved, Interest::default()), Err(CallError::WrongProof));
            } else {
                connection.refuse(channel, RejectCode::UnknownFeed).unwrap();
            }
            None
        }
        event => Some(event),
    });
    assert_eq!(asked, 2);
    let refusals = events
        .iter()
        .filter(|(_, event)| matches!(event, Event::Refused { code: RejectCode::UnknownFeed, .. }))
        .count();
    assert_eq!(refusals, 2);
    assert!(!pair.initiator.is_over() && !pair.responder.is_over());
}

#[test]
fn a_long_range_comes_in_several_proven_parts_in_either_direction() {
    let sample = SampleLog::new(150);
    for newest_first in [false, true] {
        let (mut pair, channel) = open_pair(&sample);
        let wanted = EntriesWanted { newest_first, ..sample.wanted(20, 140) };
        let now = pair.now;
        let asked = pair.initiator.request_entries(now, channel, wanted, sample.root(150)).unwrap();
        let events = run(&mut pair, 1, |_, connection, event| match event {
            Event::EntriesWanted { channel, request, .. } => {
                let mut parts = [(20, 60), (60, 61), (61, 140)];
                if newest_first {
                    parts.reverse();
                }
                for (number, (from, to)) in parts.into_iter().enumerate() {
                    connection.answer_entries(channel, request, sample.answer(from, to, 150, number == 2)).unwrap();
                }
                None
            }
            event => Some(event),
        });
        let mut places = Vec::new();
        for (_, event) in events {
            let Event::Entries { request, entries, last, .. } = event else { panic!("{event:?}") };
            assert_eq!((request, entries.root()), (Some(asked), sample.root(150)));
            places.push((entries.from(), entries.to(), last));
        }
        let due = if newest_first {
            [(61, 140, false), (60, 61, false), (20, 60, true)]
        } else {
            [(20, 60, false), (60, 61, false), (61, 140, true)]
        };
        assert_eq!(places, due);
        assert_eq!(pair.initiator.requests_free(), 256);
    }
}

/// Two connections for a feed on a line of a megabyte per second.
fn slow_pair(sample: &SampleLog) -> Pair {
    let link = Link { bytes_per_second: Some(1_000_000), slow_start: false, ..link() };
    Pair::new(link, initiator(&sample.feed, link), responder(link))
}

#[test]
fn a_blob_comes_in_proven_chunks_and_a_short_question_is_answered_in_between() {
    let sample = SampleLog::new(3);
    let blob = SampleBlob::new(40 * CHUNK_BYTES + 5_000);
    let mut pair = slow_pair(&sample);
    let channel = pair.initiator.open(sample.feed, Interest::default()).unwrap();
    run(&mut pair, 1, |_, connection, event| sample.serve(connection, event));
    let now = pair.now;
    for (from, to) in [(0, 16), (16, 32), (32, 41)] {
        pair.initiator.request_chunks(now, channel, blob.wanted(from, to)).unwrap();
    }
    let mut arrivals = Vec::new();
    let until = super::after(&pair, 20);
    let mut asked = None;
    pair.run(until, |now, _, connection, event| {
        match event {
            Event::Chunks { chunks, .. } => {
                let range = chunks.from() as usize..chunks.from() as usize + chunks.chunks().len();
                assert_eq!(chunks.chunks(), &blob.chunks[range.clone()], "{range:?}");
                for (pos, hash) in chunks.nodes().iter() {
                    assert!(blob.nodes.get(&pos).is_none_or(|held| *held == hash));
                }
                arrivals.push(chunks.from());
                if asked.is_none() {
                    asked = Some(now);
                    connection.request_entries(now, channel, sample.wanted(0, 3), sample.root(3)).unwrap();
                }
            }
            Event::Entries { .. } => {
                let waited = now.since(asked.unwrap());
                assert!(waited < Duration::from_millis(500), "answered after {waited:?}, in the midst of a megabyte");
                arrivals.push(999);
            }
            event => {
                blob.serve(connection, event).and_then(|event| sample.serve(connection, event));
            }
        }
        std::ops::ControlFlow::Continue(())
    });
    assert_eq!(arrivals, [0, 999, 16, 32]);
}

#[test]
fn requests_beyond_the_limit_are_rejected_and_the_others_answered() {
    let sample = SampleLog::new(10);
    let start = Pair::established(link());
    let mut of_responder = options(12);
    of_responder.requests_max = 8;
    let mut pair = Pair::new(
        link(),
        Connection::initiator(&sample.feed, options(11), [21; 32], start, DAY),
        Connection::responder(of_responder, [22; 32], start),
    );
    let channel = pair.initiator.open(sample.feed, Interest::default()).unwrap();
    run(&mut pair, 1, |_, connection, event| sample.serve(connection, event));
    assert_eq!(pair.initiator.requests_free(), 8, "the hello says how many");
    for _ in 0..8 {
        pair.initiator.request_entries(pair.now, channel, sample.wanted(0, 5), sample.root(10)).unwrap();
    }
    assert_eq!(
        pair.initiator.request_entries(pair.now, channel, sample.wanted(0, 5), sample.root(10)),
        Err(CallError::TooManyRequests)
    );
    let events = run(&mut pair, 1, |_, connection, event| sample.serve(connection, event));
    assert_eq!(events.iter().filter(|(_, event)| matches!(event, Event::Entries { .. })).count(), 8);
    assert_eq!(pair.initiator.requests_free(), 8);
}

#[test]
fn a_rejected_and_a_cancelled_request_each_end_once() {
    let sample = SampleLog::new(10);
    let (mut pair, channel) = open_pair(&sample);
    let now = pair.now;
    let rejected = pair.initiator.request_entries(now, channel, sample.wanted(0, 5), sample.root(10)).unwrap();
    let cancelled = pair.initiator.request_entries(now, channel, sample.wanted(5, 9), sample.root(10)).unwrap();
    pair.initiator.cancel(channel, cancelled).unwrap();
    let events = run(&mut pair, 1, |_, connection, event| match event {
        Event::EntriesWanted { channel, request, .. } if request == rejected => {
            connection.reject(channel, request, RejectCode::NotHeld).unwrap();
            None
        }
        Event::Cancelled { channel, request } => {
            connection.reject(channel, request, RejectCode::Cancelled).unwrap();
            None
        }
        event => Some(event),
    });
    let ends: Vec<_> = events
        .iter()
        .filter_map(|(_, event)| match event {
            Event::Rejected { request, code, .. } => Some((*request, *code)),
            _ => None,
        })
        .collect();
    assert_eq!(ends, [(rejected, RejectCode::NotHeld), (cancelled, RejectCode::Cancelled)]);
}

#[test]
fn chunks_that_have_not_begun_to_leave_are_taken_back_and_others_come_to_their_end() {
    let (sample, blob) = (SampleLog::new(3), SampleBlob::new(40 * CHUNK_BYTES));
    let mut pair = slow_pair(&sample);
    let channel = open_channel(&mut pair, &sample);
    let now = pair.now;
    let [first, second] = [(0, 16), (16, 32)]
        .map(|(from, to)| pair.initiator.request_chunks(now, channel, blob.wanted(from, to)).unwrap());
    let mut events = Vec::new();
    let until = super::after(&pair, 20);
    pair.run(until, |_, role, connection, event| {
        match event {
            Event::ChunksBegun { request } => {
                events.push(("begun", request));
                for request in [first, second] {
                    connection.cancel(channel, request).unwrap();
                }
            }
            Event::Chunks { request, .. } => events.push(("came", request)),
            Event::Rejected { request, code: RejectCode::Cancelled, .. } => events.push(("cancelled", request)),
            event if role == Role::Responder => drop(blob.serve(connection, event)),
            _ => {}
        }
        std::ops::ControlFlow::Continue(())
    });
    events.sort_unstable_by_key(|(_, request)| *request);
    assert_eq!(events, [("begun", first), ("came", first), ("cancelled", second)]);
}

#[test]
fn a_new_post_is_pushed_with_its_head_and_arrives_one_way_later() {
    let mut sample = SampleLog::new(10);
    let (mut pair, channel) = open_pair(&sample);
    let before = sample.size();
    sample.append();
    let answer = sample.answer(before, before + 1, before + 1, true);
    let entry = PushedEntry { bytes: answer.entries[0].clone(), proof: answer.proof.hashes().to_vec() };
    let pushed_at = pair.now;
    pair.responder.push_head(channel, sample.news(before), Some(entry)).unwrap();
    let mut seen = None;
    let until = super::after(&pair, 1);
    pair.run(until, |now, _, _, event| {
        if let Event::HeadPushed { head, .. } = event {
            seen = Some((now, head));
        }
        std::ops::ControlFlow::Continue(())
    });
    let (now, head) = seen.expect("the head arrives");
    assert_eq!(now.since(pushed_at), link().one_way);
    assert_eq!(head.news, sample.news(before));
    let entry = head.entry.unwrap();
    assert_eq!((entry.from(), entry.to(), entry.root()), (before, before + 1, sample.root(before + 1)));
}

#[test]
fn what_is_stored_who_holds_what_and_whom_one_met_is_told() {
    let sample = SampleLog::new(10);
    let (mut pair, channel) = open_pair(&sample);
    let stored = Stored { log: sample.log, entries: 10, with_blobs: 8 };
    let root = BlobRoot::new([7; 32]);
    let part = BlobHeld { root, bytes: 40 * CHUNK_BYTES as u64, groups: Some(Bytes::from_static(&[0xa0])) };
    let met = PeerExchange { added: vec!["192.0.2.1:5".parse().unwrap()], dropped: vec![] };
    pair.initiator.ask_blobs(channel, vec![root]).unwrap();
    pair.responder.send_stored(channel, stored, None).unwrap();
    pair.responder.tell_blobs(channel, vec![part.clone()]).unwrap();
    pair.responder.send_peers(channel, met.clone()).unwrap();
    pair.responder.send_peers(channel, met.clone()).unwrap();
    let events = run(&mut pair, 1, |_, _, event| Some(event));
    assert_eq!(events.len(), 4, "the second exchange within a minute is ignored: {events:?}");
    assert!(matches!(events[0].1, Event::Stored { stored: told, .. } if told == stored));
    assert!(matches!(&events[1].1, Event::BlobsHeld { blobs, .. } if *blobs == [part]));
    assert!(matches!(&events[2].1, Event::Peers { peers, .. } if *peers == met));
    assert!(matches!(&events[3].1, Event::BlobsWanted { roots, .. } if *roots == [root]));
}

#[test]
fn a_ping_measures_the_round_trip() {
    let sample = SampleLog::new(1);
    let (mut pair, _) = open_pair(&sample);
    let now = pair.now;
    pair.initiator.ping(now).unwrap();
    let events = run(&mut pair, 1, |_, _, event| Some(event));
    assert!(
        matches!(&events[..], [(Role::Initiator, Event::Pong { round_trip })] if *round_trip == link().round_trip())
    );
}

#[test]
fn a_closed_channel_ends_its_requests_on_both_sides_whatever_is_on_its_way() {
    let sample = SampleLog::new(150);
    let blob = SampleBlob::new(20 * CHUNK_BYTES);
    let (mut pair, channel) = open_pair(&sample);
    let now = pair.now;
    // Both sides ask, and both close while answers are under way.
    pair.initiator.request_chunks(now, channel, blob.wanted(0, 16)).unwrap();
    let of_responder = pair.responder.request_entries(now, channel, sample.wanted(0, 150), sample.root(150)).unwrap();
    let mut closed = false;
    let events = run(&mut pair, 5, |role, connection, event| {
        let event = blob.serve(connection, event)?;
        if let (Role::Initiator, Event::EntriesWanted { .. }) = (role, &event)
            && !closed
        {
            connection.close_channel(channel, RejectCode::Closed).unwrap();
            closed = true;
            return None;
        }
        Some(event)
    });
    let of_kind: Vec<_> = events.iter().map(|(role, event)| (*role, event)).collect();
    assert!(
        matches!(
            &of_kind[..],
            [
                (Role::Responder, Event::Rejected { request, code: RejectCode::Closed, .. }),
                (Role::Responder, Event::ChannelClosed { .. }),
            ] if *request == of_responder
        ),
        "{of_kind:?}"
    );
    assert!(!pair.initiator.is_over() && !pair.responder.is_over());
    // The number is not used again, and a new channel works.
    let again = pair.initiator.open(sample.feed, Interest::default()).unwrap();
    assert!(again > channel);
    let events = run(&mut pair, 1, |_, connection, event| sample.serve(connection, event));
    assert!(events.iter().any(|(_, event)| matches!(event, Event::Opened { channel, .. } if *channel == again)));
}

#[test]
fn a_goodbye_ends_both_sides_with_its_reason() {
    let sample = SampleLog::new(1);
    let mut pair = pair(&sample.feed);
    run(&mut pair, 1, |_, connection, event| sample.serve(connection, event));
    pair.initiator.close(RejectCode::Busy);
    let events = run(&mut pair, 1, |_, _, event| Some(event));
    assert!(matches!(events[0], (Role::Initiator, Event::Closed(Closed::ByUs(RejectCode::Busy)))));
    assert!(matches!(events[1], (Role::Responder, Event::Closed(Closed::ByPeer(RejectCode::Busy)))));
    assert!(pair.responder.is_over());
}
