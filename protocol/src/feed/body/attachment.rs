//! An attachment: what a post says of a file, and the key of its blob.

use super::{BodyError, text_up_to};
use crate::bencode::{Dict, FieldError, FieldProblem, Value};
use crate::feed::BlobRef;
use crate::feed::blob::{BlobKey, BlobOpener, BlobSize, BlobSizeError};
use crate::ids::BlobRoot;
use crate::limits::{FILE_NAME_BYTES_MAX, MEDIA_TYPE_BYTES_MAX};

/// A file of a post. spec: ENTRY-16
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The key of the blob.
    pub key: BlobKey,
    /// The media type, such as `image/png`: at most 100 bytes. Only said, not checked.
    pub media_type: String,
    /// The file's name: 1 to 255 bytes without `/` or control characters. Still not safe as a path: see
    /// [`crate::feed::file_name`].
    pub name: String,
    /// The blob.
    pub root: BlobRoot,
    /// The file's true size, without padding.
    pub size_bytes: u64,
}

impl Attachment {
    /// How the entry's leaf header has to name the blob. spec: ENTRY-16
    pub fn blob(&self) -> Result<BlobRef, BlobSizeError> {
        Ok(BlobRef { root: self.root, size: BlobSize::of_file(self.size_bytes)? })
    }

    /// What opens the blob's chunks.
    pub fn opener(&self) -> Result<BlobOpener, BlobSizeError> {
        BlobOpener::new(self.key.clone(), self.size_bytes)
    }

    pub(super) fn to_dict(&self) -> Dict<'static> {
        Dict::new()
            .with(b"k", *self.key.expose())
            .with(b"m", self.media_type.clone())
            .with(b"n", self.name.clone())
            .with(b"r", self.root)
            .with(b"s", self.size_bytes)
    }

    pub(super) fn from_value(value: &Value<'_>) -> Result<Self, BodyError> {
        let dict = value.as_dict().ok_or(FieldError::new(b"a", FieldProblem::WrongType))?;
        let name = text_up_to(b"n", dict.text(b"n")?, FILE_NAME_BYTES_MAX)?;
        if name.is_empty() || name.contains(|c: char| c == '/' || c.is_control()) {
            return Err(FieldError::new(b"n", FieldProblem::OutOfRange).into());
        }
        let attachment = Self {
            key: BlobKey::new(dict.array(b"k")?),
            media_type: text_up_to(b"m", dict.text(b"m")?, MEDIA_TYPE_BYTES_MAX)?,
            name,
            root: BlobRoot::new(dict.array(b"r")?),
            size_bytes: dict.uint(b"s")?,
        };
        attachment.blob()?;
        Ok(attachment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attachment(name: &str, size_bytes: u64) -> Attachment {
        Attachment {
            key: BlobKey::new([1; 32]),
            media_type: "image/png".to_owned(),
            name: name.to_owned(),
            root: BlobRoot::new([2; 32]),
            size_bytes,
        }
    }

    fn again(attachment: &Attachment) -> Result<Attachment, BodyError> {
        Attachment::from_value(&Value::from(attachment.to_dict()))
    }

    #[test]
    fn an_attachment_is_read_as_it_was_written() {
        let attachment = attachment("cat.png", 70_000);
        assert_eq!(again(&attachment), Ok(attachment));
    }

    #[test]
    fn a_name_that_could_leave_its_directory_or_fool_a_terminal_is_refused() {
        for name in ["", "a/b", "nul\0", "bell\u{7}", "esc\u{1b}[2J", &"n".repeat(256)] {
            assert!(again(&attachment(name, 1)).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_file_larger_than_any_blob_is_refused() {
        assert!(matches!(again(&attachment("a", i64::MAX as u64)), Err(BodyError::BlobSize(_))));
    }

    #[test]
    fn an_attachment_does_not_print_its_key() {
        assert!(format!("{:?}", attachment("a", 1)).contains("BlobKey(\u{2026})"));
    }
}
