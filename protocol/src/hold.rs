//! Codes by which a seeder takes in a feed that it does not know. spec: HOLD-1

use std::fmt;
use std::str::FromStr;

use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32m, Hrp};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::crypto::HoldKey;
use crate::ids::WitnessKey;
use crate::limits::TYPED_TEXT_CHARS_MAX;

const PREFIX: Hrp = Hrp::parse_unchecked("hold");

const BYTES: usize = 56;

/// What the host of a seeder gives away, without the seeder's address: `hold1…`. spec: HOLD-1
#[derive(Clone, PartialEq, Eq)]
pub struct HoldCode {
    /// The key by which the seeder proves itself.
    pub witness: WitnessKey,
    /// Unix seconds from which on it is not good.
    pub expiry_s: u64,
    secret: Zeroizing<[u8; 16]>,
}

/// Why a text is no code: the typist's fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HoldCodeError {
    /// Too long for a code.
    #[error("the code is too long")]
    TooLong,
    /// Not bech32m with the prefix `hold`, or the checksum does not fit.
    #[error("the code is mistyped or incomplete")]
    Mistyped,
    /// Well typed, but not as many bytes as a code has.
    #[error("the code is of another version")]
    Length,
    /// Well typed, but the seeder's key in it is none.
    #[error("the code does not hold a usable key")]
    Key,
}

impl HoldCode {
    /// A code of the seeder with this key; `secret` must be random and used once.
    pub fn new(witness: WitnessKey, expiry_s: u64, secret: [u8; 16]) -> Self {
        Self { witness, expiry_s, secret: Zeroizing::new(secret) }
    }

    /// The key that proves that one has the code.
    pub fn key(&self) -> HoldKey {
        HoldKey::from_secret(&self.secret)
    }
}

impl fmt::Display for HoldCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Zeroizing::new([0; BYTES]);
        bytes[..32].copy_from_slice(self.witness.as_bytes());
        bytes[32..40].copy_from_slice(&self.expiry_s.to_be_bytes());
        bytes[40..].copy_from_slice(&*self.secret);
        bech32::encode_lower_to_fmt::<Bech32m, _>(f, PREFIX, &*bytes).map_err(|_| fmt::Error)
    }
}

impl fmt::Debug for HoldCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HoldCode(\u{2026})")
    }
}

impl FromStr for HoldCode {
    type Err = HoldCodeError;

    fn from_str(text: &str) -> Result<Self, HoldCodeError> {
        if text.len() > TYPED_TEXT_CHARS_MAX {
            return Err(HoldCodeError::TooLong);
        }
        let checked = CheckedHrpstring::new::<Bech32m>(text).map_err(|_| HoldCodeError::Mistyped)?;
        // 56 bytes fill 90 characters but for two bits, which have to be zero for the form to be the only one.
        if checked.hrp() != PREFIX || checked.validate_segwit_padding().is_err() {
            return Err(HoldCodeError::Mistyped);
        }
        let bytes: Zeroizing<Vec<u8>> = Zeroizing::new(checked.byte_iter().collect());
        let bytes: &[u8; BYTES] = bytes.as_slice().try_into().map_err(|_| HoldCodeError::Length)?;
        let (witness, rest) = bytes.split_first_chunk::<32>().expect("a code is longer");
        let (expiry, secret) = rest.split_first_chunk::<8>().expect("a code is longer");
        let witness = WitnessKey::from_bytes(*witness).map_err(|_| HoldCodeError::Key)?;
        let secret = secret.try_into().expect("a code ends with the secret");
        Ok(Self::new(witness, u64::from_be_bytes(*expiry), secret))
    }
}
