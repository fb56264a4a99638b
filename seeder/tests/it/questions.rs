//! Who asks on and on: the engine alone, with a peer made up.

use std::time::Duration;

use peerfeed::store::Roles;
use peerfeed::swarm::{Action, ConnectionId, Engine, Input, Read, Snapshot};
use peerfeed_protocol::crypto::IdentityKey;
use peerfeed_protocol::ids::BlobRoot;
use peerfeed_protocol::peer::message::Interest;
use peerfeed_protocol::peer::{ChannelId, Event, Moment, NodeSecret};

use crate::lone;

const PEER: ConnectionId = ConnectionId(1);
const CHANNEL: ChannelId = ChannelId(0);

/// An engine that seeds a feed, with one peer that has opened it.
fn seeding() -> Engine {
    let mut engine = lone::engine(1);
    let feed = IdentityKey::from_seed(&[2; 32]).feed_id();
    engine.load(Moment::START, Snapshot::new(feed, Roles { seed: true, ..Roles::default() }));
    let address = "192.0.2.1:5".parse().unwrap();
    let opens = Event::OpenRequested { channel: CHANNEL, swarm: feed.swarm_id(), interest: Interest::default() };
    let node = NodeSecret::from_bytes([3; 32]).key();
    for input in
        [Input::Incoming { address }, Input::Event(Event::Established { node }, None), Input::Event(opens, None)]
    {
        engine.handle_input(Moment::START, PEER, input);
    }
    engine
}

/// How many of so many questions at one moment are looked up in the store.
fn answered(engine: &mut Engine, now: Moment, questions: usize) -> usize {
    while engine.poll_action().is_some() {}
    for _ in 0..questions {
        let asks = Event::BlobsWanted { channel: CHANNEL, roots: vec![BlobRoot::new([7; 32])] };
        engine.handle_input(now, PEER, Input::Event(asks, None));
    }
    std::iter::from_fn(|| engine.poll_action()).filter(|done| matches!(done, Action::Read(Read::Blobs { .. }))).count()
}

#[test]
fn who_asks_on_and_on_what_is_held_is_passed_over_and_counted_and_may_go_on_later() {
    let mut engine = seeding();
    let at_first = answered(&mut engine, Moment::START, 10_000);
    assert!((60..70).contains(&at_first), "{at_first}");
    assert_eq!(engine.status(Moment::START).totals.over_limit, 10_000 - at_first as u64);
    let later = Moment::START.after(Duration::from_secs(60));
    assert_eq!(answered(&mut engine, later, 30), 30, "who asks now and then is always answered");
    assert_eq!(engine.status(later).totals.violations, 0, "and nobody is banned for it");
}

#[test]
fn pings_that_were_passed_over_are_counted_and_nobody_is_banned_for_them() {
    let mut engine = seeding();
    for count in [1, 400] {
        engine.handle_input(Moment::START, PEER, Input::Event(Event::PingsPassedOver { count }, None));
    }
    let totals = engine.status(Moment::START).totals;
    assert_eq!((totals.over_limit, totals.violations), (401, 0));
}
