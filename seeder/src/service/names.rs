//! Names of feeds: what a person types, and what a person sees.

use peerfeed_protocol::ids::FeedId;

use super::Service;
use crate::api::Failure;
use crate::store::{FeedRow, Reading};
use crate::ui::Safe;

/// Characters of a feed id that stand for a feed without a name.
const SHORT_ID_CHARS: usize = 12;

/// Names of all feeds of a data folder, read once.
pub(super) struct Names {
    feeds: Vec<(FeedId, FeedRow, Option<String>)>,
}

impl Names {
    /// Reads them.
    pub(super) fn load(service: &Service) -> Result<Self, Failure> {
        let txn = service.store().read()?;
        let mut feeds = Vec::new();
        for (feed, row) in txn.feeds()? {
            let profile = if row.roles.reads() { txn.profile_name(feed)? } else { None };
            feeds.push((feed, row, profile));
        }
        Ok(Self { feeds })
    }

    /// The feeds.
    pub(super) fn feeds(&self) -> impl Iterator<Item = (FeedId, &FeedRow)> {
        self.feeds.iter().map(|(feed, row, _)| (*feed, row))
    }

    /// What is noted about a feed.
    pub(super) fn row(&self, feed: FeedId) -> Option<&FeedRow> {
        self.feeds.iter().find(|(id, ..)| *id == feed).map(|(_, row, _)| row)
    }

    /// The name that is shown for a feed, if it has one: the own one, its owner's, the link's.
    pub(super) fn name(&self, feed: FeedId) -> Option<&str> {
        let (_, row, profile) = self.feeds.iter().find(|(id, ..)| *id == feed)?;
        row.petname.as_deref().or(profile.as_deref()).or(row.suggested_name.as_deref())
    }

    /// The name that is shown for a feed, or the beginning of its id.
    pub(super) fn shown(&self, feed: FeedId) -> String {
        self.name(feed).map_or_else(|| short(feed), str::to_owned)
    }

    /// A failure that calls feeds by the names that a person knows.
    pub(super) fn in_words(&self, mut failure: Failure) -> Failure {
        for (feed, ..) in &self.feeds {
            if let Some(name) = self.name(*feed) {
                let name = Safe::line(name).to_string();
                failure.message = failure.message.replace(&format!("feed {feed}"), &name);
            }
        }
        failure
    }

    /// The feed that a person means: a feed id, or a name in any case.
    pub(super) fn find(&self, text: &str) -> Result<FeedId, Failure> {
        let text = text.trim();
        if text.to_ascii_lowercase().starts_with("feed1") {
            let feed = text.parse::<FeedId>().map_err(|error| {
                Failure::failed(error.to_string()).hint("copy it again, or use the name: `peerfeed status` shows both")
            })?;
            return match self.row(feed) {
                Some(_) => Ok(feed),
                None => Err(Failure::failed(format!("{text} is not in this data folder"))
                    .hint(format!("`peerfeed add {text}` follows it"))),
            };
        }
        let wanted = text.to_lowercase();
        let mut found = self
            .feeds()
            .map(|(feed, _)| feed)
            .filter(|feed| self.name(*feed).is_some_and(|name| name.to_lowercase() == wanted));
        match (found.next(), found.next()) {
            (Some(feed), None) => Ok(feed),
            (Some(_), Some(_)) => Err(Failure::failed(format!("more than one feed is called {}", Safe::line(text)))
                .hint("use the feed id: `peerfeed status` shows it")),
            (None, _) => Err(Failure::failed(format!("nobody here is called {}", Safe::line(text)))
                .hint("`peerfeed status` shows names and feed ids, `peerfeed add LINK` follows somebody")),
        }
    }
}

/// The beginning of a feed id, for feeds without a name.
pub(super) fn short(feed: FeedId) -> String {
    let mut text = feed.to_string();
    text.truncate(SHORT_ID_CHARS);
    text.push('…');
    text
}
