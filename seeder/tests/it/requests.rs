//! What is asked of a peer and what becomes of it, in simulated time.

use std::collections::BTreeMap;
use std::time::Duration;

use peerfeed::author::{self, Audience, Draft};
use peerfeed::store::{Options as StoreOptions, Reading, Store};
use peerfeed::swarm::limits::{SERVE_QUEUE, WINDOW_FLOOR_BYTES};
use peerfeed::swarm::{self, Action, Command, ConnectionId, Engine, Input, Snapshot};
use peerfeed_protocol::feed::BlobRef;
use peerfeed_protocol::ids::{BlobRoot, LogId};
use peerfeed_protocol::peer::message::{ChunksWanted, EntriesWanted, Interest, RejectCode};
use peerfeed_protocol::peer::{ChannelId, Event, Moment, NodeSecret, RequestId};

use crate::lone;
use crate::world::World;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// How long a film takes over a line of this rate and length.
fn fetch_a_film(bytes: usize, bytes_per_second: u64, one_way: Duration) -> Duration {
    let mut world = World::new(one_way, 80);
    let [ana, bob] = std::array::from_fn(|_| world.machine());
    let author = world.author(ana);
    let feed = author.feed();
    world.post(ana, &author, "film", bytes);
    world.machines[ana].upload = Some(bytes_per_second);
    world.follow(bob, feed, &[ana]);
    let task = world.sync(bob, feed, 60 * SECOND);
    let took = world.until("Bob's sync ends", 600 * SECOND, |world| world.ended(bob, task).is_some());
    assert!(world.holds_all_of(bob, ana, feed));
    took
}

#[test]
fn a_near_line_and_a_far_one_are_both_filled() {
    const FILM: usize = 48_000_000;
    const RATE: u64 = 40_000_000;
    let film_seconds = FILM as u64 / RATE;
    let round_trip = 100 * MS;
    let far = fetch_a_film(FILM, RATE, round_trip / 2);
    // With one window of a fixed size each megabyte would cost a round trip.
    let fixed = round_trip * u32::try_from(FILM as u64 / WINDOW_FLOOR_BYTES).unwrap();
    assert!(far < fixed * 7 / 10, "{far:?} of {fixed:?}");
    let near = fetch_a_film(FILM, RATE, MS / 2);
    assert!(near < SECOND * u32::try_from(film_seconds).unwrap() * 2, "{near:?}");
}

/// An engine that serves one feed of three posts, one of them with a file, and somebody who has opened it.
struct Asked {
    engine: Engine,
    store: Store,
    _folder: tempfile::TempDir,
    log: LogId,
    size: u64,
    blob: BlobRef,
    /// Answers and rejections of each request.
    ends: BTreeMap<RequestId, Vec<Option<RejectCode>>>,
}

const NOW: Moment = Moment::START;
const GUEST: ConnectionId = ConnectionId(1);
const CHANNEL: ChannelId = ChannelId(1);

impl Asked {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &StoreOptions::default()).unwrap();
        let author = author::init(&store, None, &[]).unwrap().author;
        let file = folder.path().join("file.bin");
        std::fs::write(&file, vec![7; 3_000_000]).unwrap();
        for files in [Vec::new(), vec![file], Vec::new()] {
            let draft = Draft { text: "a post".to_owned(), audience: Audience::Public, files, ..Draft::default() };
            author.post(&draft, &mut |_| {}).unwrap();
        }
        let feed = author.feed();
        let mut engine = lone::engine(3);
        let txn = store.read().unwrap();
        engine.load(NOW, Snapshot::read(&txn, feed, txn.feed(feed).unwrap().unwrap()).unwrap());
        let row = txn.logs(feed).unwrap().remove(0);
        let blob = txn.blobs(feed).unwrap()[0];
        drop(txn);
        engine.handle_input(NOW, GUEST, Input::Incoming { address: "192.0.2.1:9".parse().unwrap() });
        let node = NodeSecret::from_bytes([2; 32]).key();
        let swarm = feed.swarm_id();
        let interest = Interest::default();
        for event in [Event::Established { node }, Event::OpenRequested { channel: CHANNEL, swarm, interest }] {
            engine.handle_input(NOW, GUEST, Input::Event(event, None));
        }
        Self { engine, store, _folder: folder, log: row.log, size: row.size, blob, ends: BTreeMap::new() }
    }

    fn ask(&mut self, event: Event) {
        self.engine.handle_input(NOW, GUEST, Input::Event(event, None));
    }

    fn entries(&mut self, number: u32, range: (u64, u64), size: u64) {
        let (from, to) = range;
        let wanted = EntriesWanted { log: self.log, from, to, size, bytes_max: 1 << 20, newest_first: true };
        self.ask(Event::EntriesWanted { channel: CHANNEL, request: RequestId(number), wanted });
    }

    fn chunks(&mut self, number: u32, root: BlobRoot) {
        let wanted = ChunksWanted { root, size: self.blob.size, from: 0, to: 16 };
        self.ask(Event::ChunksWanted { channel: CHANNEL, request: RequestId(number), wanted });
    }

    /// Carries out what the engine wants, as a driver whose connection takes everything at once.
    fn carry_out(&mut self) {
        while let Some(action) = self.engine.poll_action() {
            match action {
                Action::Tell { command, .. } => self.hear(&command),
                Action::Read(read) => {
                    let said = swarm::answer(&self.store.read().unwrap(), &read);
                    let bytes = swarm::payload_bytes(&said);
                    for (_, command) in &said {
                        self.hear(command);
                    }
                    if read.asker().is_some() {
                        self.engine.handle_served(NOW, GUEST, read.answer_bytes(), bytes);
                        self.engine.handle_input(NOW, GUEST, Input::Drained(0));
                    }
                }
                _ => {}
            }
        }
    }

    fn hear(&mut self, command: &Command) {
        let (request, end) = match command {
            Command::AnswerEntries(_, request, answer) if answer.last => (*request, None),
            Command::AnswerChunks(_, request, ..) => (*request, None),
            Command::Reject(_, request, code) => (*request, Some(*code)),
            _ => return,
        };
        self.ends.entry(request).or_default().push(end);
    }

    fn end_of(&self, number: u32) -> Option<RejectCode> {
        let ends = self.ends.get(&RequestId(number)).map(Vec::as_slice);
        assert!(matches!(ends, Some([_])), "request {number} ended with {ends:?}");
        self.ends[&RequestId(number)][0]
    }
}

#[test]
fn every_request_is_answered_or_rejected_and_once() {
    let mut asked = Asked::new();
    asked.carry_out();
    let (size, root) = (asked.size, asked.blob.root);
    asked.entries(1, (0, size), size);
    asked.entries(2, (0, size), size + 7);
    asked.chunks(3, root);
    asked.chunks(4, BlobRoot::new([9; 32]));
    asked.carry_out();
    assert_eq!(
        [1, 2, 3, 4].map(|number| asked.end_of(number)),
        [None, Some(RejectCode::NotHeld), None, Some(RejectCode::NotHeld)]
    );

    // More than may wait, of which one is taken back.
    let many = 10..10 + u32::try_from(SERVE_QUEUE).unwrap() + 40;
    for number in many.clone() {
        asked.chunks(number, root);
    }
    let taken_back = 10 + u32::try_from(SERVE_QUEUE).unwrap() / 2;
    asked.ask(Event::Cancelled { channel: CHANNEL, request: RequestId(taken_back) });
    asked.carry_out();
    let ends: Vec<Option<RejectCode>> = many.map(|number| asked.end_of(number)).collect();
    assert_eq!(asked.end_of(taken_back), Some(RejectCode::Cancelled));
    assert!(ends.iter().filter(|end| end.is_none()).count() >= SERVE_QUEUE - 1);
    assert!(ends.contains(&Some(RejectCode::OverLimit)));
}
