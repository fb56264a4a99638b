//! Appending to a log of one's own: from a body to header, stored body and signed head.

use thiserror::Error;

use super::body::{Body, BodyError};
use super::control::{Control, ControlError};
use super::epoch::ReadKey;
use super::head::Head;
use super::leaf::{BlobRef, Class, LeafContent, LeafError, LeafHeader, Retention};
use super::record::sha256;
use super::sealed::{self, ContentTooLong};
use crate::crypto::{DeviceKey, Entropy};
use crate::ids::{EntryPlace, FeedId, LogId};
use crate::merkle::{Frontier, Hash, NodePos, ProofError};

/// Appends entries to one of a device's logs, in memory: what it gives is stored in one piece, or not at all.
#[derive(Clone, Debug)]
pub struct LogWriter {
    feed: FeedId,
    log: LogId,
    frontier: Frontier,
    last_time: u64,
}

/// An entry that was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// Where it stands.
    pub place: EntryPlace,
    /// Its leaf header.
    pub header: LeafHeader,
    /// Its body as stored.
    pub body: Vec<u8>,
    /// The nodes of the tree that came into being, the leaf's own first.
    pub nodes: Vec<(NodePos, Hash)>,
}

/// Why an entry cannot be appended: the caller's fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AppendError {
    /// The body breaks a limit.
    #[error("the entry cannot be written")]
    Body(#[from] BodyError),
    /// The control record breaks a limit.
    #[error("the control entry cannot be written")]
    Control(#[from] ControlError),
    /// Text and attachments together are too long for one entry.
    #[error(transparent)]
    TooLong(#[from] ContentTooLong),
    /// The header breaks a limit.
    #[error("the entry's header cannot be written")]
    Header(#[from] LeafError),
    /// The log is full.
    #[error("the log takes no further entry")]
    Full(#[from] ProofError),
}

impl LogWriter {
    /// A writer for the log with this frontier, whose last entry has the time `last_time` (0 for an empty log).
    pub fn new(feed: FeedId, log: LogId, frontier: Frontier, last_time: u64) -> Self {
        Self { feed, log, frontier, last_time }
    }

    /// Entries in the log so far.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Where the next entry will stand.
    pub fn next_place(&self) -> EntryPlace {
        EntryPlace { feed: self.feed, log: self.log, index: self.frontier.size() }
    }

    /// The log's frontier, with what was appended.
    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// Seals a body for the audience of `epoch` and appends it; its attachments' blobs go into the header. `now` is in unix
    /// seconds. spec: ENTRY-7, ENTRY-9
    pub fn append(
        &mut self,
        body: &Body,
        epoch: &ReadKey,
        now: u64,
        entropy: &mut Entropy,
    ) -> Result<NewEntry, AppendError> {
        let blobs = body.attachments().iter().map(|file| file.blob().map_err(BodyError::from));
        let blobs = blobs.collect::<Result<_, _>>()?;
        let key = epoch.entry_key(&self.next_place());
        let sealed = sealed::seal_body(&key, &body.encode()?, entropy)?;
        let class = Class::Sealed { hint: *key.hint(), commitment: *key.commitment() };
        self.append_stored(class, blobs, sealed, now)
    }

    /// Appends a control record. `now` is in unix seconds. spec: ENTRY-7
    pub fn append_control(&mut self, control: &Control, now: u64) -> Result<NewEntry, AppendError> {
        self.append_stored(Class::Control, Vec::new(), control.encode()?, now)
    }

    /// Signs the log as it stands now; `None` when it is empty. One signature serves for all that was appended. spec: LOG-2
    pub fn head(&self, device: &DeviceKey) -> Option<Head> {
        let size = self.frontier.size();
        (size > 0).then(|| Head::sign(&self.feed, &self.log, size, &self.frontier.root(), device))
    }

    fn append_stored(
        &mut self,
        class: Class,
        blobs: Vec<BlobRef>,
        body: Vec<u8>,
        now: u64,
    ) -> Result<NewEntry, AppendError> {
        let time = now.max(self.last_time);
        let header = LeafHeader::encode(&LeafContent {
            class,
            body_bytes: u32::try_from(body.len()).expect("bodies are capped far below 2^32 bytes"),
            body_digest: sha256(&body),
            blobs,
            retention: Retention::Keep,
            time,
        })?;
        let place = self.next_place();
        let nodes = self.frontier.append(header.leaf_hash())?;
        self.last_time = time;
        Ok(NewEntry { place, header, body, nodes })
    }
}

#[cfg(test)]
mod tests {
    use super::super::body::Post;
    use super::super::{EpochSecret, Keyring, Stamp};
    use super::*;
    use crate::crypto::IdentityKey;
    use crate::ids::Incarnation;

    fn writer() -> LogWriter {
        let feed = IdentityKey::from_seed(&[1; 32]).feed_id();
        let log = LogId { device: DeviceKey::from_seed(&[2; 32]).id(), incarnation: Incarnation::new([3; 8]) };
        LogWriter::new(feed, log, Frontier::new(), 0)
    }

    fn post(text: &str) -> Body {
        let stamp = Stamp::from_number(1 << 16).unwrap();
        Body::post(stamp, Post { text: text.to_owned(), ..Post::default() })
    }

    fn append(writer: &mut LogWriter, text: &str, now: u64) -> NewEntry {
        let key = EpochSecret::public(&writer.feed).read_key(&writer.feed);
        writer.append(&post(text), &key, now, &mut Entropy::from_seed([4; 32])).unwrap()
    }

    #[test]
    fn what_was_appended_is_read_again_by_who_has_the_epoch() {
        let mut writer = writer();
        let keyring = Keyring::new(writer.feed);
        for text in ["one", "two"] {
            let entry = append(&mut writer, text, 5);
            let (_, content) = keyring.open(&entry.place, &entry.header, &entry.body).unwrap();
            assert_eq!(Body::decode(&content).unwrap(), post(text));
        }
        assert_eq!(writer.size(), 2);
    }

    #[test]
    fn one_head_covers_all_that_was_appended() {
        let device = DeviceKey::from_seed(&[2; 32]);
        let mut writer = writer();
        assert_eq!(writer.head(&device), None);
        append(&mut writer, "one", 5);
        append(&mut writer, "two", 5);
        let head = writer.head(&device).unwrap();
        assert_eq!((head.size(), *head.root()), (2, writer.frontier().root()));
    }

    #[test]
    fn the_time_of_a_log_never_goes_back() {
        let mut writer = writer();
        let times = [10, 12, 3, 13].map(|now| append(&mut writer, "x", now).header.time());
        assert_eq!(times, [10, 12, 12, 13]);
    }

    #[test]
    fn the_same_text_twice_gives_two_unlike_bodies_even_with_the_same_randomness() {
        let mut writer = writer();
        let (one, two) = (append(&mut writer, "same", 5), append(&mut writer, "same", 5));
        assert_ne!(one.body[..24], two.body[..24]);
        assert_ne!(one.header.class(), two.header.class());
    }
}
