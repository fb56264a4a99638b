//! Control bodies: clear records that everybody reads, seeders included.

use thiserror::Error;

use super::body::type_and_version;
use super::epoch::SEALED_SECRET_BYTES;
use super::grant::{GrantRows, GrantRowsError};
use super::private::PrivateNotice;
use super::record;
use crate::bencode::{self, DecodeError, Dict, FieldError, FieldProblem, Value};
use crate::ids::{BoxPublic, EpochId};
use crate::limits::{BODY_BYTES_MAX, EARLIER_EPOCHS_MAX};

/// What a control entry says. spec: EPOCH-5 to EPOCH-7, MAIL-1, ENTRY-13, ENTRY-23
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// A new epoch begins: type `epoch`.
    Epoch(EpochStart),
    /// More grants for an epoch: type `grants`.
    Grants(Grants),
    /// The key to which letters for the log's device are sealed from now on: type `prekey`.
    Prekey(PrekeyNotice),
    /// A part of the owner's private state, which only the words open: type `private`.
    Private(PrivateNotice),
    /// A type or version that this program does not know: kept and served.
    Unknown {
        /// The type.
        name: String,
        /// Its version.
        version: u64,
        /// All other keys.
        fields: Dict<'static>,
    },
}

/// A new epoch. spec: EPOCH-5
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochStart {
    /// Its id.
    pub epoch: EpochId,
    /// The epochs that it takes up, each with its secret sealed under this one; at most 64.
    pub earlier: Vec<EarlierEpoch>,
    /// Its secret, sealed to each friend's device.
    pub grants: GrantRows,
    /// Keys of later versions, kept as they came.
    pub unknown: Dict<'static>,
}

/// An earlier epoch's secret, sealed under a later one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarlierEpoch {
    /// Which epoch.
    pub epoch: EpochId,
    /// Tag, then the sealed secret.
    pub sealed: [u8; SEALED_SECRET_BYTES],
}

/// More grants for an epoch that began before. spec: EPOCH-7
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grants {
    /// Which epoch.
    pub epoch: EpochId,
    /// Its secret or read key, sealed to each friend's device.
    pub grants: GrantRows,
    /// Keys of later versions, kept as they came.
    pub unknown: Dict<'static>,
}

/// A device's next prekey. spec: MAIL-1
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrekeyNotice {
    /// The key.
    pub key: BoxPublic,
    /// Keys of later versions, kept as they came.
    pub unknown: Dict<'static>,
}

/// Why a control body is not accepted: the fault of who wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ControlError {
    /// Too long or not canonical bencode.
    #[error("control entry is not canonical bencode within its limit")]
    Bencode(#[from] DecodeError),
    /// No dictionary.
    #[error("control entry is not a dictionary")]
    NotADictionary,
    /// A field is missing or not what it must be.
    #[error("control entry is malformed")]
    Field(#[from] FieldError),
    /// The grant rows are not what they must be.
    #[error("control entry has malformed grants")]
    Grants(#[from] GrantRowsError),
}

impl Control {
    /// Its canonical bytes, which are the body; fails if they break a limit: the caller's fault.
    pub fn encode(&self) -> Result<Vec<u8>, ControlError> {
        let (name, version, mut dict) = match self {
            Self::Epoch(start) => (EpochStart::TYPE, 1, start.to_dict()),
            Self::Grants(grants) => (Grants::TYPE, 1, grants.to_dict()),
            Self::Prekey(notice) => (PrekeyNotice::TYPE, 1, notice.to_dict()),
            Self::Private(notice) => (PrivateNotice::TYPE, 1, notice.to_dict()),
            Self::Unknown { name, version, fields } => (name.as_str(), *version, fields.clone()),
        };
        dict.insert(b"t", name.to_owned());
        dict.insert(b"v", version);
        let bytes = dict.encode();
        Self::decode(&bytes)?;
        Ok(bytes)
    }

    /// Reads the body of a control entry.
    pub fn decode(bytes: &[u8]) -> Result<Self, ControlError> {
        let value = bencode::decode(bytes, BODY_BYTES_MAX)?;
        let dict = value.as_dict().ok_or(ControlError::NotADictionary)?;
        Ok(match type_and_version(dict)? {
            (EpochStart::TYPE, 1) => Self::Epoch(EpochStart::from_dict(dict)?),
            (Grants::TYPE, 1) => Self::Grants(Grants::from_dict(dict)?),
            (PrekeyNotice::TYPE, 1) => Self::Prekey(PrekeyNotice::from_dict(dict)?),
            (PrivateNotice::TYPE, 1) => Self::Private(PrivateNotice::from_dict(dict)?),
            (name, version) => {
                Self::Unknown { name: name.to_owned(), version, fields: record::unknown(dict, &[b"t", b"v"]) }
            }
        })
    }
}

impl EpochStart {
    const TYPE: &'static str = "epoch";

    fn to_dict(&self) -> Dict<'static> {
        let earlier: Vec<_> = self.earlier.iter().map(EarlierEpoch::to_value).collect();
        let mut dict = self.unknown.clone();
        dict.insert(b"e", self.epoch);
        dict.insert(b"g", self.grants.as_bytes().to_vec());
        dict.insert(b"p", earlier);
        dict
    }

    fn from_dict(dict: &Dict<'_>) -> Result<Self, ControlError> {
        let earlier = dict.list(b"p")?;
        record::at_most(b"p", earlier, EARLIER_EPOCHS_MAX)?;
        Ok(Self {
            epoch: epoch_id(dict)?,
            earlier: earlier.iter().map(EarlierEpoch::from_value).collect::<Result<_, _>>()?,
            grants: GrantRows::decode(dict.bytes(b"g")?)?,
            unknown: record::unknown(dict, &[b"e", b"g", b"p", b"t", b"v"]),
        })
    }
}

impl EarlierEpoch {
    fn to_value(&self) -> Value<'static> {
        Value::from(vec![Value::from(self.epoch), Value::from(self.sealed)])
    }

    fn from_value(value: &Value<'_>) -> Result<Self, FieldError> {
        let malformed = || FieldError::new(b"p", FieldProblem::WrongType);
        let [epoch, sealed] = value.as_list().ok_or_else(malformed)? else { return Err(malformed()) };
        let bytes = |value: &Value<'_>| value.as_bytes().map(<[u8]>::to_vec).ok_or_else(malformed);
        let epoch = EpochId::from_slice(&bytes(epoch)?).map_err(|_| malformed())?;
        Ok(Self { epoch, sealed: bytes(sealed)?.try_into().map_err(|_| malformed())? })
    }
}

impl Grants {
    const TYPE: &'static str = "grants";

    fn to_dict(&self) -> Dict<'static> {
        let mut dict = self.unknown.clone();
        dict.insert(b"e", self.epoch);
        dict.insert(b"g", self.grants.as_bytes().to_vec());
        dict
    }

    fn from_dict(dict: &Dict<'_>) -> Result<Self, ControlError> {
        Ok(Self {
            epoch: epoch_id(dict)?,
            grants: GrantRows::decode(dict.bytes(b"g")?)?,
            unknown: record::unknown(dict, &[b"e", b"g", b"t", b"v"]),
        })
    }
}

impl PrekeyNotice {
    const TYPE: &'static str = "prekey";

    fn to_dict(&self) -> Dict<'static> {
        let mut dict = self.unknown.clone();
        dict.insert(b"k", self.key);
        dict
    }

    fn from_dict(dict: &Dict<'_>) -> Result<Self, ControlError> {
        let key = BoxPublic::new(dict.array(b"k")?);
        Ok(Self { key, unknown: record::unknown(dict, &[b"k", b"t", b"v"]) })
    }
}

/// The public epoch is implicit: no entry starts it or grants it. spec: EPOCH-4
fn epoch_id(dict: &Dict<'_>) -> Result<EpochId, FieldError> {
    match EpochId::new(dict.array(b"e")?) {
        EpochId::PUBLIC => Err(FieldError::new(b"e", FieldProblem::OutOfRange)),
        epoch => Ok(epoch),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Entropy;

    fn start() -> EpochStart {
        EpochStart {
            epoch: EpochId::new([1; 16]),
            earlier: vec![EarlierEpoch { epoch: EpochId::new([2; 16]), sealed: [3; 48] }],
            grants: GrantRows::padded(Vec::new(), &mut Entropy::from_seed([4; 32])).unwrap(),
            unknown: Dict::new().with(b"zz", 9),
        }
    }

    #[test]
    fn control_records_are_read_as_they_were_written_with_unknown_keys() {
        let grants =
            Grants { epoch: EpochId::new([1; 16]), grants: start().grants, unknown: Dict::new().with(b"y", 1) };
        let fields = Dict::new().with(b"n", 1);
        let unknown = Control::Unknown { name: "delete".to_owned(), version: 1, fields };
        let prekey = Control::Prekey(PrekeyNotice { key: BoxPublic::new([8; 32]), unknown: Dict::new().with(b"y", 1) });
        for control in [Control::Epoch(start()), Control::Grants(grants), prekey, unknown] {
            assert_eq!(Control::decode(&control.encode().unwrap()), Ok(control));
        }
    }

    #[test]
    fn the_public_epoch_cannot_be_started() {
        let start = EpochStart { epoch: EpochId::PUBLIC, ..start() };
        assert!(matches!(Control::Epoch(start).encode(), Err(ControlError::Field(_))));
    }

    #[test]
    fn an_epoch_takes_up_a_bounded_number_of_earlier_ones() {
        let earlier = EarlierEpoch { epoch: EpochId::new([2; 16]), sealed: [3; 48] };
        let full = EpochStart { earlier: vec![earlier.clone(); EARLIER_EPOCHS_MAX], ..start() };
        assert!(Control::Epoch(full).encode().is_ok());
        let over = EpochStart { earlier: vec![earlier; EARLIER_EPOCHS_MAX + 1], ..start() };
        assert!(Control::Epoch(over).encode().is_err());
    }
}
