//! All tables, made when a store is made, so that no reader ever misses one.

use super::error::StorageError;
use super::txn::WriteTxn;
use super::{
    audiences, blobs, chunks, contacts, entries, epochs, feeds, forks, grants, held, hold_codes, letters, logs,
    mailboxes, members, meta, nodes, own, own_blob, profiles, records, seeders_met, stored_by, sweeping, timeline,
    usage,
};

/// Makes every table that is not there. spec: STORE-4
pub(super) fn create(txn: &mut WriteTxn) -> Result<(), StorageError> {
    txn.change(meta::NUMBERS)?;
    txn.change(meta::NOTES)?;
    txn.change(feeds::FEEDS)?;
    txn.change(feeds::FEED_NUMBERS)?;
    txn.change(records::RECORDS)?;
    txn.change(logs::LOGS)?;
    txn.change(logs::LOG_NUMBERS)?;
    txn.change(held::HELD)?;
    txn.change(entries::ENTRIES)?;
    txn.change(entries::BODIES)?;
    txn.change(nodes::NODES)?;
    txn.change(blobs::BLOBS)?;
    txn.change(blobs::REFERENCES)?;
    txn.change(blobs::FEED_BLOBS)?;
    txn.change(blobs::HELD_GROUPS)?;
    txn.change(own_blob::UNREFERRED)?;
    txn.change(sweeping::DOOMED)?;
    txn.change(chunks::CHUNKS)?;
    txn.change(chunks::SLOTS)?;
    txn.change(chunks::LEAVES)?;
    txn.change(chunks::BLOB_NODES)?;
    txn.change(epochs::EPOCHS)?;
    txn.change(epochs::EARLIER)?;
    txn.change(timeline::TIMELINE)?;
    txn.change(timeline::FEED_TIMELINE)?;
    txn.change(timeline::ENTRY_IDS)?;
    txn.change(timeline::AWAITING)?;
    txn.change(timeline::SEALED)?;
    txn.change(stored_by::STORED_BY)?;
    txn.change(forks::FORKS)?;
    txn.change(grants::GRANTS)?;
    txn.change(own::OWN)?;
    txn.change(audiences::AUDIENCES)?;
    txn.change(members::MEMBERS)?;
    txn.change(members::OWED)?;
    txn.change(profiles::PROFILES)?;
    txn.change(contacts::CONTACTS)?;
    txn.change(letters::OWN_PREKEYS)?;
    txn.change(letters::PREKEYS)?;
    txn.change(letters::LETTERS_SEEN)?;
    txn.change(letters::OUTBOX)?;
    txn.change(letters::MAIL_CURSORS)?;
    txn.change(letters::INVITATIONS_USED)?;
    txn.change(letters::TOKENS_REVOKED)?;
    txn.change(mailboxes::MAILBOXES)?;
    txn.change(mailboxes::PACKETS)?;
    txn.change(mailboxes::PACKET_DIGESTS)?;
    txn.change(mailboxes::PACKET_COUNTS)?;
    txn.change(mailboxes::MAIL_READ)?;
    txn.change(mailboxes::TOKENS_ENDED)?;
    txn.change(hold_codes::HOLD_CODES)?;
    txn.change(seeders_met::SEEDERS_MET)?;
    txn.change(usage::USAGE)?;
    Ok(())
}
