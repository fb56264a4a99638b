//! What the engine's errors mean to a person: a sentence, and the next command.

use crate::api::Failure;
use crate::node::{Attempt, AttemptKind, StartError, SyncFailure};
use crate::store::{OpenError, StorageError, WriteError};

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        let hint = match error {
            StorageError::DiskFull => Some("free some room on the disk and try again; nothing was changed"),
            StorageError::ReadOnly => Some("see to it that you may write to the data folder"),
            _ => None,
        };
        with_hint(Self::of(&error), hint)
    }
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Storage(error) => error.into(),
            WriteError::Full(_) | WriteError::FileTooLarge { .. } => {
                Self::of(&error).hint("raise it with `peerfeed seed FEED --quota SIZE`")
            }
            error => Self::of(&error),
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let hint = match &error {
            StartError::Listen { .. } => Some("choose another address with `--listen ADDR:PORT`, or `--listen none`"),
            StartError::Store { source, .. } => match source {
                OpenError::Storage(StorageError::DiskFull) => Some("free some room on the disk and try again"),
                OpenError::Folder { .. } => Some("use another folder with `--data DIR`"),
                _ => None,
            },
            _ => None,
        };
        let failure = match &error {
            // The inner error names the folder already.
            StartError::Store { source, .. } => Self::of(source),
            error => Self::of(error),
        };
        with_hint(failure, hint)
    }
}

impl From<SyncFailure> for Failure {
    fn from(error: SyncFailure) -> Self {
        let mut failure = match &error {
            SyncFailure::Store(_) | SyncFailure::UnknownFeed { .. } | SyncFailure::Interrupted => {
                Self::failed(error.to_string())
            }
            _ => Self::no(error.to_string()),
        };
        match &error {
            SyncFailure::NobodyKnown { .. } => failure.hint(
                "name a tracker with `--tracker URL`, or ask its owner for a new link: `peerfeed add LINK` again adds \
                 its seeders and trackers",
            ),
            SyncFailure::NobodyAnswered { tried, .. } | SyncFailure::Stalled { tried, .. } => {
                for attempt in tried {
                    failure.message.push_str("\n  ");
                    failure.message.push_str(&attempt_line(attempt));
                }
                failure.hint("try again later, or ask one more tracker with `--tracker URL`")
            }
            SyncFailure::Store(_) => failure.hint("free some room on the disk, then fetch again"),
            _ => failure,
        }
    }
}

/// One tracker, seeder or peer that was tried, and what came of it.
pub(super) fn attempt_line(attempt: &Attempt) -> String {
    let kind = match attempt.kind {
        AttemptKind::Tracker => "tracker",
        AttemptKind::Seeder => "seeder",
        AttemptKind::Peer => "peer",
    };
    let outcome = match (&attempt.error, attempt.kind) {
        (Some(error), _) => crate::ui::Safe::line(error).to_string(),
        (None, AttemptKind::Tracker) => "answered, but named nobody who could be reached".into(),
        (None, _) => "answered, but does not have what is missing".into(),
    };
    format!("{kind} {}: {outcome}", attempt.address)
}

fn with_hint(failure: Failure, hint: Option<&str>) -> Failure {
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
