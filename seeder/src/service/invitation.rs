//! Links to the own feed: `invite`.

use peerfeed_protocol::announce::TrackerUrl;
use peerfeed_protocol::feed::{Link, LinkSeeder};
use peerfeed_protocol::limits::TRACKERS_MAX;

use super::Service;
use super::names::Names;
use super::publishing::blocking;
use crate::api::{self, Failure, Replies, Reply};

impl Service {
    pub(super) async fn invite(
        &self,
        with_key: bool,
        expires_s: Option<u64>,
        trackers: &[TrackerUrl],
        replies: &Replies,
    ) -> Result<(), Failure> {
        let author = self.author().await?;
        let manifest = author.manifest()?;
        let content = manifest.content();
        let mut link = Link::new(author.feed());
        for url in trackers.iter().map(ToString::to_string).chain(content.trackers.iter().cloned()) {
            if link.trackers.len() < TRACKERS_MAX && !link.trackers.contains(&url) {
                link.trackers.push(url);
            }
        }
        link.seeders = content
            .seeders
            .iter()
            .map(|seeder| LinkSeeder { address: seeder.address.clone(), witness: Some(seeder.witness) })
            .collect();
        if with_key {
            self.index().await?;
            // The name is for friends: a link for a seeder says nothing of who one is.
            link.name = Names::load(self)?.name(author.feed()).map(str::to_owned);
            let writer = author.clone();
            link.key = Some(blocking(move || writer.friends_epoch()).await?);
        }
        if let Some(expires_s) = expires_s {
            let expiry = super::state::unix_ms() / 1_000 + expires_s;
            let inviting = author.clone();
            link.expiry = Some(expiry);
            link.invitation = Some(blocking(move || inviting.invitation(expiry)).await?);
            self.node().notify_appended(author.feed());
        }
        let reachable = !link.trackers.is_empty() || !link.seeders.is_empty();
        let text = link.to_text().map_err(|error| Failure::of(&error))?;
        let told = api::Link {
            link: text.to_string(),
            with_key,
            expires: link.expiry.map(|expiry| super::reading::time(expiry.saturating_mul(1_000))),
            trackers: link.trackers,
            seeders: link.seeders.into_iter().map(|seeder| seeder.address).collect(),
        };
        replies.send(Reply::Link(told)).await;
        if !reachable {
            replies
                .note("your feed names no tracker and no seeder, so nobody will find it by this link: `peerfeed trackers add URL`")
                .await;
        }
        Ok(())
    }
}
