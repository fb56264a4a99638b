//! One list of hashes and the file that it is read from.

use std::collections::hash_map::RandomState;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use hashbrown::HashSet;
use peerfeed_protocol::announce::InfoHash;

/// Most hashes of one list. Takes up to 180 MB; the longest list known from the field has 18 million peers, not hashes.
pub const HASHES_MAX: usize = 5_000_000;

/// Most bytes of one line, comment included: a hash and a reason fit.
pub const LINE_BYTES_MAX: usize = 1024;

/// Hashes, found in constant time.
///
/// Keyed, so that who can get hashes onto a list cannot make it slow.
#[derive(Debug, Default)]
pub struct HashList(HashSet<[u8; 20], RandomState>);

/// Why a file is no list. All of these are for the operator, and name the file and the line.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The file is not there, or may not be read.
    #[error("cannot read the list {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A line holds something else than a hash.
    #[error("line {line} of {} has {found}: write 40 hexadecimal digits per line; a comment begins with #", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is there instead.
        found: String,
    },
    /// More hashes than a list may have.
    #[error("{} has more than {max} hashes: no list may be longer", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// [`HASHES_MAX`].
        max: usize,
    },
}

impl HashList {
    /// Reads the file at `path`: 40 hexadecimal digits per line, blanks around them and a comment after `#` allowed.
    pub fn read(path: &Path) -> Result<Self, ListError> {
        let read = |source| ListError::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(read)?;
        Self::read_from(BufReader::new(file), path)
    }

    /// Reads such a text, which is said to be the file at `path` where something is wrong with it.
    pub fn read_from(text: impl BufRead, path: &Path) -> Result<Self, ListError> {
        Self::parse(text, path, HASHES_MAX)
    }

    fn parse(mut text: impl BufRead, path: &Path, max: usize) -> Result<Self, ListError> {
        let mut hashes = HashSet::default();
        let mut bytes = Vec::with_capacity(64);
        for line in 1.. {
            bytes.clear();
            let limit = u64::try_from(LINE_BYTES_MAX + 1).expect("about a thousand");
            let length = text
                .by_ref()
                .take(limit)
                .read_until(b'\n', &mut bytes)
                .map_err(|source| ListError::Read { path: path.to_owned(), source })?;
            if length == 0 {
                break;
            }
            let wrong = |found| ListError::Line { path: path.to_owned(), line, found };
            if length > LINE_BYTES_MAX {
                return Err(wrong(format!("more than {LINE_BYTES_MAX} bytes")));
            }
            if let Some(hash) = parse_line(&bytes).map_err(wrong)? {
                hashes.insert(hash);
            }
            if hashes.len() > max {
                return Err(ListError::TooLong { path: path.to_owned(), max });
            }
        }
        hashes.shrink_to_fit();
        Ok(Self(hashes))
    }

    /// Whether it holds this hash.
    pub fn contains(&self, hash: &InfoHash) -> bool {
        self.0.contains(&hash.0)
    }

    /// Hashes, each counted once.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes that it takes in memory.
    pub fn size_bytes(&self) -> usize {
        self.0.allocation_size()
    }
}

/// The hash of a line, or none when it is empty but for a comment; otherwise what is wrong with it.
fn parse_line(line: &[u8]) -> Result<Option<[u8; 20]>, String> {
    let text = line.split(|&byte| byte == b'#').next().unwrap_or_default().trim_ascii();
    // Editors of another system begin a file so.
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    if text.is_empty() {
        return Ok(None);
    }
    if let Some(other) = text.iter().find(|byte| !byte.is_ascii_hexdigit()) {
        return Err(format!("'{}', which is no hexadecimal digit", other.escape_ascii()));
    }
    let mut hash = [0; 20];
    if text.len() != 2 * hash.len() {
        return Err(format!("{} digits", text.len()));
    }
    for (byte, pair) in hash.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0]) << 4 | digit(pair[1]);
    }
    Ok(Some(hash))
}

fn digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        _ => byte.to_ascii_lowercase() - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &[u8]) -> Result<HashList, String> {
        HashList::parse(text, Path::new("/etc/list"), 3).map_err(|error| error.to_string())
    }

    #[test]
    fn hashes_are_read_in_either_case_with_comments_blanks_and_any_line_ends() {
        let text = format!(
            "\u{feff}# reported 2026-03-01\r\n\n  {}  # case 17\r\n{}\n{}",
            "0123456789abcdef0123456789ABCDEF01234567",
            "ff".repeat(20),
            "ff".repeat(20)
        );
        let list = parse(text.as_bytes()).unwrap();
        assert_eq!(list.len(), 2);
        let known = *b"\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67";
        assert!(list.contains(&InfoHash(known)) && list.contains(&InfoHash([0xff; 20])));
        assert!(!list.contains(&InfoHash([0; 20])));
        assert!(list.size_bytes() >= 40);
    }

    #[test]
    fn a_wrong_line_is_told_by_its_number_and_by_what_it_has() {
        let good = "ab".repeat(20);
        for (line, told) in [
            ("ab".repeat(19), "line 3 of /etc/list has 38 digits"),
            (good.clone() + "0", "line 3 of /etc/list has 41 digits"),
            (good.clone() + " " + &good, "has ' ', which is no hexadecimal digit"),
            ("magnet:?xt=urn:btih:x".to_owned(), "has 'm', which"),
            ("\u{1}".to_owned(), r"has '\x01', which"),
            ("#".repeat(LINE_BYTES_MAX + 1), "has more than 1024 bytes"),
        ] {
            let error = parse(format!("# a list\n{good}\n{line}\n{good}\n").as_bytes()).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn a_list_beyond_its_limit_is_refused_not_cut() {
        let lines = |count: usize| (0..count).map(|n| format!("{n:040x}")).collect::<Vec<_>>().join("\n");
        assert_eq!(parse(lines(3).as_bytes()).unwrap().len(), 3);
        let error = parse(lines(4).as_bytes()).unwrap_err();
        assert!(error.contains("/etc/list has more than 3 hashes"), "{error}");
    }

    #[test]
    fn an_empty_file_is_an_empty_list_and_a_missing_one_is_named() {
        assert!(parse(b"").unwrap().is_empty());
        let error = HashList::read(Path::new("/nowhere/list")).unwrap_err();
        assert_eq!(error.to_string(), "cannot read the list /nowhere/list");
    }
}
