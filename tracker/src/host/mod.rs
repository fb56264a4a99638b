//! What the machine gives the tracker, and what it lacks.
//!
//! - [`memory`]: of the machine, of the control group, of this process.
//! - [`udp`]: datagrams that the kernel dropped before the tracker saw them.
//! - [`check`]: the look at the host on starting.
//! - [`files`]: how many may be open.
//!
//! Each part reads small files of `/proc` and `/sys` below a root folder, so that tests bring files of their own.

pub mod check;
pub mod files;
pub mod memory;
pub mod udp;

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// Most bytes read of one file of the kernel: `/proc/net/udp` of a machine with 5,000 sockets.
pub const FILE_BYTES_MAX: u64 = 1 << 20;

/// Where the kernel shows itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    root: PathBuf,
}

impl Host {
    /// This machine.
    pub fn new() -> Self {
        Self { root: PathBuf::from("/") }
    }

    /// A machine whose files lie below `root`.
    pub fn below(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The text of a file named by its absolute path, or `None` where this kernel has no such file.
    fn read(&self, path: &str) -> Option<String> {
        self.try_read(path).ok()
    }

    fn try_read(&self, path: &str) -> io::Result<String> {
        let mut bytes = vec![];
        std::fs::File::open(self.root.join(path.trim_start_matches('/')))?
            .take(FILE_BYTES_MAX)
            .read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The number that is all of a file.
    fn read_number(&self, path: &str) -> Option<u64> {
        self.read(path)?.trim().parse().ok()
    }
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A host with these files, and the folder that they lie in.
    pub(super) fn host(files: &[(&str, &str)]) -> (tempfile::TempDir, Host) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let host = Host::below(folder.path());
        (folder, host)
    }
}
