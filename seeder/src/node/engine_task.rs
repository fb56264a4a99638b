//! The task that owns the engine: it tells the engine what happens, and has done what the engine wants done.

mod asks;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::peer::Moment;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinSet;

use super::handle::Ask;
use super::loading::{self, Loaded};
use super::reads::{self, Served};
use super::secrets::Secrets;
use super::takers::{Appetite, Takers};
use super::waiter::Waiters;
use super::{NewEntry, Progress, announces, connecting, indexer, writes};
use crate::net::tracker::TrackerClient;
use crate::net::{Admission, Clock, Commander, Driver, Rates, Report};
use crate::store::{StorageError, Store};
use crate::swarm::{
    self, Action, Announced, Command, ConnectionId, Engine, Input, JobId, Outcome, Read, TaskId, Write,
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
    /// The port that others may learn: trackers, and the peers that tell each other.
    pub listen_port: Option<u16>,
    pub rates: Rates,
}

pub(super) struct EngineTask {
    engine: Engine,
    shared: Shared,
    listen: Vec<SocketAddr>,
    admission: Admission,
    /// Codes that were given away.
    codes: Vec<FeedId>,
    trackers: TrackerClient,
    asked: mpsc::UnboundedReceiver<Ask>,
    connections: HashMap<ConnectionId, Commander>,
    waiters: Waiters,
    takers: Takers,
    taken: mpsc::UnboundedReceiver<TaskId>,
    /// Reads of feeds that are under way: what is asked meanwhile may be about them and waits.
    loading: usize,
    deferred: VecDeque<Ask>,
    reports: Ends<mpsc::Sender<Report>, mpsc::Receiver<Report>>,
    served: Queue<Served>,
    announced: Queue<(FeedId, Announced)>,
    loaded: Queue<Loaded>,
    written: mpsc::UnboundedReceiver<(JobId, Outcome)>,
    writes: mpsc::UnboundedSender<(JobId, Write)>,
    tells: mpsc::UnboundedSender<Read>,
    arrived: mpsc::UnboundedSender<NewEntry>,
    mail: broadcast::Sender<FeedId>,
    farewells: JoinSet<()>,
    numbers: Arc<AtomicU64>,
}

/// A channel that is bounded by what the engine lets be under way.
type Queue<T> = Ends<mpsc::UnboundedSender<T>, mpsc::UnboundedReceiver<T>>;

/// Both ends of a channel whose receiver is the engine's task.
struct Ends<S, R> {
    sender: S,
    receiver: R,
}

impl EngineTask {
    pub(super) fn new(
        engine: Engine,
        shared: Shared,
        asked: mpsc::UnboundedReceiver<Ask>,
        (entries, mail): (broadcast::Sender<NewEntry>, broadcast::Sender<FeedId>),
        listen: Vec<SocketAddr>,
        admission: Admission,
    ) -> Self {
        let (writes, jobs) = mpsc::unbounded_channel();
        let (done, written) = mpsc::unbounded_channel();
        tokio::spawn(writes::run(shared.store.clone(), jobs, done, shared.clock));
        let (arrived, come) = mpsc::unbounded_channel();
        tokio::spawn(indexer::run(shared.store.clone(), come, entries));
        let served = unbounded();
        let tells = reads::start_teller(shared.store.clone(), served.sender.clone());
        let (say_taken, taken) = mpsc::unbounded_channel();
        let (reporter, reports) = mpsc::channel(REPORTS);
        Self {
            engine,
            shared,
            listen,
            admission,
            codes: Vec::new(),
            trackers: TrackerClient::new(),
            asked,
            connections: HashMap::new(),
            waiters: Waiters::default(),
            takers: Takers::new(say_taken),
            taken,
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
            mail,
            farewells: JoinSet::new(),
            // Odd numbers are for those who come in.
            numbers: Arc::new(AtomicU64::new(1)),
        }
    }

    /// Tells the engine every feed of the store.
    pub(super) async fn load_all(&mut self) -> Result<(), StorageError> {
        let store = self.shared.store.clone();
        let read = tokio::task::spawn_blocking(move || loading::read_all(&store));
        let loaded = read.await.expect("reading does not panic")?;
        self.take_loaded(loaded);
        Ok(())
    }

    /// Runs until the node is shut down.
    pub(super) async fn run(mut self, listeners: Vec<TcpListener>) {
        let mut accepting = JoinSet::new();
        for listener in listeners {
            let (shared, admission) = (self.shared.clone(), self.admission.clone());
            let (reports, numbers) = (self.reports.sender.clone(), Arc::clone(&self.numbers));
            accepting.spawn(connecting::accept(listener, shared, admission, reports, numbers));
        }
        self.act();
        loop {
            let timeout = self.engine.poll_timeout();
            tokio::select! {
                // What was served is counted before the connection that sent it reports that it has drained.
                biased;
                Some(served) = self.served.receiver.recv() => self.take_served(served),
                Some((job, outcome)) = self.written.recv() => self.engine.handle_written(self.shared.clock.now(), job, outcome),
                Some(task) = self.taken.recv() => {
                    let appetite = self.takers.taken(task);
                    self.note_appetite(appetite.as_ref());
                }
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
                self.let_go(task);
                self.engine.cancel(self.shared.clock.now(), task);
            }
        }
    }

    async fn shut_down(&mut self) {
        self.engine.shutdown();
        self.act();
        let deadline = tokio::time::Instant::now() + SHUTDOWN;
        let wound_up = async {
            while !(self.engine.is_written() && self.connections.is_empty() && self.farewells.is_empty()) {
                tokio::select! {
                    biased;
                    Some((job, outcome)) = self.written.recv() => {
                        self.engine.handle_written(self.shared.clock.now(), job, outcome);
                    }
                    Some(served) = self.served.receiver.recv() => self.take_served(served),
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

    fn take_served(&mut self, served: Served) {
        let sent_bytes = swarm::payload_bytes(&served.said);
        for (connection, command) in served.said {
            self.command(connection, command);
        }
        if let Some((connection, answer_bytes)) = served.request {
            self.engine.handle_served(self.shared.clock.now(), connection, answer_bytes, sent_bytes);
        }
    }

    fn command(&self, connection: ConnectionId, command: Command) {
        if let Some(commands) = self.connections.get(&connection) {
            // A connection that has just ended reports it; until then what is said to it is lost, as it must be.
            let _ = commands.send(Box::new(command));
        }
    }

    /// Gives chunks that have just come to who waits for them.
    fn hand_on(&mut self, write: &Write) {
        let Write::Chunks { feed, chunks, .. } = write else { return };
        let appetite = self.takers.hand_on(*feed, chunks);
        self.note_appetite(appetite.as_ref());
    }

    /// Nobody waits for what a task brings any more.
    fn let_go(&mut self, task: TaskId) {
        let appetite = self.takers.remove(task);
        self.note_appetite(appetite.as_ref());
    }

    fn note_appetite(&mut self, appetite: Option<&Appetite>) {
        if let Some(&Appetite { feed, blob, is_full }) = appetite {
            self.engine.hold_back(self.shared.clock.now(), feed, &blob, is_full);
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
                    tokio::spawn(connecting::dial(driver, address, options, opens));
                }
                Action::Tell { connection, command } => self.command(connection, command),
                Action::Write { job, write } => {
                    self.hand_on(&write);
                    // The writer outlives this task; its queue is open.
                    let _ = self.writes.send((job, write));
                }
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
                // Nobody may be listening.
                Action::MailCame(feed) => drop(self.mail.send(feed)),
                Action::Report { task, report } => {
                    if !matches!(report, swarm::Report::Progress(Progress::Working { .. })) {
                        self.let_go(task);
                    }
                    self.waiters.tell(task, report);
                }
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
            let said = reads::read_and_say(&store, &read);
            // The task that waits for it may be gone: so is the peer then.
            let _ = served.send(Served { request: Some((to.connection, read.answer_bytes())), said });
        });
    }

    fn driver(&self, id: ConnectionId, commands: mpsc::UnboundedReceiver<Box<Command>>) -> Driver {
        let reports = self.reports.sender.clone();
        let rates = self.shared.rates.clone();
        Driver { id, clock: self.shared.clock, reports, commands, guest: None, rates, asker: None }
    }
}

fn unbounded<T>() -> Queue<T> {
    let (sender, receiver) = mpsc::unbounded_channel();
    Ends { sender, receiver }
}

async fn sleep_until(clock: Clock, moment: Option<Moment>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(clock.instant(moment)).await,
        None => std::future::pending().await,
    }
}
