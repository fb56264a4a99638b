//! A profile: how the owner of a feed wants to be called.

use super::{BodyError, text_up_to};
use crate::bencode::Dict;
use crate::limits::NAME_BYTES_MAX;

/// How the owner wants to be called; the newest profile of a feed counts. spec: ENTRY-17
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// The display name: at most 100 bytes.
    pub name: String,
}

impl Profile {
    pub(super) const TYPE: &'static str = "profile";
    pub(super) const VERSION: u64 = 1;
    pub(super) const KEYS: [&'static [u8]; 1] = [b"n"];

    pub(super) fn write(&self, dict: &mut Dict<'static>) -> u64 {
        dict.insert(b"n", self.name.clone());
        Self::VERSION
    }

    pub(super) fn read(dict: &Dict<'_>) -> Result<Self, BodyError> {
        Ok(Self { name: text_up_to(b"n", dict.text(b"n")?, NAME_BYTES_MAX)? })
    }
}
