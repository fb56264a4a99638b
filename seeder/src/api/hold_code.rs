//! A code by which feeds are held here, as it is told.

use serde::{Deserialize, Serialize};

/// A code that was made, or, without one, what became of those that there were.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldCode {
    /// `HOST:PORT#hold1…`, to be given away; absent when codes were taken back.
    pub code: Option<String>,
    /// When it ends, RFC 3339.
    pub expires: Option<String>,
    /// Feeds that may be brought by it, or codes that were taken back.
    pub uses: u64,
    /// Bytes that each of them may take.
    pub quota_bytes: Option<u64>,
}
