//! Lists of one's own: friends who may read what is for a list. Nobody else learns its name, or who is on it.

use peerfeed_protocol::feed::shown_in_line;
use peerfeed_protocol::ids::FeedId;

use super::friends::{admit, expel, friend};
use super::{Author, AuthorError, Friend, now_ms};
use crate::store::{Audience, AudienceName, AudienceRow, Reading, Reads};

/// Bytes of a list's name: a line on a screen.
pub const LIST_NAME_BYTES_MAX: usize = 64;

/// A list and who is on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// Its name.
    pub name: String,
    /// Those on it, by feed id.
    pub members: Vec<Friend>,
}

impl Author {
    /// All lists, by name.
    pub fn lists(&self) -> Result<Vec<List>, AuthorError> {
        let mut lists = Vec::new();
        for name in self.list_names()? {
            let members = self.members(&audience(&name))?;
            lists.push(List { name, members });
        }
        lists.sort_by_key(|list| list.name.to_lowercase());
        Ok(lists)
    }

    /// The list of this name, in any case of letters.
    pub fn list(&self, name: &str) -> Result<List, AuthorError> {
        let wanted = name.trim().to_lowercase();
        let found = self.list_names()?.into_iter().find(|name| name.to_lowercase() == wanted);
        let name = found.ok_or_else(|| AuthorError::NoSuchList(name.trim().to_owned()))?;
        let members = self.members(&audience(&name))?;
        Ok(List { name, members })
    }

    /// Puts friends on a list, which is made if there is none of this name, and grants them what was written for it; with
    /// `from_now` only what will be. All of them, or nobody.
    pub fn put_on_list(&self, name: &str, feeds: &[FeedId], from_now: bool) -> Result<List, AuthorError> {
        let name = match self.list(name) {
            Ok(list) => list.name,
            Err(AuthorError::NoSuchList(name)) => checked(name)?,
            Err(error) => return Err(error),
        };
        let audience = audience(&name);
        let mut new = Vec::new();
        for feed in feeds {
            if self.friend(*feed)?.is_none() {
                return Err(AuthorError::NoFriend(*feed));
            }
            match self.store.read()?.member(*feed, &audience)? {
                Some(member) if member.reads == Reads::Everything && from_now => {
                    return Err(AuthorError::ReadsMore(*feed));
                }
                Some(member) if (member.reads == Reads::Everything) != from_now => {}
                _ => new.push(*feed),
            }
        }
        let listed = audience.clone();
        self.write(move |page| {
            // A list without an entry has a row all the same, so that it can be shown.
            let row = page.txn.audience(&listed)?;
            page.txn.put_audience(&listed, &row)?;
            for feed in &new {
                admit(page.txn, *feed, &listed, now_ms() / 1_000, from_now)?;
            }
            page.pay_owed()
        })?;
        self.list(&name)
    }

    /// Takes people off a list: the next entry for it begins an epoch. All of them, or nobody. spec: EPOCH-12
    pub fn take_off_list(&self, name: &str, feeds: &[FeedId]) -> Result<List, AuthorError> {
        let list = self.list(name)?;
        for feed in feeds {
            if !list.members.iter().any(|member| member.feed == *feed) {
                return Err(AuthorError::NotOnList(*feed));
            }
        }
        let (audience, feeds) = (audience(&list.name), feeds.to_vec());
        self.store.write_blocking(move |txn| feeds.iter().try_for_each(|feed| expel(txn, *feed, &audience)))?;
        self.list(&list.name)
    }

    /// Forgets a list. What was written for it stays as it is. Gives the list as it was.
    pub fn forget_list(&self, name: &str) -> Result<List, AuthorError> {
        let list = self.list(name)?;
        let audience = audience(&list.name);
        self.store.write_blocking(move |txn| {
            for (feed, _) in txn.members(&audience)? {
                txn.take_member(feed, &audience)?;
            }
            Ok(txn.remove_audience(&audience)?)
        })?;
        Ok(list)
    }

    /// The audience that is meant, by the exact name of its list; refused if nobody is in it.
    pub(super) fn for_whom(&self, meant: &Audience) -> Result<Audience, AuthorError> {
        let Audience::List(name) = meant else { return Ok(meant.clone()) };
        let list = self.list(name)?;
        if list.members.is_empty() {
            return Err(AuthorError::EmptyList(list.name));
        }
        Ok(Audience::List(list.name))
    }

    fn list_names(&self) -> Result<Vec<String>, AuthorError> {
        let all = self.store.read()?.audiences()?;
        let name = |(name, _): (AudienceName, AudienceRow)| match name.audience() {
            Some(Audience::List(name)) => Some(name),
            _ => None,
        };
        Ok(all.into_iter().filter_map(name).collect())
    }

    /// Those in an audience, but for oneself.
    pub(super) fn members(&self, audience: &AudienceName) -> Result<Vec<Friend>, AuthorError> {
        let members = self.store.read()?.members(audience)?;
        let others = members.iter().filter(|(feed, _)| *feed != self.feed());
        Ok(others.map(|(feed, member)| friend(*feed, member)).collect())
    }
}

fn audience(list: &str) -> AudienceName {
    Audience::List(list.to_owned()).name().expect("a list has a name")
}

fn checked(name: String) -> Result<String, AuthorError> {
    let lower = name.to_lowercase();
    let taken = ["public", "friends"].contains(&lower.as_str()) || lower.starts_with("feed1");
    let possible = (1..=LIST_NAME_BYTES_MAX).contains(&name.len()) && shown_in_line(&name) == name;
    if taken || !possible { Err(AuthorError::ListName) } else { Ok(name) }
}
