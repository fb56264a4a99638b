//! What a command asks of the engine.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Secret;

/// One request with what the person said beside it; the body of `POST /v1/call`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Trackers named with `--tracker`, as written.
    #[serde(default)]
    pub trackers: Vec<String>,
    /// The passphrase of the key files: opens them until the engine ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<Secret>,
    /// The 24 words, for what only the identity may do; forgotten when it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<Secret>,
    /// What is wanted.
    pub request: Request,
}

/// Who may read a post.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Audience {
    /// Everyone who knows the feed id, seeders included.
    Public,
    /// Those who hold the friends key.
    #[default]
    Friends,
    /// Those on the list of this name.
    List(String),
}

/// Everything the engine can be asked; one variant per command and subcommand.
///
/// Durations are milliseconds, sizes bytes, paths absolute: the daemon's working directory is not the caller's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// A new identity in this data folder.
    Init {
        /// Name that friends see.
        name: Option<String>,
        /// Keep the identity's key nowhere on this machine.
        #[serde(default)]
        cold: bool,
    },
    /// Make this folder a device of the feed that the words own.
    Recover {
        /// Link to the feed, if it is not found by trackers alone.
        link: Option<String>,
        /// Take it back from a thief: revoke all other devices, and the identity's key.
        stolen: bool,
        /// Keep the identity's key nowhere on this machine.
        cold: bool,
        /// How long to look for the feed.
        timeout_ms: u64,
    },
    /// Seal the key files under a passphrase, or leave them open.
    Passwd {
        /// The new passphrase; none to leave them open.
        new: Option<Secret>,
    },
    /// Open the key files to a running daemon.
    Unlock {},
    /// Write the identity into one sealed file.
    Export {
        /// The file, which must not be there.
        file: PathBuf,
        /// The passphrase that seals it.
        seal: Secret,
    },
    /// Make this folder a device of an exported identity.
    Import {
        /// The file.
        file: PathBuf,
        /// The passphrase that sealed it.
        seal: Secret,
        /// How long to look for the feed.
        timeout_ms: u64,
    },
    /// Feed id, devices, fingerprint.
    Id {},
    /// Publish an entry.
    Post {
        /// The text, possibly empty when files are attached.
        text: String,
        /// Files to attach.
        attach: Vec<PathBuf>,
        /// Channel, if any.
        channel: Option<String>,
        /// Who may read it.
        to: Audience,
        /// How long to wait until the listed seeders have stored it.
        wait_ms: Option<u64>,
    },
    /// Send a friend a message.
    Message {
        /// Name or feed id.
        to: String,
        /// The text, possibly empty when files are attached.
        text: String,
        /// Files to attach.
        attach: Vec<PathBuf>,
        /// How long to wait until the listed seeders have stored it.
        wait_ms: Option<u64>,
    },
    /// The lists of friends.
    Lists {},
    /// Put friends on a list.
    ListAdd {
        /// The list, made if need be.
        list: String,
        /// Names or feed ids.
        names: Vec<String>,
        /// Only what is written for it from now on.
        from_now: bool,
    },
    /// Take friends off a list.
    ListRemove {
        /// The list.
        list: String,
        /// Names or feed ids.
        names: Vec<String>,
    },
    /// Forget a list.
    ListDelete {
        /// The list.
        list: String,
    },
    /// A link to this feed.
    Invite {
        /// Put the friends key into the link.
        with_key: bool,
        /// For how long the invitation in it is good, in seconds; none for a link without one.
        expires_s: Option<u64>,
    },
    /// Follow a feed.
    Add {
        /// Link or feed id.
        link: String,
        /// Own name for it.
        name: Option<String>,
        /// Ask nothing of its owner.
        follow_only: bool,
    },
    /// Who asks to be friends, and who was asked.
    Requests {},
    /// Say no to somebody who asks.
    Refuse {
        /// Name or feed id.
        name: String,
    },
    /// Let somebody read what is for friends.
    Accept {
        /// Name or feed id.
        name: String,
        /// Only what is written from now on.
        from_now: bool,
        /// Hold their feed for others, too.
        seed: bool,
        /// Own name for them.
        petname: Option<String>,
    },
    /// The friends.
    Friends {},
    /// Let somebody read nothing more.
    Remove {
        /// Name or feed id.
        name: String,
    },
    /// Keep a feed out of the timeline, or no longer.
    Mute {
        /// Name or feed id.
        name: String,
        /// Whether to end it.
        undo: bool,
    },
    /// Stop following a feed.
    Unfollow {
        /// Name or feed id.
        name: String,
    },
    /// The seeders that this feed names.
    Seeders {},
    /// List a seeder: `HOST:PORT` or `HOST:PORT#WITNESS`.
    SeedersAdd {
        /// The seeder's code.
        code: String,
        /// How long to wait for its answer when the code carries no witness key.
        timeout_ms: u64,
    },
    /// List a seeder no more.
    SeedersRemove {
        /// Its address.
        address: String,
    },
    /// The trackers that this feed names.
    Trackers {},
    /// Name a tracker.
    TrackersAdd {
        /// URL or `HOST:PORT`.
        url: String,
    },
    /// Name a tracker no more.
    TrackersRemove {
        /// URL or `HOST:PORT`.
        url: String,
    },
    /// Get what is new.
    Fetch {
        /// Names or feed ids; empty: everybody followed.
        names: Vec<String>,
        /// Files too, not only entries.
        files: bool,
        /// Of each feed only so many entries, the newest.
        #[serde(default)]
        newest: Option<u64>,
        /// How long to try.
        timeout_ms: u64,
    },
    /// The timeline.
    Read {
        /// One feed only.
        name: Option<String>,
        /// The conversation with this person only: name or feed id.
        #[serde(default)]
        with: Option<String>,
        /// At most so many, the newest.
        limit: u64,
        /// One channel only.
        channel: Option<String>,
        /// Only with this in text, channel or names of files.
        #[serde(default)]
        containing: Option<String>,
        /// Not older than this, unix milliseconds.
        since_ms: Option<u64>,
        /// Those that no key here opens, too.
        #[serde(default)]
        sealed: bool,
        /// Go on with what arrives.
        follow: bool,
    },
    /// Download an entry's files.
    Get {
        /// Entry id or the beginning of one.
        entry: String,
        /// Folder to write into.
        out: PathBuf,
        /// How long to go on without a byte arriving.
        timeout_ms: u64,
    },
    /// Hold a feed without reading it.
    Seed {
        /// Link or feed id; a key in the link is not kept.
        link: String,
        /// At most so many bytes.
        quota_bytes: Option<u64>,
        /// Send at most so many bytes per second; 0 for no bound of its own.
        #[serde(default)]
        up: Option<u64>,
        /// Fetch at most so many bytes per second; 0 for no bound of its own.
        #[serde(default)]
        down: Option<u64>,
    },
    /// A code by which somebody may have feeds held here.
    SeedCode {
        /// Where this is reached; what it listens on if nothing is said.
        address: Option<String>,
        /// Feeds that may be brought by it.
        uses: u64,
        /// Seconds for which it is good.
        expires_s: u64,
        /// Bytes that each of them may take.
        quota_bytes: u64,
    },
    /// No code that was given away is good any more.
    UnseedCodes {},
    /// Hold a feed no more.
    Unseed {
        /// Name or feed id.
        feed: String,
    },
    /// What is stored, who is connected.
    Status {},
}

impl Request {
    /// Whether the request makes sense on a data folder that does not exist yet.
    pub fn creates_folder(&self) -> bool {
        matches!(
            self,
            Self::Init { .. }
                | Self::Add { .. }
                | Self::Seed { .. }
                | Self::SeedCode { .. }
                | Self::Recover { .. }
                | Self::Import { .. }
        )
    }

    /// Whether the engine is to stay connected to the peers of its feeds for as long as the request lasts.
    pub fn stays_connected(&self) -> bool {
        matches!(self, Self::Read { follow: true, .. })
    }

    /// The command's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Init { .. } => "init",
            Self::Recover { .. } => "recover",
            Self::Passwd { .. } => "passwd",
            Self::Unlock {} => "unlock",
            Self::Export { .. } => "export",
            Self::Import { .. } => "import",
            Self::Id {} => "id",
            Self::Post { .. } => "post",
            Self::Message { .. } => "dm",
            Self::Lists {} | Self::ListAdd { .. } | Self::ListRemove { .. } | Self::ListDelete { .. } => "list",
            Self::Invite { .. } => "invite",
            Self::Add { .. } => "add",
            Self::Requests {} => "requests",
            Self::Refuse { .. } => "refuse",
            Self::Accept { .. } => "accept",
            Self::Friends {} => "friends",
            Self::Remove { .. } => "remove",
            Self::Mute { .. } => "mute",
            Self::Unfollow { .. } => "unfollow",
            Self::Seeders {} | Self::SeedersAdd { .. } | Self::SeedersRemove { .. } => "seeders",
            Self::Trackers {} | Self::TrackersAdd { .. } | Self::TrackersRemove { .. } => "trackers",
            Self::Fetch { .. } => "fetch",
            Self::Read { .. } => "read",
            Self::Get { .. } => "get",
            Self::Seed { .. } | Self::SeedCode { .. } => "seed",
            Self::Unseed { .. } | Self::UnseedCodes {} => "unseed",
            Self::Status {} => "status",
        }
    }
}

/// Whole milliseconds of a duration, saturating.
pub fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_reads_back_as_it_was_written() {
        let call = Call {
            trackers: vec!["http://127.0.0.1:1/announce".into()],
            passphrase: Some(Secret::new("correct horse".into())),
            words: None,
            request: Request::Post {
                text: "hello".into(),
                attach: vec!["/tmp/a".into()],
                channel: Some("c".into()),
                to: Audience::List("family".into()),
                wait_ms: Some(5),
            },
        };
        let text = serde_json::to_string(&call).unwrap();
        assert_eq!(serde_json::from_str::<Call>(&text).unwrap(), call);
    }

    #[test]
    fn an_unknown_field_is_refused_by_name() {
        let text = r#"{"request":{"do":"unfollow","name":"x","force":true}}"#;
        let error = serde_json::from_str::<Call>(text).unwrap_err();
        assert!(error.to_string().contains("force"), "{error}");
    }
}
