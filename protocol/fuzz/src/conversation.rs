//! A peer that knows the feed and says what it likes, and one that does not even know the feed.

#[allow(dead_code, reason = "made for other tests, of which some need more of it")]
#[path = "../../tests/it/peer/puppet.rs"]
mod puppet;

use std::time::Duration;

use peerfeed_protocol::crypto::{DeviceKey, IdentityKey};
use peerfeed_protocol::feed::blob::BlobSize;
use peerfeed_protocol::ids::{BlobRoot, FeedId, Incarnation, LogId};
use peerfeed_protocol::merkle::Hash;
use peerfeed_protocol::peer::message::{ChunksWanted, EntriesWanted, Interest, Newest, RejectCode};
use peerfeed_protocol::peer::{Connection, Event, Moment, NodeSecret, Options};

use self::puppet::{BULK, CHANGE, FAST_HELLO, HELLO, Puppet, URGENT};

/// A day of the unix calendar; any would do.
const DAY: u64 = 20_400;

/// Most messages of one conversation.
const MESSAGES_MAX: usize = 40;

/// What a machine may hold for a peer that never reads, beyond what the application gave it.
const BUFFERED_BYTES_MAX: usize = 2 << 20;

fn feed() -> FeedId {
    IdentityKey::from_seed(&[1; 32]).feed_id()
}

fn options(node: u8) -> Options {
    Options::new(NodeSecret::from_bytes([node; 32]))
}

/// The first byte chooses the machine's role, and whether a responder agrees to AES. Then messages: a byte of flags, a type, a length of two bytes, the rest.
pub(crate) fn conversation(bytes: &[u8]) {
    let Some((mode, mut rest)) = bytes.split_first() else { return };
    let feed = feed();
    let (mut machine, mut puppet) =
        if mode % 2 == 0 { as_responder(&feed, mode & 2 != 0) } else { as_initiator(&feed) };
    let mut now = Moment::START;
    for _ in 0..MESSAGES_MAX {
        let Some(([flags, kind, high, low], behind)) = rest.split_first_chunk() else { break };
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(behind.len());
        let (message, behind) = behind.split_at(length);
        rest = behind;
        let lane = if flags & 1 == 0 { URGENT } else { BULK };
        let bytes = match flags >> 2 {
            _ if flags & 2 == 0 => puppet.message(lane, *kind, message),
            CHANGE if message == [1] => puppet.change(),
            lane => puppet.record(lane, message),
        };
        let heard = bytes.chunks(if flags & 4 == 0 { usize::MAX } else { 100 });
        now = now.after(Duration::from_millis(u64::from(flags >> 4) * 100));
        for piece in heard {
            if machine.handle_bytes(now, piece).is_err() {
                assert!(machine.is_over());
            }
        }
        react(&mut machine, &feed);
        assert!(machine.buffered_bytes() <= BUFFERED_BYTES_MAX, "{} bytes wait", machine.buffered_bytes());
        if machine.is_over() {
            break;
        }
        if flags & 8 != 0 {
            puppet.hear(&mut machine);
        }
    }
    let end = now.after(Duration::from_secs(900));
    while let Some(next) = machine.poll_timeout().filter(|next| *next < end) {
        now = now.max(next).after(Duration::from_micros(1));
        machine.handle_timeout(now);
        while machine.poll_event().is_some() {}
        let mut out = Vec::new();
        while machine.poll_transmit(now, &mut out, 1 << 16) > 0 {}
        if machine.is_over() {
            break;
        }
    }
}

/// A seeder that a stranger has connected to.
fn as_responder(feed: &FeedId, fast_aes: bool) -> (Connection, Puppet) {
    let mut machine = Connection::responder(Options { fast_aes, ..options(12) }, [22; 32], Moment::START);
    let mut puppet = Puppet::client(feed, &mut machine);
    puppet.greet_with(&mut machine, if fast_aes { FAST_HELLO } else { HELLO });
    puppet.open(&mut machine, feed, 0);
    (machine, puppet)
}

/// A reader that waits for what it asked a stranger for.
fn as_initiator(feed: &FeedId) -> (Connection, Puppet) {
    let mut machine = Connection::initiator(feed, options(11), [21; 32], Moment::START, DAY);
    let newest = Some(Newest { entries: 4, body_bytes: 10_000 });
    machine.open(*feed, Interest { newest, ..Interest::default() }).expect("a first channel");
    let mut puppet = Puppet::server(feed, &mut machine);
    puppet.greet_machine_only(&mut machine);
    let channel = puppet.accept(&mut machine, feed);
    let log = LogId { device: DeviceKey::from_seed(&[2; 32]).id(), incarnation: Incarnation::new([3; 8]) };
    let wanted = EntriesWanted { log, from: 2, to: 5, size: 7, bytes_max: 100_000, newest_first: false };
    machine.request_entries(Moment::START, channel, wanted, Hash::new([4; 32])).expect("a first request");
    let size = BlobSize::new(128_040).expect("a size that blobs have");
    let wanted = ChunksWanted { root: BlobRoot::new([5; 32]), size, from: 0, to: 1 };
    machine.request_chunks(Moment::START, channel, wanted).expect("a second request");
    (machine, puppet)
}

/// What a program around the machine does, in the simplest way.
fn react(machine: &mut Connection, feed: &FeedId) {
    while let Some(event) = machine.poll_event() {
        match event {
            Event::OpenRequested { channel, .. } => {
                let _ = machine.accept(channel, feed, Interest::default());
            }
            Event::EntriesWanted { channel, request, .. } | Event::ChunksWanted { channel, request, .. } => {
                let _ = machine.reject(channel, request, RejectCode::NotHeld);
            }
            // Newest entries are proven against a head whose signature is the program's to check.
            Event::Entries { request: Some(_), .. } => panic!("entries of a root that nobody knows came out"),
            Event::Chunks { .. } => panic!("chunks of a root that nobody knows came out"),
            _ => {}
        }
    }
}

/// Bytes of somebody who does not know the feed, towards either side, in pieces.
pub(crate) fn handshake(bytes: &[u8]) {
    let feed = feed();
    let piece = usize::from(bytes.first().copied().unwrap_or_default()).max(1);
    let mut responder = Connection::responder(options(12), [22; 32], Moment::START);
    let mut initiator = Connection::initiator(&feed, options(11), [21; 32], Moment::START, DAY);
    for machine in [&mut responder, &mut initiator] {
        for piece in bytes.chunks(piece) {
            let _ = machine.handle_bytes(Moment::START, piece);
            while let Some(event) = machine.poll_event() {
                match event {
                    Event::FirstMessage(_) => {
                        let _ = machine.admit(&feed);
                    }
                    Event::Established { .. } => panic!("somebody got in without the feed id"),
                    _ => {}
                }
            }
        }
    }
}
