//! People and machines on this machine: nodes over data folders of their own, and a tracker, all on real sockets.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use peerfeed::author::{self, Audience, Author, Draft};
use peerfeed::node::{Listen, Node, NodeOptions, Progress, SyncGoal};
use peerfeed::reader::{self, Query};
use peerfeed::store::{FeedRow, Reading, Roles, SeederHint, Store};
use peerfeed_protocol::feed::{EpochSecret, Granted, SeederAddress};
use peerfeed_protocol::ids::{EntryPlace, EpochId, FeedId, WitnessKey};
use peerfeed_tracker::config::Config;
use peerfeed_tracker::server::{Server, Shutdown};

/// Long, for a machine that has other work; who waits for something that comes does not wait so long.
pub(super) const PATIENCE: Duration = Duration::from_secs(180);

/// A node with its data folder.
pub(super) struct Party {
    pub node: Node,
    pub folder: tempfile::TempDir,
}

impl Party {
    /// A daemon that listens on the loopback and asks these trackers.
    pub(super) async fn daemon(trackers: &[String]) -> Self {
        Self::daemon_with(trackers, |options| options).await
    }

    /// The same with other options.
    pub(super) async fn daemon_with(trackers: &[String], change: impl FnOnce(NodeOptions) -> NodeOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = NodeOptions {
            listen: Listen::On(vec!["127.0.0.1:0".parse().unwrap()]),
            trackers: parse(trackers),
            ..NodeOptions::daemon(folder.path().to_owned())
        };
        Self { node: Node::start(change(options)).await.unwrap(), folder }
    }

    /// As a command: it listens on nothing.
    pub(super) async fn command(trackers: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options =
            NodeOptions { trackers: parse(trackers), ..NodeOptions::command(folder.path().to_owned(), "test") };
        Self { node: Node::start(options).await.unwrap(), folder }
    }

    pub(super) fn store(&self) -> &Store {
        self.node.store()
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.node.listen_addrs()[0]
    }

    pub(super) fn hint(&self) -> SeederHint {
        SeederHint { address: self.address().to_string(), witness: None }
    }

    pub(super) fn witness(&self) -> WitnessKey {
        self.node.witness()
    }

    /// Makes an identity here.
    pub(super) async fn init(&self) -> Author {
        let store = self.store().clone();
        let author = blocking(move || author::init(&store, None, &[]).unwrap().author).await;
        self.node.reload().await;
        author
    }

    /// Lists a seeder in the manifest.
    pub(super) async fn list(&self, author: &Author, seeder: &Party) {
        let (author, seeder) =
            (author.clone(), SeederAddress { address: seeder.address().to_string(), witness: seeder.witness() });
        let feed = author.feed();
        blocking(move || author.add_seeder(seeder).unwrap()).await;
        self.node.notify_appended(feed);
    }

    /// A seeder, and somebody who has begun a feed that it holds and is listed in; the seeder fetches over the author's
    /// connection.
    pub(super) async fn author_with_seeder() -> (Self, Self, Author) {
        let (seeder, ana) = (Self::daemon(&[]).await, Self::command(&[]).await);
        let author = ana.init().await;
        ana.list(&author, &seeder).await;
        seeder.seed(author.feed(), vec![], &[]).await;
        (seeder, ana, author)
    }

    /// Writes a post.
    pub(super) async fn post(&self, author: &Author, text: &str, audience: Audience) -> EntryPlace {
        self.publish(author, Draft { text: text.to_owned(), audience, ..Draft::default() }).await
    }

    /// Writes a post with all that it may have.
    pub(super) async fn publish(&self, author: &Author, draft: Draft) -> EntryPlace {
        let writer = author.clone();
        let place = blocking(move || writer.post(&draft, &mut |_| {}).unwrap()).await;
        self.node.notify_appended(author.feed());
        place
    }

    /// Holds a feed.
    pub(super) async fn hold(&self, feed: FeedId, roles: Roles, seeders: Vec<SeederHint>, trackers: &[String]) {
        let row = FeedRow { roles, seeders, trackers: trackers.to_vec(), ..FeedRow::default() };
        self.store().write(move |txn| txn.put_feed(feed, &row)).await.unwrap();
        self.node.reload().await;
    }

    pub(super) async fn seed(&self, feed: FeedId, seeders: Vec<SeederHint>, trackers: &[String]) {
        self.hold(feed, Roles { seed: true, ..Roles::default() }, seeders, trackers).await;
    }

    pub(super) async fn follow(&self, feed: FeedId, seeders: Vec<SeederHint>, trackers: &[String]) {
        self.hold(feed, Roles { follow: true, ..Roles::default() }, seeders, trackers).await;
    }

    /// Takes over the key of an epoch, as a link with key brings it.
    pub(super) async fn take_key(&self, feed: FeedId, (epoch, secret): (EpochId, EpochSecret)) {
        let granted = Granted::Secret(secret);
        self.store().write(move |txn| txn.put_epoch(feed, epoch, &granted)).await.unwrap();
    }

    /// Syncs and returns the last event.
    pub(super) async fn sync(&self, feed: FeedId, blobs: bool) -> Progress {
        self.sync_within(feed, SyncGoal { blobs, ..SyncGoal::default() }, PATIENCE).await
    }

    pub(super) async fn sync_within(&self, feed: FeedId, goal: SyncGoal, timeout: Duration) -> Progress {
        let mut events = self.node.sync(vec![feed], goal, timeout);
        let mut last = None;
        while let Some(event) = events.recv().await {
            last = Some(event);
        }
        last.expect("a sync says how it ended")
    }

    /// Texts of the timeline, the newest first.
    pub(super) fn texts(&self, feed: FeedId) -> Vec<String> {
        let query = Query { feed: Some(feed), limit: 10_000, ..Query::default() };
        reader::timeline(self.store(), &query).unwrap().entries.into_iter().map(|entry| entry.text).collect()
    }

    /// Entries held of a feed.
    pub(super) fn entries(&self, feed: FeedId) -> u64 {
        let txn = self.store().read().unwrap();
        let logs = txn.logs(feed).unwrap();
        logs.iter().flat_map(|log| txn.held(log).unwrap()).map(|range| range.end - range.start).sum()
    }

    /// Whether all blobs of a feed are held, and there are some.
    pub(super) fn holds_blobs(&self, feed: FeedId) -> bool {
        let txn = self.store().read().unwrap();
        let blobs = txn.blobs(feed).unwrap();
        !blobs.is_empty() && blobs.iter().all(|blob| txn.blob(feed, *blob).unwrap().unwrap().is_complete())
    }

    /// Waits until something holds, and fails the test when it never does.
    pub(super) async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(
                tokio::time::Instant::now() < deadline,
                "{what} did not come to hold; {:#?}",
                self.node.status().await
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A tracker in this process.
pub(super) struct TestTracker {
    pub http: String,
    pub udp: String,
    shutdown: Shutdown,
    task: tokio::task::JoinHandle<Result<(), peerfeed_tracker::server::StartError>>,
}

impl TestTracker {
    pub(super) fn start() -> Self {
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let config = Config { http: vec![any], udp: vec![any], status: vec![], udp_workers: 1, ..Config::default() };
        let server = Server::bind(&config).unwrap();
        let [http, udp] = [0, 1].map(|at| server.bound()[at].address);
        Self {
            http: format!("http://{http}/announce"),
            udp: format!("udp://{udp}"),
            shutdown: server.shutdown(),
            task: tokio::spawn(server.run()),
        }
    }

    pub(super) async fn stop(self) {
        self.shutdown.trigger();
        self.task.await.unwrap().unwrap();
    }
}

pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

fn parse(trackers: &[String]) -> Vec<peerfeed_protocol::announce::TrackerUrl> {
    trackers.iter().map(|url| url.parse().unwrap()).collect()
}
