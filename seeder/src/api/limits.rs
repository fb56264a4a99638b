//! Limits of the local API.

use std::time::Duration;

/// Bytes of one call: a post of 50,000 bytes as JSON escapes to at most six times that, and paths.
pub const MAX_CALL_BYTES: usize = 1 << 20;

/// Bytes of one line of an answer: an entry's text, escaped, or the status of 1,024 feeds.
pub const MAX_LINE_BYTES: usize = 8 << 20;

/// Commands served at the same time; the next one waits.
pub const MAX_CLIENTS: usize = 64;

/// Replies on their way to a command before the engine waits for it.
pub const MAX_QUEUED_REPLIES: usize = 64;

/// How long a command waits for another one-off command that holds the data folder.
pub const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// How often it looks again meanwhile.
pub const LOCK_RETRY: Duration = Duration::from_millis(50);
