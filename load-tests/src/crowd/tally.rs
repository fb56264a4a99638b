//! What the followers of a crowd have seen, together.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::Semaphore;

use super::Seen;

/// Handshakes that are under way at once: fewer than who serves takes from one address.
const HANDSHAKES: usize = 64;

/// Counts for all followers and prints what all of them have come to.
pub(super) struct Tally {
    followers: u32,
    connected: Cell<u32>,
    seen: RefCell<BTreeMap<u64, Vec<u64>>>,
    received_bytes: Cell<u64>,
    /// Who may shake hands.
    pub(super) handshakes: Semaphore,
}

impl Tally {
    pub(super) fn new(followers: u32) -> Self {
        Self {
            followers,
            connected: Cell::new(0),
            seen: RefCell::default(),
            received_bytes: Cell::new(0),
            handshakes: Semaphore::new(HANDSHAKES),
        }
    }

    pub(super) fn connected(&self) {
        self.connected.set(self.connected.get() + 1);
        if self.connected.get() == self.followers {
            println!("connected");
        }
    }

    pub(super) fn received(&self, bytes: usize) {
        self.received_bytes.set(self.received_bytes.get() + bytes as u64);
    }

    /// A follower has the entry that makes the log so long.
    pub(super) fn saw(&self, size: u64) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut seen = self.seen.borrow_mut();
        let times = seen.entry(size).or_default();
        times.push(u64::try_from(now.as_micros()).unwrap_or(u64::MAX));
        if times.len() == self.followers as usize {
            let at_us = std::mem::take(times);
            println!("{}", Seen { size, at_us, received_bytes: self.received_bytes.get() }.encode());
        }
    }
}
