//! What the own feed says about where it is found: `seeders`, `trackers`.

use std::time::Duration;

use peerfeed_protocol::announce::TrackerUrl;
use peerfeed_protocol::feed::SeederAddress;
use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::limits::TRACKERS_MAX;

use super::publishing::blocking;
use super::{SeederCode, Service};
use crate::api::{Failure, Replies, Reply, Secret, Seeder, Tracker};
use crate::author::{Author, AuthorError};
use crate::node::{FeedStatus, ProbeError};
use crate::ui::Safe;

impl Service {
    pub(super) async fn seeders(&self, replies: &Replies) -> Result<(), Failure> {
        let author = self.author().await?;
        let seen = self.seen(author.feed()).await;
        for listed in &author.manifest()?.content().seeders {
            let code = SeederCode::new(&listed.address, Some(listed.witness));
            let known = seen.as_ref().and_then(|seen| {
                let status = seen.seeders.iter().find(|status| status.witness == Some(listed.witness))?;
                Some(self.seeder_of(seen, status))
            });
            let told = Seeder {
                address: listed.address.clone(),
                code: Some(code.to_string()),
                listed: true,
                ..known.unwrap_or_default()
            };
            replies.send(Reply::Seeder(told)).await;
        }
        let Some(seen) = seen else { return Ok(()) };
        for unlisted in &seen.seeders {
            if !unlisted.listed {
                replies.send(Reply::Seeder(self.seeder_of(&seen, unlisted))).await;
            }
        }
        Ok(())
    }

    pub(super) async fn add_seeder(
        &self,
        code: &str,
        timeout_ms: u64,
        words: Option<&Secret>,
        replies: &Replies,
    ) -> Result<(), Failure> {
        let author = self.owner(words).await?;
        let code = read_code(code)?;
        self.ask_seeder(&author, &code, Duration::from_millis(timeout_ms)).await?;
        let witness = match code.witness {
            Some(witness) => witness,
            None => self.ask_witness(author.feed(), &code.address, timeout_ms).await?,
        };
        let seeder = SeederAddress { address: code.address.clone(), witness };
        let feed = author.feed();
        self.sign(author, move |author| author.add_seeder(seeder)).await?;
        // What was brought by a code is nowhere else yet: it is handed over at once.
        let holds_all = code.hold.is_some() && self.hand_over(feed, &code.address, timeout_ms).await;
        let code = SeederCode { witness: Some(witness), hold: None, address: code.address };
        let told = Seeder {
            address: code.address.clone(),
            code: Some(code.to_string()),
            listed: true,
            holds_all,
            ..Seeder::default()
        };
        replies.send(Reply::Seeder(told)).await;
        Ok(())
    }

    pub(super) async fn remove_seeder(
        &self,
        address: &str,
        words: Option<&Secret>,
        replies: &Replies,
    ) -> Result<(), Failure> {
        let author = self.owner(words).await?;
        let address = read_code(address)?.address;
        let wanted = address.clone();
        if !self.sign(author, move |author| author.remove_seeder(&wanted)).await? {
            return Err(Failure::no(format!("your feed does not name the seeder {address}"))
                .hint("`peerfeed seeders` shows those that it names"));
        }
        replies.send(Reply::Seeder(Seeder { address, ..Seeder::default() })).await;
        Ok(())
    }

    pub(super) async fn trackers(&self, replies: &Replies) -> Result<(), Failure> {
        let author = self.author().await?;
        let seen = self.seen(author.feed()).await;
        for url in &author.manifest()?.content().trackers {
            let status = seen.as_ref().and_then(|seen| seen.trackers.iter().find(|status| status.url == *url));
            let told = status.map_or_else(|| Tracker { url: url.clone(), ..Tracker::default() }, super::state::tracker);
            replies.send(Reply::Tracker(told)).await;
        }
        Ok(())
    }

    pub(super) async fn add_tracker(
        &self,
        url: &str,
        words: Option<&Secret>,
        replies: &Replies,
    ) -> Result<(), Failure> {
        let author = self.owner(words).await?;
        let url = super::tracker(url)?.to_string();
        let known = author.manifest()?.content().trackers.contains(&url);
        let wanted = url.clone();
        self.sign(author, move |author| author.add_tracker(&wanted)).await?;
        let change = if known { "known" } else { "added" };
        replies.send(Reply::Tracker(Tracker { url, change: Some(change.into()), state: None })).await;
        Ok(())
    }

    pub(super) async fn remove_tracker(
        &self,
        url: &str,
        words: Option<&Secret>,
        replies: &Replies,
    ) -> Result<(), Failure> {
        let author = self.owner(words).await?;
        let url = super::tracker(url)?.to_string();
        let wanted = url.clone();
        if !self.sign(author, move |author| author.remove_tracker(&wanted)).await? {
            return Err(Failure::no(format!("your feed does not name the tracker {url}"))
                .hint("`peerfeed trackers` shows those that it names"));
        }
        replies.send(Reply::Tracker(Tracker { url, change: Some("removed".into()), state: None })).await;
        Ok(())
    }

    /// Names trackers given to `run` in the own feed, if there is one and it has room: links then carry them.
    pub(crate) async fn remember_trackers(&self, trackers: &[TrackerUrl]) -> Result<(), Failure> {
        if trackers.is_empty() {
            return Ok(());
        }
        // Without an identity the trackers serve this run alone.
        let Ok(author) = self.author().await else { return Ok(()) };
        if !author.signs() {
            // The words are asked for by `trackers add` alone.
            return Ok(());
        }
        let named = author.manifest()?.content().trackers.clone();
        let new = trackers.iter().map(ToString::to_string).filter(|url| !named.contains(url));
        let new: Vec<_> = new.take(TRACKERS_MAX.saturating_sub(named.len())).collect();
        if new.is_empty() {
            return Ok(());
        }
        self.sign(author, move |author| new.iter().try_for_each(|url| author.add_tracker(url).map(drop))).await
    }

    /// Signs a changed manifest and has the engine read it.
    async fn sign<T: Send + 'static>(
        &self,
        author: Author,
        change: impl FnOnce(&Author) -> Result<T, AuthorError> + Send + 'static,
    ) -> Result<T, Failure> {
        let outcome = blocking(move || change(&author)).await?;
        self.node().feeds_changed();
        Ok(outcome)
    }

    async fn ask_witness(
        &self,
        feed: FeedId,
        address: &str,
        timeout_ms: u64,
    ) -> Result<peerfeed_protocol::ids::WitnessKey, Failure> {
        let asked = self.node().probe_seeder(feed, address, Duration::from_millis(timeout_ms)).await;
        asked.map_err(|error| match error {
            ProbeError::Interrupted => Failure::of(&error),
            ProbeError::NoAnswer { .. } | ProbeError::NotASeeder(_) | ProbeError::TimedOut(_) => Failure::no(
                error.to_string(),
            )
            .hint(
                "its host runs `peerfeed seed LINK` with your link and `peerfeed run`, which prints a code to add here",
            ),
        })
    }

    /// Whether the seeder at this address has stored everything of the feed within so long.
    async fn hand_over(&self, feed: FeedId, address: &str, timeout_ms: u64) -> bool {
        let stored = self.node().wait_stored(feed, Duration::from_millis(timeout_ms)).await;
        stored.is_ok_and(|stored| stored.iter().any(|held| held == address))
    }

    async fn seen(&self, feed: FeedId) -> Option<FeedStatus> {
        self.node().status().await.feeds.into_iter().find(|seen| seen.feed == feed)
    }
}

pub(super) fn read_code(text: &str) -> Result<SeederCode, Failure> {
    text.parse().map_err(|error| {
        Failure::failed(format!("`{}` is no seeder: {error}", Safe::line(text)))
            .hint("write HOST:PORT, or the code that the seeder prints at `peerfeed run`")
    })
}
