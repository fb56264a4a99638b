//! What an announcement that is about to come will look at in a large swarm.

use super::luck::Luck;
use super::many::Many;
use super::map::{Keys, Presence};

/// Whose place is looked for, and which peers will be drawn.
#[derive(Clone, Debug)]
pub(super) struct Sight {
    /// Of the asker's network.
    pub(super) hash: u64,
    /// Where the asker is.
    pub(super) is_seed: bool,
    /// No seeds are drawn.
    pub(super) skips_seeds: bool,
    /// How many are drawn.
    pub(super) want: usize,
    pub(super) luck: Luck,
}

/// The peers of a large swarm that are of one family.
#[derive(Clone, Copy)]
pub(super) enum Large<'a> {
    V4(&'a Many<6>),
    V6(&'a Many<18>),
}

impl Large<'_> {
    /// See [`Many::approach`].
    pub(super) fn approach(self, sight: &Sight) {
        match self {
            Self::V4(many) => many.approach(sight),
            Self::V6(many) => many.approach(sight),
        }
    }

    /// See [`Many::fetch`].
    pub(super) fn fetch(self, sight: &Sight) {
        match self {
            Self::V4(many) => many.fetch(sight),
            Self::V6(many) => many.fetch(sight),
        }
    }
}

impl Sight {
    /// Of an announcement that wants so many peers.
    pub(super) fn of(presence: Presence, keys: Keys, want: usize, luck: &Luck) -> Self {
        let skips_seeds = matches!(presence, Presence::Seed | Presence::PartialSeed);
        Self { hash: keys.peer, is_seed: presence == Presence::Seed, skips_seeds, want, luck: luck.clone() }
    }
}
