//! Manifest and roster together, and which of two pairs holds.

use super::manifest::Manifest;
use super::record::RecordError;
use super::roster::Roster;
use crate::ids::FeedId;

/// A manifest and the roster that it names: only together do they say who may write and where the feed is. spec: FEED-11
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Records {
    manifest: Manifest,
    roster: Roster,
}

/// What becomes of received records. spec: FEED-12
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordsDecision {
    /// They replace what is held.
    Accept(Box<Records>),
    /// They are what is held.
    Known,
    /// They are older than what is held, or lose against it: ignored, since whoever sent them may just be behind.
    Older,
    /// The manifest is newer, but names a roster that neither came along nor is held: the sender is asked for it, or is
    /// at fault if it was.
    RosterMissing,
    /// They are malformed, wrongly signed or do not fit together: the sender is at fault.
    Refused(RecordError),
}

impl Records {
    /// Joins a manifest and its roster. spec: FEED-11
    pub fn new(manifest: Manifest, roster: Roster) -> Result<Self, RecordError> {
        if manifest.feed() != roster.feed() || manifest.content().roster_digest != roster.digest() {
            return Err(RecordError::OtherRoster);
        }
        if manifest.successor() != roster.successor() {
            return Err(RecordError::OtherSuccessor);
        }
        Ok(Self { manifest, roster })
    }

    /// Reads both records of `feed` and checks their signatures and that they belong together.
    pub fn decode(feed: &FeedId, manifest: &[u8], roster: &[u8]) -> Result<Self, RecordError> {
        Self::new(Manifest::decode(feed, manifest)?, Roster::decode(feed, roster)?)
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The roster.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Judges what a peer sent, given what is held. A roster that is held already need not come along. A pure function: the
    /// order in which several peers send decides nothing about the outcome. spec: FEED-11, FEED-12
    pub fn judge(
        feed: &FeedId,
        held: Option<&Records>,
        manifest: Option<&[u8]>,
        roster: Option<&[u8]>,
    ) -> RecordsDecision {
        let Some(manifest) = manifest else {
            // A roster by itself changes nothing: only a manifest can put it into force.
            return if held.is_some() { RecordsDecision::Known } else { RecordsDecision::RosterMissing };
        };
        // Most peers send what is held: nothing of it has to be looked at again.
        if held.is_some_and(|held| held.manifest.bytes() == manifest) {
            return RecordsDecision::Known;
        }
        let manifest = match Manifest::decode(feed, manifest) {
            Ok(manifest) => manifest,
            Err(error) => return RecordsDecision::Refused(error),
        };
        if held.is_some_and(|held| !manifest.replaces(&held.manifest)) {
            return RecordsDecision::Older;
        }
        let due = manifest.content().roster_digest;
        let roster = match (roster.map(|bytes| Roster::decode(feed, bytes)), held) {
            (Some(Err(error)), _) => return RecordsDecision::Refused(error),
            (Some(Ok(roster)), _) if roster.digest() == due => roster,
            (_, Some(held)) if held.roster.digest() == due => held.roster.clone(),
            (Some(Ok(_)), _) => return RecordsDecision::Refused(RecordError::OtherRoster),
            (None, _) => return RecordsDecision::RosterMissing,
        };
        match Records::new(manifest, roster) {
            Ok(records) => RecordsDecision::Accept(Box::new(records)),
            Err(error) => RecordsDecision::Refused(error),
        }
    }
}

impl Manifest {
    /// Whether this manifest holds against `held`: a higher number does; of two with the same number, which should never
    /// be, the one with the smaller digest does, so that all come to agree. spec: FEED-12, FEED-13
    fn replaces(&self, held: &Manifest) -> bool {
        // The first manifest that was seen fixes the successor: a thief of the identity must not name one of their own.
        if self.content().successor_digest != held.content().successor_digest {
            return false;
        }
        // The successor's numbers are all above the identity's.
        (self.number(), held.digest()) > (held.number(), self.digest())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Device, ManifestContent, RosterContent, successor_digest};
    use super::*;
    use crate::crypto::{BoxKey, DeviceKey, IdentityKey, OwnerKey, Phrase};
    use crate::limits::SUCCESSION_NUMBER_MIN;

    fn identity() -> IdentityKey {
        IdentityKey::from_seed(&[1; 32])
    }

    fn roster(number: u64) -> Roster {
        let device = Device::new(DeviceKey::from_seed(&[2; 32]).id(), BoxKey::from_bytes([3; 32]).public());
        RosterContent { number, ..RosterContent::first(device) }.sign(&identity()).unwrap()
    }

    fn manifest(number: u64, tracker: &str, roster: &Roster) -> Manifest {
        let mut content = ManifestContent::first(roster.digest(), [0; 32]);
        content.number = number;
        content.trackers = vec![tracker.to_owned()];
        content.sign(&identity()).unwrap()
    }

    fn records(number: u64, tracker: &str) -> Records {
        let roster = roster(1);
        Records::new(manifest(number, tracker, &roster), roster).unwrap()
    }

    fn judge(held: Option<&Records>, manifest: &Manifest, roster: Option<&Roster>) -> RecordsDecision {
        Records::judge(&identity().feed_id(), held, Some(manifest.bytes()), roster.map(Roster::bytes))
    }

    #[test]
    fn a_newer_manifest_is_accepted_and_an_older_one_ignored() {
        let (old, new) = (records(1, "a"), records(2, "b"));
        assert_eq!(judge(Some(&old), new.manifest(), None), RecordsDecision::Accept(Box::new(new.clone())));
        assert_eq!(judge(Some(&new), old.manifest(), Some(old.roster())), RecordsDecision::Older);
        assert_eq!(judge(Some(&new), new.manifest(), None), RecordsDecision::Known);
        assert_eq!(judge(None, new.manifest(), Some(new.roster())), RecordsDecision::Accept(Box::new(new)));
    }

    #[test]
    fn two_manifests_of_one_number_end_the_same_for_everybody() {
        let (one, other) = (records(5, "a"), records(5, "b"));
        let (after_one, after_other) =
            (judge(Some(&one), other.manifest(), None), judge(Some(&other), one.manifest(), None));
        let accepted = |decision: &RecordsDecision| matches!(decision, RecordsDecision::Accept(_));
        assert_ne!(accepted(&after_one), accepted(&after_other));
        let loser_is_one = one.manifest().digest() > other.manifest().digest();
        assert_eq!(accepted(&after_one), loser_is_one);
    }

    #[test]
    fn who_took_the_feed_back_is_believed_and_a_thief_of_the_identity_never_again() {
        let phrase = Phrase::from_entropy(&[4; 32]);
        let feed = phrase.identity().feed_id();
        let thief = OwnerKey::Identity(phrase.identity());
        let owner = OwnerKey::successor(&phrase);
        let digest = successor_digest(&phrase.successor().public());
        let made = |signer: &OwnerKey, number, digest| {
            let device = Device::new(DeviceKey::from_seed(&[2; 32]).id(), BoxKey::from_bytes([3; 32]).public());
            let mut roster = RosterContent::first(device);
            let least = if signer.signer().is_some() { SUCCESSION_NUMBER_MIN } else { 1 };
            roster.number = least;
            let roster = roster.sign_as(signer)?;
            let number = least - 1 + number;
            let content = ManifestContent { number, ..ManifestContent::first(roster.digest(), digest) };
            Records::new(content.sign_as(signer)?, roster)
        };
        let judge = |held: &Records, new: &Records| {
            let (manifest, roster) = (Some(new.manifest().bytes()), Some(new.roster().bytes()));
            Records::judge(&feed, Some(held), manifest, roster)
        };
        let accepts = |held: &Records, new: &Records| matches!(judge(held, new), RecordsDecision::Accept(_));
        let first = made(&thief, 1, digest).unwrap();
        let own_successor = made(&thief, 7, [9; 32]).unwrap();
        assert_eq!(judge(&first, &own_successor), RecordsDecision::Older, "a commitment cannot be changed");
        let theirs = made(&thief, SUCCESSION_NUMBER_MIN - 1, digest).unwrap();
        assert!(made(&thief, SUCCESSION_NUMBER_MIN, digest).is_err(), "no number of the identity is above the owner's");
        assert!(accepts(&first, &theirs), "until it is taken back, the identity is the owner");
        let back = made(&owner, 2, digest).unwrap();
        assert!(accepts(&first, &back) && accepts(&theirs, &back));
        assert_eq!(judge(&back, &theirs), RecordsDecision::Older);
        let next = made(&owner, 3, digest).unwrap();
        assert!(accepts(&back, &next) && !accepts(&next, &back));
        assert_eq!(made(&owner, 2, [9; 32]), Err(RecordError::OtherSuccessor));
        let stranger = OwnerKey::Successor(Phrase::from_entropy(&[5; 32]).successor(), feed);
        assert_eq!(made(&stranger, 9, digest), Err(RecordError::OtherSuccessor));
        assert_eq!(Records::new(back.manifest().clone(), first.roster().clone()), Err(RecordError::OtherRoster));
        assert_eq!(Records::decode(&feed, back.manifest().bytes(), back.roster().bytes()), Ok(back));
    }

    #[test]
    fn a_manifest_comes_with_the_roster_that_it_names_or_not_at_all() {
        let held = records(1, "a");
        let (new_roster, wrong_roster) = (roster(2), roster(3));
        let new = manifest(2, "a", &new_roster);
        assert_eq!(judge(Some(&held), &new, None), RecordsDecision::RosterMissing);
        let refused = RecordsDecision::Refused(RecordError::OtherRoster);
        assert_eq!(judge(Some(&held), &new, Some(&wrong_roster)), refused);
        assert_eq!(judge(None, &new, Some(&wrong_roster)), refused);
        assert!(matches!(judge(Some(&held), &new, Some(&new_roster)), RecordsDecision::Accept(_)));
    }

    #[test]
    fn a_roster_by_itself_changes_nothing() {
        let held = records(1, "a");
        let feed = identity().feed_id();
        let decision = Records::judge(&feed, Some(&held), None, Some(roster(9).bytes()));
        assert_eq!(decision, RecordsDecision::Known);
    }

    #[test]
    fn records_of_another_feed_are_refused() {
        let records = records(1, "a");
        let other = IdentityKey::from_seed(&[9; 32]).feed_id();
        let decision = Records::judge(&other, None, Some(records.manifest().bytes()), Some(records.roster().bytes()));
        assert!(matches!(decision, RecordsDecision::Refused(RecordError::Signature(_))), "{decision:?}");
    }
}
