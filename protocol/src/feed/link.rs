//! Links: all that a friend needs to find, and with a key to read, a feed.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

use super::epoch::EpochSecret;
use super::manifest::tracker_url;
use super::record;
use crate::bencode::{self, DecodeError, Dict, FieldError, FieldProblem, Value};
use crate::ids::{EpochId, FeedId, FeedIdError, KeyError, WitnessKey};
use crate::limits::{ADDRESS_BYTES_MAX, LINK_BYTES_MAX, NAME_BYTES_MAX, SEEDERS_MAX, TRACKERS_MAX};
use crate::mailbox::{Token, TokenError};

const SCHEME: &str = "peerfeed:";
const CHECKSUM_BYTES: usize = 4;

/// A link `peerfeed:…`, or what a bare feed id amounts to. spec: LINK-1 to LINK-6
///
/// With a key or an invitation in it, the link is a secret: `Debug` shows none of it, and there is no `Display`; see [`Link::to_text`].
#[derive(Clone, PartialEq, Eq)]
pub struct Link {
    /// The feed.
    pub feed: FeedId,
    /// The secret of an epoch, for who may read.
    pub key: Option<(EpochId, EpochSecret)>,
    /// When the link ceases to be good, in unix seconds.
    pub expiry: Option<u64>,
    /// What lets in one request to be friends.
    pub invitation: Option<Token>,
    /// What the owner suggests to call the feed: at most 100 bytes.
    pub name: Option<String>,
    /// Where the feed is seeded; at most 4.
    pub seeders: Vec<LinkSeeder>,
    /// URLs of trackers; at most 4.
    pub trackers: Vec<String>,
}

/// A seeder as a link names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkSeeder {
    /// `HOST:PORT` or `IP:PORT`: visible ASCII, at most 100 bytes.
    pub address: String,
    /// The key by which it proves itself, if the owner knew it.
    pub witness: Option<WitnessKey>,
}

/// Why a text is no link: the fault of who typed it, or of who made it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LinkError {
    /// Neither a link nor a feed id.
    #[error("neither a link (peerfeed:\u{2026}) nor a feed id (feed1\u{2026})")]
    Neither,
    /// A feed id that was mistyped.
    #[error(transparent)]
    FeedId(#[from] FeedIdError),
    /// Longer than any link.
    #[error("the link is too long")]
    TooLong,
    /// A character that no link has.
    #[error("the link has a character at place {at} that no link has")]
    Character {
        /// Which one, counted from 1.
        at: usize,
    },
    /// The checksum does not fit.
    #[error("the link is mistyped or incomplete: its checksum does not fit; copy all of it again")]
    Checksum,
    /// Of a version that this program does not know.
    #[error("the link was made by a newer version of this program (link version {0})")]
    Version(u64),
    /// Well copied, but not canonical bencode.
    #[error("the link holds no record")]
    Bencode(#[from] DecodeError),
    /// Well copied, but a field is missing or not what it must be.
    #[error("the link holds a malformed record")]
    Field(#[from] FieldError),
    /// Well copied, but the invitation in it is none.
    #[error("the link holds a malformed invitation")]
    Invitation(#[from] TokenError),
    /// Well copied, but a key in it is not acceptable.
    #[error("the link holds an unusable key")]
    Key(#[from] KeyError),
}

impl Link {
    /// A link to the bare feed.
    pub fn new(feed: FeedId) -> Self {
        Self { feed, key: None, expiry: None, invitation: None, name: None, seeders: Vec::new(), trackers: Vec::new() }
    }

    /// The link to hand out; fails if anything in it is over its limit: the caller's fault. With a key in it, the text is as
    /// secret as the key. spec: LINK-1, LINK-2
    pub fn to_text(&self) -> Result<Zeroizing<String>, LinkError> {
        let mut payload = Zeroizing::new(self.to_dict().encode());
        Self::from_payload(&payload)?;
        let checksum = checksum(&payload);
        payload.extend_from_slice(&checksum);
        let mut text = Zeroizing::new(String::with_capacity(SCHEME.len() + payload.len() * 4 / 3 + 4));
        text.push_str(SCHEME);
        URL_SAFE_NO_PAD.encode_string(&payload[..], &mut text);
        Ok(text)
    }

    /// Whether the link is good at `now`, in unix seconds.
    pub fn is_good_at(&self, now: u64) -> bool {
        self.expiry.is_none_or(|expiry| now < expiry)
    }

    fn to_dict(&self) -> Dict<'_> {
        let key = self.key.as_ref().map(|(epoch, secret)| vec![Value::from(*epoch), Value::from(secret.expose())]);
        let seeders: Vec<_> = self.seeders.iter().map(|seeder| Value::from(seeder.to_dict())).collect();
        let trackers: Vec<_> = self.trackers.iter().map(|url| Value::from(url.as_str())).collect();
        Dict::new()
            .with_optional(b"e", self.expiry)
            .with(b"f", self.feed)
            .with_optional(b"i", self.invitation.as_ref().map(|token| token.as_bytes().to_vec()))
            .with_optional(b"k", key)
            .with_optional(b"n", self.name.as_deref())
            .with(b"s", seeders)
            .with(b"t", trackers)
            .with(b"v", 1)
    }

    fn from_payload(payload: &[u8]) -> Result<Self, LinkError> {
        let value = bencode::decode(payload, LINK_BYTES_MAX)?;
        let dict = value.as_dict().ok_or(FieldError::new(b"v", FieldProblem::Missing))?;
        match dict.uint(b"v")? {
            1 => {}
            version => return Err(LinkError::Version(version)),
        }
        let (seeders, trackers) = (dict.list(b"s")?, dict.list(b"t")?);
        record::at_most(b"s", seeders, SEEDERS_MAX)?;
        record::at_most(b"t", trackers, TRACKERS_MAX)?;
        let name = dict.optional_text(b"n")?.map(str::to_owned);
        if name.as_ref().is_some_and(|name| name.len() > NAME_BYTES_MAX) {
            return Err(FieldError::new(b"n", FieldProblem::WrongLength).into());
        }
        Ok(Self {
            feed: FeedId::from_bytes(dict.array(b"f")?)?,
            key: dict.optional_list(b"k")?.map(epoch_key).transpose()?,
            expiry: dict.optional_uint(b"e")?,
            invitation: dict.optional_bytes(b"i")?.map(Token::from_slice).transpose()?,
            name,
            seeders: seeders.iter().map(LinkSeeder::from_value).collect::<Result<_, _>>()?,
            trackers: trackers.iter().map(tracker_url).collect::<Result<_, _>>()?,
        })
    }
}

impl FromStr for Link {
    type Err = LinkError;

    /// Reads a link or a bare feed id; white space around and line breaks within, as mail programs make them, do not matter.
    /// spec: LINK-1 to LINK-3, LINK-5
    fn from_str(text: &str) -> Result<Self, LinkError> {
        if text.len() > 2 * LINK_BYTES_MAX {
            return Err(LinkError::TooLong);
        }
        let text: Zeroizing<String> = Zeroizing::new(text.chars().filter(|c| !c.is_whitespace()).collect());
        let scheme = text.get(..SCHEME.len()).filter(|scheme| scheme.eq_ignore_ascii_case(SCHEME));
        let Some(scheme) = scheme else {
            let looks_like_feed_id = text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("feed1"));
            return if looks_like_feed_id { Ok(Self::new(text.parse()?)) } else { Err(LinkError::Neither) };
        };
        let encoded = &text[scheme.len()..];
        if let Some(at) = encoded.chars().position(|c| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')) {
            return Err(LinkError::Character { at: scheme.len() + at + 1 });
        }
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(encoded).map_err(|_| LinkError::Checksum)?);
        let (payload, sum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(LinkError::Checksum)?;
        if *sum != checksum(payload) {
            return Err(LinkError::Checksum);
        }
        Self::from_payload(payload)
    }
}

impl LinkSeeder {
    pub(super) fn to_dict(&self) -> Dict<'_> {
        Dict::new().with(b"a", self.address.as_str()).with_optional(b"k", self.witness)
    }

    pub(super) fn from_value(value: &Value<'_>) -> Result<Self, LinkError> {
        let dict = value.as_dict().ok_or(FieldError::new(b"s", FieldProblem::WrongType))?;
        Ok(Self {
            address: record::visible_ascii(b"a", dict.text(b"a")?, ADDRESS_BYTES_MAX)?,
            witness: dict.optional_array(b"k")?.map(WitnessKey::from_bytes).transpose()?,
        })
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("feed", &self.feed).field("with_key", &self.key.is_some()).finish_non_exhaustive()
    }
}

fn epoch_key(items: &[Value<'_>]) -> Result<(EpochId, EpochSecret), FieldError> {
    let malformed = || FieldError::new(b"k", FieldProblem::WrongType);
    let [epoch, secret] = items else { return Err(malformed()) };
    let epoch = EpochId::from_slice(epoch.as_bytes().ok_or_else(malformed)?).map_err(|_| malformed())?;
    let secret = secret.as_bytes().and_then(|bytes| bytes.try_into().ok()).ok_or_else(malformed)?;
    Ok((epoch, EpochSecret::new(secret)))
}

/// Four bytes that a mistake does not get past. spec: LINK-2
fn checksum(payload: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest = Sha256::new().chain_update(b"peerfeed/1/link\0").chain_update(payload).finalize();
    *digest.first_chunk().expect("a digest is longer than a checksum")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{DeviceKey, Entropy, IdentityKey, WitnessSecret};
    use crate::mailbox::TokenKind;

    fn feed() -> FeedId {
        IdentityKey::from_seed(&[1; 32]).feed_id()
    }

    fn full() -> Link {
        let witness = WitnessSecret::from_seed(&[2; 32]).key();
        Link {
            feed: feed(),
            key: Some((EpochId::new([3; 16]), EpochSecret::new([4; 32]))),
            expiry: Some(2_000_000_000),
            invitation: Some(Token::issue(
                &DeviceKey::from_seed(&[5; 32]),
                &feed(),
                TokenKind::Invitation,
                2_000_000_000,
                &mut Entropy::from_seed([6; 32]),
            )),
            name: Some("n".repeat(NAME_BYTES_MAX)),
            seeders: vec![LinkSeeder { address: "a".repeat(ADDRESS_BYTES_MAX), witness: Some(witness) }; SEEDERS_MAX],
            trackers: vec!["t".repeat(crate::limits::TRACKER_URL_BYTES_MAX); TRACKERS_MAX],
        }
    }

    #[test]
    fn the_fullest_link_and_the_barest_are_read_as_they_were_made() {
        for link in [full(), Link::new(feed())] {
            assert_eq!(link.to_text().unwrap().parse(), Ok(link));
        }
    }

    #[test]
    fn a_bare_feed_id_is_a_link_too() {
        assert_eq!(feed().to_string().parse(), Ok(Link::new(feed())));
        assert!(matches!("feed1qqqq".parse::<Link>(), Err(LinkError::FeedId(_))));
    }

    #[test]
    fn line_breaks_and_spaces_of_a_mail_program_do_not_matter() {
        let text = full().to_text().unwrap();
        let (start, end) = text.split_at(70);
        assert_eq!(format!("  {start}\r\n {end}\n").parse(), Ok(full()));
    }

    #[test]
    fn every_changed_or_missing_character_is_noticed() {
        let text = Link::new(feed()).to_text().unwrap();
        for at in SCHEME.len()..text.len() {
            let mut broken = text.to_string().into_bytes();
            broken[at] = if broken[at] == b'A' { b'B' } else { b'A' };
            let broken = String::from_utf8(broken).unwrap();
            assert!(broken.parse::<Link>().is_err(), "character {at}");
            assert!(text[..at].parse::<Link>().is_err(), "cut at {at}");
        }
    }

    #[test]
    fn each_mistake_has_its_own_message() {
        assert_eq!("hello".parse::<Link>(), Err(LinkError::Neither));
        assert_eq!("".parse::<Link>(), Err(LinkError::Neither));
        assert_eq!("peerfeed:ab+c".parse::<Link>(), Err(LinkError::Character { at: 12 }));
        assert_eq!("peerfeed:".parse::<Link>(), Err(LinkError::Checksum));
        assert_eq!("p".repeat(100_000).parse::<Link>(), Err(LinkError::TooLong));
    }

    #[test]
    fn a_later_version_is_named_as_such() {
        let payload = Dict::new().with(b"v", 2).encode();
        let bytes = [&payload[..], &checksum(&payload)].concat();
        let text = format!("{SCHEME}{}", URL_SAFE_NO_PAD.encode(bytes));
        assert_eq!(text.parse::<Link>(), Err(LinkError::Version(2)));
    }

    #[test]
    fn a_link_ends_at_its_expiry() {
        assert!(full().is_good_at(1_999_999_999) && !full().is_good_at(2_000_000_000));
        assert!(Link::new(feed()).is_good_at(u64::MAX));
    }

    #[test]
    fn a_link_does_not_print_its_key() {
        let text = format!("{:?}", full());
        assert!(text.contains("with_key: true") && !text.contains("4, 4"), "{text}");
    }
}
