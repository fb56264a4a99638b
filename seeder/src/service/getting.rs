//! An entry's files, on this disk: `get`.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use peerfeed_protocol::feed::Attachment;
use peerfeed_protocol::ids::{EntryPlace, FeedId};
use sha2::{Digest, Sha256};

use super::Service;
use super::names::Names;
use super::publishing::blocking;
use crate::api::{self, Failure, Progress as Shown, Replies, Reply, Stage};
use crate::node::Progress;
use crate::reader::{self, EntryState, FileError};
use crate::store::Reading;
use crate::ui::{Safe, hex};

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
            self.bring(place.feed, &attachment, timeout_ms, replies).await?;
            let file = self.write_file(place.feed, attachment, out.to_owned(), replies).await?;
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

    /// Sees to it that all of a file is in the store.
    async fn bring(
        &self,
        feed: FeedId,
        attachment: &Attachment,
        timeout_ms: u64,
        replies: &Replies,
    ) -> Result<(), Failure> {
        let blob = attachment.blob().map_err(|error| Failure::of(&error))?;
        if self.store().read()?.blob(feed, blob)?.is_some_and(|row| row.is_complete()) {
            return Ok(());
        }
        let timeout = Duration::from_millis(timeout_ms);
        let mut work = self.node().fetch_blob(feed, blob.root, blob.size.bytes(), timeout);
        replies.progress(Shown { what: attachment.name.clone(), ..Shown::default() });
        let mut last = None;
        while let Some(progress) = work.recv().await {
            match progress {
                Progress::Done(_) => {
                    super::fetching::completed(last, replies).await;
                    return Ok(());
                }
                Progress::Failed(failure) => return Err(Names::load(self)?.in_words(failure.into())),
                working @ Progress::Working { .. } => {
                    let shown = super::fetching::shown(&attachment.name, &working);
                    last = shown.filter(|shown| shown.stage != Stage::Entries).or(last);
                    last.iter().cloned().for_each(|shown| replies.progress(shown));
                }
            }
        }
        Err(Failure::failed("the work was broken off"))
    }

    async fn write_file(
        &self,
        feed: FeedId,
        attachment: Attachment,
        out: PathBuf,
        replies: &Replies,
    ) -> Result<api::File, Failure> {
        let (store, replies) = (self.store().clone(), replies.clone());
        blocking(move || {
            let path = reader::write_attachment(&store, feed, &attachment, &out, &mut |written| {
                replies.progress(Shown {
                    what: attachment.name.clone(),
                    stage: Stage::Writing,
                    done: written.done_bytes,
                    total: written.total_bytes,
                    peers: 0,
                });
            })?;
            let sha256 = digest(&path).map_err(|source| FileError::Io { path: path.clone(), source })?;
            Ok::<_, FileError>(api::File {
                path: path.display().to_string(),
                size_bytes: attachment.size_bytes,
                sha256: hex(&sha256),
            })
        })
        .await
    }
}

fn digest(path: &Path) -> std::io::Result<[u8; 32]> {
    let mut file = std::fs::File::open(path)?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.finalize().into()),
            count => hash.update(&buffer[..count]),
        }
    }
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
