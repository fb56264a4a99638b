//! A direct message: a text with files for one friend.

use std::path::PathBuf;

use peerfeed_protocol::feed::Message;
use peerfeed_protocol::ids::{EntryPlace, FeedId};

use super::append::Item;
use super::attach::{SealProgress, SealedFiles};
use super::friends::admit;
use super::post::check_text;
use super::{Author, AuthorError, now_ms};
use crate::store::{Audience, Reading};

/// A message that is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The friend that it is for.
    pub to: FeedId,
    /// The text; may be empty when a file is attached.
    pub text: String,
    /// Files to attach, in this order.
    pub files: Vec<PathBuf>,
}

impl Author {
    /// Writes a message that only the friend and oneself can read, and returns its place when it is synced to disk, files
    /// included. `progress`: see [`Self::post`].
    pub fn message(&self, letter: &Letter, progress: &mut dyn FnMut(SealProgress)) -> Result<EntryPlace, AuthorError> {
        check_text(&letter.text, letter.files.len())?;
        let to = letter.to;
        if to == self.feed() {
            return Err(AuthorError::Oneself);
        }
        if self.friend(to)?.is_none() {
            return Err(AuthorError::NoFriend(to));
        }
        let files = SealedFiles::seal(&self.store, &letter.files, progress)?;
        let message = Message { to, text: letter.text.clone(), attachments: files.attachments().to_vec() };
        let audience = Audience::One(to).name().expect("it has a name");
        let item = Item::message(message);
        let place = self.write(move |page| {
            if page.txn.member(to, &audience)?.is_none() {
                admit(page.txn, to, &audience, now_ms() / 1_000, false)?;
            }
            page.pay_owed()?;
            page.item(&item)
        })?;
        files.keep();
        Ok(place.expect("a sealed item gives an entry"))
    }
}
