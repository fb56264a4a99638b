//! What this installation holds, in one database and a file of chunks: feeds, entries, blobs, and what it takes to
//! prove and show them.
//!
//! One thread writes. Jobs from anywhere ([`Store::write`]) are gathered into transactions and answered after the commit
//! has reached the disk; a job that fails leaves no trace, and the others of its transaction are not harmed. Reading
//! ([`Store::read`]) happens anywhere, in snapshots that see all of a transaction or nothing.
//!
//! Nothing here verifies: what is put was proven by whoever puts it, and types of the protocol say so where they can. The
//! store keeps its own promises: quotas, references, and no half-written thing. `protocol/spec/store.md` describes the
//! data folder and the tables; the code cites it as `spec: STORE-4`.

mod arrival;
mod audiences;
mod blobs;
mod chunk_file;
mod chunks;
mod contacts;
mod direct;
mod direct_reads;
mod entries;
mod epochs;
mod error;
mod feeds;
mod forks;
mod grants;
mod held;
mod hold_codes;
mod letters;
pub mod limits;
mod lock;
mod logs;
mod mailboxes;
mod members;
mod meta;
mod nodes;
mod open;
mod own;
mod own_blob;
mod profiles;
mod reading;
mod records;
mod removal;
mod seeders_met;
mod slots;
mod stored_by;
mod sweeping;
mod tables;
mod timeline;
mod txn;
mod upgrade;
mod usage;
mod vault;
mod writer;

pub use audiences::{Audience, AudienceName, AudienceRow};
pub use blobs::BlobRow;
pub use chunks::{BlobNodes, NewChunks};
pub use contacts::Contact;
pub(crate) use direct::DirectRun;
pub use entries::{NewEntries, NewEntry, StoredEntry};
pub use error::{OpenError, Quota, StorageError, WriteError};
pub use feeds::{FeedRow, Roles, SeederHint};
pub use grants::StoredGrant;
pub use hold_codes::{HoldCodeRow, HoldOutcome};
pub use letters::{Outgoing, OwnPrekey};
pub use logs::{HeadPut, LogRow};
pub use mailboxes::{Keeping, MailBox, MailPage};
pub use members::{Member, MemberDevice, Reads};
pub use meta::FORMAT;
pub use nodes::LogNodes;
pub use open::Options;
pub use own::OwnLog;
pub use own_blob::OwnBlob;
pub use reading::Reading;
pub use stored_by::StoredBy;
pub use timeline::{Indexed, TimelineKey};
pub use txn::{ReadTxn, View, WriteTxn};
pub use usage::Usage;
pub use vault::Vault;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use redb::Database;
use zeroize::Zeroizing;

/// A handle to the store; clones are cheap and share one writer.
///
/// When the last one is dropped, what was queued is committed, and the data folder is given up; a [`ReadTxn`] that still
/// lives keeps the database file locked.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    /// Taken when the store is closed: its end is what ends the writer.
    queue: Option<writer::Queue>,
    writer: Option<JoinHandle<()>>,
    db: Arc<Database>,
    around: txn::Around,
    folder: PathBuf,
    /// Held by who puts entries into the timeline: two at once would each find what the other has not written yet.
    indexing: tokio::sync::Mutex<()>,
}

impl Inner {
    fn queue(&self) -> &writer::Queue {
        self.queue.as_ref().expect("it is taken only when no handle is left")
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        drop(self.queue.take());
        let writer = self.writer.take().filter(|writer| writer.thread().id() != thread::current().id());
        if let Some(writer) = writer {
            // The writer has no way to fail but a panic, which it has printed.
            let _ = writer.join();
        }
    }
}

impl Store {
    /// Opens the store of a data folder, and makes folder and store if they are not there.
    pub fn open(folder: &Path, options: &Options) -> Result<Self, OpenError> {
        open::open(folder, options)
    }

    /// Opens the secrets in the store to this process, with a key that follows from the device's, and has further ones
    /// sealed under it.
    pub(crate) fn open_vault(&self, key: Zeroizing<[u8; 32]>) {
        self.inner.around.vault.set(Some(key));
    }

    /// Closes them again; what is put then lies open.
    pub(crate) fn close_vault(&self) {
        self.inner.around.vault.set(None);
    }

    /// Whether secrets are open to this process.
    pub(crate) fn has_vault(&self) -> bool {
        self.inner.around.vault.is_open()
    }

    /// Seals what was put before there was a key, once the key is on the disk; for threads outside of the runtime.
    pub(crate) fn seal_epochs(&self) -> Result<(), WriteError> {
        if self.has_vault() && epochs::any_open(&self.read()?)? {
            self.write_blocking(|txn| Ok(epochs::seal_all(txn)?))?;
        }
        Ok(())
    }

    /// What is held while entries are put into the timeline.
    pub(crate) fn indexing(&self) -> &tokio::sync::Mutex<()> {
        &self.inner.indexing
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        &self.inner.folder
    }

    /// A snapshot to read from. Keep it short: see [`ReadTxn`].
    pub fn read(&self) -> Result<ReadTxn, StorageError> {
        ReadTxn::begin(&*self.inner.db, &self.inner.around)
    }

    /// Runs a job in the writer and returns after what it wrote was synced to disk. spec: STORE-7
    ///
    /// The job may run several times, each time as if for the first: in another transaction, when one that it shared
    /// had to be undone. When it returns an error, nothing of it is kept.
    pub async fn write<T, F>(&self, job: F) -> Result<T, WriteError>
    where
        T: Send + 'static,
        F: FnMut(&mut WriteTxn) -> Result<T, WriteError> + Send + 'static,
    {
        self.inner.queue().run(job).await
    }

    /// As [`Self::write`], for threads outside of the runtime; panics within it.
    pub fn write_blocking<T, F>(&self, job: F) -> Result<T, WriteError>
    where
        T: Send + 'static,
        F: FnMut(&mut WriteTxn) -> Result<T, WriteError> + Send + 'static,
    {
        self.inner.queue().run_blocking(job)
    }

    /// Drops this handle. If it is the last one, waits until what was queued is committed and the folder is given up.
    pub fn close(self) {
        drop(self);
    }
}
