//! How many round trips a first fetch takes, from the SYN of its TCP connection on, and how much of it is proof.

use std::ops::ControlFlow;

use peerfeed_protocol::feed::UnverifiedHead;
use peerfeed_protocol::merkle::RangeProof;
use peerfeed_protocol::peer::message::{Interest, Newest};
use peerfeed_protocol::peer::{Event, Role, VerifiedEntries};

use super::sample::SampleLog;
use super::{link, pair};

/// When verified entries came, in hundredths of round trips since the SYN.
fn fetch(sample: &SampleLog, newest: u32, cut: Option<u64>) -> Vec<(u64, VerifiedEntries)> {
    let mut pair = pair(&sample.feed);
    if let Some(seed) = cut {
        pair.cut_randomly(seed);
    }
    let interest = Interest { newest: Some(Newest { entries: newest, body_bytes: 1 << 20 }), ..Interest::default() };
    pair.initiator.open(sample.feed, interest).unwrap();
    let (mut arrivals, mut head) = (Vec::new(), None);
    let until = super::after(&pair, 5);
    let ended = pair.run(until, |now, _, connection, event| {
        match sample.serve(connection, event) {
            Some(Event::State { state, .. }) => head = UnverifiedHead::decode(&state.heads[0].record).ok(),
            Some(Event::Entries { entries, last, .. }) => {
                let head = head.as_ref().expect("the state comes before the entries");
                assert_eq!((entries.log(), entries.root()), (*head.log(), *head.root()));
                arrivals.push((now.as_micros() * 100 / micros(link().round_trip()), entries));
                if last {
                    return ControlFlow::Break(());
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    });
    assert!(ended, "the newest entries are announced as complete");
    arrivals
}

fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap()
}

#[test]
fn the_first_verified_entries_are_there_three_round_trips_after_the_syn() {
    let sample = SampleLog::new(100);
    let arrivals = fetch(&sample, 50, None);
    assert_eq!(arrivals[0].0, 300);
    assert_eq!(arrivals[0].1.to(), 100, "the newest come first");
    assert!(arrivals[0].1.entries().iter().all(|entry| entry.body.is_some()));
}

#[test]
fn fifty_short_posts_are_there_after_four_round_trips() {
    let sample = SampleLog::new(100);
    let arrivals = fetch(&sample, 50, None);
    let (round_trips, oldest) = arrivals.last().unwrap();
    assert_eq!(*round_trips, 400);
    assert_eq!(oldest.from(), 50);
    let count: usize = arrivals.iter().map(|(_, entries)| entries.entries().len()).sum();
    assert_eq!(count, 50);
}

#[test]
fn the_newest_fifty_of_a_hundred_thousand_cost_less_than_a_kibibyte_of_proof() {
    let sample = SampleLog::new(100_000);
    let arrivals = fetch(&sample, 50, None);
    assert_eq!((arrivals[0].0, arrivals.last().unwrap().0), (300, 400));
    let whole = sample.answer(99_950, 100_000, 100_000, true);
    let head_bytes = sample.news(0).record.len();
    assert!(whole.proof.hashes().len() * 32 + head_bytes < 1_024, "one answer");
    let hashes: usize = arrivals
        .iter()
        .map(|(_, entries)| sample.answer(entries.from(), entries.to(), entries.size(), true).proof)
        .map(|proof: RangeProof| proof.hashes().len())
        .sum();
    assert!(hashes * 32 + head_bytes < 1_024, "{hashes} hashes in {} frames", arrivals.len());
}

#[test]
fn delivery_byte_by_byte_and_in_lumps_gives_the_same_entries() {
    let sample = SampleLog::new(100);
    let joined = |arrivals: Vec<(u64, VerifiedEntries)>| -> Vec<_> {
        arrivals.into_iter().map(|(_, entries)| entries).collect()
    };
    let whole = joined(fetch(&sample, 50, None));
    for seed in 0..20 {
        assert_eq!(joined(fetch(&sample, 50, Some(seed))), whole, "cut with seed {seed}");
    }
}

#[test]
fn who_knows_most_of_a_log_gets_only_what_is_new_with_a_consistency_proof() {
    let sample = SampleLog::new(100);
    let mut pair = pair(&sample.feed);
    let interest = Interest {
        heads: vec![(sample.log, 90)],
        newest: Some(Newest { entries: 50, body_bytes: 1 << 20 }),
        ..Interest::default()
    };
    pair.initiator.open(sample.feed, interest).unwrap();
    let events = super::run(&mut pair, 2, |_, connection, event| sample.serve(connection, event));
    let of_initiator: Vec<_> =
        events.into_iter().filter(|(role, _)| *role == Role::Initiator).map(|(_, event)| event).collect();
    let Some(Event::State { state, .. }) = of_initiator.iter().find(|event| matches!(event, Event::State { .. }))
    else {
        panic!("no state");
    };
    let news = &state.heads[0];
    let head = UnverifiedHead::decode(&news.record).unwrap();
    peerfeed_protocol::merkle::verify_consistency(90, &sample.root(90), head.size(), head.root(), &news.proof).unwrap();
    let Some(Event::Entries { entries, last, .. }) = of_initiator.last() else { panic!("no entries") };
    assert_eq!((entries.from(), entries.to(), *last), (90, 100, true));
}
