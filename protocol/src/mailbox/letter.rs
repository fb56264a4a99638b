//! Letters: what a packet holds, signed by who wrote it.

use thiserror::Error;

use super::token::{Token, TokenError};
use crate::bencode::{self, DecodeError, Dict, FieldError, FieldProblem, Value};
use crate::crypto::{DeviceKey, SignatureError, SignedBytes, SignedError};
use crate::feed::{RecordError, Records};
use crate::ids::{BoxPublic, DeviceId, FeedId, KeyError};
use crate::limits::{DEVICES_MAX, NAME_BYTES_MAX, PACKET_BYTES, TYPE_CHARS_MAX};

const SIGNED_AS: &str = "letter";

/// A letter whose sender was verified: a device of the feed that the records are of. spec: MAIL-7
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// What it says.
    pub kind: LetterKind,
    /// The sender's manifest and roster.
    pub records: Records,
    /// The device that signed it; when one is written, the device that will.
    pub device: DeviceId,
    /// How the sender wants to be called: at most 100 bytes.
    pub name: Option<String>,
    /// A token for the sender's mailbox.
    pub token: Option<Token>,
    /// An invitation of the recipient's.
    pub invitation: Option<Token>,
    /// Prekeys of the sender's devices; at most 64.
    pub prekeys: Vec<Prekey>,
    /// When it was written, by the sender's clock, in unix seconds.
    pub written_s: u64,
}

/// What a letter says. spec: MAIL-8
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LetterKind {
    /// Asks to be friends.
    Request,
    /// The two are friends.
    Accept,
    /// They will not be.
    Refuse,
    /// A type or version that this program does not know.
    Other,
}

/// A key to which packets for a device are sealed. spec: MAIL-1
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prekey {
    /// The device.
    pub device: DeviceId,
    /// Its newest prekey.
    pub key: BoxPublic,
}

/// Why a letter is not accepted: the fault of who wrote it, or of who sent it on.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LetterError {
    /// Too short.
    #[error("the letter is cut off")]
    Envelope(#[from] SignedError),
    /// Not canonical bencode.
    #[error("the letter is not canonical bencode")]
    Bencode(#[from] DecodeError),
    /// No dictionary.
    #[error("the letter is not a dictionary")]
    NotADictionary,
    /// A field is missing or not what it must be.
    #[error("the letter is malformed")]
    Field(#[from] FieldError),
    /// A key in it is none.
    #[error("the letter holds an unusable key")]
    Key(#[from] KeyError),
    /// A token in it is none.
    #[error("the letter holds a malformed token")]
    Token(#[from] TokenError),
    /// Manifest and roster of the sender.
    #[error("the sender's records are not acceptable")]
    Records(#[from] RecordError),
    /// Taken out of another packet.
    #[error("the letter was written for another packet")]
    OtherPacket,
    /// The sender's roster does not list the device, or lists it as revoked.
    #[error("the letter is from a device that its feed does not list")]
    OtherDevice,
    /// Not signed by the device, or for another recipient.
    #[error("the letter is not signed by who it claims, or not for this feed")]
    Signature(#[from] SignatureError),
}

impl Letter {
    /// The sender's feed.
    pub fn feed(&self) -> &FeedId {
        self.records.manifest().feed()
    }

    /// Signs it for the recipient `to`, bound to the head of its packet. spec: MAIL-7
    pub(super) fn sign(&self, sender: &DeviceKey, to: &FeedId, head: &[u8; 32]) -> Result<Vec<u8>, LetterError> {
        let prekeys: Vec<_> =
            self.prekeys.iter().map(|prekey| vec![Value::from(prekey.device), Value::from(prekey.key)]).collect();
        let prekeys: Vec<_> = prekeys.into_iter().map(Value::from).collect();
        let dict = Dict::new()
            .with(b"d", sender.id())
            .with(b"f", self.feed().to_bytes())
            .with(b"h", *head)
            .with_optional(b"i", self.invitation.as_ref().map(|token| token.as_bytes().to_vec()))
            .with_optional(b"k", self.token.as_ref().map(|token| token.as_bytes().to_vec()))
            .with(b"m", self.records.manifest().bytes())
            .with_optional(b"n", self.name.as_deref())
            .with(b"p", prekeys)
            .with(b"r", self.records.roster().bytes())
            .with(b"t", self.kind.name())
            .with(b"v", 1)
            .with(b"w", self.written_s);
        let bytes = dict.encode();
        Self::read(&bytes, to, head, None)?;
        Ok(SignedBytes::join(&sender.sign(SIGNED_AS, to, &bytes), &bytes))
    }

    /// Reads the letter that came to `to` in the packet with this head. spec: MAIL-7, MAIL-8
    pub(super) fn decode(bytes: &[u8], to: &FeedId, head: &[u8; 32]) -> Result<Self, LetterError> {
        let signed = SignedBytes::split(bytes)?;
        Self::read(signed.unverified(), to, head, Some(&signed))
    }

    /// What the dictionary says; `signed` is what its signature is checked on, none for one that is only being written.
    fn read(bytes: &[u8], to: &FeedId, head: &[u8; 32], signed: Option<&SignedBytes<'_>>) -> Result<Self, LetterError> {
        let value = bencode::decode(bytes, PACKET_BYTES[PACKET_BYTES.len() - 1])?;
        let dict = value.as_dict().ok_or(LetterError::NotADictionary)?;
        if dict.array(b"h")? != *head {
            return Err(LetterError::OtherPacket);
        }
        let feed = FeedId::from_bytes(dict.array(b"f")?)?;
        let device = DeviceId::from_bytes(dict.array(b"d")?)?;
        let records = Records::decode(&feed, dict.bytes(b"m")?, dict.bytes(b"r")?)?;
        if records.roster().device(&device).is_none_or(|listed| listed.ends.is_some()) {
            return Err(LetterError::OtherDevice);
        }
        if let Some(signed) = signed {
            signed.verify(&device, SIGNED_AS, to)?;
        }
        let name = dict.optional_text(b"n")?.map(str::to_owned);
        if name.as_ref().is_some_and(|name| name.len() > NAME_BYTES_MAX) {
            return Err(FieldError::new(b"n", FieldProblem::WrongLength).into());
        }
        let token = |key| dict.optional_bytes(key).map(|bytes| bytes.map(Token::from_slice).transpose());
        let prekeys = dict.list(b"p")?;
        if prekeys.len() > DEVICES_MAX {
            return Err(FieldError::new(b"p", FieldProblem::WrongLength).into());
        }
        Ok(Self {
            kind: LetterKind::read(dict.text(b"t")?, dict.uint(b"v")?)?,
            device,
            name,
            token: token(b"k")??,
            invitation: token(b"i")??,
            prekeys: prekeys.iter().map(Prekey::read).collect::<Result<_, _>>()?,
            written_s: dict.uint(b"w")?,
            records,
        })
    }
}

impl LetterKind {
    fn name(&self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Accept => "accept",
            Self::Refuse => "refuse",
            Self::Other => "other",
        }
    }

    fn read(name: &str, version: u64) -> Result<Self, FieldError> {
        if name.is_empty() || name.len() > TYPE_CHARS_MAX {
            return Err(FieldError::new(b"t", FieldProblem::WrongLength));
        }
        Ok(match (name, version) {
            ("request", 1) => Self::Request,
            ("accept", 1) => Self::Accept,
            ("refuse", 1) => Self::Refuse,
            _ => Self::Other,
        })
    }
}

impl Prekey {
    fn read(value: &Value<'_>) -> Result<Self, LetterError> {
        let malformed = || FieldError::new(b"p", FieldProblem::WrongType);
        let [device, key] = value.as_list().ok_or_else(malformed)? else { return Err(malformed().into()) };
        let array = |value: &Value<'_>| value.as_bytes().and_then(|bytes| bytes.try_into().ok()).ok_or_else(malformed);
        Ok(Self { device: DeviceId::from_bytes(array(device)?)?, key: BoxPublic::new(array(key)?) })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::crypto::{BoxKey, IdentityKey};
    use crate::feed::{Device, LogEnd, ManifestContent, RosterContent};
    use crate::ids::Incarnation;
    use crate::merkle::Hash;

    const HEAD: [u8; 32] = [5; 32];

    pub(in super::super) fn sender() -> DeviceKey {
        DeviceKey::from_seed(&[2; 32])
    }

    pub(in super::super) fn recipient() -> FeedId {
        IdentityKey::from_seed(&[7; 32]).feed_id()
    }

    fn records(ends: Option<Vec<LogEnd>>) -> Records {
        let identity = IdentityKey::from_seed(&[1; 32]);
        let mut device = Device::new(sender().id(), BoxKey::from_bytes([3; 32]).public());
        device.ends = ends;
        let roster = RosterContent::first(device).sign(&identity).unwrap();
        Records::new(ManifestContent::first(roster.digest(), [0; 32]).sign(&identity).unwrap(), roster).unwrap()
    }

    pub(in super::super) fn letter() -> Letter {
        Letter {
            kind: LetterKind::Request,
            records: records(None),
            device: sender().id(),
            name: Some("Ben".to_owned()),
            token: None,
            invitation: None,
            prekeys: vec![Prekey { device: sender().id(), key: BoxPublic::new([9; 32]) }],
            written_s: 1_700_000_000,
        }
    }

    #[test]
    fn a_letter_is_read_as_it_was_written_by_who_it_is_for() {
        for kind in [LetterKind::Request, LetterKind::Accept, LetterKind::Refuse, LetterKind::Other] {
            let letter = Letter { kind, ..letter() };
            let bytes = letter.sign(&sender(), &recipient(), &HEAD).unwrap();
            assert_eq!(Letter::decode(&bytes, &recipient(), &HEAD), Ok(letter.clone()));
            let other = *letter.feed();
            assert!(matches!(Letter::decode(&bytes, &other, &HEAD), Err(LetterError::Signature(_))), "sent on");
            assert_eq!(Letter::decode(&bytes, &recipient(), &[6; 32]), Err(LetterError::OtherPacket));
        }
    }

    #[test]
    fn nobody_writes_in_anothers_name() {
        let stranger = DeviceKey::from_seed(&[66; 32]);
        assert_eq!(letter().sign(&stranger, &recipient(), &HEAD), Err(LetterError::OtherDevice));
        let bytes = letter().sign(&sender(), &recipient(), &HEAD).unwrap();
        let record = SignedBytes::split(&bytes).unwrap().unverified();
        let forged = SignedBytes::join(&stranger.sign(SIGNED_AS, &recipient(), record), record);
        assert!(matches!(Letter::decode(&forged, &recipient(), &HEAD), Err(LetterError::Signature(_))));
    }

    #[test]
    fn a_revoked_device_writes_no_letters() {
        let end = LogEnd { incarnation: Incarnation::new([1; 8]), size: 1, root: Hash::new([1; 32]) };
        let letter = Letter { records: records(Some(vec![end])), ..letter() };
        assert_eq!(letter.sign(&sender(), &recipient(), &HEAD), Err(LetterError::OtherDevice));
    }

    #[test]
    fn a_name_over_its_limit_is_refused() {
        let letter = Letter { name: Some("n".repeat(NAME_BYTES_MAX + 1)), ..letter() };
        assert!(matches!(letter.sign(&sender(), &recipient(), &HEAD), Err(LetterError::Field(_))));
    }
}
