//! The search for what must not be somewhere: in whatever form it could have got there.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use memchr::memmem::Finder;

/// The shortest thing searched for; shorter ones turn up in ciphertext by chance.
const NEEDLE_BYTES_MIN: usize = 8;

/// Something that must not be found.
#[derive(Clone, Debug)]
pub struct Secret {
    name: String,
    forms: Vec<(String, Vec<u8>)>,
}

impl Secret {
    /// A secret and all the forms it is searched in: raw, hex in both cases, percent-encoded, base64 (both alphabets),
    /// bech32 and base32 at each alignment.
    pub fn new(name: &str, bytes: &[u8]) -> Self {
        assert!(bytes.len() >= NEEDLE_BYTES_MIN, "{name} is too short to be searched for");
        let mut forms = vec![
            ("raw".to_owned(), bytes.to_vec()),
            ("hex".to_owned(), hex(bytes, b"0123456789abcdef")),
            ("HEX".to_owned(), hex(bytes, b"0123456789ABCDEF")),
        ];
        for (url_name, is_plain) in URL_ENCODINGS {
            forms.push((url_name.to_owned(), percent(bytes, b"0123456789ABCDEF", is_plain)));
            forms.push((format!("{url_name}, lower case"), percent(bytes, b"0123456789abcdef", is_plain)));
        }
        for (alphabet_name, alphabet, bits) in ALPHABETS {
            for offset in 0..alignments(bits) {
                let form = in_alphabet(bytes, alphabet.as_bytes(), bits, offset);
                let known = forms.iter().any(|(_, other)| *other == form);
                if !known {
                    forms.push((format!("{alphabet_name}, offset {offset}"), form));
                }
            }
        }
        Self { name: name.to_owned(), forms }
    }

    /// Where the secret is in `place`, if it is there: its name, its form and the offset.
    pub fn find_in(&self, place: &[u8]) -> Option<String> {
        self.forms.iter().find_map(|(form, needle)| {
            let at = Finder::new(needle).find(place)?;
            Some(format!("{} ({form}) at byte {at}", self.name))
        })
    }
}

/// All findings in one place.
pub fn search(secrets: &[Secret], place_name: &str, place: &[u8]) -> Vec<String> {
    secrets.iter().filter_map(|secret| secret.find_in(place)).map(|found| format!("{place_name}: {found}")).collect()
}

/// All findings in the files below a folder, and in their names.
pub fn search_folder(secrets: &[Secret], folder: &Path) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        let name = path.display().to_string();
        findings.extend(search(secrets, "a file name", path.file_name().unwrap_or_default().as_encoded_bytes()));
        if path.is_dir() {
            findings.extend(search_folder(secrets, &path)?);
        } else if path.is_file() {
            let bytes = fs::read(&path).with_context(|| format!("cannot read {name}"))?;
            findings.extend(search(secrets, &name, &bytes));
        }
    }
    Ok(findings)
}

const ALPHABETS: [(&str, &str, usize); 4] = [
    ("base64", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 6),
    ("base64url", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", 6),
    ("bech32", "qpzry9x8gf2tvdw0s3jn54khce6mua7l", 5),
    ("base32", "abcdefghijklmnopqrstuvwxyz234567", 5),
];

/// Which bytes a URL carries as they are.
type Plain = fn(u8) -> bool;

/// None, or those that RFC 3986 leaves unreserved.
const URL_ENCODINGS: [(&str, Plain); 2] =
    [("percent-encoded", |_| false), ("URL-encoded", |byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))];

fn percent(bytes: &[u8], digits: &[u8; 16], is_plain: Plain) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(bytes.len() * 3);
    for &byte in bytes {
        if is_plain(byte) {
            encoded.push(byte);
        } else {
            encoded.push(b'%');
            encoded.extend(hex(&[byte], digits));
        }
    }
    encoded
}

fn hex(bytes: &[u8], digits: &[u8; 16]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| [digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]).collect()
}

/// Byte offsets after which the characters begin at the same bit again.
fn alignments(bits: usize) -> usize {
    match bits {
        6 => 3,
        _ => 5,
    }
}

/// The characters that stand for `bytes` alone when `offset` other bytes come before and any after them.
fn in_alphabet(bytes: &[u8], alphabet: &[u8], bits: usize, offset: usize) -> Vec<u8> {
    let first = (offset * 8).div_ceil(bits);
    let last = (offset + bytes.len()) * 8 / bits;
    (first..last)
        .map(|character| {
            let value = (character * bits..(character + 1) * bits).fold(0usize, |value, bit| {
                let byte = bytes[bit / 8 - offset];
                value << 1 | usize::from(byte >> (7 - bit % 8) & 1)
            });
            alphabet[value]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_each_form_and_alignment() {
        let secret = Secret::new("words", b"Many hands make light work.");
        let there = [
            &b"..Many hands make light work..."[..],
            b"4d616e792068616e6473206d616b65206c6967687420776f726b2e",
            b"4D616E792068616E6473206D616B65206C6967687420776F726B2E",
            // base64 of the words after nothing, one and two other bytes
            b"TWFueSBoYW5kcyBtYWtlIGxpZ2h0IHdvcmsu",
            b"eE1hbnkgaGFuZHMgbWFrZSBsaWdodCB3b3JrLg==",
            b"eHhNYW55IGhhbmRzIG1ha2UgbGlnaHQgd29yay4=",
            b"?q=Many%20hands%20make%20light%20work.&r=1",
        ];
        for place in there {
            assert!(secret.find_in(place).is_some(), "{}", String::from_utf8_lossy(place));
        }
        assert_eq!(secret.find_in(b"Many hands make light work,"), None);
    }

    #[test]
    fn a_feed_id_is_found_as_it_is_printed() {
        let printed = "feed1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqwpg25l";
        assert!(Secret::new("feed id", &[0; 32]).find_in(printed.as_bytes()).is_some());
    }
}
