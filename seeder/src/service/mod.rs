//! What the commands do: one handler per request, the same in the daemon and in a command that found none.

mod error;
mod fetching;
mod following;
mod friends;
mod getting;
mod hold_codes;
mod holding;
mod identity;
mod invitation;
mod letters;
mod lists;
mod mailing;
mod manifest;
mod messages;
mod names;
mod publishing;
mod reading;
mod requests;
mod seeder_code;
mod state;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use peerfeed_protocol::announce::TrackerUrl;

pub use seeder_code::{SeederCode, SeederCodeError};

use crate::api::{Call, Failure, Handle, Replies, Request};
use crate::node::{Node, NodeOptions, StartError, SyncGoal};
use crate::store::Store;
use holding::Bounds;

/// A data folder at work, ready to answer calls.
#[derive(Clone)]
pub struct Service {
    node: Node,
    data: PathBuf,
    daemon: bool,
    mail_due: mailing::MailDue,
    /// Whether the own feed was sought for the newest request: each does so once.
    own_sought: Arc<AtomicBool>,
}

impl Service {
    /// Starts the node of a data folder.
    pub async fn start(options: NodeOptions) -> Result<Self, StartError> {
        let (data, daemon) = (options.data_dir.clone(), options.serve && options.announce);
        let node = Node::start(options).await?;
        Ok(Self { node, data, daemon, mail_due: mailing::MailDue::default(), own_sought: Arc::default() })
    }

    /// The node.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Ends the node: told to trackers, synced, within five seconds.
    pub async fn shutdown(&self) {
        self.node.shutdown().await;
        crate::keys::lock(&self.data);
    }

    fn store(&self) -> &Store {
        self.node.store()
    }

    fn data(&self) -> &Path {
        &self.data
    }
}

impl Handle for Service {
    async fn handle(&self, call: Call, replies: Replies) -> Result<(), Failure> {
        self.own_sought.store(false, Ordering::Relaxed);
        let trackers = trackers(&call.trackers)?;
        let words = call.words.as_ref();
        if let Some(passphrase) = call.passphrase {
            self.unlock(passphrase).await?;
        }
        let changes = changes_private_state(&call.request);
        let outcome = match call.request {
            Request::Init { name, cold } => self.init(name, cold, &trackers, &replies).await,
            Request::Recover { link, stolen, cold, timeout_ms } => {
                let how = identity::Recovery { link, stolen, cold, timeout_ms };
                self.recover(how, words, trackers, &replies).await
            }
            Request::Passwd { new } => self.passwd(new, &replies).await,
            Request::Unlock {} => self.unlocked(&replies).await,
            Request::Export { file, seal } => self.export(file, seal, &replies).await,
            Request::Import { file, seal, timeout_ms } => {
                self.import(file, seal, timeout_ms, words, trackers, &replies).await
            }
            Request::Id {} => self.id(&replies).await,
            Request::Post { text, attach, channel, to, wait_ms } => {
                let draft = publishing::Draft { text, attach, channel, to };
                self.post(draft, wait_ms, &replies).await
            }
            Request::Message { to, text, attach, wait_ms } => self.message(&to, text, attach, wait_ms, &replies).await,
            Request::Lists {} => self.lists(&replies).await,
            Request::ListAdd { list, names, from_now } => self.list_add(&list, &names, from_now, &replies).await,
            Request::ListRemove { list, names } => self.list_remove(&list, &names, &replies).await,
            Request::ListDelete { list } => self.list_delete(&list, &replies).await,
            Request::Invite { with_key, expires_s } => self.invite(with_key, expires_s, &trackers, &replies).await,
            Request::Add { link, name, follow_only } => self.add(&link, name, follow_only, &trackers, &replies).await,
            Request::Requests {} => self.requests(&replies).await,
            Request::Refuse { name } => self.refuse(&name, &replies).await,
            Request::Accept { name, from_now, seed, petname } => {
                self.accept(&name, friends::Terms { from_now, seed, petname }, &replies).await
            }
            Request::Friends {} => self.friends(&replies).await,
            Request::Remove { name } => self.remove(&name, &replies).await,
            Request::Mute { name, undo } => self.mute(&name, undo, &replies).await,
            Request::Unfollow { name } => self.unfollow(&name, &replies).await,
            Request::Seeders {} => self.seeders(&replies).await,
            Request::SeedersAdd { code, timeout_ms } => self.add_seeder(&code, timeout_ms, words, &replies).await,
            Request::SeedersRemove { address } => self.remove_seeder(&address, words, &replies).await,
            Request::Trackers {} => self.trackers(&replies).await,
            Request::TrackersAdd { url } => self.add_tracker(&url, words, &replies).await,
            Request::TrackersRemove { url } => self.remove_tracker(&url, words, &replies).await,
            Request::Fetch { names, files, newest, timeout_ms } => {
                let goal = SyncGoal { newest, blobs: files, trackers, in_passing: false };
                self.fetch(&names, goal, timeout_ms, &replies).await
            }
            Request::Read { name, with, limit, channel, containing, since_ms, sealed, follow } => {
                let filter = reading::Filter { name, with, limit, channel, containing, since_ms, sealed };
                self.read(&filter, follow, &replies).await
            }
            Request::Get { entry, out, timeout_ms } => self.get(&entry, &out, timeout_ms, &replies).await,
            Request::Seed { link, quota_bytes, up, down } => {
                let bounds = Bounds { quota_bytes, up, down };
                self.seed(&link, bounds, &trackers, &replies).await
            }
            Request::SeedCode { address, uses, expires_s, quota_bytes } => {
                let terms = hold_codes::Terms { address, uses, expires_s, quota_bytes };
                self.seed_code(terms, &replies).await
            }
            Request::UnseedCodes {} => self.unseed_codes(&replies).await,
            Request::Unseed { feed } => self.unseed(&feed, &replies).await,
            Request::Status {} => self.status(&replies).await,
        };
        if changes
            && outcome.is_ok()
            && let Err(failure) = self.settle().await
        {
            tracing::warn!(%failure, "the change is not in the feed yet, only on this disk");
        }
        outcome
    }
}

/// Whether a request may change who is in which audience, or who is followed; letters that are fetched make friends.
fn changes_private_state(request: &Request) -> bool {
    matches!(
        request,
        Request::Accept { .. }
            | Request::Add { .. }
            | Request::Fetch { .. }
            | Request::ListAdd { .. }
            | Request::ListDelete { .. }
            | Request::ListRemove { .. }
            | Request::Mute { .. }
            | Request::Remove { .. }
            | Request::Unfollow { .. }
    )
}

fn trackers(texts: &[String]) -> Result<Vec<TrackerUrl>, Failure> {
    texts.iter().map(|text| tracker(text)).collect()
}

fn tracker(text: &str) -> Result<TrackerUrl, Failure> {
    text.parse().map_err(|error| {
        Failure::failed(format!("`{}` is no tracker: {error}", crate::ui::Safe::line(text)))
            .hint("write it as https://tracker.example/announce, udp://tracker.example:6969 or HOST:PORT")
    })
}
