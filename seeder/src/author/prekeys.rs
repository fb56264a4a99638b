//! Prekeys of this device: published every week, kept for as long as a letter may be on its way, then erased. spec: MAIL-1, MAIL-2

use peerfeed_protocol::bencode::Dict;
use peerfeed_protocol::crypto::kdf::derive;
use peerfeed_protocol::crypto::{BoxKey, secretbox};
use peerfeed_protocol::feed::{Control, PrekeyNotice};
use peerfeed_protocol::ids::BoxPublic;
use peerfeed_protocol::limits::{PREKEY_KEPT_SECONDS, PREKEY_SECONDS};
use zeroize::Zeroizing;

use super::append::Page;
use super::{Author, AuthorError};
use crate::keys::Keys;
use crate::store::{OwnPrekey, Reading, WriteError};

impl Page<'_> {
    /// Publishes a prekey if the newest one is a week old, and erases those that are not needed any more.
    pub(super) fn renew_prekey(&mut self) -> Result<(), WriteError> {
        let now_s = self.now_ms() / 1_000;
        let held = self.txn.own_prekeys()?;
        let newest = held.iter().find(|prekey| prekey.next_s.is_none()).copied();
        // A clock that was set back must not keep a prekey for ever.
        if newest.is_none_or(|newest| now_s.abs_diff(newest.made_s) >= PREKEY_SECONDS) {
            let secret = BoxKey::from_bytes(self.entropy.bytes());
            let key = secret.public();
            self.control(&Control::Prekey(PrekeyNotice { key, unknown: Dict::new() }))?;
            if let Some(newest) = newest {
                self.txn.put_own_prekey(&OwnPrekey { next_s: Some(now_s), ..newest })?;
            }
            let sealed = secretbox::seal(&wrapping(self.keys, &key), &[0; 24], &*secret.to_bytes());
            let sealed = sealed.try_into().expect("32 bytes and a tag");
            self.txn.put_own_prekey(&OwnPrekey { key, sealed, made_s: now_s, next_s: None })?;
        }
        let over = |prekey: &OwnPrekey| prekey.next_s.is_some_and(|next| now_s >= next + PREKEY_KEPT_SECONDS);
        held.iter().filter(|prekey| over(prekey)).try_for_each(|prekey| self.txn.remove_own_prekey(prekey.key))?;
        Ok(())
    }
}

impl Author {
    /// Publishes a prekey if the newest one is a week old. Gives whether anything was written.
    pub fn renew_prekey(&self) -> Result<bool, AuthorError> {
        Ok(self.append(Vec::new())?.is_some())
    }

    /// The secrets of the prekeys to which letters may have been sealed.
    pub(super) fn prekey_secrets(&self) -> Result<Vec<BoxKey>, AuthorError> {
        let held = self.store.read()?.own_prekeys()?;
        let open = |prekey: &OwnPrekey| {
            let key = wrapping(&self.keys, &prekey.key);
            let secret = secretbox::open(&key, &[0; 24], &prekey.sealed).ok()?;
            Some(BoxKey::from_bytes(secret[..].try_into().ok()?))
        };
        Ok(held.iter().filter_map(open).collect())
    }
}

/// What a prekey's secret is sealed under in the store, so that the store alone opens no letter. spec: STORE-30
fn wrapping(keys: &Keys, prekey: &BoxPublic) -> Zeroizing<[u8; 32]> {
    derive(&*keys.device.seed(), "prekey", &[prekey.as_bytes()])
}
