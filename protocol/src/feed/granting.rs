//! Granting an epoch to many devices at once.

use std::collections::BTreeSet;

use super::epoch::EpochSecret;
use super::grant::{GrantKey, GrantKind, GrantRow, GrantRows};
use crate::crypto::{BoxKey, Entropy};
use crate::ids::{BoxPublic, EpochId, FeedId};
use crate::limits::{GRANT_ROWS_MAX, GRANT_ROWS_WRITTEN_MIN};

/// A device that is to read an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The device's box key, from the roster of its feed.
    pub box_key: BoxPublic,
    /// Whether it reads the history before the epoch, too.
    pub kind: GrantKind,
}

/// The rows that give an epoch to all recipients, in as many groups as it takes control entries: at least one, the first
/// for the entry that begins the epoch. A single group is padded to a power of two from 8 on, several are filled up, so that their
/// number tells the recipients' only roughly. spec: EPOCH-14
///
/// A device with which no secret can be agreed on, or whose box key stands there twice, gets no row of its own: that is the
/// fault of who lists it, and nobody else's loss.
pub fn grant_to(
    recipients: &[Recipient],
    own: &BoxKey,
    feed: &FeedId,
    epoch: &EpochId,
    secret: &EpochSecret,
    entropy: &mut Entropy,
) -> Vec<GrantRows> {
    let read_key = secret.read_key(feed);
    let mut tags = BTreeSet::new();
    let mut rows: Vec<GrantRow> = Vec::with_capacity(recipients.len());
    for recipient in recipients {
        let Ok(key) = GrantKey::agree(own, &recipient.box_key, feed, epoch, recipient.kind) else { continue };
        if tags.insert(*key.tag()) {
            rows.push(match recipient.kind {
                GrantKind::Secret => key.seal(secret.expose()),
                GrantKind::ReadKey => key.seal(read_key.expose()),
            });
        }
    }
    if rows.len() <= GRANT_ROWS_MAX {
        let count = rows.len().next_power_of_two().max(GRANT_ROWS_WRITTEN_MIN);
        return vec![GrantRows::padded_to(count, rows, entropy).expect("few rows, each tag once")];
    }
    let full = |rows: &[GrantRow]| GrantRows::padded_to(GRANT_ROWS_MAX, rows.to_vec(), entropy);
    rows.chunks(GRANT_ROWS_MAX).map(full).map(|rows| rows.expect("each tag once")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::grant::Granted;
    use super::*;
    use crate::crypto::IdentityKey;

    const EPOCH: EpochId = EpochId::new([5; 16]);

    fn feed() -> FeedId {
        IdentityKey::from_seed(&[1; 32]).feed_id()
    }

    fn device(number: u16) -> BoxKey {
        let mut secret = [7; 32];
        // Some bits of the first and last byte do not count.
        secret[8..10].copy_from_slice(&number.to_be_bytes());
        BoxKey::from_bytes(secret)
    }

    fn granted(devices: u16) -> (Vec<GrantRows>, EpochSecret) {
        let kind = |number| if number % 3 == 0 { GrantKind::ReadKey } else { GrantKind::Secret };
        let recipient = |number| Recipient { box_key: device(number).public(), kind: kind(number) };
        let recipients: Vec<_> = (1..=devices).map(recipient).collect();
        let secret = EpochSecret::new([9; 32]);
        let mut entropy = Entropy::from_seed([3; 32]);
        (grant_to(&recipients, &device(0), &feed(), &EPOCH, &secret, &mut entropy), secret)
    }

    #[test]
    fn each_of_two_thousand_devices_finds_what_it_may_read_and_a_stranger_finds_nothing() {
        let (groups, secret) = granted(2_000);
        assert_eq!(groups.iter().map(|rows| rows.iter().len()).collect::<Vec<_>>(), [1_024, 1_024]);
        let author = device(0).public();
        let find = |own: &BoxKey| groups.iter().find_map(|rows| rows.granted_to(own, &author, &feed(), &EPOCH));
        for number in [1, 2, 999, 1_024, 1_025, 1_999] {
            let expected = if number % 3 == 0 {
                Granted::ReadKey(secret.read_key(&feed()))
            } else {
                Granted::Secret(secret.clone())
            };
            assert_eq!(find(&device(number)), Some(expected), "device {number}");
        }
        assert_eq!(find(&device(2_001)), None);
    }

    #[test]
    fn the_number_of_rows_tells_the_number_of_devices_only_roughly() {
        for (devices, rows) in
            [(0, vec![8]), (1, vec![8]), (5, vec![8]), (9, vec![16]), (1_024, vec![1_024]), (1_025, vec![1_024, 1_024])]
        {
            let (groups, _) = granted(devices);
            assert_eq!(groups.iter().map(|group| group.iter().len()).collect::<Vec<_>>(), rows, "{devices} devices");
        }
    }

    #[test]
    fn a_device_listed_twice_or_with_a_bad_key_takes_nothing_from_the_others() {
        let recipient = |box_key| Recipient { box_key, kind: GrantKind::Secret };
        let listed = [device(1).public(), device(1).public(), BoxPublic::new([0; 32]), device(2).public()];
        let secret = EpochSecret::new([9; 32]);
        let mut entropy = Entropy::from_seed([3; 32]);
        let groups = grant_to(&listed.map(recipient), &device(0), &feed(), &EPOCH, &secret, &mut entropy);
        assert_eq!(groups.len(), 1);
        let author = device(0).public();
        for number in [1, 2] {
            let found = groups[0].granted_to(&device(number), &author, &feed(), &EPOCH);
            assert_eq!(found, Some(Granted::Secret(secret.clone())));
        }
    }

    #[test]
    fn a_row_for_one_feed_or_epoch_gives_nothing_in_another() {
        let (groups, _) = granted(4);
        let other_feed = IdentityKey::from_seed(&[2; 32]).feed_id();
        let author = device(0).public();
        assert!(groups[0].granted_to(&device(1), &author, &feed(), &EPOCH).is_some());
        assert_eq!(groups[0].granted_to(&device(1), &author, &other_feed, &EPOCH), None);
        assert_eq!(groups[0].granted_to(&device(1), &author, &feed(), &EpochId::new([6; 16])), None);
        assert_eq!(groups[0].granted_to(&device(1), &device(9).public(), &feed(), &EPOCH), None);
    }
}
