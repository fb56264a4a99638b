//! Mailboxes over a connection.

use bytes::Bytes;
use peerfeed_protocol::crypto::DeviceKey;
use peerfeed_protocol::limits::{PACKET_BYTES, PACKETS_PER_ANSWER_MAX};
use peerfeed_protocol::mailbox::{Cursor, TokenHash, Work};
use peerfeed_protocol::peer::message::{
    Admission, Kept, Mail, MailAnswer, MailWanted, Message, MessageType, RejectCode,
};
use peerfeed_protocol::peer::{Event, Moment, RequestId, Role, Violation};

use super::puppet::Puppet;
use super::sample::SampleLog;
use super::{initiator, link, open_pair, run};

fn packet(byte: u8) -> Bytes {
    vec![byte; PACKET_BYTES[0]].into()
}

#[test]
fn a_packet_is_put_confirmed_and_fetched_by_who_proves_a_device() {
    let sample = SampleLog::new(1);
    let (mut pair, channel) = open_pair(&sample);
    let (now, device) = (pair.now, DeviceKey::from_seed(&[2; 32]));
    let put = pair.initiator.put_packet(now, channel, packet(7), Admission::Work(Work(5))).unwrap();
    let cursor = |number| Cursor { mailbox: [1; 8], number };
    let wanted = MailWanted { after: Some(cursor(3)), revoked: vec![TokenHash([4; 32])] };
    let get = pair.initiator.get_mail(now, channel, &device, wanted.clone()).unwrap();
    // The largest answer there is goes on the bulk lane.
    let packets = vec![Bytes::from(vec![9; PACKET_BYTES[2]]); PACKETS_PER_ANSWER_MAX];
    let answer = MailAnswer { cursor: cursor(19), packets, more: true };
    let events = run(&mut pair, 10, |role, connection, event| match event {
        Event::PutWanted { channel, request, packet: came, admission } => {
            assert_eq!((role, came, admission), (Role::Responder, packet(7), Admission::Work(Work(5))));
            connection.confirm_kept(channel, request).unwrap();
            connection.tell_mail_came(channel).unwrap();
            None
        }
        Event::MailWanted { channel, request, device: who, wanted: asked } => {
            assert_eq!((who, &asked), (device.id(), &wanted));
            connection.answer_mail(channel, request, answer.clone()).unwrap();
            assert!(connection.answer_mail(channel, request, answer.clone()).is_err(), "once");
            None
        }
        event => Some(event),
    });
    let has =
        |what: &dyn Fn(&Event) -> bool| events.iter().any(|(role, event)| *role == Role::Initiator && what(event));
    assert!(has(&|event| matches!(event, Event::Kept { request, .. } if *request == put)));
    assert!(has(&|event| matches!(event, Event::MailCame { .. })));
    assert!(has(
        &|event| matches!(event, Event::Mail { request, answer: came, .. } if *request == get && *came == answer)
    ));
}

#[test]
fn a_packet_that_is_not_admitted_is_rejected() {
    let sample = SampleLog::new(1);
    let (mut pair, channel) = open_pair(&sample);
    let put = pair.initiator.put_packet(pair.now, channel, packet(7), Admission::Work(Work(5))).unwrap();
    let events = run(&mut pair, 10, |_, connection, event| match event {
        Event::PutWanted { channel, request, .. } => {
            connection.reject(channel, request, RejectCode::NotAdmitted).unwrap();
            None
        }
        event => Some(event),
    });
    let rejected = |event: &Event| matches!(event, Event::Rejected { request, code: RejectCode::NotAdmitted, .. } if *request == put);
    assert!(events.iter().any(|(_, event)| rejected(event)));
}

#[test]
fn a_question_for_mail_sent_back_to_its_maker_is_a_violation() {
    let sample = SampleLog::new(1);
    let mut machine = initiator(&sample.feed, link());
    machine.open(sample.feed, peerfeed_protocol::peer::message::Interest::default()).unwrap();
    let mut puppet = Puppet::server(&sample.feed, &mut machine);
    puppet.greet_machine_only(&mut machine);
    let channel = puppet.accept(&mut machine, &sample.feed);
    machine.get_mail(Moment::START, channel, &DeviceKey::from_seed(&[2; 32]), MailWanted::default()).unwrap();
    let question = puppet.hear(&mut machine).into_iter().find(|frame| frame.0 == MessageType::GetMail.byte());
    let question = question.expect("it was asked").1;
    // The device's signature names the role of who asks, so that nobody can ask with it in turn.
    let verdict = puppet.say(&mut machine, MessageType::GetMail.byte(), &question);
    assert_eq!(verdict, Err(Violation::DeviceSignature));
}

#[test]
fn confirmations_and_mail_that_nobody_asked_for_are_violations() {
    let sample = SampleLog::new(1);
    for kind in [MessageType::Kept, MessageType::Mail] {
        let mut machine = initiator(&sample.feed, link());
        machine.open(sample.feed, peerfeed_protocol::peer::message::Interest::default()).unwrap();
        let mut puppet = Puppet::server(&sample.feed, &mut machine);
        puppet.greet_machine_only(&mut machine);
        let channel = puppet.accept(&mut machine, &sample.feed);
        let request = RequestId(1);
        let answer = MailAnswer { cursor: Cursor::from_bytes([0; 16]), packets: Vec::new(), more: false };
        let rest = match kind {
            MessageType::Kept => Kept { channel, request }.encode(),
            _ => Mail { channel, request, answer }.encode(),
        };
        assert_eq!(puppet.say(&mut machine, kind.byte(), &rest), Err(Violation::Unasked));
    }
}
