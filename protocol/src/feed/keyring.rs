//! The keyring: the epochs of a feed that a reader knows, and the one that an entry belongs to.

use std::sync::atomic::{AtomicUsize, Ordering};

use thiserror::Error;
use zeroize::Zeroizing;

use super::control::EpochStart;
use super::epoch::{EarlierSecretError, EntryKey, EpochSecret, ReadKey};
use super::grant::Granted;
use super::leaf::{Class, LeafHeader};
use super::sealed::{self, OpenBodyError};
use crate::ids::{EntryPlace, EpochId, FeedId};

/// The epochs of one feed that a reader has keys of; the public one always among them. spec: EPOCH-10
#[derive(Debug)]
pub struct Keyring {
    feed: FeedId,
    known: Vec<KnownEpoch>,
    /// Where the last search ended: entries that are read one after the other are mostly of one epoch.
    last: AtomicUsize,
}

/// An epoch that a reader has keys of.
#[derive(Clone, Debug)]
pub struct KnownEpoch {
    /// Which epoch.
    pub id: EpochId,
    /// Its secret; absent when only the read key was granted.
    pub secret: Option<EpochSecret>,
    /// What opens its entries.
    pub read: ReadKey,
}

/// Why an entry cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// None of the known epochs is the entry's: it is for other people, or the key is still to come.
    #[error("no known key opens the entry")]
    NoKey,
    /// The key was found and the body still does not open.
    #[error("the entry does not open")]
    Open(#[from] OpenBodyError),
}

impl Keyring {
    /// A keyring with the public epoch alone.
    pub fn new(feed: FeedId) -> Self {
        let mut keyring = Self { feed, known: Vec::new(), last: AtomicUsize::new(0) };
        keyring.add_secret(EpochId::PUBLIC, EpochSecret::public(&feed));
        keyring
    }

    /// The feed.
    pub fn feed(&self) -> &FeedId {
        &self.feed
    }

    /// The known epochs, in the order in which they became known.
    pub fn epochs(&self) -> &[KnownEpoch] {
        &self.known
    }

    /// The epoch with this id, if it is known.
    pub fn epoch(&self, id: &EpochId) -> Option<&KnownEpoch> {
        self.known.iter().find(|known| known.id == *id)
    }

    /// Adds an epoch's secret. Gives whether it told anything new; a secret for an epoch that is known by another one is
    /// passed over.
    pub fn add_secret(&mut self, id: EpochId, secret: EpochSecret) -> bool {
        let read = secret.read_key(&self.feed);
        match self.known.iter_mut().find(|known| known.id == id) {
            None => {
                self.known.push(KnownEpoch { id, secret: Some(secret), read });
                true
            }
            Some(known) if known.secret.is_none() && known.read == read => {
                known.secret = Some(secret);
                true
            }
            Some(_) => false,
        }
    }

    /// Adds what a grant gave. Gives whether it told anything new.
    pub fn add_granted(&mut self, id: EpochId, granted: Granted) -> bool {
        match granted {
            Granted::Secret(secret) => self.add_secret(id, secret),
            Granted::ReadKey(_) if self.epoch(&id).is_some() => false,
            Granted::ReadKey(read) => {
                self.known.push(KnownEpoch { id, secret: None, read });
                true
            }
        }
    }

    /// Opens the earlier epochs that `start` seals, if its own secret is known. Gives the ids that are new; each may open
    /// further ones in the control entry that started it. spec: EPOCH-6
    pub fn learn(&mut self, start: &EpochStart) -> Result<Vec<EpochId>, EarlierSecretError> {
        let Some(secret) = self.epoch(&start.epoch).and_then(|known| known.secret.clone()) else {
            return Ok(Vec::new());
        };
        let mut learnt = Vec::new();
        for earlier in &start.earlier {
            let opened = secret.open_earlier(&self.feed, &earlier.epoch, &earlier.sealed)?;
            if self.add_secret(earlier.epoch, opened) {
                learnt.push(earlier.epoch);
            }
        }
        Ok(learnt)
    }

    /// The key of the entry at `place` and the epoch it belongs to, found by the header's hint and commitment.
    ///
    /// Each epoch tried costs one key derivation, about two microseconds; the one that fitted last is tried first. spec: EPOCH-10
    pub fn find(&self, place: &EntryPlace, header: &LeafHeader) -> Option<(&KnownEpoch, EntryKey)> {
        let Class::Sealed { hint, commitment } = header.class() else { return None };
        if place.feed != self.feed {
            return None;
        }
        let last = self.last.load(Ordering::Relaxed).min(self.known.len() - 1);
        let newest_first = (0..self.known.len()).rev().filter(|at| *at != last);
        std::iter::once(last).chain(newest_first).find_map(|at| {
            let known = &self.known[at];
            let key = known.read.entry_key(place);
            key.fits(&hint, &commitment).then(|| {
                self.last.store(at, Ordering::Relaxed);
                (known, key)
            })
        })
    }

    /// Opens the entry at `place`: gives its content, still to be decoded, and the epoch that it is of. spec: ENTRY-10
    pub fn open(
        &self,
        place: &EntryPlace,
        header: &LeafHeader,
        body: &[u8],
    ) -> Result<(EpochId, Zeroizing<Vec<u8>>), ReadError> {
        let (known, key) = self.find(place, header).ok_or(ReadError::NoKey)?;
        Ok((known.id, sealed::open_body(&key, header, body)?))
    }
}
