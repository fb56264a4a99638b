//! For whom an entry is.

use crate::store::AudienceName;

/// Who may read an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Audience {
    /// Everyone who knows the feed id, seeders included.
    Public,
    /// All friends.
    #[default]
    Friends,
}

impl Audience {
    /// What it is called in the store; none for everyone, who need no grant.
    pub(super) fn name(self) -> Option<AudienceName> {
        match self {
            Self::Public => None,
            Self::Friends => Some(AudienceName::friends()),
        }
    }
}
