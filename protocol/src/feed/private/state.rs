//! The rows of the private state.

use crate::bencode::{Dict, FieldError, FieldProblem, Value};
use crate::feed::body::text_up_to;
use crate::feed::link::{LinkError, LinkSeeder};
use crate::feed::record;
use crate::ids::{EpochId, FeedId};
use crate::limits::{
    AUDIENCE_NAME_BYTES_MAX, NAME_BYTES_MAX, PRIVATE_EPOCHS_MAX, SEEDERS_MAX, TRACKER_URL_BYTES_MAX, TRACKERS_MAX,
};

/// What the owner of a feed needs besides keys to go on elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrivateState {
    /// The audiences.
    pub audiences: Vec<AudienceState>,
    /// Who is in them.
    pub members: Vec<MemberState>,
    /// The feeds that the owner follows.
    pub followed: Vec<FollowedState>,
}

/// How far an audience has come. spec: ENTRY-25
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudienceState {
    /// What it is called: `friends`, `list ` and a list's name, or `one ` and a feed id.
    pub name: Vec<u8>,
    /// The epoch that it is in; none before the first.
    pub epoch: Option<EpochId>,
    /// Whether nothing more may be sealed in that epoch.
    pub left: bool,
}

/// Somebody in an audience. spec: ENTRY-25
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberState {
    /// Their feed.
    pub feed: FeedId,
    /// The audience.
    pub audience: Vec<u8>,
    /// Since when, unix seconds.
    pub since_s: u64,
    /// The epochs that they may read, if not all; at most 1,024.
    pub epochs: Option<Vec<EpochId>>,
}

/// A feed that the owner follows. spec: ENTRY-25
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowedState {
    /// The feed.
    pub feed: FeedId,
    /// Since when, unix seconds.
    pub added_s: u64,
    /// Whether it is kept out of the timeline.
    pub muted: bool,
    /// The owner's name for it: at most 100 bytes.
    pub petname: Option<String>,
    /// The name that a link suggested: at most 100 bytes.
    pub suggested_name: Option<String>,
    /// Where it may be found, besides what its manifest says; at most 4.
    pub seeders: Vec<LinkSeeder>,
    /// URLs of trackers, likewise; at most 4.
    pub trackers: Vec<String>,
}

impl PrivateState {
    /// By which it is seen whether it changed: SHA-256 of all rows.
    pub fn digest(&self) -> [u8; 32] {
        let audiences: Vec<_> = self.audiences.iter().map(AudienceState::to_value).collect();
        let members: Vec<_> = self.members.iter().map(MemberState::to_value).collect();
        let followed: Vec<_> = self.followed.iter().map(FollowedState::to_value).collect();
        let rows = Value::from(vec![Value::from(audiences), Value::from(members), Value::from(followed)]);
        record::sha256(&rows.encode())
    }
}

impl AudienceState {
    pub(super) fn to_value(&self) -> Value<'static> {
        let epoch = self.epoch.unwrap_or(EpochId::PUBLIC);
        vec![Value::from(self.name.clone()), Value::from(epoch), Value::from(u8::from(self.left))].into()
    }

    pub(super) fn from_value(value: &Value<'_>) -> Result<Self, FieldError> {
        let malformed = || FieldError::new(b"a", FieldProblem::WrongType);
        let Some([name, epoch, left]) = value.as_list() else { return Err(malformed()) };
        let epoch = epoch_id(b"a", epoch)?;
        Ok(Self {
            name: audience_name(b"a", name.as_bytes().ok_or_else(malformed)?)?,
            epoch: (epoch != EpochId::PUBLIC).then_some(epoch),
            left: match left.as_int() {
                Some(0) => false,
                Some(1) => true,
                _ => return Err(FieldError::new(b"a", FieldProblem::OutOfRange)),
            },
        })
    }
}

impl MemberState {
    pub(super) fn to_value(&self) -> Value<'static> {
        let epochs = |epochs: &Vec<EpochId>| epochs.iter().map(|epoch| Value::from(*epoch)).collect::<Vec<_>>();
        let dict = Dict::new()
            .with(b"a", self.since_s)
            .with(b"f", self.feed)
            .with(b"n", self.audience.clone())
            .with_optional(b"r", self.epochs.as_ref().map(epochs));
        dict.into()
    }

    pub(super) fn from_value(value: &Value<'_>) -> Result<Self, FieldError> {
        let dict = value.as_dict().ok_or(FieldError::new(b"p", FieldProblem::WrongType))?;
        let epochs = dict.optional_list(b"r")?;
        if let Some(epochs) = epochs {
            record::at_most(b"r", epochs, PRIVATE_EPOCHS_MAX)?;
        }
        let epochs = |epochs: &[Value<'_>]| epochs.iter().map(|epoch| epoch_id(b"r", epoch)).collect();
        Ok(Self {
            feed: feed_id(dict)?,
            audience: audience_name(b"n", dict.bytes(b"n")?)?,
            since_s: dict.uint(b"a")?,
            epochs: dict.optional_list(b"r")?.map(epochs).transpose()?,
        })
    }
}

impl FollowedState {
    pub(super) fn to_value(&self) -> Value<'static> {
        let seeders = self.seeders.iter().map(|seeder| Value::from(seeder.to_dict()).into_owned());
        let trackers = self.trackers.iter().map(|url| Value::from(url.clone()));
        let dict = Dict::new()
            .with(b"a", self.added_s)
            .with(b"f", self.feed)
            .with(b"m", u8::from(self.muted))
            .with_optional(b"n", self.petname.clone())
            .with(b"s", seeders.collect::<Vec<_>>())
            .with(b"t", trackers.collect::<Vec<_>>())
            .with_optional(b"u", self.suggested_name.clone());
        dict.into()
    }

    pub(super) fn from_value(value: &Value<'_>) -> Result<Self, FieldError> {
        let dict = value.as_dict().ok_or(FieldError::new(b"f", FieldProblem::WrongType))?;
        let name =
            |key: &'static [u8]| dict.optional_text(key)?.map(|name| text_up_to(key, name, NAME_BYTES_MAX)).transpose();
        let (seeders, trackers) = (dict.list(b"s")?, dict.list(b"t")?);
        record::at_most(b"s", seeders, SEEDERS_MAX)?;
        record::at_most(b"t", trackers, TRACKERS_MAX)?;
        let seeder = |value: &Value<'_>| {
            LinkSeeder::from_value(value).map_err(|error| match error {
                LinkError::Field(error) => error,
                _ => FieldError::new(b"s", FieldProblem::OutOfRange),
            })
        };
        let tracker = |value: &Value<'_>| {
            let url = value.as_text().ok_or(FieldError::new(b"t", FieldProblem::WrongType))?;
            record::visible_ascii(b"t", url, TRACKER_URL_BYTES_MAX)
        };
        Ok(Self {
            feed: feed_id(dict)?,
            added_s: dict.uint(b"a")?,
            muted: dict.uint_up_to(b"m", 1)? == 1,
            petname: name(b"n")?,
            suggested_name: name(b"u")?,
            seeders: seeders.iter().map(seeder).collect::<Result<_, _>>()?,
            trackers: trackers.iter().map(tracker).collect::<Result<_, _>>()?,
        })
    }
}

fn feed_id(dict: &Dict<'_>) -> Result<FeedId, FieldError> {
    FeedId::from_bytes(dict.array(b"f")?).map_err(|_| FieldError::new(b"f", FieldProblem::OutOfRange))
}

fn epoch_id(key: &[u8], value: &Value<'_>) -> Result<EpochId, FieldError> {
    let bytes = value.as_bytes().ok_or(FieldError::new(key, FieldProblem::WrongType))?;
    EpochId::from_slice(bytes).map_err(|_| FieldError::new(key, FieldProblem::WrongLength))
}

fn audience_name(key: &[u8], name: &[u8]) -> Result<Vec<u8>, FieldError> {
    if name.is_empty() || name.len() > AUDIENCE_NAME_BYTES_MAX {
        return Err(FieldError::new(key, FieldProblem::WrongLength));
    }
    Ok(name.to_vec())
}
