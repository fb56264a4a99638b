//! Which places of the file of chunks are free.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// What every snapshot holds that was begun before the same transaction freed something.
pub(super) type Era = Arc<()>;

/// The era of the snapshots that begin now.
#[derive(Debug, Default)]
pub(super) struct Eras(Mutex<Era>);

impl Eras {
    /// To be taken before the snapshot is.
    pub(super) fn current(&self) -> Era {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Begins the next one and gives the one that ends.
    fn next(&self) -> Era {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Slots that may be written to. What is taken follows from the table of those in use, so nothing of this is kept on the disk.
#[derive(Debug, Default)]
pub(super) struct Slots {
    free: BTreeSet<u32>,
    /// All from here on were never taken.
    end: u32,
    /// Freed, but perhaps still read in a snapshot of these eras or an earlier one.
    resting: VecDeque<(Era, Vec<u32>)>,
}

impl Slots {
    /// All but those in use.
    pub(super) fn except(used: &BTreeSet<u32>) -> Self {
        let end = used.last().map_or(0, |last| last + 1);
        Self { free: (0..end).filter(|slot| !used.contains(slot)).collect(), end, resting: VecDeque::new() }
    }

    /// The first slot that was never taken.
    pub(super) fn end(&self) -> u32 {
        self.end
    }

    /// Takes a free slot, the first one in the file; none if there are no more numbers.
    pub(super) fn take(&mut self) -> Option<u32> {
        while let Some((era, _)) = self.resting.front_mut()
            && Arc::get_mut(era).is_some()
        {
            self.free.extend(self.resting.pop_front().into_iter().flat_map(|(_, slots)| slots));
        }
        self.free.pop_first().or_else(|| {
            let slot = self.end;
            self.end = slot.checked_add(1)?;
            Some(slot)
        })
    }

    /// Gives back what was taken in a transaction that came to nothing: no snapshot ever saw it.
    pub(super) fn give_back(&mut self, slots: Vec<u32>) {
        self.free.extend(slots);
    }

    /// Frees what a transaction gave up, after its commit.
    pub(super) fn rest(&mut self, eras: &Eras, slots: Vec<u32>) {
        if !slots.is_empty() {
            self.resting.push_back((eras.next(), slots));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_free_between_others_is_taken_first() {
        let mut slots = Slots::except(&BTreeSet::from([1, 3]));
        assert_eq!([(); 4].map(|()| slots.take().unwrap()), [0, 2, 4, 5]);
        slots.give_back(vec![2, 4]);
        assert_eq!([(); 3].map(|()| slots.take().unwrap()), [2, 4, 6]);
    }

    #[test]
    fn what_a_snapshot_may_still_read_is_not_taken() {
        let (eras, mut slots) = (Eras::default(), Slots::except(&BTreeSet::from([0, 1])));
        let early = eras.current();
        slots.rest(&eras, vec![0]);
        let late = eras.current();
        slots.rest(&eras, vec![1]);
        assert_eq!(slots.take(), Some(2));
        drop(late);
        assert_eq!(slots.take(), Some(3), "who reads since before the first was freed may read the second too");
        drop(early);
        assert_eq!([(); 3].map(|()| slots.take().unwrap()), [0, 1, 4]);
    }
}
