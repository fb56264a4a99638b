//! Open files, of which every socket is one.

use std::fs::File;
use std::io;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// There are too few open files for what is to begin.
#[derive(Debug, thiserror::Error)]
#[error("allow it more open files (LimitNOFILE in its unit, or `ulimit -n`)")]
pub struct TooFewFiles(#[source] io::Error);

/// What is spared before anything begins, and again when everything has: more than a runtime takes for itself, which breaks
/// off where it finds none, and enough for the first connections.
const SPARED: usize = 8;

/// Raises this process's limit of open files as far as it may by itself and returns it.
pub fn raise_open_files() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return u64::MAX };
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() { hard } else { soft }
}

/// Whether some more files can be opened now.
pub fn spares_files() -> Result<(), TooFewFiles> {
    let opened: io::Result<Vec<_>> = (0..SPARED).map(|_| File::open("/dev/null")).collect();
    match opened {
        Err(error) if is_want_of_files(&error) => Err(TooFewFiles(error)),
        // Without that file, there is nothing to tell it by.
        _ => Ok(()),
    }
}

/// Whether this is what the system says when too many files are open.
pub fn is_want_of_files(error: &io::Error) -> bool {
    [Errno::EMFILE, Errno::ENFILE].map(|errno| Some(errno as i32)).contains(&error.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_open_files_is_raised_to_what_is_allowed() {
        let raised = raise_open_files();
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!((soft, raised), (hard, hard));
    }

    #[test]
    fn where_files_can_be_opened_some_are_spared() {
        spares_files().unwrap();
        assert!(is_want_of_files(&Errno::EMFILE.into()) && !is_want_of_files(&Errno::EADDRINUSE.into()));
    }
}
