//! Every limit of the store, with its unit and its reason.

use std::time::Duration;

/// Bytes of pages that redb keeps in memory, unless the options say otherwise.
///
/// redb's own default is 1 GiB, which a small home server does not have.
pub const CACHE_BYTES_DEFAULT: usize = 32 << 20;

/// Jobs in one transaction: what a transaction may hold up when one of its jobs fails and the others run again.
pub const BATCH_JOBS_MAX: usize = 1_000;

/// Bytes written in one transaction: one fsync of this much is worth its price, and memory stays bounded.
pub const BATCH_BYTES_MAX: u64 = 32 << 20;

/// How long a transaction takes further jobs: what the first of them waits at most before its commit begins.
pub const BATCH_DURATION_MAX: Duration = Duration::from_millis(5);

/// Jobs that wait for the writer; whoever brings more is held until there is room.
pub const QUEUED_JOBS_MAX: usize = 256;

/// Bytes of the disk that stay free: writing stops with "disk full" before the machine has none left.
pub const DISK_RESERVE_BYTES: u64 = 64 << 20;

/// Bytes charged for an entry beyond its header and body: rows, keys and tree nodes, as measured.
///
/// Without it a stream of empty entries would fill a disk under any quota.
pub const ENTRY_OVERHEAD_BYTES: u64 = 200;

/// Chunks that are freed in one go: 64 MB, some tens of milliseconds, which is what a job may have to wait.
pub const SWEPT_CHUNKS_MAX: usize = 1_024;

/// Whole groups that are freed in one go: nothing of the file is touched, only their rows go.
pub const SWEPT_GROUPS_MAX: usize = 1_024;

/// Seeders that hold a feed and are not listed, remembered of one feed: more than its owner would list.
pub const SEEDERS_MET_MAX: usize = 16;

/// Chunks that are proven, stored and marked as held together. spec: STORE-9
pub const GROUP_CHUNKS: u32 = 16;

/// Groups in one row of the bitmap: 512 bytes, 4 GiB of blob.
pub const BITMAP_GROUPS: u32 = 4_096;
