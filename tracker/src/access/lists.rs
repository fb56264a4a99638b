//! The lists in force.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use peerfeed_protocol::announce::InfoHash;

use super::list::{HashList, ListError};
use crate::metrics::Counter;

/// Decides for every request whether its hash is served.
///
/// A hash on the deny list is never served; where there is an allow list, only hashes on it are. Exchanging the lists
/// makes nobody wait: a request sees either all of the old ones or all of the new ones.
#[derive(Debug)]
pub struct Access(ArcSwap<Lists>);

/// From which files the lists are read; without files every hash is served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessFiles {
    /// Only these hashes are served.
    pub allow: Option<PathBuf>,
    /// These hashes are not served.
    pub deny: Option<PathBuf>,
}

/// How long the lists in force are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Hashes on the allow list; `None` when there is no such list.
    pub allowed: Option<usize>,
    /// Hashes on the deny list.
    pub denied: usize,
    /// Bytes that both take in memory.
    pub size_bytes: usize,
}

/// Why a hash is not served, in the words that its client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is on the deny list.
    #[error("this tracker does not serve this torrent")]
    Denied,
    /// There is an allow list, and it is not on it.
    #[error("this tracker serves only torrents on its list")]
    NotAllowed,
}

impl Refusal {
    /// Under which cause it is counted.
    pub fn counter(self) -> Counter {
        match self {
            Self::Denied => Counter::HashDenied,
            Self::NotAllowed => Counter::HashNotAllowed,
        }
    }
}

/// The lists as they were at one moment.
#[derive(Debug)]
pub struct ListsInForce(Guard<Arc<Lists>>);

#[derive(Debug, Default)]
struct Lists {
    allow: Option<HashList>,
    deny: HashList,
}

impl Access {
    /// Serves every hash.
    pub fn open() -> Self {
        Self(ArcSwap::from_pointee(Lists::default()))
    }

    /// Reads the lists.
    pub fn load(files: &AccessFiles) -> Result<Self, ListError> {
        Ok(Self(ArcSwap::from_pointee(Lists::read(files)?)))
    }

    /// Reads the lists anew and puts them in force; when one of them cannot be read, the old ones stay, all of them.
    ///
    /// Blocks while it reads; for that time both old and new lists take memory.
    pub fn reload(&self, files: &AccessFiles) -> Result<Listed, ListError> {
        self.0.store(Lists::read(files)?.into());
        Ok(self.listed())
    }

    /// The lists that are in force now, for requests that are answered together.
    pub fn in_force(&self) -> ListsInForce {
        ListsInForce(self.0.load())
    }

    /// Whether this hash is served.
    pub fn check(&self, hash: &InfoHash) -> Result<(), Refusal> {
        self.in_force().check(hash)
    }

    /// What is in force.
    pub fn listed(&self) -> Listed {
        let lists = self.0.load();
        Listed {
            allowed: lists.allow.as_ref().map(HashList::len),
            denied: lists.deny.len(),
            size_bytes: lists.allow.as_ref().map_or(0, HashList::size_bytes) + lists.deny.size_bytes(),
        }
    }
}

impl ListsInForce {
    /// Whether this hash is served.
    pub fn check(&self, hash: &InfoHash) -> Result<(), Refusal> {
        let lists = &self.0;
        if !lists.deny.is_empty() && lists.deny.contains(hash) {
            return Err(Refusal::Denied);
        }
        match &lists.allow {
            Some(allow) if !allow.contains(hash) => Err(Refusal::NotAllowed),
            _ => Ok(()),
        }
    }
}

impl Lists {
    fn read(files: &AccessFiles) -> Result<Self, ListError> {
        Ok(Self {
            allow: files.allow.as_deref().map(HashList::read).transpose()?,
            deny: files.deny.as_deref().map(HashList::read).transpose()?.unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    const ONE: InfoHash = InfoHash([0x11; 20]);
    const TWO: InfoHash = InfoHash([0x22; 20]);
    const THREE: InfoHash = InfoHash([0x33; 20]);

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn write(&self, name: &str, hashes: &[InfoHash]) -> PathBuf {
            let path = self.0.path().join(name);
            let lines: Vec<_> = hashes.iter().map(|hash| format!("{:02x}", hash.0[0]).repeat(20)).collect();
            fs::write(&path, lines.join("\n")).unwrap();
            path
        }

        fn files(&self, allow: (&str, &[InfoHash]), deny: (&str, &[InfoHash])) -> AccessFiles {
            AccessFiles { allow: Some(self.write(allow.0, allow.1)), deny: Some(self.write(deny.0, deny.1)) }
        }
    }

    #[test]
    fn without_lists_every_hash_is_served() {
        for access in [Access::open(), Access::load(&AccessFiles::default()).unwrap()] {
            assert_eq!(access.check(&ONE), Ok(()));
            assert_eq!(access.listed(), Listed::default());
        }
    }

    #[test]
    fn denied_wins_over_allowed_and_an_empty_allow_list_serves_nothing() {
        let folder = Folder::new();
        let files = folder.files(("allow", &[ONE, TWO]), ("deny", &[TWO]));
        let access = Access::load(&files).unwrap();
        let verdicts = [ONE, TWO, THREE].map(|hash| access.check(&hash));
        assert_eq!(verdicts, [Ok(()), Err(Refusal::Denied), Err(Refusal::NotAllowed)]);
        assert_eq!((access.listed().allowed, access.listed().denied), (Some(2), 1));
        folder.write("allow", &[]);
        access.reload(&files).unwrap();
        assert_eq!(access.check(&ONE), Err(Refusal::NotAllowed));
    }

    #[test]
    fn a_list_that_cannot_be_read_leaves_all_old_ones_in_force() {
        let folder = Folder::new();
        let files = folder.files(("allow", &[ONE]), ("deny", &[]));
        let access = Access::load(&files).unwrap();
        folder.write("allow", &[TWO]);
        fs::write(files.deny.as_ref().unwrap(), "no hash\n").unwrap();
        let error = access.reload(&files).unwrap_err().to_string();
        assert!(error.contains("line 1"), "{error}");
        assert_eq!([ONE, TWO].map(|hash| access.check(&hash)), [Ok(()), Err(Refusal::NotAllowed)]);
    }

    #[test]
    fn requests_go_on_while_lists_are_exchanged_and_see_old_or_new_but_no_mixture() {
        let folder = Folder::new();
        let one = folder.files(("a", &[ONE, THREE]), ("b", &[THREE]));
        let two = folder.files(("c", &[TWO]), ("d", &[ONE]));
        let access = Access::load(&one).unwrap();
        let end = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !end.load(Ordering::Relaxed) {
                        // On no single pair of lists is THREE served, or ONE refused as not allowed.
                        assert!(access.check(&THREE).is_err());
                        assert_ne!(access.check(&ONE), Err(Refusal::NotAllowed));
                    }
                });
            }
            for round in 0..200 {
                access.reload(if round % 2 == 0 { &two } else { &one }).unwrap();
            }
            end.store(true, Ordering::Relaxed);
        });
        assert_eq!(access.check(&ONE), Ok(()));
    }
}
