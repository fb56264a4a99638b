//! The private state cut in parts that fit an entry each.

use zeroize::Zeroizing;

use super::notice::PrivateError;
use super::state::{AudienceState, FollowedState, MemberState, PrivateState};
use crate::bencode::{self, Dict, FieldError, FieldProblem, Value};
use crate::feed::clock::Stamp;
use crate::feed::record;
use crate::limits::{PRIVATE_CONTENT_BYTES_MAX, PRIVATE_PARTS_MAX};

/// Bytes of a part's content that are not rows: its other keys, and as much again.
const FRAME_BYTES: usize = 256;

/// A part of the private state. spec: ENTRY-24
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivatePart {
    /// When the state was written; the same in all its parts.
    pub stamp: Stamp,
    /// Which part it is, from 0.
    pub number: u64,
    /// How many parts there are: 1 to 64.
    pub count: u64,
    /// The rows in it.
    pub state: PrivateState,
}

/// A row that is to be put into a part.
enum Row<'s> {
    Audience(&'s AudienceState),
    Member(&'s MemberState),
    Followed(&'s FollowedState),
}

impl PrivateState {
    /// The state in parts, audiences and members first. A row that breaks a limit is left out, and so is what 64 parts do not
    /// hold: the last of the feeds followed.
    pub fn parts(&self, stamp: Stamp) -> Vec<PrivatePart> {
        let mut parts = vec![Self::default()];
        let mut room = PRIVATE_CONTENT_BYTES_MAX - FRAME_BYTES;
        for row in self.rows() {
            let Some(bytes) = row.checked_bytes() else { continue };
            if bytes > room {
                if parts.len() == PRIVATE_PARTS_MAX {
                    break;
                }
                parts.push(Self::default());
                room = PRIVATE_CONTENT_BYTES_MAX - FRAME_BYTES;
            }
            room -= bytes.min(room);
            let part = parts.last_mut().expect("there is at least one");
            match row {
                Row::Audience(row) => part.audiences.push(row.clone()),
                Row::Member(row) => part.members.push(row.clone()),
                Row::Followed(row) => part.followed.push(row.clone()),
            }
        }
        let count = parts.len() as u64;
        let parts = (0..).zip(parts);
        parts.map(|(number, state)| PrivatePart { stamp, number, count, state }).collect()
    }

    /// The state that these parts make up; none unless all are there, in any order, and of one writing.
    pub fn whole(parts: &[PrivatePart]) -> Option<Self> {
        let first = parts.first()?;
        let mut whole = Self::default();
        for number in 0..first.count {
            let part = parts.iter().find(|part| part.number == number)?;
            if (part.stamp, part.count) != (first.stamp, first.count) {
                return None;
            }
            whole.audiences.extend(part.state.audiences.iter().cloned());
            whole.members.extend(part.state.members.iter().cloned());
            whole.followed.extend(part.state.followed.iter().cloned());
        }
        Some(whole)
    }

    fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let audiences = self.audiences.iter().map(Row::Audience);
        audiences.chain(self.members.iter().map(Row::Member)).chain(self.followed.iter().map(Row::Followed))
    }
}

impl Row<'_> {
    /// How many bytes it takes; none if no reader would take it.
    fn checked_bytes(&self) -> Option<usize> {
        let (value, good) = match self {
            Self::Audience(row) => (row.to_value(), AudienceState::from_value(&row.to_value()).is_ok()),
            Self::Member(row) => (row.to_value(), MemberState::from_value(&row.to_value()).is_ok()),
            Self::Followed(row) => (row.to_value(), FollowedState::from_value(&row.to_value()).is_ok()),
        };
        good.then(|| value.encode().len())
    }
}

impl PrivatePart {
    /// Its canonical bytes, which are erased from memory when dropped.
    pub(super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let state = &self.state;
        let dict = Dict::new()
            .with(b"a", state.audiences.iter().map(AudienceState::to_value).collect::<Vec<_>>())
            .with(b"f", state.followed.iter().map(FollowedState::to_value).collect::<Vec<_>>())
            .with(b"i", self.number)
            .with(b"p", state.members.iter().map(MemberState::to_value).collect::<Vec<_>>())
            .with(b"w", self.stamp.number())
            .with(b"z", self.count);
        Zeroizing::new(dict.encode())
    }

    /// Reads what was sealed. Keys of later versions are passed over: who writes the next state writes it anew.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, PrivateError> {
        let value = bencode::decode(bytes, PRIVATE_CONTENT_BYTES_MAX)?;
        let dict = value.as_dict().ok_or(PrivateError::NotADictionary)?;
        let count = dict.uint_up_to(b"z", PRIVATE_PARTS_MAX as u64)?;
        let number = dict.uint(b"i")?;
        if number >= count {
            return Err(FieldError::new(b"i", FieldProblem::OutOfRange).into());
        }
        Ok(Self {
            stamp: Stamp::from_number(dict.int(b"w")?)?,
            number,
            count,
            state: PrivateState {
                audiences: rows(dict, b"a", AudienceState::from_value)?,
                members: rows(dict, b"p", MemberState::from_value)?,
                followed: rows(dict, b"f", FollowedState::from_value)?,
            },
        })
    }
}

fn rows<T>(
    dict: &Dict<'_>,
    key: &[u8],
    read: impl Fn(&Value<'_>) -> Result<T, FieldError>,
) -> Result<Vec<T>, FieldError> {
    let rows = dict.list(key)?;
    // No row is shorter than a byte, so the content's length bounds them already.
    record::at_most(key, rows, PRIVATE_CONTENT_BYTES_MAX)?;
    rows.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::IdentityKey;
    use crate::ids::{EpochId, FeedId};

    fn feed(seed: u8) -> FeedId {
        IdentityKey::from_seed(&[seed; 32]).feed_id()
    }

    fn stamp() -> Stamp {
        Stamp::from_number(1_800_000_000_000 << 16).unwrap()
    }

    fn followed(name: &str) -> FollowedState {
        FollowedState {
            feed: feed(1),
            added_s: 7,
            muted: true,
            petname: Some(name.to_owned()),
            suggested_name: None,
            seeders: Vec::new(),
            trackers: vec!["udp://tracker.example:1".to_owned()],
        }
    }

    #[test]
    fn a_state_of_any_size_is_put_together_as_it_was_cut() {
        let member = MemberState {
            feed: feed(2),
            audience: b"friends".to_vec(),
            since_s: 9,
            epochs: Some(vec![EpochId::new([3; 16])]),
        };
        let audience = AudienceState { name: b"friends".to_vec(), epoch: Some(EpochId::new([3; 16])), left: true };
        for count in [0, 1, 2_000] {
            let followed: Vec<_> = (0..count).map(|number| followed(&format!("friend {number}"))).collect();
            let state = PrivateState { audiences: vec![audience.clone()], members: vec![member.clone()], followed };
            let mut parts = state.parts(stamp());
            assert_eq!(parts.len() > 1, count > 1_000);
            for part in &parts {
                let bytes = part.encode();
                assert!(bytes.len() <= PRIVATE_CONTENT_BYTES_MAX);
                assert_eq!(PrivatePart::decode(&bytes).as_ref(), Ok(part));
            }
            parts.reverse();
            assert_eq!(PrivateState::whole(&parts), Some(state));
            parts.pop();
            assert_eq!(PrivateState::whole(&parts), None, "a part is missing");
        }
    }

    #[test]
    fn what_breaks_a_limit_or_has_no_room_is_left_out_and_the_rest_is_kept() {
        let state =
            PrivateState { followed: vec![followed(&"n".repeat(101)), followed("short")], ..PrivateState::default() };
        assert_eq!(PrivateState::whole(&state.parts(stamp())).unwrap().followed, [followed("short")]);
        let many = PrivateState { followed: vec![followed("short"); 30_000], ..PrivateState::default() };
        let parts = many.parts(stamp());
        assert_eq!(parts.len(), PRIVATE_PARTS_MAX);
        assert!(PrivateState::whole(&parts).unwrap().followed.len() < 30_000);
    }

    #[test]
    fn parts_of_two_writings_make_no_state() {
        let state = PrivateState { followed: vec![followed("short"); 500], ..PrivateState::default() };
        let mut parts = state.parts(stamp());
        parts[1].stamp = Stamp::from_number(1_800_000_000_001 << 16).unwrap();
        assert_eq!(PrivateState::whole(&parts), None);
    }
}
