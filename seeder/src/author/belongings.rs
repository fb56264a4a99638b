//! What the owner of a feed has besides keys and entries: who is in which audience, and whom the owner follows. An export
//! carries it in a file, the private state in the feed.

use peerfeed_protocol::ids::FeedId;

use crate::store::{
    AudienceName, AudienceRow, FeedRow, Member, Reading, Reads, Roles, StorageError, WriteError, WriteTxn,
};

/// Somebody in an audience: who, in which, since when (unix seconds), and what they read. Their devices are found out anew.
pub(super) type Membership = (FeedId, AudienceName, u64, Reads);

/// What the owner has.
#[derive(Default)]
pub(super) struct Belongings {
    pub(super) audiences: Vec<(AudienceName, AudienceRow)>,
    pub(super) members: Vec<Membership>,
    pub(super) followed: Vec<(FeedId, FeedRow)>,
}

impl Belongings {
    /// What is in the store.
    pub(super) fn gather(view: &impl Reading) -> Result<Self, StorageError> {
        let member = |(feed, audience, member): (_, _, Member)| (feed, audience, member.since_s, member.reads);
        let followed = view.feeds()?.into_iter().filter(|(_, row)| row.roles.follow && !row.roles.own);
        let followed = followed.map(|(feed, row)| {
            // What another machine holds for others is its own matter.
            let roles = Roles { follow: true, ..Roles::default() };
            (feed, FeedRow { roles, quota_bytes: None, up: None, down: None, ..row })
        });
        Ok(Self {
            audiences: view.audiences()?,
            members: view.all_members()?.into_iter().map(member).collect(),
            followed: followed.collect(),
        })
    }

    /// Puts all of it into a store that has the own feed. What is to be granted to members is found out anew from their
    /// rosters, as their devices are not noted.
    pub(super) fn restore(&self, txn: &mut WriteTxn) -> Result<(), WriteError> {
        for (name, row) in &self.audiences {
            txn.put_audience(name, row)?;
        }
        for (feed, name, since_s, reads) in &self.members {
            let member = Member { since_s: *since_s, reads: reads.clone(), devices: Vec::new() };
            txn.put_member(*feed, name, &member)?;
            txn.owe(*feed)?;
        }
        for (feed, row) in &self.followed {
            let row = match txn.feed(*feed)? {
                None => row.clone(),
                Some(held) if held.roles.follow || held.roles.own => continue,
                // It is held for others here, and read again from now on.
                Some(held) => FeedRow {
                    roles: Roles { follow: true, ..held.roles },
                    petname: row.petname.clone(),
                    muted: row.muted,
                    ..held
                },
            };
            txn.put_feed(*feed, &row)?;
        }
        Ok(())
    }
}
