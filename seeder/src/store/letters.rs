//! What it takes to write and read letters: prekeys, letters on their way out, places in mailboxes, what was read before.
//! spec: STORE-30

use peerfeed_protocol::ids::{BoxPublic, DeviceId, FeedId};
use peerfeed_protocol::mailbox::{Cursor, Token, TokenHash};
use redb::{ReadableTable, TableDefinition};

use super::error::StorageError;
use super::meta::{Counter, take_numbers};
use super::txn::{View, WriteTxn};

/// Two keys of 32 bytes.
type Pair = (&'static [u8; 32], &'static [u8; 32]);
/// When a prekey was published, in which entry of its log, and the key.
type Published = (u64, u64, &'static [u8; 32]);
/// For whom, since when, what lets it in, and the packet.
type OnItsWay = (&'static [u8; 32], u64, &'static [u8], &'static [u8]);

/// prekey of this device -> (its sealed secret, unix seconds when it was published, when the next one was or 0)
pub(super) const OWN_PREKEYS: TableDefinition<'_, &[u8; 32], (&[u8; 48], u64, u64)> =
    TableDefinition::new("own prekeys");
/// (feed, device) -> (unix seconds of the entry, its index, prekey)
pub(super) const PREKEYS: TableDefinition<'_, Pair, Published> = TableDefinition::new("prekeys");
/// (prekey of this device, ephemeral key) of packets that were opened
pub(super) const LETTERS_SEEN: TableDefinition<'_, Pair, ()> = TableDefinition::new("letters seen");
/// number -> (feed for whose mailbox it is, unix seconds, token or 8 bytes of work, packet)
pub(super) const OUTBOX: TableDefinition<'_, u64, OnItsWay> = TableDefinition::new("outbox");
/// address of a seeder of the own feed -> how far its mailbox was read
pub(super) const MAIL_CURSORS: TableDefinition<'_, &str, &[u8; 16]> = TableDefinition::new("mail cursors");
/// hash of an invitation of one's own -> feed that used it
pub(super) const INVITATIONS_USED: TableDefinition<'_, &[u8; 32], &[u8; 32]> = TableDefinition::new("invitations used");

/// hash of a token of one's own that was revoked -> unix seconds from which on it is not good anyway
pub(super) const TOKENS_REVOKED: TableDefinition<'_, &[u8; 32], u64> = TableDefinition::new("tokens revoked");

/// A prekey of this device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnPrekey {
    /// The public key.
    pub key: BoxPublic,
    /// Its secret, sealed under the device's key.
    pub sealed: [u8; 48],
    /// When it was published, unix seconds.
    pub made_s: u64,
    /// When the next one was; none for the newest.
    pub next_s: Option<u64>,
}

/// A packet on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its number here.
    pub number: u64,
    /// For whose mailbox.
    pub to: FeedId,
    /// When it was written, unix seconds.
    pub written_s: u64,
    /// A token, or eight bytes of work.
    pub admission: Vec<u8>,
    /// The packet.
    pub packet: Vec<u8>,
}

pub(super) fn own_prekeys(view: &impl View) -> Result<Vec<OwnPrekey>, StorageError> {
    let mut prekeys = Vec::new();
    for row in view.table(OWN_PREKEYS)?.iter()? {
        let (key, value) = row?;
        let (sealed, made_s, next_s) = value.value();
        let key = BoxPublic::new(*key.value());
        prekeys.push(OwnPrekey { key, sealed: *sealed, made_s, next_s: (next_s > 0).then_some(next_s) });
    }
    Ok(prekeys)
}

pub(super) fn prekeys(view: &impl View, feed: FeedId) -> Result<Vec<(DeviceId, BoxPublic)>, StorageError> {
    let mut prekeys = Vec::new();
    for row in view.table(PREKEYS)?.range((feed.as_bytes(), &[0; 32])..=(feed.as_bytes(), &[u8::MAX; 32]))? {
        let (key, value) = row?;
        prekeys.push((DeviceId::from_stored(*key.value().1), BoxPublic::new(*value.value().2)));
    }
    Ok(prekeys)
}

pub(super) fn outbox(view: &impl View) -> Result<Vec<Outgoing>, StorageError> {
    let mut all = Vec::new();
    for row in view.table(OUTBOX)?.iter()? {
        let (number, value) = row?;
        let (to, written_s, admission, packet) = value.value();
        all.push(Outgoing {
            number: number.value(),
            to: FeedId::from_stored(*to),
            written_s,
            admission: admission.to_vec(),
            packet: packet.to_vec(),
        });
    }
    Ok(all)
}

pub(super) fn mail_cursor(view: &impl View, address: &str) -> Result<Option<Cursor>, StorageError> {
    Ok(view.table(MAIL_CURSORS)?.get(address)?.map(|row| Cursor::from_bytes(*row.value())))
}

pub(super) fn was_seen(view: &impl View, prekey: BoxPublic, ephemeral: BoxPublic) -> Result<bool, StorageError> {
    Ok(view.table(LETTERS_SEEN)?.get((prekey.as_bytes(), ephemeral.as_bytes()))?.is_some())
}

pub(super) fn invitation_user(view: &impl View, token: TokenHash) -> Result<Option<FeedId>, StorageError> {
    Ok(view.table(INVITATIONS_USED)?.get(&token.0)?.map(|row| FeedId::from_stored(*row.value())))
}

/// The revoked tokens that would still be good, those that last longest first.
pub(super) fn revoked(view: &impl View, now_s: u64) -> Result<Vec<TokenHash>, StorageError> {
    let mut all = Vec::new();
    for row in view.table(TOKENS_REVOKED)?.iter()? {
        let (hash, expiry) = row?;
        all.push((expiry.value(), TokenHash(*hash.value())));
    }
    all.retain(|(expiry, _)| *expiry > now_s);
    all.sort_unstable_by(|one, other| other.cmp(one));
    Ok(all.into_iter().map(|(_, hash)| hash).collect())
}

impl WriteTxn {
    /// Notes that a token of one's own is to let nobody in any more.
    pub fn revoke_token(&mut self, token: &Token) -> Result<(), StorageError> {
        self.change(TOKENS_REVOKED)?.insert(&token.hash().0, token.expiry())?;
        Ok(())
    }

    /// Notes a prekey of this device.
    pub fn put_own_prekey(&mut self, prekey: &OwnPrekey) -> Result<(), StorageError> {
        let row = (&prekey.sealed, prekey.made_s, prekey.next_s.unwrap_or(0));
        self.change(OWN_PREKEYS)?.insert(prekey.key.as_bytes(), row)?;
        Ok(())
    }

    /// Erases a prekey of this device, and what was noted about packets that it opened. spec: MAIL-2, MAIL-9
    pub fn remove_own_prekey(&mut self, key: BoxPublic) -> Result<(), StorageError> {
        self.change(OWN_PREKEYS)?.remove(key.as_bytes())?;
        let range = (key.as_bytes(), &[0; 32])..=(key.as_bytes(), &[u8::MAX; 32]);
        self.change(LETTERS_SEEN)?.retain_in(range, |_, ()| false)?;
        Ok(())
    }

    /// Notes the prekey that an entry of a device's log publishes, unless a later one is known. spec: MAIL-1
    pub fn put_prekey(
        &mut self,
        feed: FeedId,
        device: DeviceId,
        (time_s, index): (u64, u64),
        key: BoxPublic,
    ) -> Result<(), StorageError> {
        let name = (feed.as_bytes(), device.as_bytes());
        let held = self.table(PREKEYS)?.get(name)?.map(|row| (row.value().0, row.value().1));
        if held.is_none_or(|held| held < (time_s, index)) {
            self.change(PREKEYS)?.insert(name, (time_s, index, key.as_bytes()))?;
        }
        Ok(())
    }

    /// Notes that a packet was opened; false if it was before. spec: MAIL-9
    pub fn see_letter(&mut self, prekey: BoxPublic, ephemeral: BoxPublic) -> Result<bool, StorageError> {
        Ok(self.change(LETTERS_SEEN)?.insert((prekey.as_bytes(), ephemeral.as_bytes()), ())?.is_none())
    }

    /// Puts a packet on its way.
    pub fn post_packet(
        &mut self,
        to: FeedId,
        written_s: u64,
        admission: &[u8],
        packet: &[u8],
    ) -> Result<u64, StorageError> {
        let number = take_numbers(self, Counter::Outgoing, 1)?;
        self.change(OUTBOX)?.insert(number, (to.as_bytes(), written_s, admission, packet))?;
        Ok(number)
    }

    /// A packet has arrived, or never will.
    pub fn drop_outgoing(&mut self, number: u64) -> Result<(), StorageError> {
        self.change(OUTBOX)?.remove(number)?;
        Ok(())
    }

    /// Notes how far a seeder's mailbox was read.
    pub fn put_mail_cursor(&mut self, address: &str, cursor: Cursor) -> Result<(), StorageError> {
        self.change(MAIL_CURSORS)?.insert(address, &cursor.to_bytes())?;
        Ok(())
    }

    /// Notes who used an invitation.
    pub fn use_invitation(&mut self, token: TokenHash, by: FeedId) -> Result<(), StorageError> {
        self.change(INVITATIONS_USED)?.insert(&token.0, by.as_bytes())?;
        Ok(())
    }
}

/// Forgets all that belongs to an own feed that goes.
pub(super) fn remove_all(txn: &mut WriteTxn) -> Result<(), StorageError> {
    txn.change(OWN_PREKEYS)?.retain(|_, _| false)?;
    txn.change(LETTERS_SEEN)?.retain(|_, ()| false)?;
    txn.change(OUTBOX)?.retain(|_, _| false)?;
    txn.change(TOKENS_REVOKED)?.retain(|_, _| false)?;
    txn.change(MAIL_CURSORS)?.retain(|_, _| false)?;
    Ok(txn.change(INVITATIONS_USED)?.retain(|_, _| false)?)
}

pub(super) fn remove_prekeys(txn: &mut WriteTxn, feed: FeedId) -> Result<(), StorageError> {
    let range = (feed.as_bytes(), &[0; 32])..=(feed.as_bytes(), &[u8::MAX; 32]);
    Ok(txn.change(PREKEYS)?.retain_in(range, |_, _| false)?)
}
