//! The engine itself: one per node.

mod asking;
mod channels;
mod connections;
mod dialling;
mod exchanging;
mod feeds;
mod fetching;
mod knowledge;
mod mail;
mod mentioning;
mod offering;
mod reporting;
mod serving;
mod syncing;
mod tasks;
mod tracking;
mod turnover;
mod writing;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use peerfeed_protocol::announce::TrackerUrl;
use peerfeed_protocol::feed::BlobRef;
use peerfeed_protocol::ids::{FeedId, LogId, NodeKey, SwarmId, WitnessKey};
use peerfeed_protocol::peer::Moment;

use super::action::{Action, ConnectionId, JobId, TaskId, Ticket};
use super::announcer::Announcer;
use super::bans::Bans;
use super::chance::Chance;
use super::command::Command;
use super::feed::Feed;
use super::job::Read;
use super::limits::TELL_EVERY;
use super::marked::Marked;
use super::peer::Peer;
use super::place::Place;
use super::status::Totals;
use super::task::Task;
use super::uploads::Uploads;
use writing::Pending;

/// How an engine is to behave.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether it stays connected to the peers of all its feeds, or only of those that a task is about.
    pub serve: bool,
    /// Whether trackers are told that it is there; only when it serves.
    pub announce: bool,
    /// Connections in all, those that come in included.
    pub connections_max: usize,
    /// What the line out carries, bytes per second, where the person here has set it.
    pub up: Option<u64>,
    /// Trackers to ask for every feed.
    pub trackers: Vec<TrackerUrl>,
    /// Its own node key as a responder: a dial that ends there was a dial of itself.
    pub node: NodeKey,
    /// Its own witness key: a seeder that is listed under it is itself.
    pub witness: WitnessKey,
}

/// Everything that a node knows and has under way.
///
/// Call `handle_*` with what happened, then `poll_action` until it gives none, then wait until [`Engine::poll_timeout`]
/// and call [`Engine::handle_timeout`].
#[derive(Debug)]
pub struct Engine {
    options: Options,
    chance: Chance,
    actions: VecDeque<Action>,
    feeds: BTreeMap<FeedId, Feed>,
    swarms: HashMap<SwarmId, FeedId>,
    peers: BTreeMap<ConnectionId, Peer>,
    /// Connections by the node key at their other end.
    nodes: BTreeSet<(NodeKey, ConnectionId)>,
    places: HashMap<String, Place>,
    bans: Bans,
    announcers: BTreeMap<FeedId, Announcer>,
    announces: usize,
    /// When the next of them has something to announce, unless something about them changes first.
    announce_at: Option<Moment>,
    uploads: Uploads<Read>,
    jobs: BTreeMap<JobId, Pending>,
    tasks: BTreeMap<TaskId, Task>,
    outstanding_bytes: u64,
    unwritten_bytes: u64,
    totals: Totals,
    last_connection: u64,
    last_ticket: u64,
    last_job: u64,
    /// Peers that were asked to open something and have not answered.
    opening: BTreeSet<ConnectionId>,
    /// Peers of whom something may now be asked, and the feeds that it is of.
    ready: BTreeMap<ConnectionId, BTreeSet<FeedId>>,
    /// Peers of whom more would be asked if there were room, and the feeds that it is of.
    hungry: BTreeMap<ConnectionId, BTreeSet<FeedId>>,
    /// Feeds of which a peer has not been told something that is held, or newest entries are expected.
    untold: BTreeSet<FeedId>,
    due: Due,
    /// When the next address may be dialled, unless something about them changes first.
    dial_at: Option<Moment>,
    /// A dial waits until another one has ended.
    dials_wait: bool,
    /// Files of which parts have come that peers were not told of.
    offers: Vec<(FeedId, BlobRef)>,
    /// When they are to be told.
    offer_at: Option<Moment>,
    /// When the peers of a feed are to be told of each other.
    exchanges: BTreeMap<FeedId, Moment>,
    /// The first of these moments.
    exchange_at: Option<Moment>,
    /// When it is to be mentioned that logs have grown.
    mentions: BTreeMap<(FeedId, LogId), Moment>,
    /// The first of these moments.
    mention_at: Option<Moment>,
    /// When some connections are to give way.
    turnover_at: Option<Moment>,
    next_tick: Option<Moment>,
    ending: bool,
}

/// What has to be looked at again before the engine is done with what it was told.
#[derive(Debug, Default)]
struct Due {
    /// Something changed that tasks wait for.
    tasks: Marked,
    /// Addresses or connections changed.
    dials: Marked,
    /// What is to be asked of trackers changed, or who answers without them.
    announces: bool,
}

/// While something is under way, late requests, progress and questions are looked after this often.
const TICK: Duration = Duration::from_millis(100);

impl Engine {
    /// An engine without feeds. All its choices follow from the seed.
    pub fn new(options: Options, seed: [u8; 32]) -> Self {
        let up = options.up;
        Self {
            options,
            chance: Chance::new(seed),
            actions: VecDeque::new(),
            feeds: BTreeMap::new(),
            swarms: HashMap::new(),
            peers: BTreeMap::new(),
            nodes: BTreeSet::new(),
            places: HashMap::new(),
            bans: Bans::default(),
            announcers: BTreeMap::new(),
            announces: 0,
            announce_at: None,
            uploads: Uploads::new(up),
            jobs: BTreeMap::new(),
            tasks: BTreeMap::new(),
            outstanding_bytes: 0,
            unwritten_bytes: 0,
            totals: Totals::default(),
            last_connection: 0,
            last_ticket: 0,
            last_job: 0,
            opening: BTreeSet::new(),
            ready: BTreeMap::new(),
            hungry: BTreeMap::new(),
            untold: BTreeSet::new(),
            due: Due::default(),
            dial_at: None,
            dials_wait: false,
            offers: Vec::new(),
            offer_at: None,
            exchanges: BTreeMap::new(),
            exchange_at: None,
            mentions: BTreeMap::new(),
            mention_at: None,
            turnover_at: None,
            next_tick: None,
            ending: false,
        }
    }

    /// What is to be done next; none when everything was said.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When to call [`Self::handle_timeout`] at the latest.
    pub fn poll_timeout(&self) -> Option<Moment> {
        let own = [self.dial_at, self.announce_at, self.exchange_at, self.mention_at, self.turnover_at, self.offer_at]
            .into_iter()
            .flatten()
            .filter(|_| !self.ending);
        self.next_tick.into_iter().chain(own).min()
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Moment) {
        if self.next_tick.is_some_and(|due| due <= now) {
            self.next_tick = None;
            (self.due.tasks, self.due.announces) = (Marked::all(), true);
            self.retry_stopped(now);
            self.wake_all();
            self.tell_held(now);
        }
        self.settle(now);
    }

    /// Says goodbye to trackers and peers; nothing is begun any more. Writes that are under way still end.
    pub fn shutdown(&mut self) {
        self.ending = true;
        let announcers = std::mem::take(&mut self.announcers);
        for (feed, mut announcer) in announcers {
            for announce in announcer.stop() {
                self.farewell(feed, announce);
            }
        }
        self.end_all_tasks();
        let peers: Vec<_> = self.peers.keys().copied().collect();
        for peer in peers {
            self.close(peer, peerfeed_protocol::peer::message::RejectCode::Closed);
        }
    }

    /// Whether every write has ended.
    pub fn is_written(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Everything that follows from what was just told.
    fn settle(&mut self, now: Moment) {
        if !self.ending {
            if self.dial_at.is_some_and(|at| at <= now) {
                self.dial_at = None;
                self.due.dials = Marked::all();
            }
            self.plan_dials(now);
            if std::mem::take(&mut self.due.announces) || self.announce_at.is_some_and(|at| at <= now) {
                self.poll_announcers(now);
            }
            self.exchange(now);
            self.mention(now);
            self.turn_over(now);
            self.offer(now);
            self.ask_ready(now);
            self.check_tasks(now);
        }
        self.serve(now);
        if !self.tasks.is_empty() || self.outstanding_bytes > 0 {
            self.wake_by(now.after(TICK));
        } else if !self.untold.is_empty() {
            self.wake_by(now.after(TELL_EVERY));
        }
    }

    /// Something of a feed may be free to be asked for: lets every peer of it be asked.
    fn wake(&mut self, id: FeedId) {
        let Some(feed) = self.feeds.get(&id).filter(|feed| !feed.is_complete()) else { return };
        for connection in &feed.peers {
            self.ready.entry(*connection).or_default().insert(id);
        }
    }

    fn wake_all(&mut self) {
        let ids: Vec<FeedId> = self.feeds.keys().copied().collect();
        for id in ids {
            self.wake(id);
        }
    }

    /// Lets one peer be asked for a feed.
    fn wake_peer(&mut self, connection: ConnectionId, id: FeedId) {
        self.ready.entry(connection).or_default().insert(id);
    }

    /// There is room with this peer: lets it be asked for what there was none for.
    fn wake_hungry(&mut self, connection: ConnectionId) {
        if let Some(feeds) = self.hungry.remove(&connection) {
            self.ready.entry(connection).or_default().extend(feeds);
        }
    }

    /// There is room in the memory that all peers share.
    fn wake_all_hungry(&mut self) {
        for (connection, feeds) in std::mem::take(&mut self.hungry) {
            self.ready.entry(connection).or_default().extend(feeds);
        }
    }

    fn wake_by(&mut self, moment: Moment) {
        self.next_tick = Some(self.next_tick.map_or(moment, |due| due.min(moment)));
    }

    fn tell(&mut self, connection: ConnectionId, command: Command) {
        self.actions.push_back(Action::Tell { connection, command });
    }

    /// Whether this feed's peers are sought now.
    fn is_active(&self, feed: &Feed) -> bool {
        !self.ending && (self.options.serve || feed.users > 0)
    }

    fn next_ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        Ticket(self.last_ticket)
    }

    /// Even numbers are dialled here; odd ones came in and are numbered by who accepts them.
    fn next_connection(&mut self) -> ConnectionId {
        self.last_connection += 2;
        ConnectionId(self.last_connection)
    }

    fn next_job(&mut self) -> JobId {
        self.last_job += 1;
        JobId(self.last_job)
    }
}
