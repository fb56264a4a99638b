//! An entry as it is shown.

use std::collections::HashMap;

use peerfeed_protocol::feed::{Attachment, Body, Class, Content, Keyring, LeafHeader, ReadError, Shown};
use peerfeed_protocol::ids::{EntryId, EntryPlace, EpochId, FeedId};

use super::index::coarse_stamp;
use crate::store::{Audience, Reading, StorageError, StoredEntry, View};

/// An entry, opened as far as the keys here allow. Texts are as their author wrote them, and not safe to print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadEntry {
    /// Its short name.
    pub id: EntryId,
    /// Where it stands.
    pub place: EntryPlace,
    /// The name that its author chose.
    pub author: Option<String>,
    /// The name that the person here gave the author.
    pub petname: Option<String>,
    /// When it was written, unix milliseconds, clamped to when it was first seen.
    pub time_ms: u64,
    /// Who may read it, as far as that can be told: of others' posts, whether they are public; of messages, for whom they are.
    pub to: Option<Audience>,
    /// Its type: `post`, `message`, or a later version's; empty while it is sealed.
    pub kind: String,
    /// The channel that it is filed under.
    pub channel: Option<String>,
    /// Its text.
    pub text: String,
    /// Its files.
    pub attachments: Vec<Attachment>,
    /// How much of it can be shown.
    pub state: EntryState,
}

/// How much of an entry can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryState {
    /// All of it.
    Open,
    /// No key here opens it: it is for other people, or the key is still to come.
    Sealed,
    /// It is of a type that this version does not know.
    Unknown,
    /// It opens and says nothing that makes sense, or does not open under its own key.
    Damaged,
    /// Its body is not held, or no longer.
    BodyMissing,
}

/// Opens the entry at `place`; none if it is not held here.
pub fn read_entry(view: &impl View, place: EntryPlace) -> Result<Option<ReadEntry>, StorageError> {
    let Some(row) = view.log_row(place.feed, place.log)? else { return Ok(None) };
    let Some(stored) = view.entry(&row, place.index)? else { return Ok(None) };
    open(view, &Opener::new(view, place.feed)?, place, &stored).map(Some)
}

/// What opens the entries of a feed.
pub(super) struct Opener {
    keyring: Keyring,
    /// For whom the epochs of the own feed are.
    audiences: HashMap<EpochId, Audience>,
}

impl Opener {
    pub(super) fn new(view: &impl View, feed: FeedId) -> Result<Self, StorageError> {
        let own = view.feed(feed)?.is_some_and(|row| row.roles.own);
        let audiences = if own { view.audiences_by_epoch(feed)? } else { HashMap::new() };
        Ok(Self { keyring: view.keyring(feed)?, audiences })
    }

    fn audience(&self, epoch: EpochId) -> Option<Audience> {
        if epoch == EpochId::PUBLIC { Some(Audience::Public) } else { self.audiences.get(&epoch).cloned() }
    }
}

/// Opens an entry with the keys of its feed.
pub(super) fn open(
    view: &impl View,
    opener: &Opener,
    place: EntryPlace,
    stored: &StoredEntry,
) -> Result<ReadEntry, StorageError> {
    let mut entry = ReadEntry {
        id: place.id(),
        place,
        author: view.profile_name(place.feed)?,
        petname: view.feed(place.feed)?.and_then(|row| row.petname),
        time_ms: stored.seen_ms,
        to: None,
        kind: String::new(),
        channel: None,
        text: String::new(),
        attachments: Vec::new(),
        state: EntryState::Damaged,
    };
    let Ok(header) = LeafHeader::decode(&stored.header) else { return Ok(entry) };
    entry.time_ms = Shown::of(coarse_stamp(&header), stored.seen_ms).stamp().unix_ms();
    entry.state = match (header.class(), &stored.body) {
        (Class::Control | Class::Other(_), _) => EntryState::Unknown,
        (Class::Sealed { .. }, None) => EntryState::BodyMissing,
        (Class::Sealed { .. }, Some(body)) => match opener.keyring.open(&place, &header, body) {
            Err(ReadError::NoKey) => EntryState::Sealed,
            Err(ReadError::Open(_)) => EntryState::Damaged,
            Ok((epoch, content)) => match Body::decode(&content) {
                Ok(body) => {
                    entry.to = opener.audience(epoch);
                    fill(&mut entry, body, &header, stored.seen_ms)
                }
                Err(_) => EntryState::Damaged,
            },
        },
    };
    Ok(entry)
}

fn fill(entry: &mut ReadEntry, body: Body, header: &LeafHeader, seen_ms: u64) -> EntryState {
    entry.time_ms = Shown::of(body.stamp, seen_ms).stamp().unix_ms();
    match body.content {
        Content::Post(post) => {
            "post".clone_into(&mut entry.kind);
            entry.channel = post.channel;
            entry.text = post.text;
            entry.attachments = named(post.attachments, header);
            EntryState::Open
        }
        Content::Message(message) => {
            "message".clone_into(&mut entry.kind);
            entry.to = Some(Audience::One(message.to));
            entry.text = message.text;
            entry.attachments = named(message.attachments, header);
            EntryState::Open
        }
        Content::Profile(profile) => {
            "profile".clone_into(&mut entry.kind);
            entry.text = profile.name;
            EntryState::Open
        }
        Content::Unknown { name, .. } => {
            entry.kind = name;
            EntryState::Unknown
        }
    }
}

/// Only the files that the header names are stored and served with the entry.
fn named(files: Vec<Attachment>, header: &LeafHeader) -> Vec<Attachment> {
    files.into_iter().filter(|file| file.blob().is_ok_and(|blob| header.blobs().contains(&blob))).collect()
}
