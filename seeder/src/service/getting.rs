//! An entry's files, on this disk: `get`.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use peerfeed_protocol::feed::{Attachment, BlobRef};
use peerfeed_protocol::ids::{EntryPlace, FeedId};

use super::Service;
use super::names::Names;
use super::publishing::blocking;
use crate::api::{self, Failure, Progress as Shown, Replies, Reply, Stage};
use crate::node::{FreshChunks, Progress};
use crate::reader::{self, EntryState, FileError, FileWriter};
use crate::store::{Reading, Store};
use crate::ui::Safe;

/// Characters of an entry id that are enough to try.
const PREFIX_CHARS_MIN: usize = 4;

impl Service {
    pub(super) async fn get(&self, entry: &str, out: &Path, timeout_ms: u64, replies: &Replies) -> Result<(), Failure> {
        self.open_keys()?;
        self.index().await?;
        let place = self.find_entry(entry)?;
        let found = reader::read_entry(&self.store().read()?, place)?;
        let found = found.ok_or_else(|| Failure::no("this entry is not here any more"))?;
        match found.state {
            EntryState::Sealed => {
                return Err(Failure::no("this entry is sealed, and its key is not on this machine")
                    .hint("ask its author for a link with the key, then `peerfeed add LINK`"));
            }
            EntryState::BodyMissing => {
                return Err(Failure::no("this entry is not fetched yet").hint("`peerfeed fetch` gets it"));
            }
            _ if found.attachments.is_empty() => return Err(Failure::no("this entry has no files")),
            _ => {}
        }
        std::fs::create_dir_all(out).map_err(|error| {
            Failure::failed(format!("cannot make the folder {}: {error}", out.display()))
                .hint("give another one with `--out DIR`")
        })?;
        for attachment in found.attachments {
            let file = self.bring(place.feed, attachment, out.to_owned(), timeout_ms, replies).await?;
            replies.send(Reply::File(file)).await;
        }
        Ok(())
    }

    fn find_entry(&self, text: &str) -> Result<EntryPlace, Failure> {
        let text = text.trim().to_ascii_lowercase();
        let unknown = || {
            Failure::failed(format!("no entry here has the id {}", Safe::line(&text)))
                .hint("`peerfeed read` shows the ids; `peerfeed fetch` gets what is new")
        };
        let valid = text.bytes().all(|byte| byte.is_ascii_lowercase() || (b'2'..=b'7').contains(&byte));
        if !valid || text.len() > 16 {
            return Err(unknown());
        }
        if text.len() < PREFIX_CHARS_MIN {
            return Err(Failure::failed(format!("{PREFIX_CHARS_MIN} characters of an id are the least"))
                .hint("`peerfeed read` shows the ids"));
        }
        match self.store().read()?.entries_by_id_prefix(&text, 2)?.as_slice() {
            [] => Err(unknown()),
            [place] => Ok(*place),
            _ => Err(Failure::failed(format!("more than one entry's id begins with {text}"))
                .hint("give more characters: `peerfeed read` shows them")),
        }
    }

    /// Writes a file, while it is fetched if it is not in the store.
    async fn bring(
        &self,
        feed: FeedId,
        attachment: Attachment,
        out: PathBuf,
        timeout_ms: u64,
        replies: &Replies,
    ) -> Result<api::File, Failure> {
        let blob = attachment.blob().map_err(|error| Failure::of(&error))?;
        let is_held = self.store().read()?.blob(feed, blob)?.is_some_and(|row| row.is_complete());
        let (fresh, come) = mpsc::channel();
        let name = attachment.name.clone();
        let (store, told) = (self.store().clone(), replies.clone());
        let writing = blocking(move || write_as_it_comes(&store, feed, attachment, &out, &come, &told));
        let fetching = async {
            // The writer looks for the rest in the store when nobody is left who could bring it more.
            if is_held {
                drop(fresh);
                Ok(())
            } else {
                self.fetch_file(feed, blob, &name, timeout_ms, fresh, replies).await
            }
        };
        let ((), file) = tokio::try_join!(fetching, writing)?;
        Ok(file)
    }

    async fn fetch_file(
        &self,
        feed: FeedId,
        blob: BlobRef,
        name: &str,
        timeout_ms: u64,
        fresh: mpsc::Sender<FreshChunks>,
        replies: &Replies,
    ) -> Result<(), Failure> {
        let timeout = Duration::from_millis(timeout_ms);
        let mut work = self.node().fetch_blob(feed, blob.root, blob.size.bytes(), timeout, Some(fresh));
        replies.progress(Shown { what: name.to_owned(), ..Shown::default() });
        let mut last = None;
        while let Some(progress) = work.recv().await {
            match progress {
                Progress::Done(_) => {
                    super::fetching::completed(last, replies).await;
                    return Ok(());
                }
                Progress::Failed(failure) => return Err(Names::load(self)?.in_words(failure.into())),
                working @ Progress::Working { .. } => {
                    let shown = super::fetching::shown(name, &working);
                    last = shown.filter(|shown| shown.stage != Stage::Entries).or(last);
                    last.iter().cloned().for_each(|shown| replies.progress(shown));
                }
            }
        }
        Err(Failure::failed("the work was broken off"))
    }
}

/// Writes what comes of a file, and then the rest, which is in the store.
fn write_as_it_comes(
    store: &Store,
    feed: FeedId,
    attachment: Attachment,
    out: &Path,
    come: &mpsc::Receiver<FreshChunks>,
    replies: &Replies,
) -> Result<api::File, FileError> {
    let (what, size_bytes) = (attachment.name.clone(), attachment.size_bytes);
    let mut writer = FileWriter::create(feed, attachment, out)?;
    while let Ok(fresh) = come.recv() {
        writer.write_fresh(&fresh.chunks)?;
    }
    writer.write_held(store, &mut |written| {
        let (done, total) = (written.done_bytes, written.total_bytes);
        replies.progress(Shown { what: what.clone(), stage: Stage::Writing, done, total, peers: 0 });
    })?;
    let path = writer.finish(out)?;
    Ok(api::File { path: path.display().to_string(), size_bytes })
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Storage(error) => error.into(),
            FileError::Io { .. } => Self::of(&error).hint("give another folder with `--out DIR`"),
            error => Self::of(&error),
        }
    }
}
