//! Feeds that are to be looked at again.

use std::collections::BTreeSet;

use peerfeed_protocol::ids::FeedId;

/// Those that something happened to, or all: what concerns one feed makes no work for the others.
#[derive(Debug, Default)]
pub(super) struct Marked {
    all: bool,
    feeds: BTreeSet<FeedId>,
}

impl Marked {
    /// Every feed.
    pub(super) fn all() -> Self {
        Self { all: true, feeds: BTreeSet::new() }
    }

    /// One more feed.
    pub(super) fn add(&mut self, feed: FeedId) {
        if !self.all {
            self.feeds.insert(feed);
        }
    }

    /// Whether none is.
    pub(super) fn is_empty(&self) -> bool {
        !self.all && self.feeds.is_empty()
    }

    /// Whether all are.
    pub(super) fn is_all(&self) -> bool {
        self.all
    }

    /// Those of these feeds that are.
    pub(super) fn among<'f>(&self, feeds: impl Iterator<Item = &'f FeedId>) -> Vec<FeedId> {
        feeds.filter(|feed| self.all || self.feeds.contains(feed)).copied().collect()
    }

    /// Whether this one is.
    pub(super) fn has(&self, feed: &FeedId) -> bool {
        self.all || self.feeds.contains(feed)
    }
}
