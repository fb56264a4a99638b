//! An address, whatever feeds may be found there.

use peerfeed_protocol::peer::Moment;

use super::ConnectionId;
use super::backoff::Backoff;
use super::limits::{REDIAL_FIRST, REDIAL_LONGEST};

/// Whether there is a connection to an address, and when it may be dialled.
#[derive(Debug)]
pub(super) struct Place {
    /// The connection, dialled or connected.
    pub connection: Option<ConnectionId>,
    /// When it may be dialled.
    pub not_before: Moment,
    /// Failures in a row.
    pub backoff: Backoff,
    /// It is this very node.
    pub itself: bool,
}

impl Place {
    /// A place to be dialled at once.
    pub(super) fn new(now: Moment) -> Self {
        Self { connection: None, not_before: now, backoff: Backoff::new(REDIAL_FIRST, REDIAL_LONGEST), itself: false }
    }
}
