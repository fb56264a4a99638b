//! Mailboxes kept for feeds: sealed packets that wait until their devices have fetched them. spec: MAIL-13 to MAIL-16, STORE-31

use peerfeed_protocol::ids::{DeviceId, FeedId};
use peerfeed_protocol::limits::{
    MAIL_BY_CONTACTS, MAIL_BY_INVITATION, MAIL_BY_WORK, MAIL_BYTES_MAX, MAIL_PER_TOKEN, PACKET_SECONDS_MAX,
    PACKETS_PER_ANSWER_MAX,
};
use peerfeed_protocol::mailbox::{Cursor, TokenHash};
use redb::{ReadableTable, TableDefinition};
use sha2::{Digest, Sha256};

use super::error::{StorageError, WriteError};
use super::txn::{View, WriteTxn};

/// Two keys of 32 bytes.
type Pair = (&'static [u8; 32], &'static [u8; 32]);
/// Box, hash of the token or zeros, unix seconds, packet.
type Kept = (u8, &'static [u8; 32], u64, &'static [u8]);
/// Feed, box, hash of the token or zeros.
type Counted = (&'static [u8; 32], u8, &'static [u8; 32]);

/// feed -> (random name of the mailbox, number of the last packet)
pub(super) const MAILBOXES: TableDefinition<'_, &[u8; 32], (&[u8; 8], u64)> = TableDefinition::new("mailboxes");
/// (feed, number) -> (box, hash of the token or zeros, unix seconds, packet)
pub(super) const PACKETS: TableDefinition<'_, (&[u8; 32], u64), Kept> = TableDefinition::new("packets");
/// (feed, SHA-256 of a packet that is kept) -> number
pub(super) const PACKET_DIGESTS: TableDefinition<'_, Pair, u64> = TableDefinition::new("packet digests");
/// (feed, box or 3 for all of a token's, hash of the token or zeros) -> (packets, bytes) that wait
pub(super) const PACKET_COUNTS: TableDefinition<'_, Counted, (u64, u64)> = TableDefinition::new("packet counts");
/// (feed, device) -> number up to which it has read
pub(super) const MAIL_READ: TableDefinition<'_, Pair, u64> = TableDefinition::new("mail read");
/// (feed, hash of a token) -> (0 used, 1 revoked; unix seconds)
pub(super) const TOKENS_ENDED: TableDefinition<'_, Pair, (u8, u64)> = TableDefinition::new("tokens ended");

/// Ended tokens that are remembered for one feed: more than a life has friends removed and invitations used.
const TOKENS_ENDED_MAX: usize = 65_536;

const NOBODY: [u8; 32] = [0; 32];
const OF_TOKEN: u8 = 3;

/// Which box of a mailbox a packet goes into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailBox {
    /// That of contacts, by this token.
    Contacts(TokenHash),
    /// That of invitations, by this one.
    Invitations(TokenHash),
    /// That of strangers.
    Strangers,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// It is kept.
    Kept,
    /// It was kept before.
    Known,
    /// There is no room for it.
    Full,
    /// Its token was used or revoked.
    Ended,
}

/// What a device finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailPage {
    /// The place behind the last packet.
    pub cursor: Cursor,
    /// The packets.
    pub packets: Vec<Vec<u8>>,
    /// Whether more are there.
    pub more: bool,
}

impl MailBox {
    fn number(self) -> u8 {
        match self {
            Self::Contacts(_) => 0,
            Self::Invitations(_) => 1,
            Self::Strangers => 2,
        }
    }

    fn token(self) -> [u8; 32] {
        match self {
            Self::Contacts(token) | Self::Invitations(token) => token.0,
            Self::Strangers => NOBODY,
        }
    }

    fn room(self) -> (u64, u64) {
        match self {
            Self::Contacts(_) => MAIL_BY_CONTACTS,
            Self::Invitations(_) => MAIL_BY_INVITATION,
            Self::Strangers => MAIL_BY_WORK,
        }
    }
}

/// The packets behind a number, oldest first.
pub(super) fn page(view: &impl View, feed: FeedId, after: u64) -> Result<Option<MailPage>, StorageError> {
    let Some((mailbox, _)) = mailbox(view, feed)? else { return Ok(None) };
    let (mut packets, mut number, mut more) = (Vec::new(), after, false);
    for row in view.table(PACKETS)?.range((feed.as_bytes(), after + 1)..=(feed.as_bytes(), u64::MAX))? {
        if packets.len() == PACKETS_PER_ANSWER_MAX {
            more = true;
            break;
        }
        let (key, value) = row?;
        number = key.value().1;
        packets.push(value.value().3.to_vec());
    }
    Ok(Some(MailPage { cursor: Cursor { mailbox, number }, packets, more }))
}

fn mailbox(view: &impl View, feed: FeedId) -> Result<Option<([u8; 8], u64)>, StorageError> {
    Ok(view.table(MAILBOXES)?.get(feed.as_bytes())?.map(|row| (*row.value().0, row.value().1)))
}

fn count(view: &impl View, feed: &[u8; 32], of: u8, token: &[u8; 32]) -> Result<(u64, u64), StorageError> {
    Ok(view.table(PACKET_COUNTS)?.get((feed, of, token))?.map_or((0, 0), |row| row.value()))
}

fn fits((packets, bytes): (u64, u64), (packets_max, bytes_max): (u64, u64), more: u64) -> bool {
    packets < packets_max && bytes + more <= bytes_max
}

impl WriteTxn {
    /// Keeps a packet that was admitted into this box; `fresh` is random and names the mailbox if it is made now.
    /// spec: MAIL-11, MAIL-13, MAIL-15
    pub fn keep_packet(
        &mut self,
        feed: FeedId,
        into: MailBox,
        packet: &[u8],
        now_s: u64,
        fresh: [u8; 8],
    ) -> Result<Keeping, WriteError> {
        let (id, token, bytes) = (feed.as_bytes(), into.token(), packet.len() as u64);
        let digest: [u8; 32] = Sha256::digest(packet).into();
        if self.table(PACKET_DIGESTS)?.get((id, &digest))?.is_some() {
            return Ok(Keeping::Known);
        }
        if into != MailBox::Strangers && self.table(TOKENS_ENDED)?.get((id, &token))?.is_some() {
            return Ok(Keeping::Ended);
        }
        let per_token = match into {
            MailBox::Contacts(_) => fits(count(self, id, OF_TOKEN, &token)?, MAIL_PER_TOKEN, bytes),
            _ => true,
        };
        let room = fits(count(self, id, into.number(), &NOBODY)?, into.room(), bytes);
        let everywhere = fits(count(self, &NOBODY, 0, &NOBODY)?, (u64::MAX, MAIL_BYTES_MAX), bytes);
        if !(per_token && room && everywhere) {
            return Ok(Keeping::Full);
        }
        let (name, last) = mailbox(self, feed)?.unwrap_or((fresh, 0));
        let number = last + 1;
        self.change(MAILBOXES)?.insert(id, (&name, number))?;
        self.change(PACKETS)?.insert((id, number), (into.number(), &token, now_s, packet))?;
        self.change(PACKET_DIGESTS)?.insert((id, &digest), number)?;
        self.count_packet(id, into.number(), &token, |row| (row.0 + 1, row.1 + bytes))?;
        if let MailBox::Invitations(token) = into {
            self.end_token(feed, token, false, now_s)?;
        }
        self.count_written(bytes);
        Ok(Keeping::Kept)
    }

    /// A token lets nobody in any more: it was revoked, or used. spec: MAIL-11
    pub fn end_token(&mut self, feed: FeedId, token: TokenHash, revoked: bool, now_s: u64) -> Result<(), WriteError> {
        let id = feed.as_bytes();
        let first: (&[u8; 32], &[u8; 32]) = (id, &NOBODY);
        let last: (&[u8; 32], &[u8; 32]) = (id, &[u8::MAX; 32]);
        if self.table(TOKENS_ENDED)?.range(first..=last)?.count() < TOKENS_ENDED_MAX {
            self.change(TOKENS_ENDED)?.insert((id, &token.0), (u8::from(revoked), now_s))?;
        }
        Ok(())
    }

    /// A device has everything up to `cursor`; drops what all of `devices` have, and gives what is behind. Of a feed for
    /// which no packet ever came, nothing. spec: MAIL-15, MAIL-16
    pub fn read_mail(
        &mut self,
        feed: FeedId,
        device: DeviceId,
        devices: &[DeviceId],
        cursor: Option<Cursor>,
    ) -> Result<Option<MailPage>, WriteError> {
        let id = feed.as_bytes();
        let Some((name, last)) = mailbox(self, feed)? else { return Ok(None) };
        let after = cursor.filter(|cursor| cursor.mailbox == name).map_or(0, |cursor| cursor.number.min(last));
        let key = (id, device.as_bytes());
        let before = self.table(MAIL_READ)?.get(key)?.map_or(0, |row| row.value());
        if after > before {
            self.change(MAIL_READ)?.insert(key, after)?;
            let mut all = u64::MAX;
            for device in devices {
                all = all.min(self.table(MAIL_READ)?.get((id, device.as_bytes()))?.map_or(0, |row| row.value()));
            }
            self.drop_packets(id, |number, _| number <= all)?;
        }
        Ok(page(self, feed, after)?)
    }

    /// Drops the packets for a feed that have waited for thirty days. spec: MAIL-16
    pub fn drop_old_packets(&mut self, feed: FeedId, now_s: u64) -> Result<(), WriteError> {
        self.drop_packets(feed.as_bytes(), |_, came_s| came_s.saturating_add(PACKET_SECONDS_MAX) <= now_s)
    }

    /// The same for all feeds, so that nothing stays of one that nobody asks about any more.
    pub fn drop_all_old_packets(&mut self, now_s: u64) -> Result<(), WriteError> {
        let feeds: Vec<[u8; 32]> =
            self.table(MAILBOXES)?.iter()?.map(|row| Ok(*row?.0.value())).collect::<Result<_, StorageError>>()?;
        feeds.into_iter().try_for_each(|id| self.drop_old_packets(FeedId::from_stored(id), now_s))
    }

    fn drop_packets(&mut self, id: &[u8; 32], goes: impl Fn(u64, u64) -> bool) -> Result<(), WriteError> {
        let mut gone = Vec::new();
        for row in self.table(PACKETS)?.range((id, 0)..=(id, u64::MAX))? {
            let (key, value) = row?;
            let (number, (into, token, came_s, packet)) = (key.value().1, value.value());
            if !goes(number, came_s) {
                // They came in this order.
                break;
            }
            let digest: [u8; 32] = Sha256::digest(packet).into();
            gone.push((number, into, *token, packet.len() as u64, digest));
        }
        for (number, into, token, bytes, digest) in gone {
            self.change(PACKETS)?.remove((id, number))?;
            self.change(PACKET_DIGESTS)?.remove((id, &digest))?;
            self.count_packet(id, into, &token, |row| (row.0.saturating_sub(1), row.1.saturating_sub(bytes)))?;
        }
        Ok(())
    }

    /// Counts a packet that came or went: in its box, with its token, and everywhere.
    fn count_packet(
        &mut self,
        id: &[u8; 32],
        into: u8,
        token: &[u8; 32],
        change: impl Fn((u64, u64)) -> (u64, u64),
    ) -> Result<(), WriteError> {
        for key in [(id, into, &NOBODY), (id, OF_TOKEN, token), (&NOBODY, 0, &NOBODY)] {
            let counted = change(count(self, key.0, key.1, key.2)?);
            let mut counts = self.change(PACKET_COUNTS)?;
            if counted == (0, 0) {
                counts.remove(key)?
            } else {
                counts.insert(key, counted)?
            };
        }
        Ok(())
    }
}

/// Forgets the mailbox of a feed that is held no more.
pub(super) fn remove(txn: &mut WriteTxn, feed: FeedId) -> Result<(), WriteError> {
    let id = *feed.as_bytes();
    txn.drop_packets(&id, |_, _| true)?;
    txn.change(MAILBOXES)?.remove(&id)?;
    txn.change(MAIL_READ)?.retain(|(of, _), _| *of != id)?;
    txn.change(TOKENS_ENDED)?.retain(|(of, _), _| *of != id)?;
    Ok(())
}
