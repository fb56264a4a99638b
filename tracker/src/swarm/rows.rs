//! Rows that are found by hash and lie one behind the other.

use std::mem::replace;

use super::index::Index;
use super::record::allocated;
use crate::fetch::fetch_one;

/// A hash table of which only the [`Index`], four bytes for a slot, doubles when it is full; the rows lie in blocks. A table
/// that holds the rows themselves stands half empty much of the time. Nor is a block ever moved but the last: a list of all
/// rows would leave holes of all sizes behind as it grows, and could not become smaller in bounded time. And a pass over rows
/// in their order can stop anywhere and go on later.
#[derive(Debug)]
pub(super) struct Rows<T> {
    /// Where in `blocks` each is.
    index: Index,
    /// All have room for [`BLOCK`] rows but the last, and are full as far as there are rows.
    blocks: Vec<Vec<T>>,
    len: usize,
    /// Kept along: every announce asks for it, and would wait for the last block's place otherwise.
    bytes: usize,
}

/// What rows lay in before there were fewer. The list has room for what is taken out at once.
#[derive(Debug)]
pub(super) struct Outgrown<T> {
    index: Option<Index>,
    pub(super) blocks: Vec<Vec<T>>,
    list: Option<Vec<Vec<T>>>,
}

/// Rows of a block: few enough to be copied in a microsecond.
const BLOCK: usize = 128;

/// Fewer are not asked for at once.
const GROWTH_MIN: usize = 4;

/// Rows grow by one in so many, and as many may be free before some are given back.
const GROWTH_DIVISOR: usize = 8;

/// More blocks are not taken out at once.
const OUTGROWN_MAX: usize = 1024;

impl<T> Outgrown<T> {
    pub(super) fn new() -> Self {
        Self { index: None, blocks: Vec::with_capacity(OUTGROWN_MAX), list: None }
    }

    /// Gives it back to the allocator.
    pub(super) fn let_go(&mut self) {
        (self.index, self.list) = (None, None);
        self.blocks.clear();
    }
}

impl<T> Rows<T> {
    pub(super) fn new() -> Self {
        Self { index: Index::new(), blocks: Vec::new(), len: 0, bytes: 0 }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Bytes on the heap, free room included.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The same, counted.
    fn allocated_bytes(&self) -> usize {
        let full = self.blocks.len().saturating_sub(1) * Self::block_bytes(BLOCK);
        let last = self.blocks.last().map_or(0, |last| Self::block_bytes(last.capacity()));
        self.index.bytes() + Self::list_bytes(self.blocks.capacity()) + full + last
    }

    /// How many more bytes it will take to put in one more.
    pub(super) fn growth_bytes(&self) -> usize {
        /// More than an index has at first.
        const INDEX_BYTES_MIN: usize = 64;
        let index = if self.index.len() < self.index.capacity() { 0 } else { self.index.bytes().max(INDEX_BYTES_MIN) };
        let rows = match self.blocks.get(self.len / BLOCK) {
            Some(block) if block.len() < block.capacity() => 0,
            Some(block) => {
                Self::block_bytes(block.capacity() + self.growth(block)) - Self::block_bytes(block.capacity())
            }
            None => {
                let blocks = self.blocks.capacity();
                let list = if self.blocks.len() < blocks { blocks } else { blocks + self.list_growth() };
                Self::block_bytes(self.growth(&Vec::new())) + Self::list_bytes(list) - Self::list_bytes(blocks)
            }
        };
        index + rows
    }

    /// The row of this hash that `is_it`.
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(&T) -> bool) -> Option<&T> {
        self.position(hash, is_it).map(|at| nth(&self.blocks, at))
    }

    /// Where it is, until a row is removed.
    pub(super) fn position(&self, hash: u64, is_it: impl Fn(&T) -> bool) -> Option<usize> {
        self.index.find(hash, |at| is_it(nth(&self.blocks, at)))
    }

    /// Fetches what a [`hint`](Self::hint) looks at, and where blocks are.
    pub(super) fn approach(&self, hash: u64) {
        self.index.fetch(hash);
        if let Some(first) = self.blocks.first() {
            fetch_one(first);
        }
    }

    /// Where a row of this hash seems to be: nearly always the one that is meant. Only the index is looked at.
    pub(super) fn hint(&self, hash: u64) -> Option<usize> {
        self.index.find(hash, |_| true)
    }

    /// Fetches the row at a position.
    pub(super) fn fetch(&self, at: usize) {
        fetch_one(nth(&self.blocks, at));
    }

    /// The row at a position.
    pub(super) fn at(&self, at: usize) -> Option<&T> {
        self.blocks.get(at / BLOCK).and_then(|block| block.get(at % BLOCK))
    }

    /// The same, to be changed.
    pub(super) fn at_mut(&mut self, at: usize) -> Option<&mut T> {
        self.blocks.get_mut(at / BLOCK).and_then(|block| block.get_mut(at % BLOCK))
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.blocks.iter().flatten()
    }

    /// Puts in a row that is not there yet.
    pub(super) fn insert(&mut self, hash: u64, row: T, hash_of: impl Fn(&T) -> u64) {
        let at = self.len;
        if at / BLOCK == self.blocks.len() {
            if self.blocks.len() == self.blocks.capacity() {
                self.blocks.reserve_exact(self.list_growth());
            }
            self.blocks.push(Vec::new());
        }
        let growth = self.growth(&self.blocks[at / BLOCK]);
        let block = &mut self.blocks[at / BLOCK];
        if block.len() == block.capacity() {
            block.reserve_exact(growth);
        }
        block.push(row);
        self.len += 1;
        let blocks = &self.blocks;
        self.index.insert(hash, at, |at| hash_of(nth(blocks, at)));
        self.bytes = self.allocated_bytes();
    }

    /// Takes out the row at a position; the last one comes there.
    pub(super) fn remove(&mut self, at: usize, hash_of: impl Fn(&T) -> u64) -> T {
        let last = self.len - 1;
        let hash_at = |at| hash_of(nth(&self.blocks, at));
        self.index.remove(hash_at(at), at, hash_at);
        if last != at {
            self.index.change(hash_at(last), last, at);
        }
        self.len = last;
        let row = self.blocks[last / BLOCK].pop().expect("as far as there are rows blocks are full");
        if last == at { row } else { replace(&mut self.blocks[at / BLOCK][at % BLOCK], row) }
    }

    /// Keeps the rows that `keep` wants, so that the room of the others can be used again.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool, hash_of: impl Fn(&T) -> u64) {
        let mut kept = 0;
        for at in 0..self.len {
            if keep(nth(&self.blocks, at)) {
                self.swap(kept, at);
                kept += 1;
            }
        }
        self.len = kept;
        for (n, block) in self.blocks.iter_mut().enumerate() {
            block.truncate(kept.saturating_sub(n * BLOCK));
        }
        self.index.clear();
        for (at, row) in (0..).zip(self.blocks.iter().flatten()) {
            self.index.insert(hash_of(row), at, |at| hash_of(nth(&self.blocks, at)));
        }
    }

    /// Takes out free room; without `all`, only if there is much. Rows are moved within the last block only; but an index that
    /// has become much too large gives way to a new one.
    pub(super) fn shrink(&mut self, all: bool, hash_of: impl Fn(&T) -> u64, outgrown: &mut Outgrown<T>) {
        let len = self.len;
        let slack = if all { 0 } else { len / GROWTH_DIVISOR };
        while self.blocks.len() > (len + slack).div_ceil(BLOCK) && outgrown.blocks.len() < OUTGROWN_MAX {
            outgrown.blocks.extend(self.blocks.pop());
        }
        let list_slack = if all { 0 } else { self.list_growth() };
        if self.blocks.capacity() > self.blocks.len() + 2 * list_slack {
            let mut list = Vec::with_capacity(self.blocks.len() + list_slack);
            list.append(&mut self.blocks);
            outgrown.list = Some(replace(&mut self.blocks, list));
        }
        if let Some(last) = self.blocks.last_mut() {
            let slack = if all { 0 } else { slack.clamp(GROWTH_MIN, BLOCK) };
            if last.capacity() > last.len() + 2 * slack && outgrown.blocks.len() < OUTGROWN_MAX {
                let mut block = Vec::with_capacity(last.len() + slack);
                block.append(last);
                outgrown.blocks.push(replace(last, block));
            }
        }
        if self.index.capacity() > 4 * len {
            let (blocks, mut index) = (&self.blocks, Index::with_capacity(if all { len } else { 2 * len }));
            for (at, row) in (0..).zip(blocks.iter().flatten()) {
                index.insert(hash_of(row), at, |at| hash_of(nth(blocks, at)));
            }
            outgrown.index = Some(replace(&mut self.index, index));
        }
        self.bytes = self.allocated_bytes();
    }

    /// By how many rows a block grows.
    fn growth(&self, block: &Vec<T>) -> usize {
        (self.len / GROWTH_DIVISOR).max(GROWTH_MIN).min(BLOCK - block.capacity().min(BLOCK))
    }

    /// By how many blocks their list grows.
    fn list_growth(&self) -> usize {
        (self.blocks.len() / GROWTH_DIVISOR).max(1)
    }

    fn block_bytes(rows: usize) -> usize {
        allocated(rows * size_of::<T>())
    }

    fn list_bytes(blocks: usize) -> usize {
        allocated(blocks * size_of::<Vec<T>>())
    }

    /// `low` is not above `high`.
    fn swap(&mut self, low: usize, high: usize) {
        if low / BLOCK == high / BLOCK {
            return self.blocks[low / BLOCK].swap(low % BLOCK, high % BLOCK);
        }
        let (before, from) = self.blocks.split_at_mut(high / BLOCK);
        std::mem::swap(&mut before[low / BLOCK][low % BLOCK], &mut from[0][high % BLOCK]);
    }
}

fn nth<T>(blocks: &[Vec<T>], at: usize) -> &T {
    &blocks[at / BLOCK][at % BLOCK]
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
                    (_, 10..) => rows.shrink(action == 11, hash_of, &mut Outgrown::new()),
                    _ => {}
                }
                prop_assert_eq!(rows.len(), held.len());
                prop_assert_eq!(rows.bytes(), rows.allocated_bytes());
                for row in 0..300 {
                    prop_assert_eq!(rows.find(hash_of(&row), |held| *held == row).is_some(), held.contains(&row));
                }
            }
        }
    }

    #[test]
    fn rows_that_become_few_stay_where_they_are_but_those_of_the_last_block() {
        let mut rows = Rows::new();
        let hash = |row: &u64| row.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for n in 0..30_000 {
            rows.insert(hash(&n), n, hash);
        }
        let held = rows.bytes();
        for at in (2_000..30_000).rev() {
            rows.remove(at, hash);
        }
        let places: Vec<_> = rows.iter().map(std::ptr::from_ref).collect();
        let mut outgrown = Outgrown::new();
        rows.shrink(false, hash, &mut outgrown);
        assert!(rows.bytes() < held / 8, "{} of {held}", rows.bytes());
        let moved = rows.iter().zip(places).filter(|&(row, place)| !std::ptr::eq(row, place)).count();
        assert!(moved <= BLOCK, "{moved}");
        assert!(outgrown.blocks.iter().all(Vec::is_empty), "no row has gone");
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
        rows.shrink(false, hash, &mut Outgrown::new());
        assert!(rows.bytes() < 8_000, "{}", rows.bytes());
    }
}
