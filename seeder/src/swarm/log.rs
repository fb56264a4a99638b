//! A log as far as the engine follows it.

use std::collections::VecDeque;
use std::ops::Range;

use peerfeed_protocol::feed::Head;
use peerfeed_protocol::ids::LogId;
use peerfeed_protocol::merkle::Hash;
use peerfeed_protocol::peer::message::Stored;

use super::pushers::Pushers;
use super::ranges::Ranges;
use super::{ConnectionId, Ticket};

/// Heads of which the trees are remembered when newer ones come: what was proven against one may still be on its way.
const EARLIER_TREES: usize = 8;

/// The head that was accepted, and what is held, on its way to the store, or asked for.
#[derive(Debug)]
pub(super) struct Log {
    head: Head,
    /// Trees of the heads that were accepted before, the latest last.
    earlier: VecDeque<(u64, Hash)>,
    /// Size of the newest head that is synced to disk.
    pub stored_size: u64,
    /// Entries synced to disk.
    pub held: Ranges,
    /// Entries that the store is working on.
    pub writing: Ranges,
    /// Entries that peers were asked for, and by which request.
    pub asked: Vec<Asked>,
    /// Entries from the first on that are held with all of their blobs.
    pub complete: u64,
    /// It contradicts itself: no further head is accepted.
    pub forked: bool,
    /// Who pushes its heads.
    pub pushers: Pushers,
}

/// Entries that a peer was asked for.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// The peer.
    pub connection: ConnectionId,
    /// The request; none for the newest entries that follow the first state unasked.
    pub ticket: Option<Ticket>,
    /// What has not come yet.
    pub range: Range<u64>,
}

impl Log {
    /// A log whose head was just accepted and is not stored yet.
    pub(super) fn new(head: Head) -> Self {
        Self {
            head,
            earlier: VecDeque::new(),
            stored_size: 0,
            held: Ranges::new(),
            writing: Ranges::new(),
            asked: Vec::new(),
            complete: 0,
            forked: false,
            pushers: Pushers::default(),
        }
    }

    /// Its name.
    pub(super) fn id(&self) -> LogId {
        *self.head.log()
    }

    /// The newest head that was accepted.
    pub(super) fn head(&self) -> &Head {
        &self.head
    }

    /// Entries of the newest head.
    pub(super) fn size(&self) -> u64 {
        self.head.size()
    }

    /// Follows a newer head; an older one changes nothing.
    pub(super) fn advance(&mut self, head: Head) {
        if head.size() > self.head.size() {
            if self.earlier.len() == EARLIER_TREES {
                self.earlier.pop_front();
            }
            self.earlier.push_back((self.head.size(), *self.head.root()));
            self.head = head;
        }
    }

    /// Whether a head of this tree was accepted: what is proven against another one is proven against nothing.
    pub(super) fn vouches_for(&self, size: u64, root: &Hash) -> bool {
        (self.head.size(), self.head.root()) == (size, root) || self.earlier.contains(&(size, *root))
    }

    /// The newest so many entries, or all.
    pub(super) fn wanted(&self, newest: Option<u64>) -> Range<u64> {
        newest.map_or(0, |newest| self.size().saturating_sub(newest))..self.size()
    }

    /// The parts of a range that are neither here nor on their way, the newest first.
    pub(super) fn free(&self, within: Range<u64>) -> Vec<Range<u64>> {
        let mut taken = self.held.clone();
        for range in self.writing.iter() {
            taken.insert(range);
        }
        for asked in &self.asked {
            taken.insert(asked.range.clone());
        }
        taken.gaps_down(within)
    }

    /// How many of a range are not held.
    pub(super) fn lacking(&self, within: Range<u64>) -> u64 {
        self.held.gaps_down(within).iter().map(|gap| gap.end - gap.start).sum()
    }

    /// Entries came: they are no longer asked for, but being written.
    pub(super) fn came(&mut self, range: &Range<u64>) {
        self.writing.insert(range.clone());
    }

    /// Entries are on the disk.
    pub(super) fn written(&mut self, range: &Range<u64>) {
        self.writing.remove(range.clone());
        self.held.insert(range.clone());
    }

    /// Entries could not be written.
    pub(super) fn not_written(&mut self, range: &Range<u64>) {
        self.writing.remove(range.clone());
    }

    /// A request has ended: what it did not bring is free again.
    pub(super) fn unask(&mut self, connection: ConnectionId, ticket: Option<Ticket>) {
        self.asked.retain(|asked| asked.connection != connection || asked.ticket != ticket);
    }

    /// A peer is gone: what it was asked for is free again.
    pub(super) fn unask_all(&mut self, connection: ConnectionId) {
        self.asked.retain(|asked| asked.connection != connection);
    }

    /// What a seeder says of it: how far it is synced here; none while nothing is.
    pub(super) fn stored(&self) -> Option<Stored> {
        let entries = self.held_prefix().min(self.stored_size);
        (entries > 0).then(|| Stored { log: self.id(), entries, with_blobs: self.complete.min(entries) })
    }

    /// Entries from the first on that are held without a gap.
    pub(super) fn held_prefix(&self) -> u64 {
        self.held.iter().next().filter(|range| range.start == 0).map_or(0, |range| range.end)
    }
}

#[cfg(test)]
mod tests {
    use peerfeed_protocol::crypto::{DeviceKey, IdentityKey};
    use peerfeed_protocol::ids::Incarnation;

    use super::*;

    fn head(size: u64, root: u8) -> Head {
        let device = DeviceKey::from_seed(&[1; 32]);
        let log = LogId { device: device.id(), incarnation: Incarnation::new([1; 8]) };
        Head::sign(&IdentityKey::from_seed(&[2; 32]).feed_id(), &log, size, &Hash::new([root; 32]), &device)
    }

    #[test]
    fn what_was_proven_against_a_tree_that_no_accepted_head_has_counts_for_nothing() {
        let mut log = Log::new(head(8, 8));
        log.advance(head(9, 9));
        assert!(log.vouches_for(9, &Hash::new([9; 32])) && log.vouches_for(8, &Hash::new([8; 32])));
        // A peer may send the newest entries unasked with a head that is older than ours, whose signature is then not
        // looked at: it may be of any tree.
        assert!(!log.vouches_for(5, &Hash::new([5; 32])), "a smaller head that was never checked");
        assert!(!log.vouches_for(8, &Hash::new([7; 32])), "another tree of a size that was accepted");
        assert!(!log.vouches_for(10, &Hash::new([9; 32])), "a greater one");
    }

    #[test]
    fn a_smaller_head_changes_nothing_and_old_trees_are_forgotten() {
        let mut log = Log::new(head(1, 1));
        for size in 2..=12 {
            log.advance(head(size, u8::try_from(size).unwrap()));
            log.advance(head(1, 99));
        }
        assert_eq!(log.size(), 12);
        assert!(log.vouches_for(4, &Hash::new([4; 32])));
        assert!(!log.vouches_for(3, &Hash::new([3; 32])) && !log.vouches_for(1, &Hash::new([99; 32])));
    }
}
