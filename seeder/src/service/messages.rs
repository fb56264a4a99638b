//! Messages for one friend: `dm`.

use std::path::PathBuf;

use super::Service;
use super::lists::in_names;
use super::names::Names;
use super::publishing::{blocking, sealing};
use crate::api::{Failure, Replies};
use crate::author::Letter;
use crate::ui::Safe;

impl Service {
    pub(super) async fn message(
        &self,
        to: &str,
        text: String,
        files: Vec<PathBuf>,
        wait_ms: Option<u64>,
        replies: &Replies,
    ) -> Result<(), Failure> {
        let author = self.author().await?;
        let names = Names::load(self)?;
        let letter = Letter { to: names.find(to)?, text, files };
        let (shown, feed) = (replies.clone(), letter.to);
        let writer = author.clone();
        let work =
            move || Ok::<_, Failure>(writer.message(&letter, &mut |progress| shown.progress(sealing(&progress))));
        let place = blocking(work).await?.map_err(|error| in_names(&names, error))?;
        let friend = blocking(move || author.friend(feed)).await?;
        self.posted(place, wait_ms, replies).await?;
        if friend.is_some_and(|friend| friend.devices == 0) {
            let name = Safe::line(&names.shown(feed)).to_string();
            replies.note(format!("the key goes out once their feed was fetched: `peerfeed fetch {name}`")).await;
        }
        Ok(())
    }
}
