//! Holding feeds for others: `seed`, `unseed`.

use peerfeed_protocol::announce::TrackerUrl;

use super::Service;
use super::following::{new_row, read_link, take_hints};
use super::names::Names;
use crate::api::{Failure, Replies, Reply, Seeder};
use crate::ui::Safe;

/// What a feed may take of this machine; what is not given stays as it was.
pub(super) struct Bounds {
    /// Bytes on the disk.
    pub quota_bytes: Option<u64>,
    /// Bytes per second out; 0 for no bound.
    pub up: Option<u64>,
    /// Bytes per second in; 0 for no bound.
    pub down: Option<u64>,
}

impl Service {
    pub(super) async fn seed(
        &self,
        link: &str,
        bounds: Bounds,
        trackers: &[TrackerUrl],
        replies: &Replies,
    ) -> Result<(), Failure> {
        // The key goes no further than this line: a blind seeder stays blind.
        let link = peerfeed_protocol::feed::Link { key: None, ..read_link(link)? };
        let names = Names::load(self)?;
        let known = names.row(link.feed).cloned();
        let was_seeded = known.as_ref().is_some_and(|row| row.roles.seed);
        let mut row = known.unwrap_or_else(new_row);
        row.roles.seed = true;
        row.quota_bytes = bounds.quota_bytes.or(row.quota_bytes);
        row.up = bounds.up.or(row.up).filter(|rate| *rate > 0);
        row.down = bounds.down.or(row.down).filter(|rate| *rate > 0);
        take_hints(&mut row, &link, trackers);
        let feed = link.feed;
        self.store().write(move |txn| txn.put_feed(feed, &row)).await?;
        // Whoever is told next that it is seeded here may come at once.
        self.node().reload().await;
        let change = if was_seeded { "known" } else { "seeding" };
        replies.send(Reply::Feed(self.changed(feed, change)?)).await;
        if let Some(code) = self.code() {
            let seeder = Seeder { address: code.address.clone(), code: Some(code.to_string()), ..Seeder::default() };
            replies.send(Reply::Seeder(seeder)).await;
        }
        Ok(())
    }

    pub(super) async fn unseed(&self, name: &str, replies: &Replies) -> Result<(), Failure> {
        let names = Names::load(self)?;
        let feed = names.find(name)?;
        let mut row = names.row(feed).cloned().unwrap_or_default();
        if !row.roles.seed {
            return Err(Failure::no(format!("{} is not seeded here", Safe::line(&names.shown(feed)))));
        }
        let told = self.changed(feed, "removed")?;
        row.roles.seed = false;
        (row.quota_bytes, row.up, row.down) = (None, None, None);
        self.keep_or_remove(feed, row).await?;
        replies.send(Reply::Feed(told)).await;
        Ok(())
    }
}
