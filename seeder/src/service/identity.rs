//! The keys of this folder and of its identity: `passwd`, `unlock`, `recover`, `export`, `import`.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use peerfeed_protocol::announce::TrackerUrl;
use peerfeed_protocol::crypto::{OwnerKey, Phrase};
use peerfeed_protocol::feed::{Link, LinkSeeder};
use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::limits::SEALED_FILE_BYTES_MAX;

use super::Service;
use super::following::{new_row, read_link, take_hints};
use super::names::Names;
use super::publishing::blocking;
use crate::api::{Failure, Keys, Need, Replies, Reply, Secret};
use crate::author::{self, Author, AuthorError, Exported, JoinOptions, Restored};
use crate::keys::{self, KeyError, Seal};
use crate::node::{Progress, SyncGoal};
use crate::store::Reading;
use crate::ui::Safe;

/// How long the seeders are waited for that are to hear of a new device.
const PUBLISH_PATIENCE: Duration = Duration::from_secs(10);

/// How an identity is brought back.
pub(super) struct Recovery {
    pub(super) link: Option<String>,
    pub(super) stolen: bool,
    pub(super) cold: bool,
    pub(super) timeout_ms: u64,
}

impl Service {
    /// Opens the key files until this service ends.
    pub(crate) async fn unlock(&self, passphrase: Secret) -> Result<(), Failure> {
        let folder = self.data().to_owned();
        let opened = blocking(move || keys::unlock(&folder, passphrase.expose()).map_err(AuthorError::from)).await;
        opened.map_err(|failure| failure.hint("type it again, or look into the file that was given"))?;
        self.index().await?;
        self.settle().await
    }

    pub(super) async fn unlocked(&self, replies: &Replies) -> Result<(), Failure> {
        self.open_keys()?;
        self.tell_keys(replies).await
    }

    pub(super) async fn passwd(&self, new: Option<Secret>, replies: &Replies) -> Result<(), Failure> {
        // Whoever changes it has opened them.
        self.author().await?;
        let folder = self.data().to_owned();
        let change = move || {
            let new = new.as_ref().map(Secret::expose);
            keys::change(&folder, new).map_err(AuthorError::from)
        };
        blocking(change).await?;
        self.tell_keys(replies).await
    }

    pub(super) async fn recover(
        &self,
        how: Recovery,
        words: Option<&Secret>,
        trackers: Vec<TrackerUrl>,
        replies: &Replies,
    ) -> Result<(), Failure> {
        self.refuse_second()?;
        let phrase = read_words(words)?.ok_or_else(|| {
            Failure::failed("an identity is brought back by its 24 words")
                .needs(Need::Words)
                .hint("give them with `--words-file FILE`, or type them at a terminal")
        })?;
        let feed = phrase.identity().feed_id();
        let link = match &how.link {
            None => Link::new(feed),
            Some(link) => read_link(link)?,
        };
        if link.feed != feed {
            return Err(Failure::of(&AuthorError::OtherWords).hint("give a link to your own feed, or none"));
        }
        self.bring_own(&link, trackers, how.timeout_ms).await?;
        let store = self.store().clone();
        let join = move || {
            let taken = store.read()?.records(feed)?.is_some_and(|held| held.manifest().successor().is_some());
            let successor = how.stolen || taken;
            let owner = if successor { OwnerKey::successor(&phrase) } else { OwnerKey::Identity(phrase.identity()) };
            let recovery = Some(phrase.recovery_box());
            let cold = how.cold || successor;
            author::join(&store, JoinOptions { owner, recovery, exported: None, revoke_others: how.stolen, cold })
        };
        let joined = blocking(join).await?;
        self.joined(joined.author, replies).await?;
        if how.stolen {
            replies.note("all other devices are revoked: only your 24 words change this feed from now on").await;
        }
        replies.note(self.told_restored(joined.restored.as_ref())?).await;
        Ok(())
    }

    /// What came back besides posts, in a sentence.
    fn told_restored(&self, restored: Option<&Restored>) -> Result<String, Failure> {
        let Some(Restored { friends, granted, lists, followed }) = restored else {
            return Ok("your feed says nothing of friends, lists and whom you follow: `peerfeed add` and `accept` them again; \
                       who has an export gets them back by `peerfeed import FILE` into an empty folder"
                .into());
        };
        let feeds = counted(*followed, "feed that you follow", "feeds that you follow");
        if *granted {
            let friends = counted(friends.len(), "friend", "friends");
            let lists = counted(*lists, "list", "lists");
            return Ok(format!("{friends}, {lists} and {feeds} came back: `peerfeed fetch` gets their posts"));
        }
        if friends.is_empty() {
            return Ok(format!("{feeds} came back"));
        }
        let names = Names::load(self)?;
        let shown: Vec<_> = friends.iter().map(|friend| Safe::line(&names.shown(*friend)).to_string()).collect();
        Ok(format!(
            "{feeds} came back; nobody reads what you write from now on: who had your machine could have added friends. These \
             were noted: {}. `peerfeed accept NAME` makes those whom you know friends again",
            shown.join(", ")
        ))
    }

    pub(super) async fn export(&self, file: PathBuf, seal: Secret, replies: &Replies) -> Result<(), Failure> {
        let author = self.author().await?;
        let store = self.store().clone();
        let path = file.clone();
        let written = move || {
            let bytes = author::export(&store, &author, seal.expose())?;
            write_new(&path, &bytes).map_err(|error| not_written(&path, &error))?;
            Ok::<_, Failure>(bytes.len() as u64)
        };
        let size_bytes = blocking(written).await?;
        let told = crate::api::File { path: file.display().to_string(), size_bytes };
        replies.send(Reply::File(told)).await;
        Ok(())
    }

    pub(super) async fn import(
        &self,
        file: PathBuf,
        seal: Secret,
        timeout_ms: u64,
        words: Option<&Secret>,
        trackers: Vec<TrackerUrl>,
        replies: &Replies,
    ) -> Result<(), Failure> {
        self.refuse_second()?;
        let phrase = read_words(words)?;
        let open = move || {
            let bytes = read_file(&file).map_err(|error| {
                Failure::failed(format!("{} cannot be read: {error}", file.display()))
                    .hint("name the file that `peerfeed export FILE` made on the other machine")
            })?;
            Exported::open(&bytes, seal.expose()).map_err(Failure::from)
        };
        let exported = blocking(open).await?;
        let records = exported.records.clone();
        let feed = *records.manifest().feed();
        let taken = records.manifest().successor().is_some();
        let owner = match (phrase, exported.identity.as_ref()) {
            (Some(phrase), _) if phrase.identity().feed_id() != feed => return Err(AuthorError::OtherWords.into()),
            (Some(phrase), _) if taken => OwnerKey::successor(&phrase),
            (Some(phrase), None) => OwnerKey::Identity(phrase.identity()),
            (_, Some(identity)) => {
                OwnerKey::Identity(peerfeed_protocol::crypto::IdentityKey::from_seed(&identity.seed()))
            }
            (None, None) => {
                return Err(Failure::failed("this identity is kept cold: a new device is signed with its 24 words")
                    .needs(Need::Words)
                    .hint("give them with `--words-file FILE`, or type them at a terminal"));
            }
        };
        let cold = exported.identity.is_none();
        let mut link = Link::new(feed);
        let content = records.manifest().content().clone();
        link.trackers = content.trackers;
        let known = |seeder: peerfeed_protocol::feed::SeederAddress| LinkSeeder {
            address: seeder.address,
            witness: Some(seeder.witness),
        };
        link.seeders = content.seeders.into_iter().map(known).collect();
        if let Err(failure) = self.bring_own(&link, trackers, timeout_ms).await {
            // Nobody holds the feed who could be asked: the records of the file are the newest there are.
            replies
                .note(format!("your posts are not here yet: {}", failure.message.lines().next().unwrap_or("")))
                .await;
        }
        let held = self.store().read()?.records(feed)?;
        if held.is_none() {
            self.store().write(move |txn| txn.put_records(&records)).await?;
        }
        let store = self.store().clone();
        let options = JoinOptions { owner, recovery: None, exported: Some(exported), revoke_others: false, cold };
        let joined = blocking(move || author::join(&store, options)).await?;
        self.joined(joined.author, replies).await
    }

    /// A writer for what only the owner of the feed may sign. With words, whoever has them is the owner.
    pub(super) async fn owner(&self, words: Option<&Secret>) -> Result<Author, Failure> {
        let author = self.author().await?;
        match read_words(words)? {
            Some(phrase) => blocking(move || author.with_words(&phrase)).await,
            None if author.signs() => Ok(author),
            None => Err(AuthorError::NoIdentity.into()),
        }
    }

    /// Refuses what needs open keys while they are sealed.
    pub(super) fn open_keys(&self) -> Result<(), Failure> {
        match keys::seal(self.data()).map_err(AuthorError::from)? {
            Seal::Locked => Err(AuthorError::from(KeyError::Locked).into()),
            Seal::None | Seal::Unlocked => Ok(()),
        }
    }

    /// Whether the keys are sealed, and not open to this process.
    pub(crate) fn is_locked(&self) -> bool {
        matches!(keys::seal(self.data()), Ok(Seal::Locked))
    }

    fn refuse_second(&self) -> Result<(), Failure> {
        if keys::has_identity(self.data()).map_err(AuthorError::from)? {
            return Err(AuthorError::Exists.into());
        }
        Ok(())
    }

    /// Fetches a feed whose device this folder is to become.
    async fn bring_own(&self, link: &Link, trackers: Vec<TrackerUrl>, timeout_ms: u64) -> Result<(), Failure> {
        let feed = link.feed;
        let mut row = self.store().read()?.feed(feed)?.unwrap_or_else(new_row);
        row.roles.follow = true;
        take_hints(&mut row, link, &trackers);
        self.store().write(move |txn| txn.put_feed(feed, &row)).await?;
        self.node().feeds_changed();
        let goal = SyncGoal { trackers, ..SyncGoal::default() };
        let mut work = self.node().sync(vec![feed], goal, Duration::from_millis(timeout_ms));
        while let Some(progress) = work.recv().await {
            if let Progress::Failed(failure) = progress {
                return Err(failure.into());
            }
        }
        match self.store().read()?.records(feed)? {
            Some(_) => Ok(()),
            None => Err(Failure::no(format!("nobody who was asked holds {feed}"))
                .hint("name a tracker with `--tracker URL`, or give a link to your feed")),
        }
    }

    /// Tells seeders of the new device, and the person who this folder is now.
    async fn joined(&self, author: Author, replies: &Replies) -> Result<(), Failure> {
        let feed: FeedId = author.feed();
        self.node().feeds_changed();
        self.node().notify_appended(feed);
        if self.node().wait_stored(feed, PUBLISH_PATIENCE).await.is_err() {
            replies.note("no seeder has heard of this device yet: `peerfeed run` tells them").await;
        }
        self.id(replies).await
    }

    async fn tell_keys(&self, replies: &Replies) -> Result<(), Failure> {
        let state = match keys::seal(self.data()).map_err(AuthorError::from)? {
            Seal::None => "open",
            Seal::Locked => "locked",
            Seal::Unlocked => "unlocked",
        };
        replies.send(Reply::Keys(Keys { state: state.into() })).await;
        Ok(())
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn read_words(words: Option<&Secret>) -> Result<Option<Phrase>, Failure> {
    words.map(|words| words.expose().parse().map_err(|error| Failure::of(&error))).transpose()
}

fn not_written(path: &Path, error: &std::io::Error) -> Failure {
    let path = path.display();
    if error.kind() == std::io::ErrorKind::AlreadyExists {
        return Failure::failed(format!("{path} is there already, and is not overwritten")).hint("choose another name");
    }
    Failure::failed(format!("{path} cannot be written: {error}")).hint("choose another folder")
}

fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(SEALED_FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
