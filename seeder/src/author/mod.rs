//! Writing to one's own feed: keys, entries, files, and the records that say where the feed is.
//!
//! What belongs together is written in one job of the store, so that a crash leaves all of it or nothing. The chunks of
//! attached files come before the entry that refers to them; those of a post that was never finished are freed when the
//! store is next opened.
//!
//! Everything here blocks, for it reads files and waits for the disk: call it from `spawn_blocking`.

mod append;
mod asking;
mod attach;
mod belongings;
mod epochs;
mod error;
mod export;
mod friends;
mod init;
mod join;
mod letters;
mod lists;
mod media_type;
mod message;
mod post;
mod prekeys;
mod private;
mod records;

pub use crate::store::Audience;
pub use asking::Asking;
pub use attach::SealProgress;
pub use error::AuthorError;
pub use export::{Exported, export};
pub use friends::{Accepted, Friend};
pub use init::{NewIdentity, init, init_cold};
pub use join::{JoinOptions, Joined, join};
pub use letters::News;
pub use lists::{LIST_NAME_BYTES_MAX, List};
pub use message::Letter;
pub use post::Draft;
pub use private::Restored;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use peerfeed_protocol::crypto::{DeviceKey, Entropy, OwnerKey, Phrase};
use peerfeed_protocol::feed::EpochSecret;
use peerfeed_protocol::ids::{DeviceId, EpochId, FeedId};

use crate::keys::Keys;
use crate::store::{AudienceName, Reading, Store};

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

    /// The same, able to sign for the feed as whoever has these words. Refused for the words of another feed.
    pub fn with_words(&self, phrase: &Phrase) -> Result<Self, AuthorError> {
        if phrase.identity().feed_id() != self.feed() {
            return Err(AuthorError::OtherWords);
        }
        let owner = if self.manifest()?.successor().is_some() {
            OwnerKey::successor(phrase)
        } else {
            OwnerKey::Identity(phrase.identity())
        };
        Ok(Self { store: self.store.clone(), keys: Arc::new(self.keys.with_owner(owner)) })
    }

    /// Whether the identity's key is here, to sign for where the feed is found.
    pub fn signs(&self) -> bool {
        self.keys.owner.is_some()
    }

    /// The own feed.
    pub fn feed(&self) -> FeedId {
        self.keys.feed
    }

    /// This device.
    pub fn device(&self) -> DeviceId {
        self.keys.device.id()
    }

    /// The key by which this device proves itself.
    pub(crate) fn device_key(&self) -> Arc<DeviceKey> {
        Arc::new(DeviceKey::from_seed(&self.keys.device.seed()))
    }

    /// The epoch in which the next post for friends is written, with its secret: what a link with key carries. It is begun
    /// if need be.
    pub fn friends_epoch(&self) -> Result<(EpochId, EpochSecret), AuthorError> {
        self.append(vec![append::Item::FriendsEpoch])?;
        let txn = self.store.read()?;
        let epoch = txn.audience(&AudienceName::friends())?.epoch.ok_or(AuthorError::EpochLost)?;
        let secret = txn.keyring(self.feed())?.epoch(&epoch).and_then(|known| known.secret.clone());
        Ok((epoch, secret.ok_or(AuthorError::EpochLost)?))
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
