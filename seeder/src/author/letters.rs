//! Letters that came: opened, and what they change. spec: MAIL-6 to MAIL-9

use bytes::Bytes;
use peerfeed_protocol::feed::Roster;
use peerfeed_protocol::ids::{BoxPublic, FeedId};
use peerfeed_protocol::limits::PACKET_SECONDS_MAX;
use peerfeed_protocol::mailbox::{Cursor, Letter, LetterKind, Packet, Token, TokenKind};

use super::asking::become_friends;
use super::{Author, AuthorError, now_ms};
use crate::store::{AudienceName, Contact, Reading, WriteError, WriteTxn};

/// People whose requests may wait at the same time; further ones are passed over until some were answered.
const REQUESTS_WAITING_MAX: usize = 256;

/// What a letter brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Somebody asks to be friends.
    Asked(FeedId),
    /// Somebody is a friend now.
    Friends(FeedId),
    /// Somebody said no.
    Refused(FeedId),
}

/// A letter with what tells it from a copy of itself.
#[derive(Clone)]
struct Came {
    letter: Letter,
    prekey: BoxPublic,
    ephemeral: BoxPublic,
}

impl Author {
    /// Reads packets out of the own mailbox at `place`, and notes that it was read up to `cursor`. What cannot be opened, was
    /// read before, or is of no use is passed over.
    pub fn read_packets(&self, packets: &[Bytes], place: &str, cursor: Cursor) -> Result<Vec<News>, AuthorError> {
        let secrets = self.prekey_secrets()?;
        let mut came = Vec::new();
        for bytes in packets {
            let opened = Packet::decode(bytes).and_then(|packet| Ok((packet.open(&self.feed(), &secrets)?, packet)));
            match opened {
                Ok((opened, packet)) => {
                    let ephemeral = packet.ephemeral();
                    came.push(Came { letter: opened.letter, prekey: opened.prekey, ephemeral });
                }
                Err(error) => tracing::info!(%error, "a packet in the mailbox is of no use"),
            }
        }
        let (own, now_s, place) = (self.feed(), now_ms() / 1_000, place.to_owned());
        let news = self.store.write_blocking(move |txn| {
            let Some(records) = txn.records(own)? else { return Ok(Vec::new()) };
            let mut news = Vec::new();
            for came in &came {
                if txn.see_letter(came.prekey, came.ephemeral)? && *came.letter.feed() != own {
                    news.extend(take(txn, records.roster(), &came.letter, now_s)?);
                }
            }
            txn.put_mail_cursor(&place, cursor)?;
            Ok::<_, WriteError>(news)
        })?;
        if !news.is_empty() {
            self.append(Vec::new())?;
        }
        Ok(news)
    }

    /// Who was asked, and has granted what is for friends without a letter that came: a friend, too.
    pub fn notice_grants(&self) -> Result<Vec<FeedId>, AuthorError> {
        let now_s = now_ms() / 1_000;
        let noticed = self.store.write_blocking(move |txn| {
            let mut noticed = Vec::new();
            for (feed, contact) in txn.contacts()? {
                let asked = contact.ours && !contact.theirs && !contact.readable;
                if asked && txn.has_epochs(feed)? {
                    let contact = Contact { theirs: true, refused_by_them: false, ..contact };
                    txn.put_contact(feed, &contact)?;
                    become_friends(txn, feed, &contact, now_s, false)?;
                    noticed.push(feed);
                }
            }
            Ok::<_, WriteError>(noticed)
        })?;
        if !noticed.is_empty() {
            self.append(Vec::new())?;
        }
        Ok(noticed)
    }
}

/// What a letter changes.
fn take(txn: &mut WriteTxn, own: &Roster, letter: &Letter, now_s: u64) -> Result<Option<News>, WriteError> {
    let feed = *letter.feed();
    let held = txn.contact(feed)?;
    let friend = txn.member(feed, &AudienceName::friends())?.is_some();
    let mut contact = learn(held.unwrap_or_default(), letter);
    match letter.kind {
        LetterKind::Request => {
            let invited = match letter.invitation.as_ref().filter(|token| is_good(own, token, now_s)) {
                Some(token) => use_invitation(txn, token, feed)?,
                None => false,
            };
            let wanted = contact.ours || friend || invited;
            let known = contact.waits();
            if !wanted && (contact.refused_by_us || (!known && is_full(txn)?)) {
                return Ok(None);
            }
            contact.theirs = true;
            contact.refused_by_them = false;
            if wanted {
                contact = Contact { ours: true, owed: true, refused_by_us: false, since_s: now_s, ..contact };
                txn.put_contact(feed, &contact)?;
                become_friends(txn, feed, &contact, now_s, false)?;
                return Ok(Some(News::Friends(feed)));
            }
            if !known {
                contact.since_s = now_s;
            }
            txn.put_contact(feed, &contact)?;
            Ok((!known).then_some(News::Asked(feed)))
        }
        // An answer to a question that was not asked says nothing.
        LetterKind::Accept if contact.ours => {
            let before = contact.theirs;
            contact = Contact { theirs: true, refused_by_them: false, ..contact };
            txn.put_contact(feed, &contact)?;
            become_friends(txn, feed, &contact, now_s, false)?;
            Ok((!before).then_some(News::Friends(feed)))
        }
        LetterKind::Refuse if contact.ours && !contact.theirs => {
            txn.put_contact(feed, &Contact { refused_by_them: true, since_s: now_s, ..contact })?;
            Ok(Some(News::Refused(feed)))
        }
        _ => Ok(None),
    }
}

/// What every letter tells about its writer.
fn learn(held: Contact, letter: &Letter) -> Contact {
    let newer =
        |held: &peerfeed_protocol::feed::Records| letter.records.manifest().number() >= held.manifest().number();
    let records = match held.records {
        Some(records) if !newer(&records) => records,
        _ => letter.records.clone(),
    };
    Contact {
        name: letter.name.clone().or(held.name),
        token: letter.token.clone().or(held.token),
        prekeys: if letter.prekeys.is_empty() { held.prekeys } else { letter.prekeys.clone() },
        records: Some(records),
        ..held
    }
}

/// Whether it is an invitation of one's own, whose time was not over when its packet can have come.
fn is_good(own: &Roster, token: &Token, now_s: u64) -> bool {
    token.kind() == TokenKind::Invitation && token.check(own, now_s.saturating_sub(PACKET_SECONDS_MAX)).is_ok()
}

/// Each invitation is good for one feed. spec: MAIL-11
fn use_invitation(txn: &mut WriteTxn, token: &Token, by: FeedId) -> Result<bool, WriteError> {
    if let Some(user) = txn.invitation_user(token.hash())? {
        return Ok(user == by);
    }
    txn.use_invitation(token.hash(), by)?;
    Ok(true)
}

fn is_full(txn: &WriteTxn) -> Result<bool, WriteError> {
    Ok(txn.contacts()?.iter().filter(|(_, contact)| contact.waits()).count() >= REQUESTS_WAITING_MAX)
}
