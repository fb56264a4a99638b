//! Conversations between two connections on a simulated link.

mod cipher;
mod cold_fetch;
mod conversation;
mod hold;
mod hostile;
mod liars;
mod mail;
mod puppet;
mod sample;
mod timeouts;
mod vectors;

use std::ops::ControlFlow;

use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::peer::message::Interest;
use peerfeed_protocol::peer::sim::{Link, Pair};
use peerfeed_protocol::peer::{ChannelId, Connection, Event, Moment, NodeSecret, Options, Role};
use std::time::Duration;

/// A day of the unix calendar; any would do.
const DAY: u64 = 20_400;

/// 100 ms there and back.
fn link() -> Link {
    Link::with_delay(Duration::from_millis(50))
}

fn options(node: u8) -> Options {
    Options::new(NodeSecret::from_bytes([node; 32]))
}

fn initiator(feed: &FeedId, link: Link) -> Connection {
    Connection::initiator(feed, options(11), [21; 32], Pair::established(link), DAY)
}

fn responder(link: Link) -> Connection {
    Connection::responder(options(12), [22; 32], Pair::established(link))
}

/// Two connections for a feed, joined, with nothing sent yet.
fn pair(feed: &FeedId) -> Pair {
    Pair::new(link(), initiator(feed, link()), responder(link()))
}

fn after(pair: &Pair, seconds: u64) -> Moment {
    pair.now.after(Duration::from_secs(seconds))
}

/// Runs for a while and returns every event that `serve` did not deal with.
fn run(
    pair: &mut Pair,
    seconds: u64,
    mut serve: impl FnMut(Role, &mut Connection, Event) -> Option<Event>,
) -> Vec<(Role, Event)> {
    let mut events = Vec::new();
    pair.run(after(pair, seconds), |_, role, connection, event| {
        events.extend(serve(role, connection, event).map(|event| (role, event)));
        ControlFlow::Continue(())
    });
    events
}

/// A pair with a channel for the feed on which nothing is wanted yet, past all greetings.
fn open_pair(sample: &sample::SampleLog) -> (Pair, ChannelId) {
    let mut pair = pair(&sample.feed);
    let channel = open_channel(&mut pair, sample);
    (pair, channel)
}

/// Opens a channel for the feed, and lets all greetings pass.
fn open_channel(pair: &mut Pair, sample: &sample::SampleLog) -> ChannelId {
    let channel = pair.initiator.open(sample.feed, Interest::default()).unwrap();
    let events = run(pair, 1, |_, connection, event| sample.serve(connection, event));
    assert!(events.iter().any(|(role, event)| *role == Role::Initiator && matches!(event, Event::Opened { .. })));
    channel
}
