//! What can be asked of a view, noun by noun.

use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;
use peerfeed_protocol::feed::{BlobRef, ForkEvidence, GRANT_TAG_BYTES, Granted, Keyring, Records};
use peerfeed_protocol::ids::{BlobRoot, BoxPublic, DeviceId, EntryId, EntryPlace, EpochId, FeedId, LogId, WitnessKey};
use peerfeed_protocol::mailbox::{Cursor, TokenHash};
use peerfeed_protocol::merkle::Frontier;

use super::audiences::{Audience, AudienceName, AudienceRow};
use super::blobs::BlobRow;
use super::chunks::BlobNodes;
use super::contacts::Contact;
use super::entries::StoredEntry;
use super::error::StorageError;
use super::feeds::FeedRow;
use super::grants::StoredGrant;
use super::hold_codes::HoldCodeRow;
use super::letters::{Outgoing, OwnPrekey};
use super::logs::LogRow;
use super::mailboxes::MailPage;
use super::members::Member;
use super::nodes::LogNodes;
use super::own::OwnLog;
use super::stored_by::StoredBy;
use super::timeline::TimelineKey;
use super::txn::View;
use super::usage::Usage;
use super::{
    audiences, blobs, chunks, contacts, entries, epochs, feeds, forks, grants, held, hold_codes, letters, logs,
    mailboxes, members, meta, own, profiles, records, seeders_met, stored_by, timeline, usage,
};

/// The questions that [`super::ReadTxn`] and [`super::WriteTxn`] answer alike.
pub trait Reading: View + Sized {
    /// The feeds held here, by id.
    fn feeds(&self) -> Result<Vec<(FeedId, FeedRow)>, StorageError> {
        feeds::all(self)
    }

    /// What is noted about a feed; none if it is not held here.
    fn feed(&self, feed: FeedId) -> Result<Option<FeedRow>, StorageError> {
        feeds::row(self, feed)
    }

    /// The feed's manifest, as signed.
    fn manifest(&self, feed: FeedId) -> Result<Option<Bytes>, StorageError> {
        records::manifest(self, feed)
    }

    /// The feed's roster, as signed.
    fn roster(&self, feed: FeedId) -> Result<Option<Bytes>, StorageError> {
        records::roster(self, feed)
    }

    /// Manifest and roster, read.
    fn records(&self, feed: FeedId) -> Result<Option<Records>, StorageError> {
        records::both(self, feed)
    }

    /// The logs of a feed.
    fn logs(&self, feed: FeedId) -> Result<Vec<LogRow>, StorageError> {
        logs::all(self, feed)
    }

    /// One log; none before its first head.
    fn log_row(&self, feed: FeedId, log: LogId) -> Result<Option<LogRow>, StorageError> {
        logs::row(self, feed, log)
    }

    /// The ranges of entries that are held with their bodies, ascending.
    fn held(&self, log: &LogRow) -> Result<Vec<Range<u64>>, StorageError> {
        held::ranges(self, log.number)
    }

    /// The entry with this index; its header may be held without its body.
    fn entry(&self, log: &LogRow, index: u64) -> Result<Option<StoredEntry>, StorageError> {
        entries::one(self, log.number, index)
    }

    /// The entries of `range` from its first on, without a gap, until one is missing or `max_bytes` are reached; at least
    /// one if the first is held.
    fn entries(&self, log: &LogRow, range: Range<u64>, max_bytes: usize) -> Result<Vec<StoredEntry>, StorageError> {
        entries::range(self, log.number, range, max_bytes)
    }

    /// As [`Self::entries`], but from the last of `range` down; in ascending order.
    fn newest_entries(
        &self,
        log: &LogRow,
        range: Range<u64>,
        max_bytes: usize,
    ) -> Result<Vec<StoredEntry>, StorageError> {
        entries::newest(self, log.number, range, max_bytes)
    }

    /// The known nodes of a log's tree: what proofs are made from.
    fn nodes(&self, log: &LogRow) -> LogNodes<'_, Self> {
        LogNodes::new(self, log.number)
    }

    /// The log's right edge, to append to; none if nodes are missing.
    fn frontier(&self, log: &LogRow) -> Option<Frontier> {
        Frontier::from_nodes(&self.nodes(log), log.size)
    }

    /// What is held of a blob, if an entry of this feed that is held refers to it.
    fn blob(&self, feed: FeedId, blob: BlobRef) -> Result<Option<BlobRow>, StorageError> {
        blobs::of_feed(self, feed, blob)
    }

    /// As [`Self::blob`], by its root alone.
    fn blob_by_root(&self, feed: FeedId, root: BlobRoot) -> Result<Option<BlobRow>, StorageError> {
        blobs::by_root(self, feed, root)
    }

    /// All blobs that the entries held of a feed refer to, by order of arrival.
    fn blobs(&self, feed: FeedId) -> Result<Vec<BlobRef>, StorageError> {
        blobs::all(self, feed)
    }

    /// A sealed chunk.
    fn chunk(&self, blob: &BlobRow, index: u32) -> Result<Option<Bytes>, StorageError> {
        blobs::chunk(self, blob, index)
    }

    /// The sealed chunks of `range` from its first on, until one is missing.
    fn chunks(&self, blob: &BlobRow, range: Range<u32>) -> Result<Vec<Bytes>, StorageError> {
        chunks::range(self, blob.number, range)
    }

    /// The known nodes of a blob's tree: what proofs are made from.
    fn blob_nodes(&self, blob: &BlobRow) -> BlobNodes<'_, Self> {
        BlobNodes::new(self, blob)
    }

    /// The epochs of a feed that can be read here.
    fn epochs(&self, feed: FeedId) -> Result<Vec<(EpochId, Granted)>, StorageError> {
        epochs::all(self, feed)
    }

    /// The keys that open the feed's entries; the public epoch's always among them.
    fn keyring(&self, feed: FeedId) -> Result<Keyring, StorageError> {
        epochs::keyring(self, feed)
    }

    /// The published grants of a feed under this tag.
    fn grants(&self, feed: FeedId, tag: [u8; GRANT_TAG_BYTES]) -> Result<Vec<StoredGrant>, StorageError> {
        grants::by_tag(self, feed, tag)
    }

    /// The newest name that the feed's owner gave in an entry that could be read here.
    fn profile_name(&self, feed: FeedId) -> Result<Option<String>, StorageError> {
        profiles::name(self, feed)
    }

    /// Where the device that writes here appends.
    fn own_log(&self, feed: FeedId) -> Result<Option<OwnLog>, StorageError> {
        own::get(self, feed)
    }

    /// How far an audience of the own feed has come.
    fn audience(&self, audience: &AudienceName) -> Result<AudienceRow, StorageError> {
        audiences::row(self, audience)
    }

    /// All audiences of the own feed, by name.
    fn audiences(&self) -> Result<Vec<(AudienceName, AudienceRow)>, StorageError> {
        audiences::all(self)
    }

    /// For whom the entries of each epoch of the own feed are.
    fn audiences_by_epoch(&self, own: FeedId) -> Result<HashMap<EpochId, Audience>, StorageError> {
        audiences::by_epoch(self, own)
    }

    /// Those in an audience of the own feed.
    fn members(&self, audience: &AudienceName) -> Result<Vec<(FeedId, Member)>, StorageError> {
        members::of_audience(self, audience)
    }

    /// Everybody in any audience of the own feed.
    fn all_members(&self) -> Result<Vec<(FeedId, AudienceName, Member)>, StorageError> {
        members::all(self)
    }

    /// Somebody in an audience of the own feed.
    fn member(&self, feed: FeedId, audience: &AudienceName) -> Result<Option<Member>, StorageError> {
        members::one(self, feed, audience)
    }

    /// The audiences of the own feed that somebody is in.
    fn memberships(&self, feed: FeedId) -> Result<Vec<(AudienceName, Member)>, StorageError> {
        members::of_feed(self, feed)
    }

    /// Those in audiences of the own feed to whom a grant may be owed.
    fn owed(&self) -> Result<Vec<FeedId>, StorageError> {
        members::owed(self)
    }

    /// What seeders say they have synced of a log.
    fn stored_by(&self, feed: FeedId, log: LogId) -> Result<Vec<StoredBy>, StorageError> {
        stored_by::all(self, feed, log)
    }

    /// The proofs that logs of a feed were forked.
    fn forks(&self, feed: FeedId) -> Result<Vec<ForkEvidence>, StorageError> {
        forks::all(self, feed)
    }

    /// What a feed takes of the disk.
    fn usage(&self, feed: FeedId) -> Result<Usage, StorageError> {
        usage::of_feed(self, feed)
    }

    /// What all feeds take; blobs that several refer to count once.
    fn total_usage(&self) -> Result<Usage, StorageError> {
        usage::total(self)
    }

    /// Entries in display order, newest first: those after `before` in that order, at most `limit`.
    fn timeline(
        &self,
        feed: Option<FeedId>,
        before: Option<TimelineKey>,
        limit: usize,
    ) -> Result<Vec<(TimelineKey, EntryPlace)>, StorageError> {
        timeline::page(self, feed, before, limit)
    }

    /// Where the entry of this name stands, if it is in the timeline.
    fn entry_by_id(&self, id: EntryId) -> Result<Option<EntryPlace>, StorageError> {
        timeline::by_id(self, id)
    }

    /// Entries in the timeline whose name begins with this text, at most `limit`; none if no name can begin so.
    fn entries_by_id_prefix(&self, text: &str, limit: usize) -> Result<Vec<EntryPlace>, StorageError> {
        timeline::by_id_prefix(self, text, limit)
    }

    /// Entries that came in and are not in the timeline yet, at most `limit`.
    fn awaiting(&self, limit: usize) -> Result<Vec<EntryPlace>, StorageError> {
        timeline::awaiting(self, limit)
    }

    /// Somebody with whom letters are exchanged.
    fn contact(&self, feed: FeedId) -> Result<Option<Contact>, StorageError> {
        contacts::one(self, feed)
    }

    /// All with whom letters are exchanged, by feed id.
    fn contacts(&self) -> Result<Vec<(FeedId, Contact)>, StorageError> {
        contacts::all(self)
    }

    /// The prekeys of this device whose secrets are still here.
    fn own_prekeys(&self) -> Result<Vec<OwnPrekey>, StorageError> {
        letters::own_prekeys(self)
    }

    /// The newest prekey of each device of a feed, as its entries publish them.
    fn prekeys(&self, feed: FeedId) -> Result<Vec<(DeviceId, BoxPublic)>, StorageError> {
        letters::prekeys(self, feed)
    }

    /// The packets on their way out, oldest first.
    fn outbox(&self) -> Result<Vec<Outgoing>, StorageError> {
        letters::outbox(self)
    }

    /// How far the mailbox of the own feed at a seeder was read.
    fn mail_cursor(&self, address: &str) -> Result<Option<Cursor>, StorageError> {
        letters::mail_cursor(self, address)
    }

    /// Whether a packet was opened before.
    fn letter_was_seen(&self, prekey: BoxPublic, ephemeral: BoxPublic) -> Result<bool, StorageError> {
        letters::was_seen(self, prekey, ephemeral)
    }

    /// Who used an invitation of one's own.
    fn invitation_user(&self, token: TokenHash) -> Result<Option<FeedId>, StorageError> {
        letters::invitation_user(self, token)
    }

    /// Revoked tokens of one's own that would still be good.
    fn tokens_revoked(&self, now_s: u64) -> Result<Vec<TokenHash>, StorageError> {
        letters::revoked(self, now_s)
    }

    /// The packets behind a number that are kept here for a feed; none if there never was one.
    fn mail_page(&self, feed: FeedId, after: u64) -> Result<Option<MailPage>, StorageError> {
        mailboxes::page(self, feed, after)
    }

    /// Seeders that hold an own feed and are not listed: where they were met, whom it was longest ago first.
    fn seeders_met(&self, feed: FeedId) -> Result<Vec<(WitnessKey, String)>, StorageError> {
        seeders_met::all(self, feed)
    }

    /// Whether the feed has any key, be it sealed and closed to this process.
    fn has_epochs(&self, feed: FeedId) -> Result<bool, StorageError> {
        epochs::any(self, feed)
    }

    /// The codes that were given away, by their ids.
    fn hold_codes(&self) -> Result<Vec<(FeedId, HoldCodeRow)>, StorageError> {
        hold_codes::all(self)
    }

    /// A note that another part keeps under `key`.
    fn note(&self, key: &str) -> Result<Option<Vec<u8>>, StorageError> {
        meta::note(self, key)
    }
}

impl<V: View> Reading for V {}
