//! The task that owns the engine: it tells the engine what happens, and has done what the engine wants done.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use peerfeed_protocol::feed::BlobRef;
use peerfeed_protocol::feed::blob::BlobSize;
use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::peer::{Connection, Moment};
use tokio::net::TcpListener;
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinSet;

use super::handle::Ask;
use super::secrets::Secrets;
use super::waiter::Waiters;
use super::{NewEntry, announces, indexer, writes};
use crate::net::tracker::TrackerClient;
use crate::net::{self, Admission, Clock, Driver, Report};
use crate::store::{Reading, StorageError, Store};
use crate::swarm::{
    self, Action, Announced, Command, ConnectionId, Ended, Engine, Input, JobId, Link, Outcome, Read, Said, Snapshot,
    SyncGoal, Write,
};

/// Reports of connections that wait for the engine; a connection that finds no room waits, and its peer with it.
const REPORTS: usize = 1_024;

/// How long a shutdown may take before what is left is dropped.
const SHUTDOWN: Duration = Duration::from_secs(4);

/// What all tasks of a node share.
#[derive(Clone)]
pub(super) struct Shared {
    pub store: Store,
    pub clock: Clock,
    pub secrets: Arc<Secrets>,
    pub listen_port: Option<u16>,
}

/// An answer that was read and handed on: whose, how much it might have been, and how much it was.
type Served = (ConnectionId, usize, usize);

pub(super) struct EngineTask {
    engine: Engine,
    shared: Shared,
    listen: Vec<SocketAddr>,
    admission: Admission,
    trackers: TrackerClient,
    asked: mpsc::UnboundedReceiver<Ask>,
    connections: HashMap<ConnectionId, mpsc::UnboundedSender<Command>>,
    waiters: Waiters,
    /// Reads of feeds that are under way: what is asked meanwhile may be about them and waits.
    loading: usize,
    deferred: VecDeque<Ask>,
    reports: Ends<mpsc::Sender<Report>, mpsc::Receiver<Report>>,
    served: Ends<mpsc::UnboundedSender<(Served, Said)>, mpsc::UnboundedReceiver<(Served, Said)>>,
    announced: Ends<mpsc::UnboundedSender<(FeedId, Announced)>, mpsc::UnboundedReceiver<(FeedId, Announced)>>,
    loaded: Ends<mpsc::UnboundedSender<Loaded>, mpsc::UnboundedReceiver<Loaded>>,
    written: mpsc::UnboundedReceiver<(JobId, Outcome)>,
    writes: mpsc::UnboundedSender<(JobId, Write)>,
    tells: mpsc::UnboundedSender<Read>,
    arrived: mpsc::UnboundedSender<NewEntry>,
    farewells: JoinSet<()>,
    numbers: Arc<AtomicU64>,
}

/// Both ends of a channel whose receiver is the engine's task.
struct Ends<S, R> {
    sender: S,
    receiver: R,
}

/// Feeds that were read from the store.
enum Loaded {
    /// One feed, or its absence.
    One(FeedId, Option<Box<Snapshot>>),
    /// All there are.
    All(Vec<Snapshot>),
    /// The store could not be read.
    Nothing,
}

impl EngineTask {
    pub(super) fn new(
        engine: Engine,
        shared: Shared,
        asked: mpsc::UnboundedReceiver<Ask>,
        entries: broadcast::Sender<NewEntry>,
        listen: Vec<SocketAddr>,
    ) -> Self {
        let (writes, jobs) = mpsc::unbounded_channel();
        let (done, written) = mpsc::unbounded_channel();
        tokio::spawn(writes::run(shared.store.clone(), jobs, done, shared.clock));
        let (arrived, come) = mpsc::unbounded_channel();
        tokio::spawn(indexer::run(shared.store.clone(), come, entries));
        let served = unbounded();
        let tells = start_teller(shared.store.clone(), served.sender.clone());
        let (reporter, reports) = mpsc::channel(REPORTS);
        Self {
            engine,
            shared,
            listen,
            admission: Admission::default(),
            trackers: TrackerClient::new(),
            asked,
            connections: HashMap::new(),
            waiters: Waiters::default(),
            loading: 0,
            deferred: VecDeque::new(),
            reports: Ends { sender: reporter, receiver: reports },
            served,
            announced: unbounded(),
            loaded: unbounded(),
            written,
            writes,
            tells,
            arrived,
            farewells: JoinSet::new(),
            // Odd numbers are for those who come in.
            numbers: Arc::new(AtomicU64::new(1)),
        }
    }

    /// Tells the engine every feed of the store.
    pub(super) async fn load_all(&mut self) -> Result<(), StorageError> {
        let store = self.shared.store.clone();
        let read = tokio::task::spawn_blocking(move || read_all(&store));
        let snapshots = read.await.expect("reading does not panic")?;
        self.take_loaded(Loaded::All(snapshots));
        Ok(())
    }

    /// Runs until the node is shut down.
    pub(super) async fn run(mut self, listeners: Vec<TcpListener>) {
        let mut accepting = JoinSet::new();
        for listener in listeners {
            accepting.spawn(self.acceptor(listener));
        }
        self.act();
        loop {
            let timeout = self.engine.poll_timeout();
            tokio::select! {
                // What was served is counted before the connection that sent it reports that it has drained.
                biased;
                Some((served, said)) = self.served.receiver.recv() => self.take_served(served, said),
                Some((job, outcome)) = self.written.recv() => self.engine.handle_written(self.shared.clock.now(), job, outcome),
                ask = self.asked.recv() => match ask {
                    Some(Ask::Shutdown(answer)) => {
                        accepting.abort_all();
                        self.shut_down().await;
                        let _ = answer.send(());
                        return;
                    }
                    Some(ask) => self.take_ask(ask),
                    None => {
                        accepting.abort_all();
                        self.shut_down().await;
                        return;
                    }
                },
                Some(report) = self.reports.receiver.recv() => self.take_report(report),
                Some((feed, announced)) = self.announced.receiver.recv() => {
                    self.engine.handle_announced(self.shared.clock.now(), feed, announced);
                }
                Some(loaded) = self.loaded.receiver.recv() => self.take_loaded(loaded),
                () = sleep_until(self.shared.clock, timeout) => self.engine.handle_timeout(self.shared.clock.now()),
            }
            self.act();
            for task in self.waiters.abandoned() {
                self.engine.cancel(self.shared.clock.now(), task);
            }
        }
    }

    async fn shut_down(&mut self) {
        self.engine.shutdown(self.shared.clock.now());
        self.act();
        let deadline = tokio::time::Instant::now() + SHUTDOWN;
        let wound_up = async {
            while !(self.engine.is_written() && self.connections.is_empty() && self.farewells.is_empty()) {
                tokio::select! {
                    biased;
                    Some((job, outcome)) = self.written.recv() => {
                        self.engine.handle_written(self.shared.clock.now(), job, outcome);
                    }
                    Some((served, said)) = self.served.receiver.recv() => self.take_served(served, said),
                    Some(report) = self.reports.receiver.recv() => self.take_report(report),
                    Some(_) = self.farewells.join_next() => {}
                }
                self.act();
            }
        };
        if tokio::time::timeout_at(deadline, wound_up).await.is_err() {
            tracing::warn!("not everything was said and done in time");
        }
    }

    fn take_ask(&mut self, ask: Ask) {
        if self.loading > 0 {
            self.deferred.push_back(ask);
            return;
        }
        let now = self.shared.clock.now();
        match ask {
            Ask::Sync { feeds, goal, timeout, progress } => {
                let feeds = if feeds.is_empty() { self.engine.feed_ids() } else { feeds };
                let task = self.waiters.progress(progress);
                self.engine.start_sync(now, task, feeds, goal, None, timeout);
            }
            Ask::FetchBlob { feed, root, bytes, timeout, progress } => {
                let task = self.waiters.progress(progress);
                // A size that no blob has is one that nobody holds.
                let blob = BlobSize::new(bytes).ok().map(|size| BlobRef { root, size });
                self.engine.start_sync(now, task, vec![feed], SyncGoal::default(), blob, timeout);
            }
            Ask::WaitStored { feed, timeout, answer } => {
                let task = self.waiters.stored(feed, answer);
                self.engine.start_wait(now, task, feed, timeout);
            }
            Ask::Probe { feed, address, timeout, answer } => {
                let task = self.waiters.probed(address.clone(), answer);
                self.engine.start_probe(now, task, feed, &address, timeout);
            }
            Ask::Appended(feed) => self.load_one(feed),
            Ask::FeedsChanged => {
                self.loading += 1;
                let (store, loaded) = (self.shared.store.clone(), self.loaded.sender.clone());
                tokio::task::spawn_blocking(move || match read_all(&store) {
                    Ok(snapshots) => drop(loaded.send(Loaded::All(snapshots))),
                    Err(error) => {
                        tracing::error!(%error, "the feeds could not be read");
                        drop(loaded.send(Loaded::Nothing));
                    }
                });
            }
            Ask::Status(answer) => {
                let mut status = self.engine.status(now);
                status.listen.clone_from(&self.listen);
                // Who asked may have gone.
                let _ = answer.send(status);
            }
            Ask::Shutdown(_) => unreachable!("the loop ends with it"),
        }
    }

    fn load_one(&mut self, feed: FeedId) {
        self.loading += 1;
        let (store, loaded) = (self.shared.store.clone(), self.loaded.sender.clone());
        tokio::task::spawn_blocking(move || {
            let read = || {
                let txn = store.read()?;
                let Some(row) = txn.feed(feed)? else { return Ok(None) };
                Snapshot::read(&txn, feed, row).map(|snapshot| Some(Box::new(snapshot)))
            };
            match read() {
                Ok(snapshot) => drop(loaded.send(Loaded::One(feed, snapshot))),
                Err(error) => {
                    let error: StorageError = error;
                    tracing::error!(%error, "a feed could not be read");
                    drop(loaded.send(Loaded::Nothing));
                }
            }
        });
    }

    fn take_loaded(&mut self, loaded: Loaded) {
        let now = self.shared.clock.now();
        self.loading = self.loading.saturating_sub(1);
        match loaded {
            Loaded::Nothing => {}
            Loaded::One(_, Some(snapshot)) => self.engine.load(now, *snapshot),
            Loaded::One(feed, None) => self.engine.remove_feed(now, feed),
            Loaded::All(snapshots) => {
                let here: HashSet<FeedId> = snapshots.iter().map(|snapshot| snapshot.feed).collect();
                for gone in self.engine.feed_ids().into_iter().filter(|feed| !here.contains(feed)) {
                    self.engine.remove_feed(now, gone);
                }
                for snapshot in snapshots {
                    self.engine.load(now, snapshot);
                }
            }
        }
        self.admission.prove(self.engine.is_seeder().then(|| Arc::clone(self.shared.secrets.witness())));
        self.admission.serve(self.engine.feed_ids());
        while self.loading == 0
            && let Some(ask) = self.deferred.pop_front()
        {
            self.take_ask(ask);
        }
    }

    fn take_report(&mut self, report: Report) {
        let now = self.shared.clock.now();
        match report {
            Report::Arrived(connection, address, commands) => {
                self.connections.insert(connection, commands);
                self.engine.handle_input(now, connection, Input::Incoming { address });
            }
            Report::Input(connection, input) => {
                if matches!(input, Input::Ended(_)) {
                    self.connections.remove(&connection);
                }
                self.engine.handle_input(now, connection, input);
            }
        }
    }

    fn take_served(&mut self, (connection, most, bytes): Served, said: Said) {
        for (connection, command) in said {
            self.command(connection, command);
        }
        if most > 0 {
            self.engine.handle_served(self.shared.clock.now(), connection, most, bytes);
        }
    }

    fn command(&self, connection: ConnectionId, command: Command) {
        if let Some(commands) = self.connections.get(&connection) {
            // A connection that has just ended reports it; until then what is said to it is lost, as it must be.
            let _ = commands.send(command);
        }
    }

    /// Has done what the engine wants done.
    fn act(&mut self) {
        while let Some(action) = self.engine.poll_action() {
            match action {
                Action::Dial { connection, address, witness, prove, opens } => {
                    let (commands, commanded) = mpsc::unbounded_channel();
                    self.connections.insert(connection, commands);
                    let mut options = self.shared.connection_options(None);
                    options.node_secret = self.shared.secrets.as_initiator(&address, witness.as_ref());
                    options.witness = prove.then(|| Arc::clone(self.shared.secrets.witness()));
                    let driver = self.driver(connection, commanded);
                    tokio::spawn(dial(driver, address, options, opens));
                }
                Action::Tell { connection, command } => self.command(connection, command),
                // The writer outlives this task; its queue is open.
                Action::Write { job, write } => drop(self.writes.send((job, write))),
                Action::Read(read) => self.read(read),
                Action::Announce(job) => {
                    let (client, port) = (self.trackers.clone(), self.shared.listen_port);
                    let request = announces::request(&job, &self.shared.secrets, port);
                    if job.farewell {
                        self.farewells.spawn(announces::farewell(client, job, request));
                    } else {
                        tokio::spawn(announces::run(client, job, request, self.announced.sender.clone()));
                    }
                }
                Action::Report { task, report } => self.waiters.tell(task, report),
                Action::Arrived { feed, log, from, to } => {
                    for index in from..to {
                        let _ = self.arrived.send(NewEntry { feed, log, index });
                    }
                }
            }
        }
        while self.farewells.try_join_next().is_some() {}
    }

    /// Answers to requests are read side by side, as many as the engine lets; everything else in its order, since a
    /// later word about the same thing must not come before an earlier one.
    fn read(&self, read: Read) {
        let Some(to) = read.asker() else {
            // The teller outlives this task; its queue is open.
            let _ = self.tells.send(read);
            return;
        };
        let (store, served) = (self.shared.store.clone(), self.served.sender.clone());
        tokio::task::spawn_blocking(move || {
            let said = read_and_say(&store, &read);
            let bytes = swarm::payload_bytes(&said);
            // The task that waits for it may be gone: so is the peer then.
            let _ = served.send(((to.connection, read.answer_bytes(), bytes), said));
        });
    }

    fn driver(&self, id: ConnectionId, commands: mpsc::UnboundedReceiver<Command>) -> Driver {
        Driver { id, clock: self.shared.clock, reports: self.reports.sender.clone(), commands, guest: None }
    }

    fn acceptor(&self, listener: TcpListener) -> impl Future<Output = ()> + Send + 'static {
        let (shared, admission) = (self.shared.clone(), self.admission.clone());
        let (reports, numbers) = (self.reports.sender.clone(), Arc::clone(&self.numbers));
        net::accept(listener, move |stream, address| {
            let (commands, commanded) = mpsc::unbounded_channel();
            let guest = match admission.enter(shared.clock.now(), address, commands) {
                Ok(guest) => guest,
                Err(refusal) => {
                    tracing::debug!(%refusal, "a connection was not let in");
                    return;
                }
            };
            let Ok(seed) = fresh_seed() else { return };
            let mut options = shared.connection_options(Some(address));
            options.witness = admission.witness();
            let link = Link::new(Connection::responder(options, seed, shared.clock.now()));
            let id = ConnectionId(numbers.fetch_add(2, Ordering::Relaxed));
            let driver =
                Driver { id, clock: shared.clock, reports: reports.clone(), commands: commanded, guest: Some(guest) };
            tokio::spawn(driver.run(stream, link));
        })
    }
}

/// Connects, opens the feeds, and drives the connection to its end.
async fn dial(
    driver: Driver,
    address: String,
    mut options: peerfeed_protocol::peer::Options,
    opens: Vec<(FeedId, peerfeed_protocol::peer::message::Interest)>,
) {
    let (id, reports, clock) = (driver.id, driver.reports.clone(), driver.clock);
    let report = |input| reports.send(Report::Input(id, input));
    let (stream, address) = match net::dial(&address).await {
        Ok(connected) => connected,
        Err(error) => {
            // The engine's task may be gone: nobody waits then.
            let _ = report(Input::Ended(Ended::NotConnected(error.to_string()))).await;
            return;
        }
    };
    let (Ok(seed), Some((first, _))) = (fresh_seed(), opens.first()) else { return };
    let _ = report(Input::Connected { address }).await;
    options.observed = Some(address);
    let mut link = Link::new(Connection::initiator(first, options, seed, clock.now(), clock.unix_day()));
    for (feed, interest) in opens {
        link.apply(clock.now(), Command::Open(feed, interest));
    }
    driver.run(stream, link).await;
}

fn fresh_seed() -> Result<[u8; 32], getrandom::Error> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).inspect_err(|error| tracing::error!(%error, "the system gives no randomness"))?;
    Ok(seed)
}

fn read_all(store: &Store) -> Result<Vec<Snapshot>, StorageError> {
    let txn = store.read()?;
    txn.feeds()?.into_iter().map(|(feed, row)| Snapshot::read(&txn, feed, row)).collect()
}

fn read_and_say(store: &Store, read: &Read) -> Said {
    match store.read() {
        Ok(txn) => swarm::answer(&txn, read),
        Err(error) => {
            tracing::error!(%error, "the store could not be read");
            swarm::decline(read)
        }
    }
}

/// Starts the thread that reads what peers are told unasked, in its order.
fn start_teller(store: Store, served: mpsc::UnboundedSender<(Served, Said)>) -> mpsc::UnboundedSender<Read> {
    let (tells, mut told) = mpsc::unbounded_channel::<Read>();
    tokio::task::spawn_blocking(move || {
        while let Some(read) = told.blocking_recv() {
            let said = read_and_say(&store, &read);
            if served.send(((ConnectionId(0), 0, 0), said)).is_err() {
                return;
            }
        }
    });
    tells
}

fn unbounded<T>() -> Ends<mpsc::UnboundedSender<T>, mpsc::UnboundedReceiver<T>> {
    let (sender, receiver) = mpsc::unbounded_channel();
    Ends { sender, receiver }
}

async fn sleep_until(clock: Clock, moment: Option<Moment>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(clock.instant(moment)).await,
        None => std::future::pending().await,
    }
}
