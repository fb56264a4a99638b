//! A file that has no name yet.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use peerfeed_protocol::limits::FILE_NAME_BYTES_MAX;

use super::file::FileError;

/// Files of one name that are tried before giving up: `cat (1000).png` is nobody's intention.
const SAME_NAME_MAX: u32 = 1_000;

/// A file that is removed unless it is renamed.
pub(super) struct Unfinished {
    path: PathBuf,
    file: File,
}

impl Unfinished {
    /// An empty one in the folder.
    pub(super) fn create(folder: &Path) -> Result<Self, FileError> {
        for number in 0..SAME_NAME_MAX {
            let path = folder.join(format!(".peerfeed-{}-{number}.part", std::process::id()));
            match OpenOptions::new().read(true).write(true).create_new(true).open(&path) {
                Ok(file) => return Ok(Self { path, file }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(FileError::Io { path: folder.to_owned(), source }),
            }
        }
        Err(FileError::Crowded(folder.to_owned()))
    }

    /// To be written, and read again.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Where it is until it has a name.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// That something could not be done with it.
    pub(super) fn failed(&self, source: io::Error) -> FileError {
        FileError::Io { path: self.path.clone(), source }
    }

    /// Gives it a name in the folder; with a number where the name is taken.
    pub(super) fn rename(self, folder: &Path, name: &str) -> Result<PathBuf, FileError> {
        for number in 1..=SAME_NAME_MAX {
            let path = folder.join(numbered(name, number));
            // An empty file of our own takes the name, so that the renaming replaces nobody's.
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(_) => {
                    fs::rename(&self.path, &path).map_err(|source| FileError::Io { path: path.clone(), source })?;
                    return Ok(path);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(FileError::Io { path, source }),
            }
        }
        Err(FileError::Crowded(folder.to_owned()))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // After the renaming it is not there any more.
        let _ = fs::remove_file(&self.path);
    }
}

/// The name with a number before its ending, none for the first; still within a name's length.
fn numbered(name: &str, number: u32) -> String {
    if number == 1 {
        return name.to_owned();
    }
    let dot = name.rfind('.').filter(|at| *at > 0).unwrap_or(name.len());
    let (stem, ending) = name.split_at(dot);
    let tail = format!(" ({number}){ending}");
    let mut cut = stem.len().min(FILE_NAME_BYTES_MAX.saturating_sub(tail.len()));
    while !stem.is_char_boundary(cut) {
        cut -= 1;
    }
    format!("{}{tail}", &stem[..cut])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_goes_before_the_ending_and_the_name_stays_short_enough() {
        assert_eq!(numbered("cat.png", 1), "cat.png");
        assert_eq!(numbered("cat.png", 2), "cat (2).png");
        assert_eq!(numbered("README", 3), "README (3)");
        let long = format!("{}.jpeg", "ä".repeat(125));
        let safe = numbered(&long, 12);
        assert!(safe.len() <= FILE_NAME_BYTES_MAX && safe.ends_with(" (12).jpeg"), "{safe}");
    }
}
