//! Asking to be friends, answering, and the letters that say so. spec: MAIL-7, MAIL-8

use std::collections::BTreeMap;

use peerfeed_protocol::feed::Records;
use peerfeed_protocol::ids::{BoxPublic, DeviceId, FeedId};
use peerfeed_protocol::mailbox::{Letter, LetterKind, Packet, Prekey, Token, TokenKind, find_work, seal};

use super::friends::admit;
use super::{Author, AuthorError, now_ms, system_entropy};
use crate::store::{AudienceName, Contact, FeedRow, Reading, WriteError, WriteTxn};

/// How long a contact's token is good: it is given anew with each letter.
const CONTACT_SECONDS: u64 = 400 * 86_400;

/// What came of asking somebody to be friends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    /// A letter to them is due.
    Due,
    /// They had asked before: the two are friends, and a letter that says so is due.
    Friends,
    /// They were asked before, and have not answered.
    Before,
    /// The two are friends already.
    Already,
}

impl Author {
    /// A token that lets in one request, until `expiry` in unix seconds.
    pub fn invitation(&self, expiry: u64) -> Result<Token, AuthorError> {
        self.renew_prekey()?;
        let mut entropy = system_entropy()?;
        Ok(Token::issue(&self.keys.device, &self.feed(), TokenKind::Invitation, expiry, &mut entropy))
    }

    /// Asks somebody to be friends. With an invitation of theirs, once more if need be.
    pub fn ask(&self, feed: FeedId, invitation: Option<Token>) -> Result<Asking, AuthorError> {
        if feed == self.feed() {
            return Err(AuthorError::Oneself);
        }
        let now_s = now_ms() / 1_000;
        let asking = self.store.write_blocking(move |txn| {
            let friend = txn.member(feed, &AudienceName::friends())?.is_some();
            let mut contact = txn.contact(feed)?.unwrap_or_default();
            if contact.theirs && contact.ours && friend {
                return Ok(Asking::Already);
            }
            let again = invitation.is_some() && invitation != contact.invitation;
            if contact.ours && !contact.theirs && !contact.refused_by_them && !contact.turned_away && !again {
                return Ok(Asking::Before);
            }
            let asked = contact.theirs;
            contact = Contact {
                since_s: now_s,
                ours: true,
                owed: true,
                refused_by_us: false,
                refused_by_them: false,
                turned_away: false,
                readable: txn.has_epochs(feed)?,
                invitation: invitation.clone().or(contact.invitation),
                ..contact
            };
            txn.put_contact(feed, &contact)?;
            if !asked {
                return Ok(Asking::Due);
            }
            become_friends(txn, feed, &contact, now_s, false)?;
            Ok::<_, WriteError>(Asking::Friends)
        })?;
        self.append(Vec::new())?;
        Ok(asking)
    }

    /// Says yes to somebody who asked: they are followed, and read what is for friends. False if they did not ask.
    pub fn accept_request(&self, feed: FeedId, from_now: bool) -> Result<bool, AuthorError> {
        let now_s = now_ms() / 1_000;
        let accepted = self.store.write_blocking(move |txn| {
            let Some(contact) = txn.contact(feed)?.filter(Contact::waits) else { return Ok(false) };
            let contact = Contact { ours: true, owed: true, since_s: now_s, ..contact };
            txn.put_contact(feed, &contact)?;
            become_friends(txn, feed, &contact, now_s, from_now)?;
            Ok::<_, WriteError>(true)
        })?;
        self.append(Vec::new())?;
        Ok(accepted)
    }

    /// Says no to somebody who asked. False if they did not ask.
    pub fn refuse_request(&self, feed: FeedId) -> Result<bool, AuthorError> {
        let now_s = now_ms() / 1_000;
        Ok(self.store.write_blocking(move |txn| {
            let Some(contact) = txn.contact(feed)?.filter(Contact::waits) else { return Ok(false) };
            let contact =
                Contact { theirs: false, refused_by_us: true, owed: true, since_s: now_s, issued: None, ..contact };
            txn.put_contact(feed, &contact)?;
            Ok::<_, WriteError>(true)
        })?)
    }

    /// Everybody with whom letters are exchanged.
    pub fn contacts(&self) -> Result<Vec<(FeedId, Contact)>, AuthorError> {
        Ok(self.store.read()?.contacts()?)
    }

    /// Takes back that somebody was asked: what is noted about them is what was before.
    pub fn take_back_asking(&self, feed: FeedId, before: Option<Contact>) -> Result<(), AuthorError> {
        Ok(self.store.write_blocking(move |txn| match &before {
            Some(contact) => Ok::<_, WriteError>(txn.put_contact(feed, contact)?),
            None => Ok(txn.remove_contact(feed)?),
        })?)
    }

    /// Seals the letters that are due and for which a prekey of the other side is known, and puts them on their way. Gives
    /// for whom none is known yet.
    pub fn write_letters(&self) -> Result<Vec<FeedId>, AuthorError> {
        let mut unwritten = Vec::new();
        for (feed, contact) in self.contacts()?.into_iter().filter(|(_, contact)| contact.owed) {
            let txn = self.store.read()?;
            let Some(theirs) = newer(txn.records(feed)?, contact.records.clone()) else {
                unwritten.push(feed);
                continue;
            };
            let to = recipients(&theirs, &contact.prekeys, &txn.prekeys(feed)?);
            if to.is_empty() {
                unwritten.push(feed);
                continue;
            }
            let own = txn.records(self.feed())?.ok_or(AuthorError::RecordsLost)?;
            let name = txn.profile_name(self.feed())?;
            let own_prekeys = txn.prekeys(self.feed())?;
            drop(txn);
            self.write_letter(feed, contact, own, name, &own_prekeys, &to)?;
        }
        Ok(unwritten)
    }

    fn write_letter(
        &self,
        feed: FeedId,
        contact: Contact,
        own: Records,
        name: Option<String>,
        own_prekeys: &[(DeviceId, BoxPublic)],
        to: &[BoxPublic],
    ) -> Result<(), AuthorError> {
        let now_s = now_ms() / 1_000;
        let mut entropy = system_entropy()?;
        let kind = match (contact.ours, contact.theirs) {
            (false, _) => LetterKind::Refuse,
            (true, false) => LetterKind::Request,
            (true, true) => LetterKind::Accept,
        };
        let friendly = kind != LetterKind::Refuse;
        let expiry = now_s + CONTACT_SECONDS;
        let fresh =
            |entropy: &mut _| Token::issue(&self.keys.device, &self.feed(), TokenKind::Contact, expiry, entropy);
        let issued = contact.issued.clone().or_else(|| friendly.then(|| fresh(&mut entropy)));
        let letter = Letter {
            records: own,
            device: self.device(),
            name: name.filter(|_| friendly),
            token: issued.clone().filter(|_| friendly),
            invitation: contact.invitation.clone().filter(|_| kind == LetterKind::Request),
            prekeys: own_prekeys.iter().map(|(device, key)| Prekey { device: *device, key: *key }).collect(),
            written_s: now_s,
            kind,
        };
        let packet = seal(&letter, &self.keys.device, &feed, to, &mut entropy)?;
        let admission = admission(&feed, &contact, &packet, now_s);
        self.store.write_blocking(move |txn| {
            // Whatever was decided meanwhile wants another letter.
            let Some(held) = txn.contact(feed)?.filter(|held| held.owed && *held == contact) else { return Ok(()) };
            txn.post_packet(feed, now_s, &admission, packet.as_bytes())?;
            txn.put_contact(feed, &Contact { owed: false, issued: issued.clone(), ..held })?;
            Ok::<_, WriteError>(())
        })?;
        Ok(())
    }
}

/// The two have said that they want it: each is followed, and reads what is for friends.
pub(super) fn become_friends(
    txn: &mut WriteTxn,
    feed: FeedId,
    contact: &Contact,
    now_s: u64,
    from_now: bool,
) -> Result<(), WriteError> {
    let row = txn.feed(feed)?.unwrap_or_else(|| FeedRow { added_s: now_s, ..FeedRow::default() });
    let suggested_name = contact.name.clone().or_else(|| row.suggested_name.clone());
    let mut row = FeedRow { suggested_name, ..row };
    row.roles.follow = true;
    txn.put_feed(feed, &row)?;
    if let Some(records) = &contact.records {
        let held = txn.records(feed)?.map_or(0, |held| held.manifest().number());
        if records.manifest().number() > held {
            txn.put_records(records)?;
        }
    }
    if txn.member(feed, &AudienceName::friends())?.is_none() {
        admit(txn, feed, &AudienceName::friends(), now_s, from_now)?;
    }
    Ok(())
}

/// The prekeys of all devices that are not revoked: those in the feed itself before those of letters.
fn recipients(records: &Records, told: &[Prekey], published: &[(DeviceId, BoxPublic)]) -> Vec<BoxPublic> {
    let mut keys: BTreeMap<DeviceId, BoxPublic> = told.iter().map(|prekey| (prekey.device, prekey.key)).collect();
    keys.extend(published.iter().copied());
    let active = records.roster().devices().iter().filter(|device| device.ends.is_none());
    active.filter_map(|device| keys.get(&device.id).copied()).collect()
}

fn newer(one: Option<Records>, other: Option<Records>) -> Option<Records> {
    match (one, other) {
        (Some(one), Some(other)) if other.manifest().number() > one.manifest().number() => Some(other),
        (Some(one), _) => Some(one),
        (None, other) => other,
    }
}

/// What lets a packet in: their token, their invitation, or work. spec: MAIL-11, MAIL-12
fn admission(feed: &FeedId, contact: &Contact, packet: &Packet, now_s: u64) -> Vec<u8> {
    let good = |token: &&Token| token.expiry() > now_s;
    match contact.token.iter().chain(&contact.invitation).find(good) {
        Some(token) => token.as_bytes().to_vec(),
        None => find_work(feed, packet.as_bytes()).0.to_be_bytes().to_vec(),
    }
}
