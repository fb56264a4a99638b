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
        let manifest = match Manifest::decode(feed, manifest) {
            Ok(manifest) => manifest,
            Err(error) => return RecordsDecision::Refused(error),
        };
        if let Some(held) = held {
            if manifest.bytes() == held.manifest.bytes() {
                return RecordsDecision::Known;
            }
            if !manifest.replaces(&held.manifest) {
                return RecordsDecision::Older;
            }
        }
        let due = manifest.content().roster_digest;
        let roster = match (roster.map(|bytes| Roster::decode(feed, bytes)), held) {
            (Some(Err(error)), _) => return RecordsDecision::Refused(error),
            (Some(Ok(roster)), _) if roster.digest() == due => roster,
            (_, Some(held)) if held.roster.digest() == due => held.roster.clone(),
            (Some(Ok(_)), _) => return RecordsDecision::Refused(RecordError::OtherRoster),
            (None, _) => return RecordsDecision::RosterMissing,
        };
        RecordsDecision::Accept(Box::new(Records { manifest, roster }))
    }
}

impl Manifest {
    /// Whether this manifest holds against `held`: a higher number does; of two with the same number, which should never
    /// be, the one with the smaller digest does, so that all come to agree. spec: FEED-12
    fn replaces(&self, held: &Manifest) -> bool {
        (self.number(), held.digest()) > (held.number(), self.digest())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Device, ManifestContent, RosterContent};
    use super::*;
    use crate::crypto::{BoxKey, DeviceKey, IdentityKey};

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
