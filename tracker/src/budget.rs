//! What each part of the tracker may take of the memory that the operator gives it.

use crate::limit::{
    ALLOCATOR_MEMORY_DIVISOR, GUARD_BYTES_MAX, GUARD_BYTES_MIN, GUARD_MEMORY_DIVISOR, HTTP_MEMORY_DIVISOR,
    PROCESS_BYTES,
};

/// The memory of the whole process, divided. What is sent to the tracker ends up in swarms, connections or the guard's
/// tables, each of which keeps to its part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    total_bytes: usize,
}

impl Budget {
    /// A budget of `total_bytes`; at least [`MEMORY_BYTES_MIN`](crate::limit::MEMORY_BYTES_MIN).
    pub fn new(total_bytes: u64) -> Self {
        Self { total_bytes: usize::try_from(total_bytes).expect("64-bit platforms only") }
    }

    /// All of it.
    pub fn total_bytes(&self) -> usize {
        self.total_bytes
    }

    /// For HTTP connections and what they have sent and are about to get.
    pub fn connections_bytes(&self) -> usize {
        self.total_bytes / HTTP_MEMORY_DIVISOR
    }

    /// For the tables of the guard.
    pub fn guard_bytes(&self) -> usize {
        (self.total_bytes / GUARD_MEMORY_DIVISOR).clamp(GUARD_BYTES_MIN, GUARD_BYTES_MAX)
    }

    /// For swarms and peers: what the others leave.
    pub fn swarms_bytes(&self) -> usize {
        let allocator_bytes = self.total_bytes / ALLOCATOR_MEMORY_DIVISOR;
        let others = PROCESS_BYTES + allocator_bytes + self.connections_bytes() + self.guard_bytes();
        self.total_bytes.saturating_sub(others)
    }

    /// For swarms and peers, when these were allowed `swarms_bytes` and the process takes `resident_bytes`: less where that
    /// comes near the whole, for the allocator may lose more than expected; but never less than half of their part.
    pub fn adapted(&self, swarms_bytes: usize, resident_bytes: u64) -> usize {
        let resident_bytes = usize::try_from(resident_bytes).expect("64-bit platforms only");
        let near_bytes = self.total_bytes - self.total_bytes / (2 * ALLOCATOR_MEMORY_DIVISOR);
        let part = self.swarms_bytes();
        let adapted = match resident_bytes.checked_sub(near_bytes) {
            Some(over) => swarms_bytes.saturating_sub(over),
            None => swarms_bytes.saturating_add((near_bytes - resident_bytes).min(part / 64)),
        };
        adapted.clamp(part / 2, part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::MEMORY_BYTES_MIN;

    #[test]
    fn the_parts_are_the_whole_and_swarms_get_most_of_it_where_there_is_much() {
        for (total, swarms_percent) in [(MEMORY_BYTES_MIN, 20), (256 << 20, 60), (8 << 30, 66)] {
            let budget = Budget::new(total);
            let parts = budget.swarms_bytes() + budget.connections_bytes() + budget.guard_bytes();
            assert!(parts + PROCESS_BYTES <= budget.total_bytes());
            assert!(budget.swarms_bytes() * 100 / budget.total_bytes() >= swarms_percent, "{total}");
        }
    }

    #[test]
    fn swarms_give_way_while_the_process_takes_too_much_and_come_back_to_their_part() {
        let budget = Budget::new(256 << 20);
        let part = budget.swarms_bytes();
        let mut bytes = part;
        for _ in 0..10 {
            bytes = budget.adapted(bytes, 255 << 20);
        }
        assert_eq!(bytes, part - 10 * (7 << 20));
        assert_eq!(budget.adapted(bytes, 10 << 30), part / 2);
        for _ in 0..64 {
            bytes = budget.adapted(bytes, 100 << 20);
        }
        assert_eq!(bytes, part);
    }
}
