//! Where rows are, by hash.

use prefetch_index::prefetch_index;

use super::record::allocated;

/// A hash table of places, four bytes for each: open addressing, and whoever finds his slot taken goes on to the next one.
///
/// A slot holds a place and, in the bits that the place leaves, the highest bits of its hash, so that next to no row is looked
/// at in vain. What a search looks at lies in one line of the processor's cache, nearly always, and can be fetched before
/// anything is known but the hash. What is taken out leaves no mark behind: those who had to go on move back.
#[derive(Debug)]
pub(super) struct Index {
    /// A power of two of them, or none.
    slots: Vec<u32>,
    len: usize,
}

/// Nobody's; a place in a slot is one higher than it is.
const FREE: u32 = 0;

/// So many at least.
const SLOTS_MIN: usize = 8;

impl Index {
    /// No places, and no memory.
    pub(super) fn new() -> Self {
        Self { slots: Vec::new(), len: 0 }
    }

    /// Room for so many places.
    pub(super) fn with_capacity(places: usize) -> Self {
        let slots = if places == 0 { 0 } else { (places * 4).div_ceil(3).next_power_of_two().max(SLOTS_MIN) };
        Self { slots: vec![FREE; slots], len: 0 }
    }

    /// How many places it holds.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How many it has room for: three in four slots.
    pub(super) fn capacity(&self) -> usize {
        self.slots.len() / 4 * 3
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        allocated(self.slots.len() * size_of::<u32>())
    }

    /// Fetches what a search for this hash looks at.
    pub(super) fn fetch(&self, hash: u64) {
        if !self.slots.is_empty() {
            prefetch_index(&self.slots, self.home(hash));
        }
    }

    /// The place of this hash that `is_it`.
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(usize) -> bool) -> Option<usize> {
        self.slot_of(hash, is_it).map(|at| self.place_in(at))
    }

    /// Puts in a place, at most as high as how many there are already; `hash_of` tells their hashes.
    pub(super) fn insert(&mut self, hash: u64, place: usize, hash_of: impl Fn(usize) -> u64) {
        if self.len == self.capacity() {
            let mut larger = Self::with_capacity(2 * self.len.max(1));
            for place in (0..self.slots.len()).filter(|&at| self.slots[at] != FREE).map(|at| self.place_in(at)) {
                larger.put(hash_of(place), place);
            }
            *self = larger;
        }
        self.put(hash, place);
    }

    /// Takes out a place of this hash.
    pub(super) fn remove(&mut self, hash: u64, place: usize, hash_of: impl Fn(usize) -> u64) {
        let Some(mut hole) = self.slot_of(hash, |held| held == place) else { return };
        let mask = self.slots.len() - 1;
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            if self.slots[at] == FREE {
                break;
            }
            // Whoever had to go on past the hole, or to it, comes there.
            let from_home = at.wrapping_sub(self.home(hash_of(self.place_in(at)))) & mask;
            if from_home >= at.wrapping_sub(hole) & mask {
                self.slots[hole] = self.slots[at];
                hole = at;
            }
        }
        self.slots[hole] = FREE;
        self.len -= 1;
    }

    /// Gives the row of this hash that was at one place another one, lower than it.
    pub(super) fn change(&mut self, hash: u64, from: usize, to: usize) {
        if let Some(at) = self.slot_of(hash, |held| held == from) {
            self.slots[at] = self.slot(hash, to);
        }
    }

    /// Forgets all places and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.slots.fill(FREE);
        self.len = 0;
    }

    fn put(&mut self, hash: u64, place: usize) {
        let mask = self.slots.len() - 1;
        let mut at = self.home(hash);
        while self.slots[at] != FREE {
            at = (at + 1) & mask;
        }
        self.slots[at] = self.slot(hash, place);
        self.len += 1;
    }

    /// Where the search for a hash begins.
    fn home(&self, hash: u64) -> usize {
        usize::try_from(hash).expect("64-bit platforms only") & self.slots.len().wrapping_sub(1)
    }

    fn slot_of(&self, hash: u64, is_it: impl Fn(usize) -> bool) -> Option<usize> {
        let (tag, places) = (self.tag(hash), self.places());
        let mut at = self.home(hash);
        loop {
            // One in four is free, so it ends; without any slots, at once.
            match self.slots.get(at) {
                None | Some(&FREE) => return None,
                Some(&slot) if slot & !places == tag && is_it(self.place_in(at)) => return Some(at),
                Some(_) => at = (at + 1) & (self.slots.len() - 1),
            }
        }
    }

    fn slot(&self, hash: u64, place: usize) -> u32 {
        self.tag(hash) | u32::try_from(place + 1).expect("below the number of slots")
    }

    fn place_in(&self, at: usize) -> usize {
        (self.slots[at] & self.places()) as usize - 1
    }

    /// The bits of a slot that hold its place: all are below the number of slots.
    fn places(&self) -> u32 {
        u32::try_from(self.slots.len()).expect("a shard has no billions of swarms").wrapping_sub(1)
    }

    fn tag(&self, hash: u64) -> u32 {
        u32::try_from(hash >> 32).expect("half of it") & !self.places()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Some have one home, some even one tag.
    fn hash_of(place: usize) -> u64 {
        let n = u64::try_from(place).unwrap();
        (n % 7) << 60 | (n % 5)
    }

    proptest! {
        #[test]
        fn whatever_comes_and_goes_every_place_is_found(steps in prop::collection::vec(0u8..10, 0..300)) {
            let mut index = Index::new();
            let mut hashes: Vec<u64> = Vec::new();
            for (n, step) in steps.into_iter().enumerate() {
                let last = hashes.len().checked_sub(1);
                match (step, last) {
                    (0..6, _) | (_, None) => {
                        let held = hashes.clone();
                        index.insert(hash_of(n), hashes.len(), |place| held[place]);
                        hashes.push(hash_of(n));
                    }
                    // As rows go: the last one comes where one is taken out.
                    (_, Some(last)) => {
                        let at = n * 7 % hashes.len();
                        index.remove(hashes[at], at, |place| hashes[place]);
                        if at != last {
                            index.change(hashes[last], last, at);
                        }
                        hashes.swap_remove(at);
                    }
                }
                prop_assert_eq!(index.len(), hashes.len());
                prop_assert!(index.len() <= index.capacity());
                for (place, &hash) in hashes.iter().enumerate() {
                    prop_assert_eq!(index.find(hash, |held| held == place), Some(place));
                    index.fetch(hash);
                }
                prop_assert_eq!(index.find(6, |held| hashes[held] == 6), None, "nobody has this hash");
            }
        }
    }

    #[test]
    fn a_row_is_looked_at_in_vain_next_to_never() {
        let hash_of = |place: usize| {
            let mixed = (u64::try_from(place).unwrap() + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
        };
        let mut index = Index::new();
        for place in 0..10_000 {
            index.insert(hash_of(place), place, hash_of);
        }
        let looks = std::cell::Cell::new(0);
        for place in 0..10_000 {
            let is_it = |held| {
                looks.set(looks.get() + 1);
                held == place
            };
            assert_eq!(index.find(hash_of(place), is_it), Some(place));
        }
        assert!(looks.get() < 10_100, "{}", looks.get());
        assert!(index.bytes() < 10_000 * 8, "{} bytes", index.bytes());
    }
}
