//! A direct message: a text with files for one person.

use super::{Attachment, BodyError, text_up_to};
use crate::bencode::{Dict, FieldError, FieldProblem, Value};
use crate::feed::record;
use crate::ids::FeedId;
use crate::limits::{ATTACHMENTS_MAX, POST_TEXT_BYTES_MAX};

/// A text with files for one person. spec: ENTRY-22
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The feed of whom it is for. A conversation is named by this and the feed that the entry stands in.
    pub to: FeedId,
    /// The text: at most 50,000 bytes. Control characters may be in it; see [`crate::feed::shown`].
    pub text: String,
    /// Its files: at most 15.
    pub attachments: Vec<Attachment>,
}

impl Message {
    pub(super) const TYPE: &'static str = "message";
    pub(super) const VERSION: u64 = 1;
    pub(super) const KEYS: [&'static [u8]; 3] = [b"a", b"p", b"x"];

    pub(super) fn write(&self, dict: &mut Dict<'static>) -> u64 {
        let attachments: Vec<_> = self.attachments.iter().map(|file| Value::from(file.to_dict())).collect();
        dict.insert(b"a", attachments);
        dict.insert(b"p", *self.to.as_bytes());
        dict.insert(b"x", self.text.clone());
        Self::VERSION
    }

    pub(super) fn read(dict: &Dict<'_>) -> Result<Self, BodyError> {
        let attachments = dict.list(b"a")?;
        record::at_most(b"a", attachments, ATTACHMENTS_MAX)?;
        let to = FeedId::from_bytes(dict.array(b"p")?);
        Ok(Self {
            to: to.map_err(|_| FieldError::new(b"p", FieldProblem::OutOfRange))?,
            text: text_up_to(b"x", dict.text(b"x")?, POST_TEXT_BYTES_MAX)?,
            attachments: attachments.iter().map(Attachment::from_value).collect::<Result<_, _>>()?,
        })
    }
}
