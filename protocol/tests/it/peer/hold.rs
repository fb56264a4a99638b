//! A feed that is to be held, over a connection that a code let in.

use peerfeed_protocol::crypto::{HoldKey, IdentityKey};
use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::peer::message::{Held, Hold, Interest, Message, MessageType, RejectCode};
use peerfeed_protocol::peer::{Connection, Event, Moment, RequestId, Role, Violation};

use super::puppet::Puppet;
use super::{initiator, link, pair, run};

fn key() -> HoldKey {
    HoldKey::from_secret(&[7; 16])
}

fn wanted() -> FeedId {
    IdentityKey::from_seed(&[9; 32]).feed_id()
}

/// A machine that came with the code, and who it came to.
fn machine_and_puppet() -> (Connection, Puppet, peerfeed_protocol::peer::ChannelId) {
    let mut machine = initiator(&key().id(), link());
    machine.open(key().id(), Interest::default()).unwrap();
    let mut puppet = Puppet::server(&key().id(), &mut machine);
    puppet.greet_machine_only(&mut machine);
    let channel = puppet.accept(&mut machine, &key().id());
    (machine, puppet, channel)
}

#[test]
fn who_has_the_code_asks_and_is_answered() {
    for answer in [Ok(()), Err(RejectCode::NotAdmitted)] {
        let mut pair = pair(&key().id());
        pair.initiator.open(key().id(), Interest::default()).unwrap();
        let (mut asked, now) = (None, pair.now);
        let events = run(&mut pair, 30, |role, connection, event| match event {
            Event::FirstMessage(_) => {
                connection.admit(&key().id()).unwrap();
                None
            }
            Event::OpenRequested { channel, .. } => {
                connection.accept(channel, &key().id(), Interest::default()).unwrap();
                None
            }
            Event::Opened { channel, .. } => {
                asked = Some((channel, connection.ask_to_hold(now, channel, &key(), wanted()).unwrap()));
                None
            }
            Event::HoldWanted { channel, request, feed } => {
                assert_eq!((role, feed), (Role::Responder, wanted()));
                match answer {
                    Ok(()) => connection.confirm_held(channel, request).unwrap(),
                    Err(code) => connection.reject(channel, request, code).unwrap(),
                }
                assert!(connection.confirm_held(channel, request).is_err(), "once");
                None
            }
            event => Some(event),
        });
        let (channel, request) = asked.expect("it was asked");
        let is_due = |event: &Event| match (answer, event) {
            (Ok(()), Event::Held { channel: on, request: of }) => (*on, *of) == (channel, request),
            (Err(reason), Event::Rejected { request: of, code, .. }) => (*of, *code) == (request, reason),
            _ => false,
        };
        assert_eq!(events.iter().filter(|(role, event)| *role == Role::Initiator && is_due(event)).count(), 1);
    }
}

#[test]
fn a_wish_that_is_sent_back_to_its_maker_is_a_violation() {
    let (mut machine, mut puppet, channel) = machine_and_puppet();
    machine.ask_to_hold(Moment::START, channel, &key(), wanted()).unwrap();
    let wish = puppet.hear(&mut machine).into_iter().find(|frame| frame.0 == MessageType::Hold.byte());
    let wish = wish.expect("it was asked").1;
    assert_eq!(puppet.say(&mut machine, MessageType::Hold.byte(), &wish), Err(Violation::HoldSignature));
}

#[test]
fn a_wish_that_is_not_signed_by_the_code_is_a_violation() {
    let (mut machine, mut puppet, channel) = machine_and_puppet();
    let wish = Hold { channel, request: RequestId(1), feed: wanted().to_bytes(), signature: [1; 64] };
    assert_eq!(puppet.say(&mut machine, MessageType::Hold.byte(), &wish.encode()), Err(Violation::HoldSignature));
}

#[test]
fn a_confirmation_that_nobody_asked_for_is_a_violation() {
    let (mut machine, mut puppet, channel) = machine_and_puppet();
    let held = Held { channel, request: RequestId(1) };
    assert_eq!(puppet.say(&mut machine, MessageType::Held.byte(), &held.encode()), Err(Violation::Unasked));
}
