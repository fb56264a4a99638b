//! The audiences of the own feed: which epoch each of them is in.

use std::collections::HashMap;

use peerfeed_protocol::ids::{EpochId, FeedId};
use redb::{ReadableTable, TableDefinition};

use super::error::StorageError;
use super::txn::{View, WriteTxn};
use super::{epochs, feeds};

/// audience -> (epoch, zeros before the first; 1 if somebody was taken out since it began, else 0)
pub(super) const AUDIENCES: TableDefinition<'_, &[u8], (&[u8; 16], u8)> = TableDefinition::new("audiences");

const FRIENDS: &[u8] = b"friends";
const LIST: &[u8] = b"list ";
const ONE: &[u8] = b"one ";

/// Who may read an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Everyone who knows the feed id, seeders included.
    Public,
    /// All friends.
    #[default]
    Friends,
    /// Those on a list, by its name, which nobody else ever sees.
    List(String),
    /// The owner of this feed alone.
    One(FeedId),
}

/// What an audience is called in the store. spec: STORE-20
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AudienceName(Vec<u8>);

/// How far an audience has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AudienceRow {
    /// The epoch that it is in; none before the first.
    pub epoch: Option<EpochId>,
    /// Whether nothing more may be sealed in that epoch, since somebody was taken out. spec: EPOCH-12
    pub left: bool,
}

impl Audience {
    /// What it is called in the store; none for everyone, who need no grant.
    pub fn name(&self) -> Option<AudienceName> {
        match self {
            Self::Public => None,
            Self::Friends => Some(AudienceName::friends()),
            Self::List(name) => Some(AudienceName([LIST, name.as_bytes()].concat())),
            Self::One(feed) => Some(AudienceName([ONE, feed.as_bytes()].concat())),
        }
    }
}

impl AudienceName {
    /// All friends.
    pub fn friends() -> Self {
        Self(FRIENDS.to_vec())
    }

    /// The audience that is called so; none for a name of a later version.
    pub fn audience(&self) -> Option<Audience> {
        if self.0 == FRIENDS {
            return Some(Audience::Friends);
        }
        if let Some(name) = self.0.strip_prefix(LIST) {
            return Some(Audience::List(String::from_utf8(name.to_vec()).ok()?));
        }
        let feed = self.0.strip_prefix(ONE)?;
        Some(Audience::One(FeedId::from_stored(feed.try_into().ok()?)))
    }

    pub(crate) fn from_stored(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

pub(super) fn row(view: &impl View, audience: &AudienceName) -> Result<AudienceRow, StorageError> {
    let row = view.table(AUDIENCES)?.get(audience.as_bytes())?.map(|row| read(row.value()));
    Ok(row.unwrap_or_default())
}

/// All audiences, by name.
pub(super) fn all(view: &impl View) -> Result<Vec<(AudienceName, AudienceRow)>, StorageError> {
    let mut rows = Vec::new();
    for row in view.table(AUDIENCES)?.iter()? {
        let (name, value) = row?;
        rows.push((AudienceName::from_stored(name.value()), read(value.value())));
    }
    Ok(rows)
}

/// Whose each epoch of the own feed is: an audience's newest, and those that it takes up. spec: EPOCH-11
pub(super) fn by_epoch(view: &impl View, own: FeedId) -> Result<HashMap<EpochId, Audience>, StorageError> {
    let Some(feed) = feeds::number(view, own)? else { return Ok(HashMap::new()) };
    let mut known = HashMap::new();
    for (name, row) in all(view)? {
        let (Some(audience), Some(newest)) = (name.audience(), row.epoch) else { continue };
        let mut next = vec![newest];
        while let Some(epoch) = next.pop() {
            if known.insert(epoch, audience.clone()).is_none() {
                next.extend(epochs::earlier_of(view, feed, epoch)?.into_iter().map(|(earlier, _)| earlier));
            }
        }
    }
    known.insert(EpochId::PUBLIC, Audience::Public);
    Ok(known)
}

fn read((epoch, left): (&[u8; 16], u8)) -> AudienceRow {
    let epoch = EpochId::new(*epoch);
    AudienceRow { epoch: (epoch != EpochId::PUBLIC).then_some(epoch), left: left != 0 }
}

impl WriteTxn {
    /// Notes how far an audience has come.
    pub fn put_audience(&mut self, audience: &AudienceName, row: &AudienceRow) -> Result<(), StorageError> {
        let epoch = row.epoch.unwrap_or(EpochId::PUBLIC);
        self.change(AUDIENCES)?.insert(audience.as_bytes(), (epoch.as_bytes(), u8::from(row.left)))?;
        Ok(())
    }

    /// Forgets an audience. Who is in it is forgotten by [`Self::take_member`].
    pub fn remove_audience(&mut self, audience: &AudienceName) -> Result<(), StorageError> {
        self.change(AUDIENCES)?.remove(audience.as_bytes())?;
        Ok(())
    }
}

pub(super) fn remove_all(txn: &mut WriteTxn) -> Result<(), StorageError> {
    txn.change(AUDIENCES)?.retain(|_, _| false)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audience_is_found_by_its_name_and_no_list_takes_anothers() {
        let one = Audience::One(FeedId::from_stored([7; 32]));
        let names = ["friends", "one 7", "list x", "family"].map(|name| Audience::List(name.to_owned()));
        let all = [vec![Audience::Friends, one], names.to_vec()].concat();
        for audience in &all {
            assert_eq!(audience.name().unwrap().audience().as_ref(), Some(audience));
        }
        assert_eq!(AudienceName::from_stored(b"one short").audience(), None);
    }
}
