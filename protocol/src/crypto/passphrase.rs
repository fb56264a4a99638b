//! A key made from a passphrase, slowly, so that guessing is dear.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use thiserror::Error;
use zeroize::Zeroizing;

use super::kdf::derive;
use crate::limits::{
    PASSPHRASE_BYTES_MAX, PASSPHRASE_CHARS_MIN, PASSPHRASE_LANES_MAX, PASSPHRASE_MEMORY_KIB_MAX, PASSPHRASE_PASSES_MAX,
};

/// Why a text is no passphrase, or a cost none that is paid: the typist's fault, or that of who wrote the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PassphraseError {
    /// Fewer characters than resist guessing at all.
    #[error("a passphrase has at least {PASSPHRASE_CHARS_MIN} characters")]
    TooShort,
    /// More bytes than anybody types.
    #[error("a passphrase has at most {PASSPHRASE_BYTES_MAX} bytes")]
    TooLong,
    /// A cost beyond what is paid: opening the file would take all memory or hours.
    #[error("the file asks for more memory or time than is given to opening it")]
    Cost,
}

/// What stretching a passphrase costs, and the salt that makes each file's key its own. spec: SEAL-2
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PassphraseCost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: [u8; 16],
}

impl PassphraseCost {
    /// What is paid for files written now: 64 MiB and three passes, as RFC 9106 recommends where memory is scarce.
    pub fn usual(salt: [u8; 16]) -> Self {
        Self { memory_kib: 64 * 1_024, passes: 3, lanes: 1, salt }
    }

    /// A cost read from a file. spec: SEAL-3
    pub fn new(memory_kib: u64, passes: u64, lanes: u64, salt: [u8; 16]) -> Result<Self, PassphraseError> {
        let within = |value: u64, min: u32, max: u32| {
            u32::try_from(value).ok().filter(|value| (min..=max).contains(value)).ok_or(PassphraseError::Cost)
        };
        let lanes = within(lanes, 1, PASSPHRASE_LANES_MAX)?;
        Ok(Self {
            memory_kib: within(memory_kib, 8 * lanes, PASSPHRASE_MEMORY_KIB_MAX)?,
            passes: within(passes, 1, PASSPHRASE_PASSES_MAX)?,
            lanes,
            salt,
        })
    }

    /// Memory, in KiB.
    pub fn memory_kib(&self) -> u32 {
        self.memory_kib
    }

    /// Passes over it.
    pub fn passes(&self) -> u32 {
        self.passes
    }

    /// Lanes that may run side by side.
    pub fn lanes(&self) -> u32 {
        self.lanes
    }

    /// The salt.
    pub fn salt(&self) -> &[u8; 16] {
        &self.salt
    }

    /// Stretches a passphrase with Argon2id: some tenths of a second, on purpose. spec: SEAL-2
    pub fn stretch(&self, passphrase: &str) -> Result<PassphraseKey, PassphraseError> {
        if passphrase.len() > PASSPHRASE_BYTES_MAX {
            return Err(PassphraseError::TooLong);
        }
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(32));
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.map_err(|_| PassphraseError::Cost)?);
        let mut key = Zeroizing::new([0; 32]);
        let stretched = argon.hash_password_into(passphrase.as_bytes(), &self.salt, &mut *key);
        stretched.map_err(|_| PassphraseError::Cost)?;
        Ok(PassphraseKey(key))
    }
}

/// Refuses a new passphrase that could be guessed at once, or that is too long.
pub fn check_new_passphrase(passphrase: &str) -> Result<(), PassphraseError> {
    if passphrase.chars().count() < PASSPHRASE_CHARS_MIN {
        return Err(PassphraseError::TooShort);
    }
    if passphrase.len() > PASSPHRASE_BYTES_MAX { Err(PassphraseError::TooLong) } else { Ok(()) }
}

/// What a passphrase gives; erased from memory when dropped, never printed.
#[derive(Clone)]
pub struct PassphraseKey(Zeroizing<[u8; 32]>);

impl PassphraseKey {
    /// The key for sealed files of this kind. spec: SEAL-4
    pub(super) fn for_kind(&self, kind: &str) -> Zeroizing<[u8; 32]> {
        derive(&*self.0, &format!("sealed-{kind}"), &[])
    }
}

impl fmt::Debug for PassphraseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PassphraseKey(\u{2026})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_beyond_the_bounds_is_refused_before_it_is_paid() {
        let cost = |memory, passes, lanes| PassphraseCost::new(memory, passes, lanes, [1; 16]);
        assert!(cost(64 * 1_024, 3, 4).is_ok());
        let bad =
            [(0, 3, 4), (31, 3, 4), (1 << 40, 3, 4), (262_145, 3, 4), (65_536, 0, 4), (65_536, 17, 4), (65_536, 3, 0)];
        for (memory, passes, lanes) in bad {
            assert_eq!(cost(memory, passes, lanes), Err(PassphraseError::Cost), "{memory} {passes} {lanes}");
        }
    }

    #[test]
    fn a_new_passphrase_is_neither_short_nor_endless() {
        assert_eq!(check_new_passphrase("1234567"), Err(PassphraseError::TooShort));
        assert_eq!(check_new_passphrase(&"x".repeat(1_025)), Err(PassphraseError::TooLong));
        assert_eq!(check_new_passphrase("correct horse"), Ok(()));
    }

    #[test]
    fn one_passphrase_gives_each_salt_and_each_kind_a_key_of_its_own() {
        let small = |salt| PassphraseCost::new(32, 1, 1, [salt; 16]).unwrap().stretch("correct horse").unwrap();
        assert_eq!(small(1).for_kind("a"), small(1).for_kind("a"));
        assert_ne!(small(1).for_kind("a"), small(2).for_kind("a"));
        assert_ne!(small(1).for_kind("a"), small(1).for_kind("b"));
        assert_eq!(format!("{:?}", small(1)), "PassphraseKey(\u{2026})");
    }
}
