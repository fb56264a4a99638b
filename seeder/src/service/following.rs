//! Following feeds: `add`, `mute`, `unfollow`.

use peerfeed_protocol::announce::TrackerUrl;
use peerfeed_protocol::feed::{Granted, Link};
use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::limits::NAME_BYTES_MAX;

use super::Service;
use super::names::Names;
use super::requests::Asked;
use crate::api::{Failure, Feed, Replies, Reply};
use crate::store::{FeedRow, Reading, SeederHint};
use crate::ui::Safe;

/// Trackers and seeders kept for a feed beyond those that its manifest names.
const HINTS_MAX: usize = 16;

impl Service {
    pub(super) async fn add(
        &self,
        link: &str,
        name: Option<String>,
        follow_only: bool,
        trackers: &[TrackerUrl],
        replies: &Replies,
    ) -> Result<(), Failure> {
        let link = read_link(link)?;
        if link.key.is_some() {
            // It is kept sealed like all others.
            self.open_keys()?;
            self.index().await?;
        }
        let names = Names::load(self)?;
        let known = names.row(link.feed).cloned();
        if known.as_ref().is_some_and(|row| row.roles.own) {
            return Err(Failure::failed("that is your own feed").hint("`peerfeed read` shows it already"));
        }
        let name = name.map(|name| check_name(&names, link.feed, &name)).transpose()?;
        let was_followed = known.as_ref().is_some_and(|row| row.roles.follow);
        let mut row = known.unwrap_or_else(new_row);
        row.roles.follow = true;
        row.petname = name.or(row.petname);
        row.suggested_name = link.name.clone().or(row.suggested_name);
        take_hints(&mut row, &link, trackers);
        let before = names.row(link.feed).cloned();
        let (feed, key) = (link.feed, link.key.clone());
        self.store()
            .write(move |txn| {
                txn.put_feed(feed, &row)?;
                if let Some((epoch, secret)) = &key {
                    txn.put_epoch(feed, *epoch, &Granted::Secret(secret.clone()))?;
                }
                Ok(())
            })
            .await?;
        self.node().feeds_changed();
        let asked = if follow_only { Asked::Not } else { self.ask(feed, link.invitation).await? };
        if matches!(asked, Asked::TurnedAway) {
            self.take_back(feed, before).await?;
            return Err(Failure::failed(
                "the invitation in this link was used already, was taken back, or is not for this feed",
            )
            .hint("ask for a new link: its owner runs `peerfeed invite`"));
        }
        let change = if was_followed { "known" } else { "added" };
        replies.send(Reply::Feed(self.changed(feed, change)?)).await;
        if let Asked::Told(request) = asked {
            replies.send(Reply::Request(*request)).await;
        }
        Ok(())
    }

    /// A feed is as it was before it was added.
    async fn take_back(&self, feed: FeedId, before: Option<FeedRow>) -> Result<(), Failure> {
        self.store()
            .write(move |txn| match &before {
                Some(row) => txn.put_feed(feed, row),
                None => txn.remove_feed(feed),
            })
            .await?;
        self.node().feeds_changed();
        Ok(())
    }

    pub(super) async fn unfollow(&self, name: &str, replies: &Replies) -> Result<(), Failure> {
        let names = Names::load(self)?;
        let feed = names.find(name)?;
        let mut row = names.row(feed).cloned().unwrap_or_default();
        if !row.roles.follow {
            return Err(Failure::no(format!("you do not follow {}", Safe::line(&names.shown(feed)))));
        }
        let told = self.changed(feed, "removed")?;
        row.roles.follow = false;
        self.keep_or_remove(feed, row).await?;
        replies.send(Reply::Feed(told)).await;
        Ok(())
    }

    pub(super) async fn mute(&self, name: &str, undo: bool, replies: &Replies) -> Result<(), Failure> {
        let names = Names::load(self)?;
        let feed = names.find(name)?;
        let mut row = names.row(feed).cloned().unwrap_or_default();
        let shown = Safe::line(&names.shown(feed)).to_string();
        if !row.roles.follow {
            return Err(Failure::no(format!("you do not follow {shown}")));
        }
        if row.muted != undo {
            let is = if undo { "is not muted" } else { "is muted already" };
            return Err(Failure::no(format!("{shown} {is}")));
        }
        row.muted = !undo;
        self.store().write(move |txn| txn.put_feed(feed, &row)).await?;
        replies.send(Reply::Feed(self.changed(feed, if undo { "unmuted" } else { "muted" })?)).await;
        Ok(())
    }

    /// Notes a feed with a role less, or removes it when no role is left.
    pub(super) async fn keep_or_remove(&self, feed: FeedId, row: FeedRow) -> Result<(), Failure> {
        let keep = row.roles.own || row.roles.follow || row.roles.seed;
        self.store().write(move |txn| if keep { txn.put_feed(feed, &row) } else { txn.remove_feed(feed) }).await?;
        self.node().feeds_changed();
        Ok(())
    }

    /// A feed as told after a change.
    pub(super) fn changed(&self, feed: FeedId, change: &str) -> Result<Feed, Failure> {
        let names = Names::load(self)?;
        let txn = self.store().read()?;
        let row = names.row(feed).cloned().unwrap_or_default();
        Ok(Feed {
            feed: feed.to_string(),
            name: names.name(feed).map(str::to_owned),
            roles: super::state::roles(row.roles),
            change: Some(change.into()),
            readable: txn.has_epochs(feed)?,
            muted: row.muted,
            quota_bytes: row.quota_bytes,
            up: row.up,
            down: row.down,
            ..Feed::default()
        })
    }
}

/// A feed that was not here before.
pub(super) fn new_row() -> FeedRow {
    FeedRow { added_s: super::state::unix_ms() / 1000, ..FeedRow::default() }
}

/// Reads a link or feed id that a person gave.
pub(super) fn read_link(text: &str) -> Result<Link, Failure> {
    let link: Link = text.trim().parse().map_err(|error: peerfeed_protocol::feed::LinkError| {
        Failure::of(&error).hint("a link can be read from a file: `peerfeed add - < link.txt`")
    })?;
    if !link.is_good_at(super::state::unix_ms() / 1000) {
        return Err(Failure::failed("the link has expired").hint("ask for a new one: its owner runs `peerfeed invite`"));
    }
    Ok(link)
}

/// Adds what a link and `--tracker` say about where a feed is found; the newest words first.
pub(super) fn take_hints(row: &mut FeedRow, link: &Link, trackers: &[TrackerUrl]) {
    let given = trackers.iter().map(ToString::to_string).chain(link.trackers.iter().cloned());
    let mut all: Vec<String> = Vec::new();
    for url in given.chain(std::mem::take(&mut row.trackers)) {
        if !all.contains(&url) {
            all.push(url);
        }
    }
    all.truncate(HINTS_MAX);
    row.trackers = all;
    for seeder in &link.seeders {
        row.seeders.retain(|known| known.address != seeder.address);
        row.seeders.insert(0, SeederHint { address: seeder.address.clone(), witness: seeder.witness });
    }
    row.seeders.truncate(HINTS_MAX);
}

pub(super) fn check_name(names: &Names, feed: FeedId, name: &str) -> Result<String, Failure> {
    let name = name.trim();
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        return Err(Failure::failed(format!("a name has 1 to {NAME_BYTES_MAX} bytes on one line")));
    }
    if name.to_ascii_lowercase().starts_with("feed1") || name.starts_with("peerfeed:") {
        return Err(Failure::failed("that is no name but a feed id or link"));
    }
    let taken = names.feeds().any(|(other, _)| {
        other != feed && names.name(other).is_some_and(|other| other.to_lowercase() == name.to_lowercase())
    });
    if taken {
        return Err(Failure::failed(format!("somebody here is already called {}", Safe::line(name)))
            .hint("choose another with `--name NAME`"));
    }
    Ok(name.to_owned())
}
