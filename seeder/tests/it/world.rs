//! Many engines in one process and in simulated time: real stores and real connections, but no socket and no clock.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use peerfeed::author::{self, Audience, Author, Draft};
use peerfeed::store::{FeedRow, Options as StoreOptions, Reading, Roles, SeederHint, Store};
use peerfeed::swarm::{
    self, Action, Announced, Chance, Command, ConnectionId, Ended, Engine, Input, Link, NodeStatus, Options, Outcome,
    Prepared, Progress, Report, Snapshot, SyncGoal, TaskId, Trouble,
};
use peerfeed_protocol::crypto::WitnessSecret;
use peerfeed_protocol::ids::{FeedId, Incarnation, SwarmId};
use peerfeed_protocol::peer::hint::HintTable;
use peerfeed_protocol::peer::message::Interest;
use peerfeed_protocol::peer::sim::{Link as Cable, Pipe};
use peerfeed_protocol::peer::{Connection, Event, Moment, NodeSecret, Options as ConnectionOptions};

const UNIX_DAY: u64 = 20_000;
const READ_BYTES: usize = 64 << 10;

/// Machines, the wires between them, and a clock that jumps.
pub(super) struct World {
    pub now: Moment,
    pub machines: Vec<Machine>,
    wires: Vec<Wire>,
    dials: Vec<Dial>,
    cable: Cable,
    seed: u64,
    /// Connections that machines made from now on may have.
    pub connections_max: usize,
    /// A tracker that names so many others at a time, while there is one.
    pub tracker: Option<Tracker>,
}

/// Who announced, by swarm.
pub(super) struct Tracker {
    named: usize,
    swarms: BTreeMap<SwarmId, BTreeSet<SocketAddr>>,
    chance: Chance,
}

impl Tracker {
    pub(super) fn new(named: usize, seed: u8) -> Self {
        Self { named, swarms: BTreeMap::new(), chance: Chance::new([seed; 32]) }
    }

    fn announce(&mut self, from: SocketAddr, swarm: SwarmId) -> Announced {
        let known = self.swarms.entry(swarm).or_default();
        let mut peers: Vec<SocketAddr> = known.iter().copied().filter(|peer| *peer != from).collect();
        known.insert(from);
        self.chance.shuffle(&mut peers);
        peers.truncate(self.named);
        Announced::Peers { interval: Duration::from_secs(1_800), peers }
    }
}

/// In what a machine changes a bit before it sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lie {
    Chunks,
    Entries,
    Heads,
}

/// One machine: an engine over a store.
pub(super) struct Machine {
    pub engine: Engine,
    pub store: Store,
    _folder: tempfile::TempDir,
    pub reports: BTreeMap<TaskId, Report>,
    /// What it sends wrongly.
    pub lies: Option<Lie>,
    /// Nothing more fits on its disk.
    pub disk_full: bool,
    /// It listens on nothing.
    pub hidden: bool,
    /// Nothing reaches it and nothing leaves it.
    pub dead: bool,
    /// Bytes per second that each of its connections may send.
    pub upload: Option<u64>,
    /// Entries that arrived, and when.
    pub arrived: Vec<(u64, Moment)>,
    node: NodeSecret,
    witness: Arc<WitnessSecret>,
    wires: BTreeMap<ConnectionId, (usize, usize)>,
}

struct Wire {
    ends: [End; 2],
    pipes: [Pipe; 2],
    open: bool,
}

struct End {
    machine: usize,
    id: ConnectionId,
    link: Link,
    arrived: bool,
    incoming: Option<SocketAddr>,
    told_bytes: usize,
    ended: bool,
}

struct Dial {
    from: usize,
    connection: ConnectionId,
    address: String,
    prove: bool,
    opens: Vec<(FeedId, Interest)>,
    at: Moment,
}

pub(super) fn address(machine: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, u8::try_from(machine).unwrap()], 7_000))
}

pub(super) fn hint(machine: usize) -> SeederHint {
    SeederHint { address: address(machine).to_string(), witness: None }
}

fn change_a_bit(bytes: &mut Bytes) {
    let mut wrong = bytes.to_vec();
    wrong[0] ^= 1;
    *bytes = wrong.into();
}

fn low_byte(number: usize) -> u8 {
    number.to_le_bytes()[0]
}

impl World {
    pub(super) fn new(one_way: Duration, seed: u64) -> Self {
        println!("seed {seed}");
        let cable = Cable { one_way, bytes_per_second: None, slow_start: true };
        Self {
            now: Moment::START,
            machines: Vec::new(),
            wires: Vec::new(),
            dials: Vec::new(),
            cable,
            seed,
            tracker: None,
            connections_max: 1_000,
        }
    }

    /// A machine that stays connected to the peers of its feeds.
    pub(super) fn machine(&mut self) -> usize {
        let number = self.machines.len();
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &StoreOptions::default()).unwrap();
        let node = NodeSecret::from_bytes([low_byte(number + 1); 32]);
        let witness = Arc::new(WitnessSecret::from_seed(&[low_byte(number + 1); 32]));
        let trackers = self.tracker.iter().map(|_| "http://tracker.example/announce".parse().unwrap()).collect();
        let options = Options {
            serve: true,
            announce: self.tracker.is_some(),
            connections_max: self.connections_max,
            up: None,
            trackers,
            node: node.key(),
            witness: witness.key(),
        };
        let mut seed = [low_byte(number); 32];
        seed[..8].copy_from_slice(&self.seed.to_be_bytes());
        self.machines.push(Machine {
            engine: Engine::new(options, seed),
            store,
            _folder: folder,
            reports: BTreeMap::new(),
            lies: None,
            disk_full: false,
            hidden: false,
            dead: false,
            upload: None,
            arrived: Vec::new(),
            node,
            witness,
            wires: BTreeMap::new(),
        });
        number
    }

    pub(super) fn author(&mut self, machine: usize) -> Author {
        let author = author::init(&self.machines[machine].store, None, &[]).unwrap().author;
        self.reload(machine, author.feed());
        author
    }

    /// Writes a post with a file of so many random bytes, or none.
    pub(super) fn post(&mut self, machine: usize, author: &Author, text: &str, file_bytes: usize) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.bin");
        let mut content = vec![0; file_bytes];
        getrandom::fill(&mut content).unwrap();
        std::fs::write(&path, content).unwrap();
        let files = if file_bytes > 0 { vec![path] } else { Vec::new() };
        let draft = Draft { text: text.to_owned(), audience: Audience::Public, files, ..Draft::default() };
        author.post(&draft, &mut |_| {}).unwrap();
        self.reload(machine, author.feed());
    }

    pub(super) fn hold(&mut self, machine: usize, feed: FeedId, roles: Roles, seeders: Vec<SeederHint>) {
        self.hold_as(machine, feed, FeedRow { roles, seeders, ..FeedRow::default() });
    }

    pub(super) fn hold_as(&mut self, machine: usize, feed: FeedId, row: FeedRow) {
        self.machines[machine].store.write_blocking(move |txn| txn.put_feed(feed, &row)).unwrap();
        self.reload(machine, feed);
    }

    pub(super) fn seed(&mut self, machine: usize, feed: FeedId, from: &[usize]) {
        let roles = Roles { seed: true, ..Roles::default() };
        self.hold(machine, feed, roles, from.iter().map(|at| hint(*at)).collect());
    }

    pub(super) fn follow(&mut self, machine: usize, feed: FeedId, from: &[usize]) {
        let roles = Roles { follow: true, ..Roles::default() };
        self.hold(machine, feed, roles, from.iter().map(|at| hint(*at)).collect());
    }

    fn reload(&mut self, machine: usize, feed: FeedId) {
        let now = self.now;
        let machine = &mut self.machines[machine];
        let txn = machine.store.read().unwrap();
        let row = txn.feed(feed).unwrap().unwrap();
        machine.engine.load(now, Snapshot::read(&txn, feed, row).unwrap());
    }

    /// Starts a sync of everything and returns its number.
    pub(super) fn sync(&mut self, machine: usize, feed: FeedId, timeout: Duration) -> TaskId {
        self.sync_for(machine, feed, SyncGoal { blobs: true, ..SyncGoal::default() }, timeout)
    }

    pub(super) fn sync_for(&mut self, machine: usize, feed: FeedId, goal: SyncGoal, timeout: Duration) -> TaskId {
        let now = self.now;
        let task = TaskId(self.machines[machine].reports.len() as u64 + 1_000);
        self.machines[machine].engine.start_sync(now, task, &[feed], goal, None, timeout);
        task
    }

    /// Lets time pass until something holds; fails the test when it does not in time.
    pub(super) fn until(&mut self, what: &str, within: Duration, holds: impl Fn(&Self) -> bool) -> Duration {
        let began = self.now;
        let limit = began.after(within);
        while !holds(self) {
            assert!(self.step(limit), "{what} did not come to hold within {within:?}: {:#?}", self.statuses());
        }
        self.now.since(began)
    }

    /// Lets so much time pass.
    pub(super) fn pass(&mut self, time: Duration) {
        let limit = self.now.after(time);
        while self.step(limit) {}
        self.now = limit;
    }

    fn statuses(&self) -> Vec<NodeStatus> {
        self.machines.iter().map(|machine| machine.engine.status(self.now)).collect()
    }

    pub(super) fn entries(&self, machine: usize, feed: FeedId) -> u64 {
        let txn = self.machines[machine].store.read().unwrap();
        let logs = txn.logs(feed).unwrap();
        logs.iter().flat_map(|log| txn.held(log).unwrap()).map(|range| range.end - range.start).sum()
    }

    /// Whether this machine holds as many entries as the other, and every blob.
    pub(super) fn holds_all_of(&self, machine: usize, other: usize, feed: FeedId) -> bool {
        self.entries(machine, feed) == self.entries(other, feed) && {
            let txn = self.machines[machine].store.read().unwrap();
            let blobs = txn.blobs(feed).unwrap();
            blobs.iter().all(|blob| txn.blob(feed, *blob).unwrap().is_some_and(|row| row.is_complete()))
        }
    }

    /// Bytes of entries and chunks that this machine has served.
    pub(super) fn served_bytes(&self, machine: usize) -> u64 {
        self.machines[machine].engine.status(self.now).peers.iter().map(|peer| peer.served_bytes).sum()
    }

    pub(super) fn peers(&self, machine: usize) -> usize {
        self.machines[machine].engine.status(self.now).peers.len()
    }

    /// Kills a machine: its connections say nothing any more.
    pub(super) fn kill(&mut self, machine: usize) {
        self.machines[machine].dead = true;
        for wire in &mut self.wires {
            if wire.open && wire.ends.iter().any(|end| end.machine == machine) {
                wire.open = false;
                for end in &mut wire.ends {
                    if !end.ended && end.machine != machine {
                        end.ended = true;
                        let input = Input::Ended(Ended::Broken("reset".to_owned()));
                        self.machines[end.machine].engine.handle_input(self.now, end.id, input);
                    }
                }
            }
        }
    }

    /// Does what is to be done now, or jumps to the next thing that happens; false when nothing happens before `limit`.
    fn step(&mut self, limit: Moment) -> bool {
        let mut busy = false;
        for machine in 0..self.machines.len() {
            busy |= self.act(machine);
        }
        busy |= self.connect_due();
        for wire in 0..self.wires.len() {
            busy |= self.carry(wire);
        }
        if busy {
            return true;
        }
        let engines =
            self.machines.iter().filter(|machine| !machine.dead).filter_map(|machine| machine.engine.poll_timeout());
        let mut next: Option<Moment> = engines.chain(self.dials.iter().map(|dial| dial.at)).min();
        for wire in self.wires.iter_mut().filter(|wire| wire.open) {
            let pipes = wire.pipes.iter().filter_map(Pipe::next).min();
            let ends = wire.ends.iter_mut().filter_map(|end| end.link.connection().poll_timeout()).min();
            next = [next, pipes, ends].into_iter().flatten().min();
        }
        let Some(next) = next.filter(|next| *next <= limit) else { return false };
        self.now = self.now.max(next);
        for machine in self.machines.iter_mut().filter(|machine| !machine.dead) {
            if machine.engine.poll_timeout().is_some_and(|due| due <= self.now) {
                machine.engine.handle_timeout(self.now);
            }
        }
        for wire in self.wires.iter_mut().filter(|wire| wire.open) {
            for end in &mut wire.ends {
                end.link.connection().handle_timeout(self.now);
            }
        }
        true
    }

    fn act(&mut self, number: usize) -> bool {
        let mut busy = false;
        while let Some(action) = self.machines[number].engine.poll_action() {
            busy = true;
            let now = self.now;
            let machine = &mut self.machines[number];
            match action {
                Action::Dial { connection, address, prove, opens, .. } => {
                    let at = now.after(self.cable.round_trip());
                    self.dials.push(Dial { from: number, connection, address, prove, opens, at });
                }
                Action::Tell { connection, command } => self.command(number, connection, command),
                // Nobody here keeps mailboxes.
                Action::MailCame(_) => {}
                Action::Write { job, write } => {
                    let prepared = Prepared::new(write, Incarnation::new([9; 8]));
                    let outcome = if machine.disk_full {
                        Outcome::Failed { reason: "the disk is full".to_owned(), trouble: Trouble::ForNow }
                    } else {
                        let outcome = machine.store.write_blocking(move |txn| prepared.run(txn, 1_000));
                        outcome.unwrap_or_else(|error| Outcome::Failed {
                            reason: error.to_string(),
                            trouble: Trouble::from(&error),
                        })
                    };
                    machine.engine.handle_written(now, job, outcome);
                }
                Action::Read(read) => {
                    let said = swarm::answer(&machine.store.read().unwrap(), &read);
                    let bytes = swarm::payload_bytes(&said);
                    if let Some(to) = read.asker() {
                        machine.engine.handle_served(now, to.connection, read.answer_bytes(), bytes);
                    }
                    for (connection, command) in said {
                        self.command(number, connection, command);
                    }
                }
                Action::Announce(job) => {
                    let answer = match &mut self.tracker {
                        Some(tracker) => tracker.announce(address(number), job.swarm),
                        None => Announced::Failed { error: "it does not answer".to_owned(), never_again: false },
                    };
                    machine.engine.handle_announced(now, job.feed, answer);
                }
                Action::Report { task, report } => {
                    machine.reports.insert(task, report);
                }
                Action::Arrived { from, to, .. } => {
                    machine.arrived.extend((from..to).map(|index| (index, now)));
                }
            }
        }
        busy
    }

    fn command(&mut self, machine: usize, connection: ConnectionId, mut command: Command) {
        let Some((wire, side)) = self.machines[machine].wires.get(&connection).copied() else { return };
        match (self.machines[machine].lies, &mut command) {
            (Some(Lie::Chunks), Command::AnswerChunks(_, _, _, chunks)) => change_a_bit(&mut chunks[0]),
            (Some(Lie::Heads), Command::State(_, state)) => {
                state.heads.iter_mut().for_each(|news| change_a_bit(&mut news.record));
            }
            (Some(Lie::Entries), Command::AnswerEntries(_, _, answer) | Command::Newest(_, _, _, answer)) => {
                if let Some(body) = &mut answer.entries[0].body {
                    change_a_bit(body);
                }
            }
            _ => {}
        }
        self.wires[wire].ends[side].link.apply(self.now, command);
    }

    fn connect_due(&mut self) -> bool {
        let (due, later) = std::mem::take(&mut self.dials).into_iter().partition(|dial| dial.at <= self.now);
        self.dials = later;
        let due: Vec<Dial> = due;
        let busy = !due.is_empty();
        for dial in due {
            self.connect(dial);
        }
        busy
    }

    fn connect(&mut self, dial: Dial) {
        let there = (0..self.machines.len()).find(|at| address(*at).to_string() == dial.address);
        let Some(there) = there.filter(|at| !self.machines[*at].dead && !self.machines[*at].hidden) else {
            let input = Input::Ended(Ended::NotConnected("nothing listens there".to_owned()));
            self.machines[dial.from].engine.handle_input(self.now, dial.connection, input);
            return;
        };
        let wire = self.wires.len();
        let seeds = [2 * wire + 1, 2 * wire + 2].map(|number| {
            let mut seed = [0; 32];
            seed[..8].copy_from_slice(&number.to_be_bytes());
            seed
        });
        let options = |machine: usize, prove: bool| {
            let machine = &self.machines[machine];
            let mut options = ConnectionOptions::new(machine.node.clone());
            options.witness = prove.then(|| Arc::clone(&machine.witness));
            options
        };
        // A reader shows another key to each seeder.
        let mut outgoing = options(dial.from, dial.prove);
        let mut secret = [200; 32];
        (secret[1], secret[2]) = (low_byte(dial.from), low_byte(there));
        outgoing.node_secret = NodeSecret::from_bytes(secret);
        outgoing.listen_port = (!self.machines[dial.from].hidden).then_some(7_000);
        let mut incoming = options(there, true);
        incoming.listen_port = Some(7_000);
        let first = dial.opens[0].0;
        let mut initiator = Link::new(Connection::initiator(&first, outgoing, seeds[0], self.now, UNIX_DAY));
        for (feed, interest) in dial.opens {
            initiator.apply(self.now, Command::Open(feed, interest));
        }
        let responder = Link::new(Connection::responder(incoming, seeds[1], self.now));
        let id = ConnectionId(wire as u64 * 2 + 1);
        let end = |machine, id, link, incoming| End {
            machine,
            id,
            link,
            arrived: false,
            incoming,
            told_bytes: 0,
            ended: false,
        };
        let from_address = SocketAddr::new(address(dial.from).ip(), 50_000 + u16::try_from(wire).unwrap());
        self.wires.push(Wire {
            ends: [end(dial.from, dial.connection, initiator, None), end(there, id, responder, Some(from_address))],
            pipes: [dial.from, there]
                .map(|machine| Pipe::new(Cable { bytes_per_second: self.machines[machine].upload, ..self.cable })),
            open: true,
        });
        self.machines[dial.from].wires.insert(dial.connection, (wire, 0));
        self.machines[there].wires.insert(id, (wire, 1));
        let connected = Input::Connected { address: address(there) };
        self.machines[dial.from].engine.handle_input(self.now, dial.connection, connected);
    }

    /// Passes on what connections say and what travels over a wire.
    fn carry(&mut self, number: usize) -> bool {
        if !self.wires[number].open {
            return false;
        }
        let mut busy = false;
        for side in 0..2 {
            busy |= self.pass_events_on(number, side);
            let wire = &mut self.wires[number];
            let mut out = Vec::new();
            let room = wire.pipes[side].room();
            if room > 0 && wire.ends[side].link.connection().poll_transmit(self.now, &mut out, room) > 0 {
                wire.pipes[side].send(self.now, &out);
                busy = true;
            }
            let end = &mut wire.ends[side];
            let buffered = end.link.buffered_bytes();
            let drained = buffered < end.told_bytes;
            end.told_bytes = buffered;
            if drained && !end.ended {
                let (machine, id) = (end.machine, end.id);
                self.machines[machine].engine.handle_input(self.now, id, Input::Drained(buffered));
            }
            let wire = &mut self.wires[number];
            // Last words are heard before the end.
            if wire.ends[side].ended && wire.ends[side].link.buffered_bytes() == 0 && wire.pipes[side].next().is_none()
            {
                self.break_wire(number);
                return true;
            }
            let wire = &mut self.wires[number];
            let bytes = wire.pipes[side].receive(self.now);
            busy |= !bytes.is_empty();
            for piece in bytes.chunks(READ_BYTES) {
                // A violation is told again as an event.
                let _ = self.wires[number].ends[1 - side].link.connection().handle_bytes(self.now, piece);
                self.pass_events_on(number, 1 - side);
            }
        }
        busy
    }

    fn pass_events_on(&mut self, number: usize, side: usize) -> bool {
        let mut busy = false;
        while let Some((event, ticket)) = self.wires[number].ends[side].link.poll_event() {
            busy = true;
            let end = &mut self.wires[number].ends[side];
            let machine = &mut self.machines[end.machine];
            match event {
                Event::FirstMessage(first) => {
                    let mut hints = HintTable::new();
                    for feed in machine.engine.feed_ids() {
                        hints.insert(feed);
                    }
                    match hints.find(&first, UNIX_DAY) {
                        Some(feed) => drop(end.link.connection().admit(&feed)),
                        None => self.break_wire(number),
                    }
                }
                Event::Established { .. } if !std::mem::replace(&mut end.arrived, true) => {
                    if let Some(address) = end.incoming {
                        machine.engine.handle_input(self.now, end.id, Input::Incoming { address });
                    }
                    machine.engine.handle_input(self.now, end.id, Input::Event(event, ticket));
                }
                Event::Closed(closed) => {
                    end.ended = true;
                    let id = end.id;
                    machine.engine.handle_input(self.now, id, Input::Ended(Ended::Closed(closed)));
                }
                event => machine.engine.handle_input(self.now, end.id, Input::Event(event, ticket)),
            }
        }
        busy
    }

    fn break_wire(&mut self, number: usize) {
        let wire = &mut self.wires[number];
        wire.open = false;
        for end in &mut wire.ends {
            if !std::mem::replace(&mut end.ended, true) && (end.incoming.is_none() || end.arrived) {
                let input = Input::Ended(Ended::Broken("it closed the connection".to_owned()));
                self.machines[end.machine].engine.handle_input(self.now, end.id, input);
            }
        }
    }

    /// How a sync ended, once it has.
    pub(super) fn ended(&self, machine: usize, task: TaskId) -> Option<&Progress> {
        match self.machines[machine].reports.get(&task) {
            Some(Report::Progress(progress)) if !matches!(progress, Progress::Working { .. }) => Some(progress),
            _ => None,
        }
    }
}
