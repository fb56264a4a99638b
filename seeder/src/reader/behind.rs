//! Writing on a thread of its own, so that what comes next is opened while the disk is busy.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use crate::store::DirectRun;

/// Runs that are filled or written at a time: one each.
const RUNS: usize = 2;

/// A file that is written behind who fills it.
pub(super) struct Behind {
    /// To be written, in this order; none once all was given.
    filled: Option<Sender<DirectRun>>,
    /// To be filled again.
    written: Receiver<DirectRun>,
    /// Runs that were made.
    runs: usize,
    writing: Option<JoinHandle<io::Result<()>>>,
}

impl Behind {
    /// Begins to write a file, which is at this path.
    pub(super) fn start(path: &Path, file: &File) -> io::Result<Self> {
        let (filled, to_write) = mpsc::channel::<DirectRun>();
        let (to_fill, written) = mpsc::channel();
        let (path, file) = (path.to_owned(), file.try_clone()?);
        let writing = thread::Builder::new().name("file".to_owned()).spawn(move || {
            for mut run in to_write {
                run.write(&path, &file)?;
                // Who has filled the last one waits for none.
                let _ = to_fill.send(run);
            }
            Ok(())
        })?;
        Ok(Self { filled: Some(filled), written, runs: 0, writing: Some(writing) })
    }

    /// A run to be filled. Waits while all are being written; fails when one could not be.
    pub(super) fn run(&mut self) -> io::Result<DirectRun> {
        if self.runs < RUNS {
            self.runs += 1;
            return Ok(DirectRun::default());
        }
        self.written.recv().map_err(|_| self.end().err().unwrap_or_else(gone))
    }

    /// Has a run written.
    pub(super) fn write(&mut self, run: DirectRun) -> io::Result<()> {
        match self.filled.as_ref().map(|filled| filled.send(run)) {
            Some(Ok(())) => Ok(()),
            _ => Err(self.end().err().unwrap_or_else(gone)),
        }
    }

    /// Waits until all is written.
    pub(super) fn end(&mut self) -> io::Result<()> {
        self.filled = None;
        self.writing.take().map_or(Ok(()), |writing| writing.join().unwrap_or_else(|_| Err(gone())))
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        // Who has not asked how it ended has given up.
        let _ = self.end();
    }
}

fn gone() -> io::Error {
    io::Error::other("what writes the file has ended")
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;

    #[test]
    fn what_is_filled_is_written_while_more_is_and_a_failure_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut file = File::create_new(&path).unwrap();
        for may_write in [true, false] {
            let mut behind = Behind::start(&path, &file).unwrap();
            let mut write = |at: u8| {
                let mut run = behind.run()?;
                run.begin(u64::from(at) * 1_000, 1_000);
                run.end().extend_from_slice(&[at; 1_000]);
                behind.write(run)
            };
            let given: io::Result<()> = (0..100).try_for_each(&mut write);
            let outcome = given.and(behind.end());
            assert_eq!(outcome.is_ok(), may_write, "{outcome:?}");
            let due: Vec<u8> = (0..100).flat_map(|at| [at; 1_000]).collect();
            assert!(std::fs::read(&path).unwrap() == due);
            file = OpenOptions::new().read(true).open(&path).unwrap();
        }
    }
}
