//! A post: a text with files.

use super::{Attachment, BodyError, text_up_to};
use crate::bencode::{Dict, Value};
use crate::feed::record;
use crate::limits::{ATTACHMENTS_MAX, CHANNEL_BYTES_MAX, POST_TEXT_BYTES_MAX};

/// A text with files. spec: ENTRY-15
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Post {
    /// The text: at most 50,000 bytes. Control characters may be in it; see [`crate::feed::shown`].
    pub text: String,
    /// The channel that it is filed under: at most 64 bytes.
    pub channel: Option<String>,
    /// Its files: at most 15.
    pub attachments: Vec<Attachment>,
}

impl Post {
    pub(super) const TYPE: &'static str = "post";
    pub(super) const VERSION: u64 = 1;
    pub(super) const KEYS: [&'static [u8]; 3] = [b"a", b"h", b"x"];

    pub(super) fn write(&self, dict: &mut Dict<'static>) -> u64 {
        let attachments: Vec<_> = self.attachments.iter().map(|file| Value::from(file.to_dict())).collect();
        dict.insert(b"a", attachments);
        if let Some(channel) = &self.channel {
            dict.insert(b"h", channel.clone());
        }
        dict.insert(b"x", self.text.clone());
        Self::VERSION
    }

    pub(super) fn read(dict: &Dict<'_>) -> Result<Self, BodyError> {
        let attachments = dict.list(b"a")?;
        record::at_most(b"a", attachments, ATTACHMENTS_MAX)?;
        Ok(Self {
            text: text_up_to(b"x", dict.text(b"x")?, POST_TEXT_BYTES_MAX)?,
            channel: dict.optional_text(b"h")?.map(|name| text_up_to(b"h", name, CHANNEL_BYTES_MAX)).transpose()?,
            attachments: attachments.iter().map(Attachment::from_value).collect::<Result<_, _>>()?,
        })
    }
}
