//! Tokens: who holds one may write into a mailbox.

use std::fmt;

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::crypto::{DeviceKey, Entropy, Signature, SignatureError, verify};
use crate::feed::Roster;
use crate::ids::{DeviceId, FeedId, KeyError};

const SIGNED_AS: &str = "mailbox-token";
const SIGNED_BYTES: usize = 1 + 16 + 8 + 32;

/// What a token lets in. spec: MAIL-11
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// The packets of somebody who is known.
    Contact,
    /// One packet of whoever was handed it.
    Invitation,
}

/// A token, its signature not checked. It is a secret of its holder: `Debug` shows none of it. spec: MAIL-10
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    bytes: [u8; Token::LENGTH],
    kind: TokenKind,
    device: DeviceId,
}

/// By which a token is known to who keeps a mailbox. spec: MAIL-10
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenHash(pub [u8; 32]);

/// Why bytes are no token that lets anybody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TokenError {
    /// Not as long as a token.
    #[error("a token of {0} bytes, which none has")]
    Length(usize),
    /// Of a kind that this program does not know.
    #[error("token of an unknown kind {0}")]
    Kind(u8),
    /// The key in it is none.
    #[error("token with an unusable key")]
    Key(#[from] KeyError),
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its device is not one of this feed's, or no longer.
    #[error("the token was made for another feed, or by a device that was revoked")]
    OtherDevice,
    /// Somebody else made or changed it.
    #[error("the token is not signed by its device")]
    Signature(#[from] SignatureError),
}

impl Token {
    /// Bytes of a token.
    pub const LENGTH: usize = SIGNED_BYTES + Signature::LENGTH;

    /// A new token for the mailbox of `feed`, good until `expiry` in unix seconds.
    pub fn issue(device: &DeviceKey, feed: &FeedId, kind: TokenKind, expiry: u64, entropy: &mut Entropy) -> Self {
        let mut bytes = [0; Self::LENGTH];
        bytes[0] = kind.byte();
        bytes[1..17].copy_from_slice(&entropy.bytes::<16>());
        bytes[17..25].copy_from_slice(&expiry.to_be_bytes());
        bytes[25..57].copy_from_slice(device.id().as_bytes());
        let signature = device.sign(SIGNED_AS, feed, &bytes[..SIGNED_BYTES]);
        bytes[SIGNED_BYTES..].copy_from_slice(signature.as_bytes());
        Self { bytes, kind, device: device.id() }
    }

    /// The token that these bytes are; whether it lets anybody in, [`Self::check`] tells.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, TokenError> {
        let bytes: [u8; Self::LENGTH] = bytes.try_into().map_err(|_| TokenError::Length(bytes.len()))?;
        let kind = match bytes[0] {
            0 => TokenKind::Contact,
            1 => TokenKind::Invitation,
            other => return Err(TokenError::Kind(other)),
        };
        let device = DeviceId::from_slice(&bytes[25..57])?;
        Ok(Self { bytes, kind, device })
    }

    /// The bytes, as secret as the token.
    pub fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.bytes
    }

    /// What it lets in.
    pub fn kind(&self) -> TokenKind {
        self.kind
    }

    /// From when on it is not good, unix seconds.
    pub fn expiry(&self) -> u64 {
        u64::from_be_bytes(*self.bytes[17..].first_chunk().expect("eight bytes and more"))
    }

    /// By which it is known.
    pub fn hash(&self) -> TokenHash {
        let digest = Sha256::new().chain_update(b"peerfeed/1/mailbox-token-hash\0").chain_update(self.bytes);
        TokenHash(digest.finalize().into())
    }

    /// Whether a device of this roster that is not revoked made it, and it is good at `now`, in unix seconds.
    pub fn check(&self, roster: &Roster, now: u64) -> Result<(), TokenError> {
        if now >= self.expiry() {
            return Err(TokenError::Expired);
        }
        let lists = |device: &crate::feed::Device| device.id == self.device && device.ends.is_none();
        if !roster.devices().iter().any(lists) {
            return Err(TokenError::OtherDevice);
        }
        let (signed, signature) = self.bytes.split_last_chunk::<{ Signature::LENGTH }>().expect("longer than it");
        Ok(verify(&self.device, SIGNED_AS, roster.feed(), signed, &Signature::new(*signature))?)
    }
}

impl TokenKind {
    fn byte(self) -> u8 {
        match self {
            Self::Contact => 0,
            Self::Invitation => 1,
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("kind", &self.kind).field("expiry", &self.expiry()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{BoxKey, IdentityKey};
    use crate::feed::{Device, RosterContent};

    fn roster(identity: u8, device: u8) -> Roster {
        let device = Device::new(DeviceKey::from_seed(&[device; 32]).id(), BoxKey::from_bytes([3; 32]).public());
        RosterContent::first(device).sign(&IdentityKey::from_seed(&[identity; 32])).unwrap()
    }

    fn token() -> Token {
        let feed = IdentityKey::from_seed(&[1; 32]).feed_id();
        let mut entropy = Entropy::from_seed([9; 32]);
        Token::issue(&DeviceKey::from_seed(&[2; 32]), &feed, TokenKind::Invitation, 1_000, &mut entropy)
    }

    #[test]
    fn a_token_is_good_for_its_feed_until_it_expires() {
        let token = Token::from_slice(token().as_bytes()).unwrap();
        assert_eq!((token.kind(), token.expiry()), (TokenKind::Invitation, 1_000));
        assert_eq!(token.check(&roster(1, 2), 999), Ok(()));
        assert_eq!(token.check(&roster(1, 2), 1_000), Err(TokenError::Expired));
        assert_eq!(token.check(&roster(1, 5), 999), Err(TokenError::OtherDevice));
        assert!(matches!(token.check(&roster(4, 2), 999), Err(TokenError::Signature(_))), "signed for another feed");
    }

    #[test]
    fn a_token_with_any_bit_changed_lets_nobody_in() {
        for bit in 0..Token::LENGTH * 8 {
            let mut bytes = *token().as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let verdict = Token::from_slice(&bytes).and_then(|token| token.check(&roster(1, 2), 999));
            assert!(verdict.is_err(), "bit {bit}");
        }
    }

    #[test]
    fn two_tokens_have_two_hashes_and_debug_shows_neither() {
        let mut other = *token().as_bytes();
        other[3] ^= 1;
        assert_ne!(Token::from_slice(&other).unwrap().hash(), token().hash());
        assert_eq!(format!("{:?}", token()), "Token { kind: Invitation, expiry: 1000, .. }");
    }
}
