//! Looks whether a secret can be found where it must not be: raw, in hex and in base64.

use std::path::Path;

use memchr::memmem;

use crate::api::Failure;
use crate::ui::hex;

/// Something that must not be found, and what it is called in the report.
pub(super) struct Secret {
    what: String,
    forms: Vec<Vec<u8>>,
}

impl Secret {
    /// A secret in all forms that are searched for.
    pub(super) fn new(what: impl Into<String>, bytes: &[u8]) -> Self {
        let lower = hex(bytes);
        let mut forms = vec![bytes.to_vec(), lower.to_uppercase().into_bytes(), lower.into_bytes()];
        for url in [false, true] {
            forms.extend((0..3).filter_map(|shift| base64_inside(bytes, shift, url)));
        }
        Self { what: what.into(), forms }
    }

    fn is_in(&self, bytes: &[u8]) -> bool {
        self.forms.iter().any(|form| memmem::find(bytes, form).is_some())
    }
}

/// Fails when one of the secrets is in the text.
pub(super) fn absent_from_text(place: &str, text: &str, secrets: &[Secret]) -> Result<(), Failure> {
    match secrets.iter().find(|secret| secret.is_in(text.as_bytes())) {
        Some(secret) => Err(Failure::failed(format!("{} was found in {place}", secret.what))),
        None => Ok(()),
    }
}

/// Fails when one of the secrets is in a file of the folder, or when there is no file; the bytes searched.
pub(super) fn absent_from_folder(place: &str, folder: &Path, secrets: &[Secret]) -> Result<u64, Failure> {
    let failed = |error| Failure::failed(format!("cannot search {}: {error}", folder.display()));
    let mut searched = 0;
    for file in std::fs::read_dir(folder).map_err(failed)? {
        let file = file.map_err(failed)?;
        if !file.file_type().map_err(failed)?.is_file() {
            continue;
        }
        let bytes = std::fs::read(file.path()).map_err(failed)?;
        if let Some(secret) = secrets.iter().find(|secret| secret.is_in(&bytes)) {
            let name = file.file_name();
            return Err(Failure::failed(format!("{} was found in {place}, file {}", secret.what, name.display())));
        }
        searched += bytes.len() as u64;
    }
    if searched == 0 { Err(Failure::failed(format!("{place} is empty"))) } else { Ok(searched) }
}

/// The base64 characters that the bytes amount to when `shift` bytes stand before them in the same text: those that do
/// not depend on what surrounds them.
fn base64_inside(bytes: &[u8], shift: usize, url: bool) -> Option<Vec<u8>> {
    let alphabet: &[u8; 64] = if url {
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    } else {
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    };
    let whole = bytes.get((3 - shift) % 3..)?;
    let whole = &whole[..whole.len() / 3 * 3];
    // Shorter than this, chance finds it.
    (whole.len() >= 6).then(|| {
        let digits = whole.chunks_exact(3).flat_map(|three| {
            let bits = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
            [18, 12, 6, 0].map(|at| alphabet[(bits >> at & 63) as usize])
        });
        digits.collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_every_form() {
        let secret = Secret::new("it", b"the garden is in bloom");
        for text in [
            "xx the garden is in bloom xx",
            "7468652067617264656e20697320696e20626c6f6f6d",
            "7468652067617264656E20697320696E20626C6F6F6D",
            "dGhlIGdhcmRlbiBpcyBpbiBibG9vbQ==",
            // One and two bytes before it.
            "eHRoZSBnYXJkZW4gaXMgaW4gYmxvb20=",
            "eHh0aGUgZ2FyZGVuIGlzIGluIGJsb29t",
        ] {
            assert!(absent_from_text("the text", text, std::slice::from_ref(&secret)).is_err(), "{text}");
        }
        assert!(absent_from_text("the text", "the garden is in blossom", &[secret]).is_ok());
    }

    #[test]
    fn an_empty_folder_proves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert!(absent_from_folder("it", folder.path(), &[]).is_err());
        std::fs::write(folder.path().join("f"), b"some bytes").unwrap();
        assert_eq!(absent_from_folder("it", folder.path(), &[]), Ok(10));
        assert!(absent_from_folder("it", folder.path(), &[Secret::new("s", b"bytes")]).is_err());
    }
}
