//! The one thread that writes: it gathers jobs into transactions, and answers after the commit.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use redb::{Database, Durability};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};

use super::error::{StorageError, WriteError};
use super::limits::{BATCH_BYTES_MAX, BATCH_DURATION_MAX, BATCH_JOBS_MAX, QUEUED_JOBS_MAX};
use super::sweeping;
use super::txn::{Around, ReadTxn, WriteTxn};

/// A piece of work for the writer. It may run more than once, each time in a transaction that does not show what its
/// earlier runs did; the last run counts.
trait Job: Send {
    /// Does the work; false if it failed.
    fn run(&mut self, txn: &mut WriteTxn) -> bool;
    /// Hands the result of the last run to whoever waits, or the failure of the commit.
    fn answer(self: Box<Self>, committed: Result<(), WriteError>);
}

struct Closure<F, T> {
    work: F,
    result: Option<Result<T, WriteError>>,
    waiting: oneshot::Sender<Result<T, WriteError>>,
}

impl<F, T> Job for Closure<F, T>
where
    F: FnMut(&mut WriteTxn) -> Result<T, WriteError> + Send,
    T: Send,
{
    fn run(&mut self, txn: &mut WriteTxn) -> bool {
        self.result.insert((self.work)(txn)).is_ok()
    }

    fn answer(self: Box<Self>, committed: Result<(), WriteError>) {
        let result = self.result.unwrap_or(Err(WriteError::Closed));
        // Whoever waited may have gone; the work is committed all the same.
        let _ = self.waiting.send(committed.and(result));
    }
}

/// The way to the writer. When the last one is gone, the writer commits what it has and ends.
#[derive(Clone)]
pub(super) struct Queue {
    jobs: mpsc::Sender<Box<dyn Job>>,
}

/// Where to ask how much room the disk has, and how the writer is bounded.
pub(super) struct Bounds {
    pub(super) folder: PathBuf,
    pub(super) total_quota_bytes: Option<u64>,
    pub(super) reserve_bytes: u64,
    pub(super) around: Around,
}

impl Queue {
    /// Starts the writer of a database; `guard` is dropped when it ends.
    pub(super) fn start(
        db: Arc<Database>,
        bounds: Bounds,
        guard: impl Send + 'static,
    ) -> std::io::Result<(Self, thread::JoinHandle<()>)> {
        let (sender, jobs) = mpsc::channel(QUEUED_JOBS_MAX);
        let thread = thread::Builder::new().name("store".into()).spawn(move || {
            Writer { db, bounds, jobs }.work();
            drop(guard);
        })?;
        Ok((Self { jobs: sender }, thread))
    }

    pub(super) async fn run<T, F>(&self, work: F) -> Result<T, WriteError>
    where
        T: Send + 'static,
        F: FnMut(&mut WriteTxn) -> Result<T, WriteError> + Send + 'static,
    {
        let (job, answer) = job(work);
        self.jobs.send(job).await.map_err(|_| WriteError::Closed)?;
        answer.await.unwrap_or(Err(WriteError::Closed))
    }

    pub(super) fn run_blocking<T, F>(&self, work: F) -> Result<T, WriteError>
    where
        T: Send + 'static,
        F: FnMut(&mut WriteTxn) -> Result<T, WriteError> + Send + 'static,
    {
        let (job, answer) = job(work);
        self.jobs.blocking_send(job).map_err(|_| WriteError::Closed)?;
        answer.blocking_recv().unwrap_or(Err(WriteError::Closed))
    }
}

type Answer<T> = oneshot::Receiver<Result<T, WriteError>>;

fn job<T, F>(work: F) -> (Box<dyn Job>, Answer<T>)
where
    T: Send + 'static,
    F: FnMut(&mut WriteTxn) -> Result<T, WriteError> + Send + 'static,
{
    let (waiting, answer) = oneshot::channel();
    (Box::new(Closure { work, result: None, waiting }), answer)
}

struct Writer {
    db: Arc<Database>,
    bounds: Bounds,
    jobs: mpsc::Receiver<Box<dyn Job>>,
}

impl Writer {
    fn work(mut self) {
        // What an earlier run left to be freed.
        let mut sweeping = true;
        loop {
            // Jobs first; one step of sweeping between two transactions, or whenever nobody waits.
            let job = if sweeping {
                self.jobs.try_recv()
            } else {
                self.jobs.blocking_recv().ok_or(TryRecvError::Disconnected)
            };
            match job {
                Ok(first) => self.commit(first),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => return,
            }
            sweeping = self.sweep().unwrap_or_else(|error| {
                tracing::warn!(%error, "room that is no longer needed could not be freed");
                false
            });
        }
    }

    /// Gathers jobs into a transaction and tells them what became of it.
    fn commit(&mut self, first: Box<dyn Job>) {
        let mut batch = Vec::new();
        let result = self.gather(first, &mut batch);
        let failure = result.err().map(Arc::new);
        for job in batch {
            job.answer(failure.as_ref().map_or(Ok(()), |error| Err(again(error).into())));
        }
    }

    /// Frees the next part of what is no longer needed. Gives whether there may be more.
    fn sweep(&self) -> Result<bool, StorageError> {
        let Some(blob) = sweeping::next(&ReadTxn::begin(&*self.db, &self.bounds.around)?)? else {
            return Ok(false);
        };
        let mut txn = self.begin_regardless()?;
        sweeping::step(&mut txn, blob)?;
        txn.commit()?;
        Ok(true)
    }

    /// Runs jobs in one transaction and commits it. Jobs that fail are answered at once; `batch` is what the commit's
    /// outcome has to be told to.
    fn gather(&mut self, first: Box<dyn Job>, batch: &mut Vec<Box<dyn Job>>) -> Result<(), StorageError> {
        let began = Instant::now();
        let mut next = Some(first);
        let mut txn = match self.begin() {
            Ok(txn) => txn,
            Err(error) => {
                batch.extend(next);
                return Err(error);
            }
        };
        while let Some(mut job) = next.take() {
            let changes = txn.changes();
            if job.run(&mut txn) {
                batch.push(job);
            } else {
                let undo = txn.changes() > changes;
                job.answer(Ok(()));
                if undo {
                    txn.abort()?;
                    txn = self.run_again(batch)?;
                }
            }
            let full = batch.len() >= BATCH_JOBS_MAX
                || txn.written_bytes() >= BATCH_BYTES_MAX
                || began.elapsed() >= BATCH_DURATION_MAX;
            if !full {
                next = self.jobs.try_recv().ok();
            }
        }
        if batch.is_empty() {
            txn.abort()?;
            return Ok(());
        }
        txn.commit()
    }

    /// A new transaction with the work of the batch in it. A job that fails now did so because of one that is gone; it
    /// is taken out, answered, and the rest runs once more.
    fn run_again(&self, batch: &mut Vec<Box<dyn Job>>) -> Result<WriteTxn, StorageError> {
        loop {
            let mut txn = self.begin()?;
            let Some(failed) = batch.iter_mut().position(|job| !job.run(&mut txn)) else { return Ok(txn) };
            txn.abort()?;
            batch.remove(failed).answer(Ok(()));
        }
    }

    fn begin(&self) -> Result<WriteTxn, StorageError> {
        self.check_room()?;
        self.begin_regardless()
    }

    /// As [`Self::begin`], for what frees more than it takes.
    fn begin_regardless(&self) -> Result<WriteTxn, StorageError> {
        let mut txn = self.db.begin_write()?;
        txn.set_durability(Durability::Immediate)?;
        txn.set_quick_repair(true);
        Ok(WriteTxn::new(txn, &self.bounds.around, self.bounds.total_quota_bytes))
    }

    /// Refuses to begin when the disk is nearly full: redb takes no more writes after a failed one. spec: STORE-13
    fn check_room(&self) -> Result<(), StorageError> {
        let disk = nix::sys::statvfs::statvfs(&self.bounds.folder).map_err(std::io::Error::from)?;
        let free_bytes = disk.blocks_available().saturating_mul(disk.fragment_size());
        if free_bytes < self.bounds.reserve_bytes { Err(StorageError::DiskFull) } else { Ok(()) }
    }
}

/// The same failure, for another who waited for the same commit.
fn again(error: &Arc<StorageError>) -> StorageError {
    match &**error {
        StorageError::DiskFull => StorageError::DiskFull,
        StorageError::ReadOnly => StorageError::ReadOnly,
        StorageError::FailedBefore => StorageError::FailedBefore,
        StorageError::Damaged(what) => StorageError::Damaged(what.clone()),
        StorageError::Io(source) => StorageError::Io(std::io::Error::new(source.kind(), Arc::clone(error))),
        StorageError::Engine(_) => StorageError::Io(std::io::Error::other(Arc::clone(error))),
    }
}
