//! Rows that are found by hash and lie one behind the other.

use std::hint::black_box;

use hashbrown::HashTable;

use super::record::allocated;

/// A hash table of which only the index, five bytes for a row, doubles when it is full; the rows grow by an eighth. A table
/// that holds the rows themselves stands half empty much of the time. And a pass over rows in their order can stop
/// anywhere and go on later.
#[derive(Debug)]
pub(super) struct Rows<T> {
    /// Where in `rows` each is.
    index: HashTable<u32>,
    rows: Vec<T>,
}

/// Fewer are not asked for at once.
const GROWTH_MIN: usize = 4;

/// Rows grow by one in so many, and as many may be free before some are given back.
const GROWTH_DIVISOR: usize = 8;

impl<T> Rows<T> {
    pub(super) fn new() -> Self {
        Self { index: HashTable::new(), rows: Vec::new() }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Bytes on the heap, free room included.
    pub(super) fn bytes(&self) -> usize {
        self.index.allocation_size() + allocated(self.rows.capacity() * size_of::<T>())
    }

    /// How many more bytes it will take to put in one more.
    pub(super) fn growth_bytes(&self) -> usize {
        /// More than an index has at first.
        const INDEX_BYTES_MIN: usize = 64;
        let index = if self.index.len() < self.index.capacity() {
            0
        } else {
            self.index.allocation_size().max(INDEX_BYTES_MIN)
        };
        let rows = if self.rows.len() < self.rows.capacity() {
            0
        } else {
            allocated((self.rows.len() + self.growth()) * size_of::<T>())
                - allocated(self.rows.capacity() * size_of::<T>())
        };
        index + rows
    }

    /// The row of this hash that `is_it`.
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(&T) -> bool) -> Option<&T> {
        self.position(hash, is_it).map(|at| &self.rows[at])
    }

    /// The same, to be changed.
    pub(super) fn find_mut(&mut self, hash: u64, is_it: impl Fn(&T) -> bool) -> Option<&mut T> {
        self.position(hash, is_it).map(|at| &mut self.rows[at])
    }

    /// Where it is, until a row is removed.
    pub(super) fn position(&self, hash: u64, is_it: impl Fn(&T) -> bool) -> Option<usize> {
        self.index.find(hash, |&at| is_it(&self.rows[at as usize])).map(|&at| at as usize)
    }

    /// Where a row of this hash seems to be: nearly always the one that is meant. Only the index is looked at.
    pub(super) fn hint(&self, hash: u64) -> Option<u32> {
        self.index.find(hash, |_| true).copied()
    }

    /// A look at both ends of a row.
    pub(super) fn touch(&self, at: u32, ends: impl Fn(&T) -> [u8; 2]) {
        black_box(self.rows.get(at as usize).map(ends));
    }

    /// The row at a position.
    pub(super) fn at_mut(&mut self, at: usize) -> Option<&mut T> {
        self.rows.get_mut(at)
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.rows.iter()
    }

    /// Puts in a row that is not there yet.
    pub(super) fn insert(&mut self, hash: u64, row: T, hash_of: impl Fn(&T) -> u64) {
        if self.rows.len() == self.rows.capacity() {
            self.rows.reserve_exact(self.growth());
        }
        self.rows.push(row);
        let rows = &self.rows;
        self.index.insert_unique(hash, place(rows.len() - 1), |&at| hash_of(&rows[at as usize]));
    }

    /// Takes out the row at a position; the last one comes there.
    pub(super) fn remove(&mut self, at: usize, hash_of: impl Fn(&T) -> u64) -> T {
        let last = self.rows.len() - 1;
        if let Ok(entry) = self.index.find_entry(hash_of(&self.rows[at]), |&held| held == place(at)) {
            entry.remove();
        }
        if last != at
            && let Some(moved) = self.index.find_mut(hash_of(&self.rows[last]), |&held| held == place(last))
        {
            *moved = place(at);
        }
        self.rows.swap_remove(at)
    }

    /// Keeps the rows that `keep` wants, so that the room of the others can be used again.
    pub(super) fn retain(&mut self, keep: impl FnMut(&T) -> bool, hash_of: impl Fn(&T) -> u64) {
        self.rows.retain(keep);
        self.index.clear();
        for (at, row) in (0..).zip(&self.rows) {
            self.index.insert_unique(hash_of(row), at, |&at| hash_of(&self.rows[at as usize]));
        }
    }

    /// Gives free room back; without `all`, only where there is much.
    pub(super) fn shrink(&mut self, all: bool, hash_of: impl Fn(&T) -> u64) {
        let len = self.rows.len();
        let slack = if all { 0 } else { len / GROWTH_DIVISOR + GROWTH_MIN };
        if self.rows.capacity() > len + 2 * slack {
            self.rows.shrink_to(len + slack);
        }
        if all || self.index.capacity() > 4 * len {
            let rows = &self.rows;
            self.index.shrink_to(if all { len } else { 2 * len }, |&at| hash_of(&rows[at as usize]));
        }
    }

    fn growth(&self) -> usize {
        (self.rows.len() / GROWTH_DIVISOR).max(GROWTH_MIN)
    }
}

fn place(at: usize) -> u32 {
    u32::try_from(at).expect("a shard has no billions of swarms")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Many hashes, and some that several rows share.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as rows are given to it")]
    fn hash_of(row: &u32) -> u64 {
        u64::from(row % 97) << 57 | u64::from(row % 2)
    }

    proptest! {
        #[test]
        fn whatever_comes_and_goes_every_row_is_found(steps in prop::collection::vec((0u32..300, 0u8..12), 0..600)) {
            let mut rows = Rows::new();
            let mut held = std::collections::BTreeSet::new();
            for (row, action) in steps {
                let before = rows.bytes();
                let promised = rows.growth_bytes();
                match (rows.position(hash_of(&row), |held| *held == row), action) {
                    (Some(at), 0..4) => {
                        prop_assert_eq!(rows.remove(at, hash_of), row);
                        held.remove(&row);
                    }
                    (None, 0..9) => {
                        rows.insert(hash_of(&row), row, hash_of);
                        prop_assert!(rows.bytes() <= before + promised);
                        held.insert(row);
                    }
                    (_, 9) => {
                        rows.retain(|held| held % 3 != row % 3, hash_of);
                        held.retain(|held| held % 3 != row % 3);
                    }
                    (_, 10..) => rows.shrink(action == 11, hash_of),
                    _ => {}
                }
                prop_assert_eq!(rows.len(), held.len());
                for row in 0..300 {
                    prop_assert_eq!(rows.find(hash_of(&row), |held| *held == row).is_some(), held.contains(&row));
                }
            }
        }
    }

    #[test]
    fn a_row_takes_little_more_than_its_own_bytes_and_what_is_free_is_given_back() {
        let mut rows = Rows::new();
        let hash = |row: &[u32; 10]| u64::from(row[0]).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for n in 0..30_000 {
            rows.insert(hash(&[n; 10]), [n; 10], hash);
            let len = rows.len();
            assert!(len < 100 || rows.bytes() <= len * 58, "{} bytes for {len}", rows.bytes());
        }
        rows.retain(|row| row[0] < 100, hash);
        rows.shrink(false, hash);
        assert!(rows.bytes() < 8_000, "{}", rows.bytes());
    }
}
