//! Writing to one's own feed: keys, entries, files, and the records that say where the feed is.
//!
//! What belongs together is written in one job of the store, so that a crash leaves all of it or nothing. The chunks of
//! attached files come before the entry that refers to them; those of a post that was never finished are freed when the
//! store is next opened.
//!
//! Everything here blocks, for it reads files and waits for the disk: call it from `spawn_blocking`.

mod append;
mod attach;
mod error;
mod init;
mod key_file;
mod keys;
mod media_type;
mod post;
mod records;

pub use attach::SealProgress;
pub use error::AuthorError;
pub use init::{NewIdentity, init};
pub use post::{Audience, Draft};

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use peerfeed_protocol::crypto::{BoxKey, Entropy};
use peerfeed_protocol::feed::EpochSecret;
use peerfeed_protocol::ids::{DeviceId, EpochId, FeedId};

use crate::store::{Reading, Store};
use keys::Keys;

/// The device of this data folder, ready to write to its feed.
#[derive(Clone)]
pub struct Author {
    store: Store,
    keys: Arc<Keys>,
}

impl Author {
    /// Loads the keys of the data folder; none if `init` was never run, or never finished.
    pub fn open(store: &Store) -> Result<Option<Self>, AuthorError> {
        let Some(keys) = Keys::load(store)? else { return Ok(None) };
        Ok(Some(Self { store: store.clone(), keys: Arc::new(keys) }))
    }

    /// The own feed.
    pub fn feed(&self) -> FeedId {
        self.keys.feed
    }

    /// This device.
    pub fn device(&self) -> DeviceId {
        self.keys.device.id()
    }

    /// The key with which this device seals grants, and to which others seal theirs.
    pub fn box_key(&self) -> &BoxKey {
        &self.keys.box_key
    }

    /// The epoch in which posts for friends are written, with its secret: what a link with key carries. It is begun if
    /// there is none yet.
    pub fn friends_epoch(&self) -> Result<(EpochId, EpochSecret), AuthorError> {
        if let Some(epoch) = self.known_friends_epoch()? {
            return Ok(epoch);
        }
        self.append(vec![append::Item::BeginFriends])?;
        self.known_friends_epoch()?.ok_or(AuthorError::FriendsEpoch)
    }

    fn known_friends_epoch(&self) -> Result<Option<(EpochId, EpochSecret)>, AuthorError> {
        let txn = self.store.read()?;
        let Some(epoch) = txn.own_log(self.feed())?.and_then(|own| own.friends_epoch) else { return Ok(None) };
        let keyring = txn.keyring(self.feed())?;
        Ok(keyring.epoch(&epoch).and_then(|known| known.secret.clone()).map(|secret| (epoch, secret)))
    }
}

/// A generator seeded by the system.
fn system_entropy() -> Result<Entropy, AuthorError> {
    let mut seed = zeroize::Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).map_err(AuthorError::Randomness)?;
    Ok(Entropy::from_seed(*seed))
}

/// Unix milliseconds; 0 before 1970.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
