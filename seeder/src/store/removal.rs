//! Letting go of a feed with everything that only it needed.

use peerfeed_protocol::ids::FeedId;

use super::error::WriteError;
use super::feeds::{FEED_NUMBERS, FEEDS};
use super::txn::WriteTxn;
use super::usage::{self, Change};
use super::{
    audiences, blobs, contacts, entries, epochs, feeds, forks, grants, held, letters, logs, mailboxes, members, nodes,
    own, profiles, records, seeders_met, stored_by, timeline,
};

impl WriteTxn {
    /// Removes a feed, its entries, and the blobs that no other feed here refers to. The room is used again.
    pub fn remove_feed(&mut self, feed: FeedId) -> Result<(), WriteError> {
        let number = self.feed_number(feed)?;
        if feeds::row(self, feed)?.is_some_and(|row| row.roles.own) {
            audiences::remove_all(self)?;
            members::remove_all(self)?;
            contacts::remove_all(self)?;
            letters::remove_all(self)?;
        }
        timeline::remove_feed(self, number, feed)?;
        for row in logs::of_feed(self, number)? {
            entries::remove_all(self, row.number)?;
            nodes::remove_all(self, row.number)?;
            held::remove_all(self, row.number)?;
            forks::remove(self, row.number)?;
            stored_by::remove_all(self, row.number)?;
            logs::remove(self, number, &row)?;
        }
        blobs::remove_feed(self, number)?;
        grants::remove_all(self, number)?;
        epochs::remove_all(self, number)?;
        epochs::remove_starts(self, number)?;
        profiles::remove(self, number)?;
        letters::remove_prekeys(self, feed)?;
        mailboxes::remove(self, feed)?;
        own::remove(self, number)?;
        seeders_met::remove_all(self, feed)?;
        records::remove_all(self, number)?;
        let held = usage::remove(self, number)?;
        usage::charge_total(self, Change::entries(held.entry_bytes).freed())?;
        self.change(FEEDS)?.remove(feed.as_bytes())?;
        self.change(FEED_NUMBERS)?.remove(number)?;
        Ok(())
    }
}
