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

#[cfg(test)]
mod tests {
    use peerfeed_protocol::crypto::Entropy;

    use super::*;
    use crate::store::{Options, Store};

    const DAY_S: u64 = 86_400;

    /// What `renew_prekey` does on a day counted from `begun_s`; the prekeys that open letters afterwards, oldest first.
    fn on_day(author: &Author, begun_s: u64, days: u64) -> Vec<BoxPublic> {
        let (keys, mut entropy) =
            (std::sync::Arc::clone(&author.keys), Entropy::from_seed([u8::try_from(days).unwrap(); 32]));
        author
            .store
            .write_blocking(move |txn| {
                let mut page = Page::open(txn, &keys, &mut entropy, (begun_s + days * DAY_S) * 1_000)?;
                page.renew_prekey()?;
                page.close()
            })
            .unwrap();
        author.index().unwrap();
        let mut held = author.store.read().unwrap().own_prekeys().unwrap();
        held.sort_by_key(|prekey| prekey.made_s);
        let opening: Vec<BoxPublic> = author.prekey_secrets().unwrap().iter().map(BoxKey::public).collect();
        assert!(held.iter().all(|prekey| opening.contains(&prekey.key)) && opening.len() == held.len());
        held.iter().map(|prekey| prekey.key).collect()
    }

    #[test]
    fn a_prekey_is_followed_by_the_next_after_a_week_and_erased_a_month_later() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &Options::default()).unwrap();
        let author = crate::author::init(&store, None, &[]).unwrap().author;
        let first = store.read().unwrap().own_prekeys().unwrap()[0];
        let published = |count: usize| {
            let prekeys = store.read().unwrap().prekeys(author.feed()).unwrap();
            assert_eq!(prekeys.len(), 1, "one of each device");
            assert_eq!(store.read().unwrap().own_prekeys().unwrap().len(), count);
            prekeys[0].1
        };
        assert_eq!(on_day(&author, first.made_s, 6), [first.key]);
        assert_eq!(published(1), first.key);
        let two = on_day(&author, first.made_s, 7);
        assert_eq!((two.len(), two[0]), (2, first.key), "letters that are on their way still open");
        assert_eq!(published(2), two[1], "the feed tells the new one");
        let third = on_day(&author, first.made_s, 14);
        assert_eq!(third[..2], two[..]);
        // Thirty-one days after the next one was published, and not before.
        assert_eq!(on_day(&author, first.made_s, 7 + 30)[0], first.key);
        let later = on_day(&author, first.made_s, 7 + 31);
        assert!(!later.contains(&first.key) && later.contains(&two[1]), "erased, and none but it");
        let last = on_day(&author, first.made_s, 200);
        assert_eq!(last.len(), 2, "the newest, and the one before it: {last:?}");
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_keep_a_prekey_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &Options::default()).unwrap();
        let author = crate::author::init(&store, None, &[]).unwrap().author;
        let first = store.read().unwrap().own_prekeys().unwrap()[0];
        assert_eq!(on_day(&author, first.made_s - 100 * DAY_S, 0).len(), 2);
    }
}
