//! Whom an engine dials, and when again: the engine alone, with answers made up.

use std::time::Duration;

use peerfeed::store::{Roles, SeederHint};
use peerfeed::swarm::limits::{DIALS, REDIAL_FIRST, REDIAL_LONGEST};
use peerfeed::swarm::{Action, ConnectionId, Ended, Engine, Input, Snapshot};
use peerfeed_protocol::crypto::IdentityKey;
use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::peer::Moment;

use crate::lone;

fn feed(number: u8) -> FeedId {
    IdentityKey::from_seed(&[number; 32]).feed_id()
}

/// A feed that is followed and said to be found at these addresses.
fn followed(feed: FeedId, addresses: impl Iterator<Item = String>) -> Snapshot {
    let seeders = addresses.map(|address| SeederHint { address, witness: None }).collect();
    Snapshot { seeders, ..Snapshot::new(feed, Roles { follow: true, ..Roles::default() }) }
}

fn dials(engine: &mut Engine) -> Vec<ConnectionId> {
    let dial = |action| match action {
        Action::Dial { connection, .. } => Some(connection),
        _ => None,
    };
    std::iter::from_fn(|| engine.poll_action()).filter_map(dial).collect()
}

/// The waits between the first dials of an address at which nobody answers.
fn waits(seed: u8) -> Vec<Duration> {
    let mut engine = lone::engine(seed);
    let mut now = Moment::START;
    engine.load(now, followed(feed(1), std::iter::once("192.0.2.1:1".to_owned())));
    let mut failed = None;
    let mut waits = Vec::new();
    while waits.len() < 12 {
        for connection in dials(&mut engine) {
            waits.extend(failed.map(|failed| now.since(failed)));
            failed = Some(now);
            let ended = Ended::NotConnected("nothing listens there".to_owned());
            engine.handle_input(now, connection, Input::Ended(ended));
        }
        now = engine.poll_timeout().expect("it tries again").max(now);
        engine.handle_timeout(now);
    }
    waits
}

#[test]
fn an_address_without_an_answer_is_dialled_after_growing_waits_that_nobody_else_has() {
    let mine = waits(1);
    for (at, wait) in (0..).zip(&mine) {
        let around = (REDIAL_FIRST * 2_u32.pow(at)).min(REDIAL_LONGEST);
        assert!((around * 3 / 4..=around * 5 / 4).contains(wait), "{mine:?}");
    }
    let theirs = waits(2);
    assert!(mine.iter().zip(&theirs).all(|(one, other)| one != other), "{mine:?} and {theirs:?}");
}

#[test]
fn no_more_dials_are_under_way_than_may_be() {
    let mut engine = lone::engine(3);
    for number in 0..8 {
        let addresses = (0..10).map(|host| format!("192.0.{number}.{host}:1"));
        engine.load(Moment::START, followed(feed(number), addresses));
    }
    let first = dials(&mut engine);
    assert_eq!(first.len(), DIALS);
    let ended = Ended::NotConnected("nothing listens there".to_owned());
    engine.handle_input(Moment::START, first[0], Input::Ended(ended));
    assert_eq!(dials(&mut engine).len(), 1, "one has ended, so one more may begin");
}
