//! Who may read what is for friends: `accept`, `friends`, `remove`.

use peerfeed_protocol::crypto::fingerprint;
use peerfeed_protocol::ids::FeedId;
use tokio::sync::broadcast::error::RecvError;

use super::Service;
use super::following::check_name;
use super::names::Names;
use super::publishing::blocking;
use crate::api::{self, Failure, Replies, Reply};
use crate::author::{Accepted, Author, AuthorError, Friend};
use crate::keys::{self, Seal};
use crate::store::Reading;
use crate::ui::Safe;

/// What is decided about somebody who becomes a friend.
pub(super) struct Terms {
    /// They read only what is written from now on.
    pub(super) from_now: bool,
    /// Their feed is held for others, too.
    pub(super) seed: bool,
    /// How they are called here.
    pub(super) petname: Option<String>,
}

impl Service {
    pub(super) async fn accept(&self, name: &str, terms: Terms, replies: &Replies) -> Result<(), Failure> {
        let Terms { from_now, seed, petname } = terms;
        let author = self.author().await?;
        self.mail_round().await?;
        let asking = self.who_asks(&author, name).await?;
        let feed = match asking {
            Some(feed) => feed,
            None => Names::load(self)?.find(name)?,
        };
        let petname = petname.map(|petname| check_name(&Names::load(self)?, feed, &petname)).transpose()?;
        if asking.is_some() {
            let writer = author.clone();
            blocking(move || writer.accept_request(feed, from_now)).await?;
        }
        self.note_terms(feed, seed, petname).await?;
        self.node().feeds_changed();
        let names = Names::load(self)?;
        let writer = author.clone();
        let (friend, change) = match blocking(move || writer.accept(feed, from_now)).await? {
            Accepted::Now(friend) => (friend, "added"),
            Accepted::Before(friend) => (friend, if asking.is_some() { "added" } else { "known" }),
            Accepted::ReadsMore => {
                let name = Safe::line(&names.shown(feed)).to_string();
                return Err(Failure::no(format!("{name} reads everything already, and cannot unread it"))
                    .hint(format!("`peerfeed remove {name}`, then accept again: they keep what they have read")));
            }
        };
        self.node().notify_appended(author.feed());
        if asking.is_some() {
            self.mail_round().await?;
            self.mail_due.notify_one();
        }
        replies.send(Reply::Friend(told(&names, &friend, Some(change)))).await;
        if friend.devices == 0 {
            let name = Safe::line(&names.shown(feed)).to_string();
            replies.note(format!("the key goes out once their feed was fetched: `peerfeed fetch {name}`")).await;
        }
        Ok(())
    }

    /// How a new friend is called here, and whether their feed is held for others.
    async fn note_terms(&self, feed: FeedId, seed: bool, petname: Option<String>) -> Result<(), Failure> {
        if !seed && petname.is_none() {
            return Ok(());
        }
        self.store()
            .write(move |txn| {
                let Some(mut row) = txn.feed(feed)? else { return Ok(()) };
                row.roles.seed |= seed;
                row.petname = petname.clone().or(row.petname);
                txn.put_feed(feed, &row)
            })
            .await?;
        Ok(())
    }

    pub(super) async fn friends(&self, replies: &Replies) -> Result<(), Failure> {
        let author = self.author().await?;
        self.index().await?;
        let names = Names::load(self)?;
        let mut friends = blocking(move || author.friends()).await?;
        if friends.is_empty() {
            return Err(Failure::no("you have no friends here yet")
                .hint("`peerfeed invite` prints a link to give away, `peerfeed accept NAME` lets somebody read"));
        }
        friends.sort_by_key(|friend| (names.shown(friend.feed).to_lowercase(), friend.feed));
        for friend in &friends {
            replies.send(Reply::Friend(told(&names, friend, None))).await;
        }
        Ok(())
    }

    pub(super) async fn remove(&self, name: &str, replies: &Replies) -> Result<(), Failure> {
        let author = self.author().await?;
        let names = Names::load(self)?;
        let feed = find_friend(&names, &author, name).await?;
        let asking = author.clone();
        let friend = blocking(move || asking.friend(feed)).await?;
        let removed = blocking(move || author.remove(feed)).await?;
        match friend.filter(|_| removed) {
            Some(friend) => {
                replies.send(Reply::Friend(told(&names, &friend, Some("removed")))).await;
                Ok(())
            }
            None => Err(Failure::no(format!("{} is no friend of yours", Safe::line(&names.shown(feed))))
                .hint("`peerfeed friends` shows those who are")),
        }
    }

    /// Grants what is owed to friends whose feed has come meanwhile, and keeps in the feed who they are.
    pub(crate) async fn settle(&self) -> Result<(), Failure> {
        self.write_due(Author::settle).await
    }

    async fn write_due(&self, write: fn(&Author) -> Result<bool, AuthorError>) -> Result<(), Failure> {
        if matches!(keys::seal(self.data()), Ok(Seal::Locked)) {
            // It is done when the keys are open.
            return Ok(());
        }
        let store = self.store().clone();
        let author = blocking(move || Author::open(&store)).await?;
        let Some(author) = author else { return Ok(()) };
        let feed = author.feed();
        if blocking(move || write(&author)).await? {
            self.node().notify_appended(feed);
        }
        Ok(())
    }

    /// Goes on granting what is owed as feeds come in, until dropped.
    pub(crate) async fn keep_granting(&self) {
        let mut entries = self.node().subscribe();
        loop {
            // What else is due is looked for when something changes, not with every entry of every feed.
            if let Err(failure) = self.write_due(Author::grant_owed).await {
                tracing::error!(%failure, "a friend is still without a key");
            }
            // Entries come together with the records before them; those that came meanwhile need no round of their own.
            match entries.recv().await {
                Ok(_) | Err(RecvError::Lagged(_)) => entries = entries.resubscribe(),
                Err(RecvError::Closed) => return,
            }
        }
    }
}

/// A friend by name or feed id; their feed need not be followed any more.
async fn find_friend(names: &Names, author: &Author, text: &str) -> Result<FeedId, Failure> {
    if let Ok(feed) = text.trim().parse::<FeedId>() {
        let asking = author.clone();
        if blocking(move || asking.friend(feed)).await?.is_some() {
            return Ok(feed);
        }
    }
    names.find(text)
}

pub(super) fn told(names: &Names, friend: &Friend, change: Option<&str>) -> api::Friend {
    api::Friend {
        feed: friend.feed.to_string(),
        name: names.name(friend.feed).map(str::to_owned),
        fingerprint: fingerprint::words(&friend.feed).join(" "),
        since: super::reading::time(friend.since_s.saturating_mul(1_000)),
        from_now: friend.from_now,
        granted: friend.devices > 0,
        change: change.map(str::to_owned),
    }
}
