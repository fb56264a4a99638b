//! The lock on a data folder: one process at a time, and the other learns who it is.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::error::OpenError;

/// Bytes of the lock file that are shown to whoever finds the folder in use.
const HOLDER_BYTES_MAX: u64 = 300;

/// Held as long as it lives; the system gives it up when the process ends in whatever way. spec: STORE-3
#[derive(Debug)]
pub(super) struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Makes the folder (mode 0700) if it is not there, and locks it. spec: STORE-1
    pub(super) fn take(folder: &Path) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Folder { folder: folder.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(folder.join("lock"))
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::Held { folder: folder.to_owned(), holder: holder(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        name_holder(&mut file).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

fn name_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    // The program alone: its arguments may be a post's text or a link with a key.
    let program = std::env::args_os().next().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
    let program = program.rsplit('/').next().unwrap_or_default();
    writeln!(file, "process {} ({program})", std::process::id())
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.take(HOLDER_BYTES_MAX).read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => text.trim().replace(|c: char| c.is_control(), " "),
        _ => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_to_come_learns_who_holds_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let held = FolderLock::take(folder.path()).unwrap();
        let error = FolderLock::take(folder.path()).expect_err("it is held");
        let OpenError::Held { holder, .. } = error else { panic!("{error}") };
        assert!(holder.starts_with(&format!("process {} (", std::process::id())), "{holder}");
        drop(held);
        FolderLock::take(folder.path()).expect("it was given up");
    }
}
