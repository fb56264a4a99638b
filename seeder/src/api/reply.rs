//! What the engine answers: a stream of replies, one JSON object per line, closed by `done` or `error`.

use serde::{Deserialize, Serialize};

use super::status::Status;
use super::{Failure, HoldCode};

/// One line of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Reply {
    /// Work under way.
    Progress(Progress),
    /// Something the person should know that is no failure.
    Note {
        /// A sentence.
        text: String,
    },
    /// A new identity.
    Created(Created),
    /// Who this data folder is.
    Identity(Identity),
    /// An entry was committed.
    Posted(Posted),
    /// A link to this feed.
    Link(Link),
    /// A feed as it is now, after a change or in a list.
    Feed(Feed),
    /// A friend, or who was one.
    Friend(Friend),
    /// A list of friends.
    List(List),
    /// Somebody who asks to be friends, or was asked.
    Request(FriendRequest),
    /// A seeder that this feed names.
    Seeder(Seeder),
    /// A code that was made, or how many were taken back.
    HoldCode(HoldCode),
    /// A tracker that this feed names.
    Tracker(Tracker),
    /// What a fetch brought for one feed.
    Fetched(Fetched),
    /// An entry of the timeline.
    Entry(Entry),
    /// A file written to disk.
    File(File),
    /// How the key files are kept now.
    Keys(Keys),
    /// The state of this data folder.
    Status(Box<Status>),
    /// The end, all well.
    Done,
    /// The end, with a reason.
    Error(Failure),
}

/// How far some work has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What it is about: a feed's name or a file's.
    pub what: String,
    /// What is being done.
    pub stage: Stage,
    /// Units done: entries at stage `entries`, bytes otherwise.
    pub done: u64,
    /// Units in all, 0 while unknown.
    pub total: u64,
    /// Peers that serve it now.
    pub peers: u32,
}

/// What kind of work is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Looking for someone who has it.
    #[default]
    Connecting,
    /// Entries arrive; counted in entries.
    Entries,
    /// Files arrive; counted in bytes.
    Files,
    /// Seeders store it; counted in entries.
    Storing,
    /// A file is sealed; counted in bytes.
    Sealing,
    /// A file is opened and written to disk; counted in bytes.
    Writing,
}

/// A new identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Created {
    /// `feed1…`.
    pub feed: String,
    /// Name that friends see.
    pub name: Option<String>,
    /// The 24 words, shown this once.
    pub recovery_phrase: String,
}

/// How the key files are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// `open`, `locked`, `unlocked`.
    pub state: String,
}

/// Who this data folder is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// `feed1…`.
    pub feed: String,
    /// Name that friends see.
    pub name: Option<String>,
    /// Short form to compare by voice.
    pub fingerprint: String,
    /// Devices that may write to the feed.
    pub devices: Vec<Device>,
}

/// A device of the own feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Signing key, hex.
    pub key: String,
    /// Whether it is this one.
    pub this: bool,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// A committed entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    /// Entry id.
    pub id: String,
    /// Feed id.
    pub feed: String,
    /// Seeders that have stored it, when asked to wait.
    pub stored_by: Vec<String>,
}

/// A link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// `peerfeed:…`.
    pub link: String,
    /// Whether it carries the friends key.
    pub with_key: bool,
    /// Until when its invitation is good, RFC 3339, UTC; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// Trackers in it.
    pub trackers: Vec<String>,
    /// Seeders in it.
    pub seeders: Vec<String>,
}

/// A feed of this data folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feed {
    /// `feed1…`.
    pub feed: String,
    /// Own name for it, if any.
    pub name: Option<String>,
    /// `own`, `follow`, `seed`.
    pub roles: Vec<String>,
    /// What was done: `added`, `known`, `removed`, `seeding`, `muted`, `unmuted`, or absent in a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
    /// Whether sealed entries can be read here.
    pub readable: bool,
    /// Whether it is kept out of the timeline.
    #[serde(default)]
    pub muted: bool,
    /// Entries held.
    pub entries_held: u64,
    /// Entries known to exist.
    pub entries: u64,
    /// Files held completely.
    pub files_held: u64,
    /// Files known to exist.
    pub files: u64,
    /// Bytes held for this feed.
    pub held_bytes: u64,
    /// Most bytes to hold.
    pub quota_bytes: Option<u64>,
    /// Most bytes per second to send of it.
    #[serde(default)]
    pub up: Option<u64>,
    /// Most bytes per second to fetch of it.
    #[serde(default)]
    pub down: Option<u64>,
    /// Seeders and what they have stored.
    pub seeders: Vec<Seeder>,
    /// Trackers asked about it.
    pub trackers: Vec<Tracker>,
    /// Peers connected for it.
    pub peers: u32,
    /// Why nothing more of it is stored: the disk is full, or a quota is used up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// For each file that does not fit in a quota, why; others come.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// Somebody who may read what is for friends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Friend {
    /// `feed1…`.
    pub feed: String,
    /// Own name for it, if any.
    pub name: Option<String>,
    /// Six words to compare by voice.
    pub fingerprint: String,
    /// Since when, RFC 3339, UTC.
    pub since: String,
    /// Whether only what was written since then can be read.
    pub from_now: bool,
    /// Whether the key was granted: not before their feed was fetched.
    pub granted: bool,
    /// What was done: `added`, `known`, `removed`, or absent in a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
}

/// A list of friends: an audience of one's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct List {
    /// Its name, which nobody else learns.
    pub list: String,
    /// Those on it.
    pub members: Vec<Friend>,
    /// What was done: `changed`, `deleted`, or absent when shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
}

/// Somebody who asks to be friends, or was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FriendRequest {
    /// `feed1…`.
    pub feed: String,
    /// Own name for them, or the one that they give themselves.
    pub name: Option<String>,
    /// Six words to compare by voice.
    pub fingerprint: String,
    /// Since when, RFC 3339, UTC.
    pub since: String,
    /// Whether they asked, not the person here.
    pub incoming: bool,
    /// `waits for you`, `not sent yet`, `sent`, `friends`, `refused`, `refused by them`, `turned away`.
    pub state: String,
}

/// A seeder of a feed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact that may go with any other")]
pub struct Seeder {
    /// `HOST:PORT`.
    pub address: String,
    /// `HOST:PORT#WITNESS`, when the witness key is known.
    pub code: Option<String>,
    /// Whether the manifest lists it.
    pub listed: bool,
    /// Whether it is this very machine.
    #[serde(default)]
    pub this: bool,
    /// Whether it is connected now.
    pub connected: bool,
    /// Entries it has stored, synced to disk.
    pub entries_stored: u64,
    /// Entries of the feed.
    pub entries: u64,
    /// Whether it has stored every entry and every file.
    pub holds_all: bool,
}

/// A tracker and how it answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracker {
    /// URL.
    pub url: String,
    /// How it answered last: absent when not asked yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// `added`, `known`, `removed`, or absent in a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
}

/// What a fetch brought.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetched {
    /// `feed1…`.
    pub feed: String,
    /// Own name for it or a short feed id.
    pub name: String,
    /// Entries that are new here.
    pub new_entries: u64,
    /// Entries held now.
    pub entries: u64,
    /// Bytes of files that are new here.
    pub file_bytes: u64,
    /// Whether all that is known to exist is here.
    pub complete: bool,
}

/// An entry as a person reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What `get` takes.
    pub id: String,
    /// `feed1…`.
    pub feed: String,
    /// Own name for the feed, the name its owner gave, or a short feed id.
    pub author: String,
    /// RFC 3339, UTC.
    pub time: String,
    /// For whom it is: `public`, `friends`, a list's name, or for a message a feed id. Absent where only its author knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The name of whom a message is for; absent if that is the person here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_name: Option<String>,
    /// `post`, `message`, `profile`, …; `sealed` when no key fits.
    #[serde(rename = "type")]
    pub kind: String,
    /// The text; absent when there is none or it cannot be read.
    pub text: Option<String>,
    /// Channel, if any.
    pub channel: Option<String>,
    /// Files.
    pub attachments: Vec<Attachment>,
}

/// A file of an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// File name as its author gave it.
    pub name: String,
    /// Media type.
    pub media_type: String,
    /// True size.
    pub size_bytes: u64,
    /// Whether all of it is on this machine.
    pub held: bool,
}

/// A file written by `get`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Where it is.
    pub path: String,
    /// Its size.
    pub size_bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_line_has_the_promised_fields() {
        let line = serde_json::to_value(Reply::Entry(Entry::default())).unwrap();
        for field in ["id", "feed", "author", "time", "type", "text", "attachments"] {
            assert!(line.get(field).is_some(), "{field} is missing in {line}");
        }
        assert_eq!(line["event"], "entry");
    }

    #[test]
    fn every_kind_of_reply_reads_back() {
        for reply in [
            Reply::Done,
            Reply::Note { text: "x".into() },
            Reply::Error(Failure::no("nobody").hint("run it")),
            Reply::Status(Box::default()),
            Reply::Progress(Progress::default()),
        ] {
            let text = serde_json::to_string(&reply).unwrap();
            assert_eq!(serde_json::from_str::<Reply>(&text).unwrap(), reply);
        }
    }
}
