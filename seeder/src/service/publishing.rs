//! Writing to the own feed: `init`, `id`, `post`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use peerfeed_protocol::announce::TrackerUrl;
use peerfeed_protocol::crypto::fingerprint;
use peerfeed_protocol::ids::{EntryPlace, FeedId};

use super::Service;
use super::names::Names;
use crate::api::{self, Created, Device, Failure, Identity, Need, Posted, Progress, Replies, Reply, Stage};
use crate::author::{self, Author, AuthorError, SealProgress};
use crate::keys::KeyError;
use crate::node::WaitError;
use crate::store::Reading;
use crate::ui::hex;

/// A post as it was asked for.
pub(super) struct Draft {
    pub(super) text: String,
    pub(super) attach: Vec<PathBuf>,
    pub(super) channel: Option<String>,
    pub(super) to: api::Audience,
}

impl Service {
    pub(super) async fn init(
        &self,
        name: Option<String>,
        cold: bool,
        trackers: &[TrackerUrl],
        replies: &Replies,
    ) -> Result<(), Failure> {
        let store = self.store().clone();
        let urls: Vec<_> = trackers.iter().map(ToString::to_string).collect();
        let given = name.clone();
        let made = blocking(move || {
            let make = if cold { author::init_cold } else { author::init };
            make(&store, given.as_deref(), &urls)
        })
        .await?;
        self.node().feeds_changed();
        let created =
            Created { feed: made.author.feed().to_string(), name, recovery_phrase: made.phrase.to_text().to_string() };
        replies.send(Reply::Created(created)).await;
        Ok(())
    }

    pub(super) async fn id(&self, replies: &Replies) -> Result<(), Failure> {
        let author = self.author().await?;
        self.index().await?;
        let names = Names::load(self)?;
        let records = self.store().read()?.records(author.feed())?;
        let devices = records.map(|records| records.roster().devices().to_vec()).unwrap_or_default();
        let devices = devices.iter().map(|device| Device {
            key: hex(device.id.as_bytes()),
            this: device.id == author.device(),
            revoked: device.ends.is_some(),
        });
        let identity = Identity {
            feed: author.feed().to_string(),
            name: names.name(author.feed()).map(str::to_owned),
            fingerprint: fingerprint::words(&author.feed()).join(" "),
            devices: devices.collect(),
        };
        replies.send(Reply::Identity(identity)).await;
        Ok(())
    }

    pub(super) async fn post(&self, draft: Draft, wait_ms: Option<u64>, replies: &Replies) -> Result<(), Failure> {
        let author = self.author().await?;
        let draft = author::Draft {
            text: draft.text,
            channel: draft.channel,
            audience: match draft.to {
                api::Audience::Public => author::Audience::Public,
                api::Audience::Friends => author::Audience::Friends,
                api::Audience::List(name) => author::Audience::List(name),
            },
            files: draft.attach,
        };
        let shown = replies.clone();
        let place = blocking(move || author.post(&draft, &mut |progress| shown.progress(sealing(&progress)))).await?;
        self.posted(place, wait_ms, replies).await
    }

    /// Tells of an entry that was written, and waits for seeders if that was asked for.
    pub(super) async fn posted(
        &self,
        place: EntryPlace,
        wait_ms: Option<u64>,
        replies: &Replies,
    ) -> Result<(), Failure> {
        let feed = place.feed;
        self.node().notify_appended(feed);
        let mut posted = Posted { id: place.id().to_string(), feed: feed.to_string(), stored_by: Vec::new() };
        let Some(wait_ms) = wait_ms else {
            replies.send(Reply::Posted(posted)).await;
            if !self.daemon {
                replies.note(self.told_on_disk(feed)?).await;
            }
            return Ok(());
        };
        match self.wait_stored(feed, Duration::from_millis(wait_ms), replies).await {
            Ok(stored_by) => {
                posted.stored_by = stored_by;
                replies.send(Reply::Posted(posted)).await;
                Ok(())
            }
            Err(failure) => {
                // It is on disk all the same, and the person must learn its id.
                replies.send(Reply::Posted(posted)).await;
                Err(failure)
            }
        }
    }

    /// That a post is nowhere but here, and what brings it to others.
    fn told_on_disk(&self, feed: FeedId) -> Result<&'static str, Failure> {
        let records = self.store().read()?.records(feed)?;
        let is_found = records.is_some_and(|records| {
            let content = records.manifest().content();
            !(content.trackers.is_empty() && content.seeders.is_empty())
        });
        Ok(if is_found {
            "it is on this disk; `peerfeed run` hands it on"
        } else {
            "it is on this disk; nobody finds your feed before it names a tracker or a seeder: `peerfeed trackers add URL`"
        })
    }

    async fn wait_stored(&self, feed: FeedId, patience: Duration, replies: &Replies) -> Result<Vec<String>, Failure> {
        let waiting = self.node().wait_stored(feed, patience);
        tokio::pin!(waiting);
        let mut ticks = tokio::time::interval(Duration::from_millis(200));
        let outcome = loop {
            tokio::select! {
                outcome = &mut waiting => break outcome,
                _ = ticks.tick() => {
                    let node = self.node().status().await;
                    let Some(seen) = node.feeds.iter().find(|seen| seen.feed == feed) else { continue };
                    let done = seen.seeders.iter().map(|seeder| seeder.entries_stored).max().unwrap_or(0);
                    replies.progress(Progress {
                        what: "your seeders".into(),
                        stage: Stage::Storing,
                        done: done.min(seen.entries),
                        total: seen.entries,
                        peers: seen.peers,
                    });
                }
            }
        };
        outcome.map_err(|error| match error {
            WaitError::NoSeeders(_) => Failure::no("posted, but your feed names no seeder that could store it")
                .hint("`peerfeed seeders add ADDRESS` names one, `peerfeed run` serves it from here"),
            WaitError::TimedOut(_) => Failure::no(format!(
                "posted, but no seeder has stored it within {}",
                crate::ui::until(patience.as_secs())
            ))
            .hint("`peerfeed run` hands it on as soon as one answers, `peerfeed status` shows it"),
            error => Failure::of(&error),
        })
    }

    /// The writer of this folder's feed.
    pub(super) async fn author(&self) -> Result<Author, Failure> {
        let store = self.store().clone();
        blocking(move || Author::open(&store)).await?.ok_or_else(|| {
            Failure::failed("there is no identity in this data folder").hint("`peerfeed init --name NAME` makes one")
        })
    }

    /// Puts what arrived into the timeline.
    pub(super) async fn index(&self) -> Result<(), Failure> {
        Ok(crate::reader::index_pending(self.store()).await?)
    }
}

/// Runs what waits for the disk on a thread where waiting harms nobody.
pub(super) async fn blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, Failure>
where
    T: Send + 'static,
    E: Into<Failure> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome.map_err(Into::into),
        Err(error) => Err(Failure::failed(format!("the engine broke off: {error}"))),
    }
}

pub(super) fn sealing(progress: &SealProgress) -> Progress {
    let name = progress.path.file_name().map_or(progress.path.as_path(), Path::new);
    Progress {
        what: name.display().to_string(),
        stage: Stage::Sealing,
        done: progress.done_bytes,
        total: progress.total_bytes,
        peers: 0,
    }
}

impl From<AuthorError> for Failure {
    fn from(error: AuthorError) -> Self {
        let hint = match &error {
            AuthorError::Keys(KeyError::Locked) => {
                return Self::of(&error).needs(Need::Passphrase).hint(
                    "`--passphrase-file FILE` opens them for this command, `peerfeed unlock` for the running daemon",
                );
            }
            AuthorError::NoIdentity => {
                return Self::failed(format!("{error}: it takes your 24 words"))
                    .needs(Need::Words)
                    .hint("give them with `--words-file FILE`, or type them at a terminal");
            }
            AuthorError::TakenBack => {
                return Self::of(&error).needs(Need::Words).hint("give them with `--words-file FILE`");
            }
            AuthorError::OtherWords => "compare `peerfeed id` with the feed id that you wrote down with the words",
            AuthorError::Exists => "`peerfeed id` shows it",
            AuthorError::TextTooLong(_) => "attach it: `peerfeed post --attach FILE`",
            AuthorError::TooManySeeders => "`peerfeed seeders remove ADDRESS` takes one away",
            AuthorError::TooManyTrackers => "`peerfeed trackers remove URL` takes one away",
            AuthorError::File { .. } | AuthorError::NotAFile(_) => {
                "nothing was posted; look at the path after `--attach`"
            }
            AuthorError::FileChanged(_) | AuthorError::FileTooLarge { .. } | AuthorError::TooManyFiles(_) => {
                "nothing was posted"
            }
            AuthorError::Write(_) | AuthorError::Storage(_) => {
                return match error {
                    AuthorError::Write(error) => error.into(),
                    AuthorError::Storage(error) => error.into(),
                    error => Self::of(&error),
                };
            }
            AuthorError::NoSuchList(_) => {
                "`public` and `friends` are always there; `peerfeed list` shows your lists, `peerfeed list add` makes one"
            }
            AuthorError::EmptyList(_) => "`peerfeed list add LIST NAME` puts a friend on it",
            _ => return Self::of(&error),
        };
        Self::of(&error).hint(hint)
    }
}
