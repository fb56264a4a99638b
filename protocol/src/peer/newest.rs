//! The newest entries that follow a STATE without a request. spec: PEER-41

use super::message::{EntriesFrame, Newest, State};
use super::violation::Violation;
use crate::feed::UnverifiedHead;
use crate::ids::LogId;
use crate::merkle::Hash;

/// What we await of the newest entries of one channel.
pub(super) struct Awaited {
    newest: Newest,
    bytes_left: usize,
    claims: Vec<Claim>,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The STATE has not come yet.
    State,
    /// Entries follow.
    Entries,
    /// Entries follow, but there is no room to remember what they are to be proven against: they are skipped.
    Skipped,
}

/// A head that the peer claims, and the part of its log that may still come.
struct Claim {
    log: LogId,
    size: u64,
    root: Hash,
    end: u64,
    entries_left: u64,
}

impl Awaited {
    pub(super) fn new(newest: Newest) -> Self {
        let bytes_left = usize::try_from(newest.body_bytes).expect("32-bit numbers fit");
        Self { newest, bytes_left, claims: Vec::new(), phase: Phase::State }
    }

    /// How many heads are remembered.
    pub(super) fn claims(&self) -> usize {
        self.claims.len()
    }

    /// Whether entries have been announced.
    pub(super) fn has_begun(&self) -> bool {
        self.phase != Phase::State
    }

    /// Remembers what the entries will be proven against, if there is room.
    pub(super) fn begin(&mut self, state: &State, room: usize) -> Result<(), Violation> {
        if state.heads.len() > room {
            self.phase = Phase::Skipped;
            return Ok(());
        }
        for news in &state.heads {
            let head = UnverifiedHead::decode(&news.record)?;
            self.claims.push(Claim {
                log: *head.log(),
                size: head.size(),
                root: *head.root(),
                end: head.size(),
                entries_left: u64::from(self.newest.entries),
            });
        }
        self.phase = Phase::Entries;
        Ok(())
    }

    /// Whether the frame continues, downwards, what was announced: the root that its proof must lead to; none when the
    /// entries are skipped.
    pub(super) fn expect(&mut self, frame: &EntriesFrame) -> Result<Option<Hash>, Violation> {
        match self.phase {
            Phase::State => return Err(Violation::Unasked),
            Phase::Skipped => return Ok(None),
            Phase::Entries => {}
        }
        let range = frame.range();
        let count = range.end - range.start;
        let claim = self
            .claims
            .iter_mut()
            .find(|claim| claim.log == frame.log && claim.size == frame.size && claim.end == range.end)
            .ok_or(Violation::Unasked)?;
        let bytes = frame.payload_bytes();
        if count > claim.entries_left || bytes > self.bytes_left {
            return Err(Violation::Unasked);
        }
        claim.entries_left -= count;
        claim.end = range.start;
        self.bytes_left -= bytes;
        Ok(Some(claim.root))
    }
}
