//! Changing where the feed says that it is found.

use std::sync::Arc;

use peerfeed_protocol::feed::{Manifest, ManifestContent, Records, SeederAddress};
use peerfeed_protocol::limits::{SEEDERS_MAX, TRACKERS_MAX};

use super::{Author, AuthorError};
use crate::store::{Reading, WriteError};

impl Author {
    /// The manifest that is in force.
    pub fn manifest(&self) -> Result<Manifest, AuthorError> {
        let records = self.store.read()?.records(self.feed())?;
        records.map(|records| records.manifest().clone()).ok_or(AuthorError::RecordsLost)
    }

    /// Lists a seeder, or replaces the one at this address or with this key. Gives the manifest in force afterwards.
    pub fn add_seeder(&self, seeder: SeederAddress) -> Result<Manifest, AuthorError> {
        self.change(move |manifest| {
            if manifest.seeders.contains(&seeder) {
                return Ok(());
            }
            manifest.seeders.retain(|held| held.address != seeder.address && held.witness != seeder.witness);
            if manifest.seeders.len() >= SEEDERS_MAX {
                return Err(AuthorError::TooManySeeders);
            }
            manifest.seeders.push(seeder.clone());
            Ok(())
        })
    }

    /// Lists a seeder no more. Gives whether it was listed.
    pub fn remove_seeder(&self, address: &str) -> Result<bool, AuthorError> {
        let listed = self.manifest()?.content().seeders.iter().any(|seeder| seeder.address == address);
        let address = address.to_owned();
        self.change(move |manifest| {
            manifest.seeders.retain(|seeder| seeder.address != address);
            Ok(())
        })?;
        Ok(listed)
    }

    /// Names a tracker. Gives the manifest in force afterwards.
    pub fn add_tracker(&self, url: &str) -> Result<Manifest, AuthorError> {
        let url = url.to_owned();
        self.change(move |manifest| {
            if manifest.trackers.contains(&url) {
                return Ok(());
            }
            if manifest.trackers.len() >= TRACKERS_MAX {
                return Err(AuthorError::TooManyTrackers);
            }
            manifest.trackers.push(url.clone());
            Ok(())
        })
    }

    /// Names a tracker no more. Gives whether it was named.
    pub fn remove_tracker(&self, url: &str) -> Result<bool, AuthorError> {
        let named = self.manifest()?.content().trackers.iter().any(|held| held == url);
        let url = url.to_owned();
        self.change(move |manifest| {
            manifest.trackers.retain(|held| *held != url);
            Ok(())
        })?;
        Ok(named)
    }

    /// Signs the next manifest with what `change` makes of the one in force; none when nothing changed.
    fn change(
        &self,
        change: impl Fn(&mut ManifestContent) -> Result<(), AuthorError> + Send + 'static,
    ) -> Result<Manifest, AuthorError> {
        let keys = Arc::clone(&self.keys);
        self.store.write_blocking(move |txn| {
            let Some(held) = txn.records(keys.feed)? else { return Ok(Err(AuthorError::RecordsLost)) };
            match next(&held, &keys, &change) {
                Ok(records) => {
                    if records.manifest().number() > held.manifest().number() {
                        txn.put_records(&records)?;
                    }
                    Ok::<_, WriteError>(Ok(records.manifest().clone()))
                }
                Err(error) => Ok(Err(error)),
            }
        })?
    }
}

fn next(
    held: &Records,
    keys: &crate::keys::Keys,
    change: &impl Fn(&mut ManifestContent) -> Result<(), AuthorError>,
) -> Result<Records, AuthorError> {
    let mut content = held.manifest().content().clone();
    change(&mut content)?;
    if content == *held.manifest().content() {
        return Ok(held.clone());
    }
    let owner = keys.owner.as_ref().ok_or(AuthorError::NoIdentity)?;
    if owner.signer().as_ref() != held.manifest().successor() {
        return Err(AuthorError::TakenBack);
    }
    content.number += 1;
    Ok(Records::new(content.sign_as(owner)?, held.roster().clone())?)
}
