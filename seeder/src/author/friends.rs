//! Who may read what is for friends.

use peerfeed_protocol::ids::FeedId;

use super::{Author, AuthorError, now_ms};
use crate::store::{AudienceName, AudienceRow, Contact, Member, Reading, Reads, StorageError, WriteError, WriteTxn};

/// A friend: somebody who may read what is for friends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Friend {
    /// Their feed.
    pub feed: FeedId,
    /// Since when, unix seconds.
    pub since_s: u64,
    /// Whether they read only what was written since then.
    pub from_now: bool,
    /// Devices to which the key was granted; none as long as their roster is not here.
    pub devices: usize,
}

/// What came of accepting somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// They are a friend now, or read more than before.
    Now(Friend),
    /// They were one before, who reads as much.
    Before(Friend),
    /// They read everything already; that cannot be taken back without removing them.
    ReadsMore,
}

impl Author {
    /// Makes somebody a friend, and grants them the key if their roster is here; else as soon as it is.
    pub fn accept(&self, feed: FeedId, from_now: bool) -> Result<Accepted, AuthorError> {
        if feed == self.feed() {
            return Err(AuthorError::Oneself);
        }
        let before = self.friend(feed)?;
        if let Some(before) = before.filter(|before| !before.from_now || from_now) {
            return Ok(if before.from_now == from_now { Accepted::Before(before) } else { Accepted::ReadsMore });
        }
        let since_s = before.map_or(now_ms() / 1_000, |before| before.since_s);
        self.write(move |page| {
            admit(page.txn, feed, &AudienceName::friends(), since_s, from_now)?;
            page.pay_owed()
        })?;
        let friend = self.friend(feed)?;
        Ok(Accepted::Now(friend.unwrap_or(Friend { feed, since_s, from_now, devices: 0 })))
    }

    /// Takes somebody out of all audiences: before the next entry for one of them a new epoch begins. Gives whether they
    /// were in one. spec: EPOCH-12
    pub fn remove(&self, feed: FeedId) -> Result<bool, AuthorError> {
        if feed == self.feed() {
            return Ok(false);
        }
        Ok(self.store.write_blocking(move |txn| {
            let memberships = txn.memberships(feed)?;
            for (audience, _) in &memberships {
                expel(txn, feed, audience)?;
            }
            txn.owe_nothing(feed)?;
            if let Some(contact) = txn.contact(feed)? {
                if let Some(token) = &contact.issued {
                    txn.revoke_token(token)?;
                }
                let contact = Contact { ours: false, theirs: false, issued: None, owed: false, ..contact };
                txn.put_contact(feed, &contact)?;
            }
            Ok(!memberships.is_empty())
        })?)
    }

    /// The friends, by feed id.
    pub fn friends(&self) -> Result<Vec<Friend>, AuthorError> {
        self.members(&AudienceName::friends())
    }

    /// Somebody, if they are a friend.
    pub fn friend(&self, feed: FeedId) -> Result<Option<Friend>, AuthorError> {
        if feed == self.feed() {
            return Ok(None);
        }
        Ok(self.store.read()?.member(feed, &AudienceName::friends())?.map(|member| friend(feed, &member)))
    }

    /// Grants what is owed to friends whose roster came, or changed. Gives whether anything was written.
    pub fn grant_owed(&self) -> Result<bool, AuthorError> {
        let payable = payable(&self.store.read()?)?;
        Ok(payable && self.append(Vec::new())?.is_some())
    }
}

/// Whether anything is owed that can be granted now.
pub(super) fn payable(view: &impl Reading) -> Result<bool, StorageError> {
    for feed in view.owed()? {
        if view.roster(feed)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Puts somebody into an audience; what they may read is owed to them.
pub(super) fn admit(
    txn: &mut WriteTxn,
    feed: FeedId,
    audience: &AudienceName,
    since_s: u64,
    from_now: bool,
) -> Result<(), WriteError> {
    if from_now {
        // What is to be read begins with an epoch of its own. spec: EPOCH-13
        leave_epoch(txn, audience)?;
    }
    let reads = if from_now { Reads::FromNow(Vec::new()) } else { Reads::Everything };
    txn.put_member(feed, audience, &Member { since_s, reads, devices: Vec::new() })?;
    Ok(txn.owe(feed)?)
}

/// Takes somebody out of an audience. spec: EPOCH-12
pub(super) fn expel(txn: &mut WriteTxn, feed: FeedId, audience: &AudienceName) -> Result<(), WriteError> {
    let member = txn.take_member(feed, audience)?;
    // Who was never granted anything takes no key along.
    if member.is_some_and(|member| !member.devices.is_empty()) {
        leave_epoch(txn, audience)?;
    }
    Ok(())
}

/// Nothing more is sealed in the epoch that the audience is in, if it is in one.
fn leave_epoch(txn: &mut WriteTxn, audience: &AudienceName) -> Result<(), WriteError> {
    let row = txn.audience(audience)?;
    Ok(txn.put_audience(audience, &AudienceRow { left: row.epoch.is_some(), ..row })?)
}

pub(super) fn friend(feed: FeedId, member: &Member) -> Friend {
    let from_now = matches!(member.reads, Reads::FromNow(_));
    Friend { feed, since_s: member.since_s, from_now, devices: member.devices.len() }
}
