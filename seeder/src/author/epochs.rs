//! The epochs of audiences: begun, granted to who may read, left when somebody is taken out.

use peerfeed_protocol::bencode::Dict;
use peerfeed_protocol::feed::{
    Control, EarlierEpoch, EpochSecret, EpochStart, GrantKind, Granted, Grants, Profile, Recipient, Records, grant_to,
    random_epoch_id,
};
use peerfeed_protocol::ids::{EpochId, FeedId};

use super::append::{Item, Page, refused};
use super::{Audience, AuthorError};
use crate::store::{AudienceName, AudienceRow, Member, MemberDevice, Reading, Reads, WriteError};

impl Page<'_> {
    /// The secret of the epoch in which the next entry for this audience is sealed. One is begun if there is none, or if
    /// somebody was taken out since the last began. spec: EPOCH-12
    pub(super) fn epoch_of(&mut self, audience: &Audience) -> Result<EpochSecret, WriteError> {
        let Some(audience) = audience.name() else { return Ok(EpochSecret::public(&self.keys.feed)) };
        let row = self.txn.audience(&audience)?;
        match row.epoch {
            Some(epoch) if !row.left => self.secret(epoch),
            before => self.begin_epoch(&audience, before),
        }
    }

    /// Grants what is owed: to who came into an audience, and to new devices of who is in one. A device that was revoked
    /// ends the epochs that it can read. Who is not granted anything yet, as their roster is not here, goes on being owed.
    pub(super) fn pay_owed(&mut self) -> Result<(), WriteError> {
        for feed in self.txn.owed()? {
            let Some(records) = self.txn.records(feed)? else { continue };
            let devices = active_devices(&records);
            for (audience, member) in self.txn.memberships(feed)? {
                self.pay(feed, &audience, member, &devices)?;
            }
            self.txn.owe_nothing(feed)?;
        }
        Ok(())
    }

    fn pay(
        &mut self,
        feed: FeedId,
        audience: &AudienceName,
        mut member: Member,
        devices: &[MemberDevice],
    ) -> Result<(), WriteError> {
        let new: Vec<_> = devices.iter().filter(|device| !member.devices.contains(device)).copied().collect();
        let revoked = member.devices.iter().any(|device| !devices.contains(device));
        if new.is_empty() && !revoked {
            return Ok(());
        }
        devices.clone_into(&mut member.devices);
        self.txn.put_member(feed, audience, &member)?;
        let row = self.txn.audience(audience)?;
        // Before the first epoch there is nothing to grant: it is granted when it begins.
        let Some(epoch) = row.epoch else { return Ok(()) };
        let begins = revoked || row.left;
        match &member.reads {
            // The epoch that begins opens this one.
            Reads::Everything if begins => {}
            Reads::Everything => self.grant(epoch, GrantKind::Secret, &new)?,
            Reads::FromNow(epochs) => {
                epochs.iter().try_for_each(|epoch| self.grant(*epoch, GrantKind::ReadKey, &new))?;
            }
        }
        if begins {
            self.begin_epoch(audience, Some(epoch))?;
        }
        Ok(())
    }

    /// Begins an epoch that takes up the one before, and grants it to all who are in the audience. spec: EPOCH-11, EPOCH-14
    fn begin_epoch(&mut self, audience: &AudienceName, before: Option<EpochId>) -> Result<EpochSecret, WriteError> {
        let feed = self.keys.feed;
        let (epoch, secret) = (random_epoch_id(self.entropy), EpochSecret::random(self.entropy));
        let mut earlier = Vec::new();
        if let Some(before) = before {
            let sealed = secret.seal_earlier(&feed, &before, &self.secret(before)?);
            earlier.push(EarlierEpoch { epoch: before, sealed });
        }
        self.include_oneself(audience)?;
        let members = self.txn.members(audience)?;
        let mut recipients: Vec<_> = members.iter().flat_map(|(_, member)| recipients(member)).collect();
        // The words alone bring the own posts back. spec: ID-15
        let recovery = self.txn.records(feed)?.and_then(|records| records.roster().content().recovery);
        recipients.extend(recovery.map(|box_key| Recipient { box_key, kind: GrantKind::Secret }));
        recipients.retain(|recipient| recipient.box_key != self.keys.box_key.public());
        let groups = grant_to(&recipients, &self.keys.box_key, &feed, &epoch, &secret, self.entropy);
        let mut groups = groups.into_iter();
        let grants = groups.next().expect("there is at least one");
        self.control(&Control::Epoch(EpochStart { epoch, earlier, grants, unknown: Dict::new() }))?;
        for grants in groups {
            self.control(&Control::Grants(Grants { epoch, grants, unknown: Dict::new() }))?;
        }
        let mut newcomers = false;
        for (member_feed, mut member) in members {
            if let Reads::FromNow(epochs) = &mut member.reads {
                newcomers |= epochs.is_empty();
                epochs.push(epoch);
                self.txn.put_member(member_feed, audience, &member)?;
            }
        }
        self.txn.put_epoch(feed, epoch, &Granted::Secret(secret.clone()))?;
        self.txn.put_audience(audience, &AudienceRow { epoch: Some(epoch), left: false })?;
        if newcomers && *audience == AudienceName::friends() {
            self.introduce()?;
        }
        Ok(secret)
    }

    /// Tells the own name again, to those who cannot read where it stood before.
    fn introduce(&mut self) -> Result<(), WriteError> {
        let Some(name) = self.txn.profile_name(self.keys.feed)? else { return Ok(()) };
        self.item(&Item::profile(Profile { name }, Audience::Friends))
    }

    /// The devices of one's own read along, and one that is revoked ends the epoch, as with everybody in an audience.
    fn include_oneself(&mut self, audience: &AudienceName) -> Result<(), WriteError> {
        let own = self.keys.feed;
        let Some(records) = self.txn.records(own)? else { return Ok(()) };
        let (since_s, reads) = (self.now_ms / 1_000, Reads::Everything);
        Ok(self.txn.put_member(own, audience, &Member { since_s, reads, devices: active_devices(&records) })?)
    }

    /// Grants an epoch that has begun to further devices.
    fn grant(&mut self, epoch: EpochId, kind: GrantKind, devices: &[MemberDevice]) -> Result<(), WriteError> {
        let secret = self.secret(epoch)?;
        let recipients: Vec<_> = devices.iter().map(|device| Recipient { box_key: device.box_key, kind }).collect();
        let keys = self.keys;
        for grants in grant_to(&recipients, &keys.box_key, &keys.feed, &epoch, &secret, self.entropy) {
            self.control(&Control::Grants(Grants { epoch, grants, unknown: Dict::new() }))?;
        }
        Ok(())
    }

    fn secret(&self, epoch: EpochId) -> Result<EpochSecret, WriteError> {
        let keyring = self.txn.keyring(self.keys.feed)?;
        let known = keyring.epoch(&epoch).and_then(|known| known.secret.clone());
        known.ok_or_else(|| refused(AuthorError::EpochLost))
    }
}

fn active_devices(records: &Records) -> Vec<MemberDevice> {
    let active = records.roster().devices().iter().filter(|device| device.ends.is_none());
    active.map(|device| MemberDevice { id: device.id, box_key: device.box_key }).collect()
}

fn recipients(member: &Member) -> impl Iterator<Item = Recipient> {
    let kind = match member.reads {
        Reads::Everything => GrantKind::Secret,
        Reads::FromNow(_) => GrantKind::ReadKey,
    };
    member.devices.iter().map(move |device| Recipient { box_key: device.box_key, kind })
}
