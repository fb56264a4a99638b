//! A post: a text with files.

use std::path::PathBuf;

use peerfeed_protocol::feed::Post;
use peerfeed_protocol::ids::EntryPlace;
use peerfeed_protocol::limits::{ATTACHMENTS_MAX, CHANNEL_BYTES_MAX, POST_TEXT_BYTES_MAX};

use super::append::Item;
use super::attach::{SealProgress, SealedFiles};
use super::{Audience, Author, AuthorError};

/// A post that is to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// The text; may be empty when a file is attached.
    pub text: String,
    /// The channel that it is filed under.
    pub channel: Option<String>,
    /// Who may read it.
    pub audience: Audience,
    /// Files to attach, in this order.
    pub files: Vec<PathBuf>,
}

impl Author {
    /// Writes a post and returns its place when it is synced to disk, files included.
    ///
    /// `progress` is told how far the sealing of the files has come, after every 8 MiB or so.
    pub fn post(&self, draft: &Draft, progress: &mut dyn FnMut(SealProgress)) -> Result<EntryPlace, AuthorError> {
        check(draft)?;
        let audience = self.for_whom(&draft.audience)?;
        let files = SealedFiles::seal(&self.store, &draft.files, progress)?;
        let post = Post {
            text: draft.text.clone(),
            channel: draft.channel.clone(),
            attachments: files.attachments().to_vec(),
        };
        match self.append(vec![Item::post(post, audience)]) {
            Ok(place) => {
                files.keep();
                Ok(place.expect("a sealed item gives an entry"))
            }
            Err(error) => Err(error),
        }
    }
}

/// What every text with files has to keep to.
pub(super) fn check_text(text: &str, files: usize) -> Result<(), AuthorError> {
    if text.trim().is_empty() && files == 0 {
        return Err(AuthorError::EmptyPost);
    }
    if text.len() > POST_TEXT_BYTES_MAX {
        return Err(AuthorError::TextTooLong(text.len()));
    }
    if files > ATTACHMENTS_MAX {
        return Err(AuthorError::TooManyFiles(files));
    }
    Ok(())
}

fn check(draft: &Draft) -> Result<(), AuthorError> {
    check_text(&draft.text, draft.files.len())?;
    match &draft.channel {
        Some(channel) if !is_channel(channel) => Err(AuthorError::Channel),
        _ => Ok(()),
    }
}

/// Whether a channel's name is one that a reader can see and type: this is what is written; any is read.
fn is_channel(name: &str) -> bool {
    (1..=CHANNEL_BYTES_MAX).contains(&name.len()) && name.trim() == name && !name.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_can_be_seen_and_typed() {
        for good in ["garden", "two words", "Größe", &"x".repeat(CHANNEL_BYTES_MAX)] {
            assert!(is_channel(good), "{good:?}");
        }
        for bad in ["", " ", "a\nb", "\u{1b}[31m", " a", "a ", &"x".repeat(CHANNEL_BYTES_MAX + 1)] {
            assert!(!is_channel(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_text_of_blanks_alone_says_nothing() {
        assert!(matches!(check_text(" \n\t", 0), Err(AuthorError::EmptyPost)));
        assert!(check_text(" ", 1).is_ok(), "the file says something");
    }
}
