//! Machines, wires and a clock that jumps.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use peerfeed::store::Roles;
use peerfeed::swarm::{self, Action, Announced, Chance, Command, ConnectionId, Ended, Snapshot, SyncGoal, TaskId};
use peerfeed_protocol::announce::TrackerUrl;
use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::peer::Moment;
use peerfeed_protocol::peer::hint::HintTable;
use peerfeed_protocol::peer::message::Interest;

use super::content::Content;
use super::machine::{Machine, address};
use super::shelf::Shelf;
use super::tracker::Tracker;
use super::wire::{Phase, Wire};

/// How often the tracker wants to hear from everybody.
const TRACKER_INTERVAL: Duration = Duration::from_secs(1_800);

/// How long a reader waits while nothing comes.
const PATIENCE: Duration = Duration::from_secs(900);

/// What all machines have in common.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// From one machine to another.
    pub one_way: Duration,
    /// Everything that is left to chance follows from it.
    pub seed: u64,
}

/// All there is.
pub struct World {
    /// What is published.
    pub content: Content,
    /// Who holds it or wants it; the first one is the author's.
    pub machines: Vec<Machine>,
    /// Machines that keep new heads to themselves, though they say that they have them.
    pub withholding: BTreeSet<usize>,
    /// The tracker, while there is one.
    pub tracker: Option<Tracker>,
    /// The present moment.
    pub now: Moment,
    pub(super) plan: Plan,
    url: TrackerUrl,
    pub(super) hints: HintTable,
    pub(super) wires: Vec<Wire>,
    queue: BinaryHeap<Reverse<(Moment, u64, Happening)>>,
    happened: u64,
    pub(super) restless: BTreeSet<usize>,
    pub(super) chance: Chance,
}

/// Something that happens at its moment.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Happening {
    Engine(usize),
    Timeout(usize, usize),
    Line(usize, usize),
    Arrives(usize, usize, Vec<u8>),
    Closed(usize, usize),
    Dialled { from: usize, connection: ConnectionId, address: String, prove: bool, opens: Opens },
}

/// Feeds to be opened; the order of happenings does not depend on it.
#[derive(Debug)]
pub(super) struct Opens(pub Vec<(FeedId, Interest)>);

impl World {
    /// The author's machine with what is published, and a tracker that names so many.
    pub fn new(plan: Plan, content: Content, uplink: u64, named: usize) -> Result<Self> {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&plan.seed.to_be_bytes());
        let mut chance = Chance::new(seed);
        let tracker = Some(Tracker::new(named, TRACKER_INTERVAL, chance.fork()));
        let mut hints = HintTable::new();
        hints.insert(content.feed());
        let mut world = Self {
            content,
            machines: Vec::new(),
            withholding: BTreeSet::new(),
            tracker,
            now: Moment::START,
            plan,
            url: "http://tracker.example/announce".parse()?,
            hints,
            wires: Vec::new(),
            queue: BinaryHeap::new(),
            happened: 0,
            restless: BTreeSet::new(),
            chance,
        };
        let shelf = Shelf::whole(&world.content);
        world.machines.push(Machine::new(0, uplink, shelf, &world.url, plan.seed));
        world.tell_author()?;
        Ok(world)
    }

    /// Another post by the author.
    pub fn post(&mut self, text: &str, file_bytes: usize) -> Result<()> {
        self.content.post(text, file_bytes)?;
        self.machines[0].shelf = Shelf::whole(&self.content);
        self.tell_author()
    }

    fn tell_author(&mut self) -> Result<()> {
        self.machines[0].engine.load(self.now, self.content.snapshot()?);
        self.restless.insert(0);
        Ok(())
    }

    /// Somebody who holds all of it for others.
    pub fn join(&mut self, uplink: u64, lies: bool) -> usize {
        self.come(uplink, lies, Roles { seed: true, ..Roles::default() })
    }

    /// Somebody who follows it and gets the files that there are.
    pub fn read(&mut self, uplink: u64, lies: bool) -> usize {
        let number = self.come(uplink, lies, Roles { follow: true, ..Roles::default() });
        let (feed, machine) = (self.content.feed(), &mut self.machines[number]);
        machine.seeds = false;
        let goal = SyncGoal { blobs: true, ..SyncGoal::default() };
        machine.engine.start_sync(self.now, TaskId(1), &[feed], goal, None, PATIENCE);
        number
    }

    fn come(&mut self, uplink: u64, lies: bool, roles: Roles) -> usize {
        let number = self.machines.len();
        let mut machine = Machine::new(number, uplink, Shelf::default(), &self.url, self.plan.seed);
        machine.lies = lies;
        machine.engine.load(self.now, Snapshot::new(self.content.feed(), roles));
        self.machines.push(machine);
        self.restless.insert(number);
        number
    }

    /// A tracker is there again, which knows nobody.
    pub fn start_tracker(&mut self, named: usize) {
        self.tracker = Some(Tracker::new(named, TRACKER_INTERVAL, self.chance.fork()));
    }

    /// A machine is switched off.
    pub fn leave(&mut self, number: usize) {
        self.machines[number].alive = false;
        let wires: Vec<(usize, usize)> = self.machines[number].wires.values().copied().collect();
        for (wire, side) in wires {
            self.end(wire, side, None);
            self.later(self.plan.one_way, Happening::Closed(wire, 1 - side));
        }
    }

    /// Lets time pass until then, or until something holds, looked at once a second; whether it did.
    pub fn run(&mut self, until: Moment, mut holds: impl FnMut(&Self) -> bool) -> bool {
        let mut look = self.now;
        loop {
            self.settle();
            if self.now >= look {
                if holds(self) {
                    return true;
                }
                look = self.now.after(Duration::from_secs(1));
            }
            let next = self.queue.peek().map_or(until, |Reverse((at, ..))| *at);
            self.now = next.min(look).min(until);
            if self.now >= until {
                return holds(self);
            }
            if self.now == next
                && let Some(Reverse((_, _, happening))) = self.queue.pop()
            {
                self.happen(happening);
            }
        }
    }

    pub(super) fn later(&mut self, wait: Duration, happening: Happening) {
        self.push(self.now.after(wait), happening);
    }

    pub(super) fn push(&mut self, moment: Moment, happening: Happening) {
        self.happened += 1;
        self.queue.push(Reverse((moment, self.happened, happening)));
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Engine(number) => {
                let machine = &mut self.machines[number];
                if machine.wake.is_some_and(|wake| wake <= self.now) {
                    machine.wake = None;
                    if machine.alive && machine.engine.poll_timeout().is_some_and(|due| due <= self.now) {
                        machine.engine.handle_timeout(self.now);
                    }
                    self.restless.insert(number);
                }
            }
            Happening::Timeout(wire, side) => {
                let end = &mut self.wires[wire].ends[side];
                if end.phase != Phase::Gone && end.wake.is_some_and(|wake| wake <= self.now) {
                    end.wake = None;
                    end.link().connection().handle_timeout(self.now);
                    self.drive(wire, side);
                }
            }
            Happening::Line(wire, side) => {
                self.wires[wire].ends[side].waits = false;
                self.drive(wire, side);
            }
            Happening::Arrives(wire, side, bytes) => {
                let end = &mut self.wires[wire].ends[side];
                if end.phase == Phase::Open {
                    self.machines[end.machine].received_bytes += bytes.len() as u64;
                    // A violation is told again as an event.
                    let _ = end.link().connection().handle_bytes(self.now, &bytes);
                    self.drive(wire, side);
                }
            }
            Happening::Closed(wire, side) => {
                self.end(wire, side, Some(Ended::Broken("it closed the connection".to_owned())));
            }
            Happening::Dialled { from, connection, address, prove, opens } => {
                self.connect(from, connection, &address, prove, opens.0);
            }
        }
    }

    /// Has done what engines want done, until they want nothing more.
    fn settle(&mut self) {
        while let Some(number) = self.restless.pop_first() {
            if !self.machines[number].alive {
                continue;
            }
            while let Some(action) = self.machines[number].engine.poll_action() {
                self.act(number, action);
            }
            let machine = &mut self.machines[number];
            if let Some(due) = machine.engine.poll_timeout().map(|due| due.max(self.now))
                && machine.wake.is_none_or(|wake| due < wake)
            {
                machine.wake = Some(due);
                self.push(due, Happening::Engine(number));
            }
        }
    }

    fn act(&mut self, number: usize, action: Action) {
        let now = self.now;
        let machine = &mut self.machines[number];
        match action {
            Action::Dial { connection, address, prove, opens, .. } => {
                let opens = Opens(opens);
                let dialled = Happening::Dialled { from: number, connection, address, prove, opens };
                self.later(self.plan.one_way * 2, dialled);
            }
            Action::Tell { connection, command } => self.command(number, connection, command),
            Action::Write { job, write } => {
                let outcome = machine.shelf.write(&write);
                machine.engine.handle_written(now, job, outcome);
            }
            Action::Read(read) => {
                let said = machine.shelf.answer(&self.content, &read);
                if let Some(to) = read.asker() {
                    let bytes = swarm::payload_bytes(&said);
                    machine.engine.handle_served(now, to.connection, read.answer_bytes(), bytes);
                }
                for (connection, command) in said {
                    self.command(number, connection, command);
                }
            }
            Action::Announce(job) => {
                let announced = match &mut self.tracker {
                    Some(tracker) => tracker.announce(now, address(number), job.event),
                    None => Announced::Failed { error: "it does not answer".to_owned(), never_again: false },
                };
                if !job.farewell {
                    machine.engine.handle_announced(now, job.feed, announced);
                }
            }
            Action::Report { .. } | Action::Arrived { .. } | Action::MailCame(_) => {}
        }
    }

    fn command(&mut self, number: usize, connection: ConnectionId, mut command: Command) {
        let Some((wire, side)) = self.machines[number].wires.get(&connection).copied() else { return };
        if self.withholding.contains(&number) && matches!(command, Command::PushHead(..)) {
            return;
        }
        if self.machines[number].lies
            && let Command::AnswerChunks(_, _, _, chunks) = &mut command
        {
            let mut wrong = chunks[0].to_vec();
            wrong[0] ^= 1;
            chunks[0] = Bytes::from(wrong);
        }
        self.wires[wire].ends[side].link().apply(self.now, command);
        self.drive(wire, side);
    }

    /// Proven lies that were found, by all who are there.
    pub fn violations(&self) -> u64 {
        self.machines.iter().map(|machine| machine.engine.totals().violations).sum()
    }

    /// Connections by machine, of those who are there.
    pub fn connections(&self) -> BTreeMap<usize, usize> {
        let there = self.machines.iter().enumerate().filter(|(_, machine)| machine.alive);
        there.map(|(number, machine)| (number, machine.wires.len())).collect()
    }
}

impl PartialEq for Opens {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Opens {}

impl PartialOrd for Opens {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Opens {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}
