//! People with whom letters are exchanged: who wants to be friends with whom, and how they are written to. spec: STORE-30

use peerfeed_protocol::bencode::{self, Dict, Value};
use peerfeed_protocol::feed::Records;
use peerfeed_protocol::ids::{BoxPublic, DeviceId, FeedId};
use peerfeed_protocol::mailbox::{Prekey, Token};
use redb::{ReadableTable, TableDefinition};

use super::error::StorageError;
use super::txn::{View, WriteTxn};

/// feed -> row
pub(super) const CONTACTS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("contacts");

/// Bytes of a row: a letter's records and keys.
const ROW_BYTES_MAX: usize = 128 << 10;

/// Somebody with whom letters are exchanged, by the feed that is theirs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact that may go with any other")]
pub struct Contact {
    /// Since when, unix seconds.
    pub since_s: u64,
    /// The person here wants to be their friend.
    pub ours: bool,
    /// They said that they want it.
    pub theirs: bool,
    /// The person here said no.
    pub refused_by_us: bool,
    /// They said no.
    pub refused_by_them: bool,
    /// A letter to them is due and was not written yet.
    pub owed: bool,
    /// Their mailbox did not let the last letter in.
    pub turned_away: bool,
    /// What is for friends could be read when they were asked.
    pub readable: bool,
    /// How they want to be called.
    pub name: Option<String>,
    /// What lets letters into their mailbox.
    pub token: Option<Token>,
    /// What was given to them for the mailbox here.
    pub issued: Option<Token>,
    /// The invitation that they gave.
    pub invitation: Option<Token>,
    /// Prekeys from their letters.
    pub prekeys: Vec<Prekey>,
    /// Their records, from their latest letter.
    pub records: Option<Records>,
}

impl Contact {
    /// Whether they wait for an answer.
    pub fn waits(&self) -> bool {
        self.theirs && !self.ours && !self.refused_by_us
    }
}

pub(super) fn one(view: &impl View, feed: FeedId) -> Result<Option<Contact>, StorageError> {
    view.table(CONTACTS)?.get(feed.as_bytes())?.map(|row| decode(feed, row.value())).transpose()
}

pub(super) fn all(view: &impl View) -> Result<Vec<(FeedId, Contact)>, StorageError> {
    let mut contacts = Vec::new();
    for row in view.table(CONTACTS)?.iter()? {
        let (feed, row) = row?;
        let feed = FeedId::from_stored(*feed.value());
        contacts.push((feed, decode(feed, row.value())?));
    }
    Ok(contacts)
}

impl WriteTxn {
    /// Notes somebody, or what changed about them.
    pub fn put_contact(&mut self, feed: FeedId, contact: &Contact) -> Result<(), StorageError> {
        self.change(CONTACTS)?.insert(feed.as_bytes(), encode(contact).as_slice())?;
        Ok(())
    }

    /// Forgets somebody.
    pub fn remove_contact(&mut self, feed: FeedId) -> Result<(), StorageError> {
        self.change(CONTACTS)?.remove(feed.as_bytes())?;
        Ok(())
    }
}

pub(super) fn remove_all(txn: &mut WriteTxn) -> Result<(), StorageError> {
    Ok(txn.change(CONTACTS)?.retain(|_, _| false)?)
}

fn encode(contact: &Contact) -> Vec<u8> {
    let flags = [
        contact.ours,
        contact.theirs,
        contact.refused_by_us,
        contact.refused_by_them,
        contact.owed,
        contact.turned_away,
        contact.readable,
    ];
    let flags: u64 = flags.iter().enumerate().map(|(bit, set)| u64::from(*set) << bit).sum();
    let prekeys = contact.prekeys.iter().map(|prekey| {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(prekey.device.as_bytes());
        bytes[32..].copy_from_slice(prekey.key.as_bytes());
        Value::from(bytes)
    });
    let token = |token: &Option<Token>| token.as_ref().map(|token| token.as_bytes().to_vec());
    Dict::new()
        .with(b"a", i64::try_from(contact.since_s).unwrap_or(i64::MAX))
        .with(b"f", flags)
        .with_optional(b"i", token(&contact.invitation))
        .with_optional(b"k", token(&contact.token))
        .with_optional(b"m", contact.records.as_ref().map(|records| records.manifest().bytes().to_vec()))
        .with_optional(b"n", contact.name.as_deref())
        .with_optional(b"o", token(&contact.issued))
        .with(b"p", prekeys.collect::<Vec<_>>())
        .with_optional(b"r", contact.records.as_ref().map(|records| records.roster().bytes().to_vec()))
        .encode()
}

fn decode(feed: FeedId, bytes: &[u8]) -> Result<Contact, StorageError> {
    read(feed, bytes).ok_or_else(|| StorageError::row("contacts"))
}

fn read(feed: FeedId, bytes: &[u8]) -> Option<Contact> {
    let dict = bencode::decode(bytes, ROW_BYTES_MAX).ok()?.into_dict()?;
    let flags = dict.uint(b"f").ok()?;
    let flag = |bit: u32| flags >> bit & 1 == 1;
    let prekey = |value: &Value<'_>| {
        let bytes: &[u8; 64] = value.as_bytes()?.try_into().ok()?;
        let (device, key) = (*bytes.first_chunk()?, *bytes.last_chunk()?);
        Some(Prekey { device: DeviceId::from_stored(device), key: BoxPublic::new(key) })
    };
    let token = |key: &[u8]| match dict.optional_bytes(key).ok()? {
        None => Some(None),
        Some(bytes) => Token::from_slice(bytes).ok().map(Some),
    };
    let records = match (dict.optional_bytes(b"m").ok()?, dict.optional_bytes(b"r").ok()?) {
        (Some(manifest), Some(roster)) => Some(Records::decode(&feed, manifest, roster).ok()?),
        _ => None,
    };
    Some(Contact {
        since_s: dict.uint(b"a").ok()?,
        ours: flag(0),
        theirs: flag(1),
        refused_by_us: flag(2),
        refused_by_them: flag(3),
        owed: flag(4),
        turned_away: flag(5),
        readable: flag(6),
        name: dict.optional_text(b"n").ok()?.map(str::to_owned),
        token: token(b"k")?,
        issued: token(b"o")?,
        invitation: token(b"i")?,
        prekeys: dict.list(b"p").ok()?.iter().map(prekey).collect::<Option<_>>()?,
        records,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use peerfeed_protocol::crypto::{BoxKey, DeviceKey, Entropy, IdentityKey};
    use peerfeed_protocol::feed::{Device, ManifestContent, RosterContent};
    use peerfeed_protocol::mailbox::TokenKind;

    #[test]
    fn a_row_is_read_as_it_was_written() {
        let (identity, device) = (IdentityKey::from_seed(&[1; 32]), DeviceKey::from_seed(&[2; 32]));
        let listed = Device::new(device.id(), BoxKey::from_bytes([3; 32]).public());
        let roster = RosterContent::first(listed).sign(&identity).unwrap();
        let manifest = ManifestContent::first(roster.digest(), [0; 32]).sign(&identity).unwrap();
        let feed = identity.feed_id();
        let token = |kind| Some(Token::issue(&device, &feed, kind, 9, &mut Entropy::from_seed([4; 32])));
        let full = Contact {
            since_s: 1_700_000_000,
            ours: true,
            theirs: false,
            refused_by_us: true,
            refused_by_them: false,
            owed: true,
            turned_away: false,
            readable: true,
            name: Some("Ben".to_owned()),
            token: token(TokenKind::Contact),
            issued: token(TokenKind::Contact),
            invitation: token(TokenKind::Invitation),
            prekeys: vec![Prekey { device: device.id(), key: BoxPublic::new([7; 32]) }],
            records: Some(Records::new(manifest, roster).unwrap()),
        };
        for contact in [full, Contact::default(), Contact { theirs: true, ..Contact::default() }] {
            assert_eq!(read(feed, &encode(&contact)), Some(contact));
        }
    }
}
