//! The handle that callers hold.

use std::net::SocketAddr;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Weak};
use std::time::Duration;

use peerfeed_protocol::ids::{BlobRoot, FeedId, WitnessKey};
use tokio::sync::{broadcast, mpsc, oneshot};

use super::{FreshChunks, NewEntry, NodeOptions, NodeStatus, ProbeError, Progress, StartError, SyncGoal, WaitError};
use crate::store::Store;

/// A running data folder. Cheap to clone; all clones are the same node, which ends with [`Node::shutdown`].
#[derive(Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

/// A node that ends without regard to who has this.
pub(super) struct WeakNode(Weak<Inner>);

impl WeakNode {
    pub(super) fn node(&self) -> Option<Node> {
        self.0.upgrade().map(|inner| Node { inner })
    }
}

struct Inner {
    store: Store,
    listen: Vec<SocketAddr>,
    witness: WitnessKey,
    asks: mpsc::UnboundedSender<Ask>,
    entries: broadcast::Sender<NewEntry>,
    mail: broadcast::Sender<FeedId>,
}

/// What a handle asks of the node's task.
pub(super) enum Ask {
    /// See [`Node::sync`].
    Sync { feeds: Vec<FeedId>, goal: SyncGoal, timeout: Duration, progress: mpsc::Sender<Progress> },
    /// See [`Node::fetch_blob`].
    FetchBlob {
        feed: FeedId,
        root: BlobRoot,
        bytes: u64,
        timeout: Duration,
        progress: mpsc::Sender<Progress>,
        fresh: Option<Sender<FreshChunks>>,
    },
    /// See [`Node::wait_stored`].
    WaitStored { feed: FeedId, timeout: Duration, answer: oneshot::Sender<Result<Vec<String>, WaitError>> },
    /// See [`Node::probe_seeder`].
    Probe { feed: FeedId, address: String, timeout: Duration, answer: oneshot::Sender<Result<WitnessKey, ProbeError>> },
    /// See [`Node::notify_appended`].
    Appended(FeedId),
    /// See [`Node::feeds_changed`].
    FeedsChanged,
    /// See [`Node::status`].
    Status(oneshot::Sender<NodeStatus>),
    /// See [`Node::shutdown`].
    Shutdown(oneshot::Sender<()>),
}

/// Events that wait for a slow receiver of progress; the newest state replaces what does not fit.
const PROGRESS_QUEUE: usize = 16;

impl Node {
    /// Opens the store (and locks the folder), loads its feeds, and starts to listen.
    ///
    /// Returns when every listener is bound. A serving node connects to the peers of its feeds at once; one for a
    /// command waits to be asked.
    pub async fn start(options: NodeOptions) -> Result<Self, StartError> {
        super::start::start(options).await
    }

    /// The store of the data folder.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Addresses listened on, with their real ports.
    pub fn listen_addrs(&self) -> &[SocketAddr] {
        &self.inner.listen
    }

    /// The key under which manifests list this node as a seeder.
    pub fn witness(&self) -> WitnessKey {
        self.inner.witness
    }

    /// Brings what is new of these feeds (all that are stored when none is named).
    ///
    /// Ends with [`Progress::Done`] when everything the reachable peers have is stored, and with [`Progress::Failed`]
    /// when nobody answers, or nothing arrives for `timeout`. Dropping the receiver gives the work up.
    pub fn sync(&self, feeds: Vec<FeedId>, goal: SyncGoal, timeout: Duration) -> mpsc::Receiver<Progress> {
        let (progress, receiver) = mpsc::channel(PROGRESS_QUEUE);
        self.ask(Ask::Sync { feeds, goal, timeout, progress });
        receiver
    }

    /// Brings one blob of a feed, complete; `bytes` is the sealed size that the entry's header names.
    ///
    /// `fresh` is given the chunks as they come, on their way to the disk, and is dropped before the work is done. The blob
    /// comes no faster than they are dropped.
    pub fn fetch_blob(
        &self,
        feed: FeedId,
        root: BlobRoot,
        bytes: u64,
        timeout: Duration,
        fresh: Option<Sender<FreshChunks>>,
    ) -> mpsc::Receiver<Progress> {
        let (progress, receiver) = mpsc::channel(PROGRESS_QUEUE);
        self.ask(Ask::FetchBlob { feed, root, bytes, timeout, progress, fresh });
        receiver
    }

    /// Waits until a listed seeder has stored every entry and blob of the feed; the addresses of those who have.
    pub async fn wait_stored(&self, feed: FeedId, timeout: Duration) -> Result<Vec<String>, WaitError> {
        let (answer, receiver) = oneshot::channel();
        self.ask(Ask::WaitStored { feed, timeout, answer });
        receiver.await.unwrap_or(Err(WaitError::Interrupted))
    }

    /// Connects to an address and tells the witness key that it proves, once it has opened the feed.
    pub async fn probe_seeder(&self, feed: FeedId, address: &str, timeout: Duration) -> Result<WitnessKey, ProbeError> {
        let (answer, receiver) = oneshot::channel();
        self.ask(Ask::Probe { feed, address: address.to_owned(), timeout, answer });
        receiver.await.unwrap_or(Err(ProbeError::Interrupted))
    }

    /// To be called after a local commit to this feed: pushes the new heads to its peers.
    pub fn notify_appended(&self, feed: FeedId) {
        self.ask(Ask::Appended(feed));
    }

    /// To be called after feeds, their roles, seeders or trackers were changed in the store.
    pub fn feeds_changed(&self) {
        self.ask(Ask::FeedsChanged);
    }

    /// As [`Self::feeds_changed`]; returns when the engine knows it, and who connects for a feed or a code is let in.
    pub async fn reload(&self) {
        self.feeds_changed();
        // It is answered after the feeds were read.
        self.status().await;
    }

    /// What is stored, who is connected; of a node that has shut down, nothing.
    pub async fn status(&self) -> NodeStatus {
        let (answer, receiver) = oneshot::channel();
        self.ask(Ask::Status(answer));
        receiver.await.unwrap_or_default()
    }

    /// Entries as they are stored, from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<NewEntry> {
        self.inner.entries.subscribe()
    }

    /// Own feeds, each time a packet comes into their mailbox on this very node, from now on.
    pub fn mail_came(&self) -> broadcast::Receiver<FeedId> {
        self.inner.mail.subscribe()
    }

    /// Tells trackers that it leaves, stores what has arrived, closes everything; within five seconds.
    pub async fn shutdown(&self) {
        let (answer, receiver) = oneshot::channel();
        self.ask(Ask::Shutdown(answer));
        // An error means that the task has ended already.
        let _ = receiver.await;
    }

    pub(super) fn downgrade(&self) -> WeakNode {
        WeakNode(Arc::downgrade(&self.inner))
    }

    /// A node that has shut down hears nothing: the receivers of its answers then end on their own.
    fn ask(&self, ask: Ask) {
        let _ = self.inner.asks.send(ask);
    }

    pub(super) fn new(
        store: Store,
        listen: Vec<SocketAddr>,
        witness: WitnessKey,
        asks: mpsc::UnboundedSender<Ask>,
        (entries, mail): (broadcast::Sender<NewEntry>, broadcast::Sender<FeedId>),
    ) -> Self {
        Self { inner: Arc::new(Inner { store, listen, witness, asks, entries, mail }) }
    }
}
